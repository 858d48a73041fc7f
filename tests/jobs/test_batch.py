"""Several photographs in the style of one painting, and the frames of an animation."""

from dataclasses import replace

import numpy as np
import pytest
from small_pictures import PAINTING, PHOTO

import ministyle
from ministyle.errors import MinistyleError
from ministyle.jobs.batch import Batch
from ministyle.jobs.job import Job
from ministyle.network import Network
from ministyle.pictures.sizes import resize
from ministyle.settings import Settings
from ministyle.weights import load

SMALL = Settings(image_size=32, style_size=40, iterations=2)
PHOTOS = [PHOTO, PHOTO[::-1].copy(), PHOTO.transpose(1, 0, 2).copy()]  # the last one is of another shape


@pytest.fixture
def seen(monkeypatch):
    """Return a list to which the shape of every picture is added whose features are computed as targets."""
    shapes = []
    features = Network.features

    def watched(self, picture, layers):
        shapes.append(picture.shape)
        return features(self, picture, layers)

    monkeypatch.setattr(Network, "features", watched)
    return shapes


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"colours": "photo-luminance"},  # each photograph changes the painting
        {"init": "style"},
        {"init": "noise", "convention": "mean"},
    ],
    ids=str,
)
def test_the_pictures_of_a_batch_are_those_made_one_by_one(changes):
    settings = replace(SMALL, **changes)
    batch = Batch(settings, PAINTING)
    for photo in PHOTOS:
        alone = Job.of(settings, photo, PAINTING).run()
        assert np.array_equal(batch.job(photo).run().pixels, alone.pixels)


@pytest.mark.usefixtures("early_pyramid")
def test_so_are_those_of_a_pyramid(random):
    photos = [resize(random.uniform(0, 255, (8, 8, 3)), *size) for size in ((128, 96), (96, 128))]
    settings = Settings(image_size=128, iterations=1, style_layers="conv2_1", content_layers="conv2_1")
    batch = Batch(settings, photos[1])
    for photo in photos:
        job = batch.job(photo)
        assert len(job.scales) == 2
        assert np.array_equal(job.run().pixels, Job.of(settings, photo, photos[1]).run().pixels)


def test_a_painting_in_bands_is_not_taken_for_one_at_once(random):
    photo, painting = random.uniform(0, 255, (64, 64, 3)), random.uniform(0, 255, (640, 64, 3))
    settings = Settings(image_size=64, style_size=640, iterations=1, optimizer="lbfgs", style_layers="conv3_1")
    batch = Batch(settings, painting)
    job = batch.job(photo)
    (scale,) = job.scales
    plan = job.plan_at(scale)
    for one in (plan, replace(plan, style_rows=320), replace(plan, style_rows=64)):
        fresh = Job.of(settings, photo, painting)
        fresh.lend(job.network)
        for shared, alone in zip(job.objective_at(scale, one).terms, fresh.objective_at(scale, one).terms, strict=True):
            assert shared.layer is None or np.array_equal(shared.target, alone.target)


def test_the_painting_goes_through_the_network_once_and_the_network_is_loaded_once(seen, monkeypatch):
    loaded = []
    load_weights = load.load_weights
    monkeypatch.setattr(load, "load_weights", lambda path: loaded.append(path) or load_weights(path))
    batch = Batch(SMALL, PAINTING)
    for photo in PHOTOS:
        batch.job(photo).run()
    height, width = 40, round(40 * PAINTING.shape[1] / PAINTING.shape[0])
    assert seen.count((height, width, 3)) == 1
    assert len(seen) == 1 + 2 * len(PHOTOS)  # content and style of each photograph
    assert len(loaded) == 1


def test_a_painting_that_the_photograph_changes_is_computed_for_each(seen):
    batch = Batch(replace(SMALL, colours="photo-luminance"), PAINTING)
    for photo in (PHOTO, PHOTO // 2, PHOTO):
        batch.job(photo).run()
    assert seen.count((40, 27, 3)) == 2  # the third has the first one's


def test_few_targets_are_kept(random):
    batch = Batch(replace(SMALL, iterations=1, style_layers="conv1_1"), PAINTING)
    for _ in range(20):
        batch.job(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).run()
    assert len(batch._targets._known) == 16


def test_what_would_fail_for_every_photograph_fails_at_once():
    for settings, painting, words in (
        (SMALL, "missing.png", "missing.png"),
        (replace(SMALL, weights="missing.h5"), PAINTING, "missing.h5"),
        (replace(SMALL, init="missing.png"), PAINTING, "missing.png"),
    ):
        with pytest.raises(MinistyleError, match=words):
            Batch(settings, painting)


def start_of(job):
    """Return the picture that a job begins with."""
    starts = []
    job.run(lambda step, pixels: starts.append(pixels) or True)
    return starts[0]


def test_a_frame_begins_with_the_one_before_and_with_itself_where_it_has_changed():
    batch = Batch(replace(SMALL, image_size=56), PAINTING)
    frame = np.minimum(PHOTO, 240)
    frame[:10, :10] = (0, 255, 0)  # the photograph has no green
    frame[30:, :] += 10  # as noise may do
    start = start_of(batch.next_frame(frame, np.minimum(PHOTO, 240), np.full((40, 56, 3), 77, np.uint8)))
    assert (start[:10, :10] == (0, 255, 0)).all()
    assert (start[10:] == 77).all() and (start[:, 10:] == 77).all()


def test_a_frame_takes_a_third_of_the_steps_all_at_full_size():
    batch = Batch(Settings(image_size=256, iterations=9), PAINTING)
    job = batch.next_frame(PHOTO, PHOTO, PAINTING)  # of another size, as frames in a folder may be
    assert [(scale.size, scale.iterations) for scale in job.scales] == [(job.size, 3)]
    assert job.network is batch.job(PHOTO).network and len(batch.job(PHOTO).scales) > 1


def test_transfer_all_makes_what_transfer_makes():
    options = {"image_size": 32, "iterations": 2, "strength": 0.7}
    results = ministyle.transfer_all(iter(PHOTOS), PAINTING, **options)
    for photo, result in zip(PHOTOS, results, strict=True):
        assert np.array_equal(result.image, ministyle.transfer(photo, PAINTING, **options).image)
