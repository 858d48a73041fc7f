"""A job as a value: what it holds, what it does once, and when it stops."""

import pickle
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image
from small_pictures import PAINTING, PHOTO

from ministyle.cost.memory import make_plan
from ministyle.errors import MinistyleError
from ministyle.jobs.job import Job
from ministyle.pictures.sizes import resize
from ministyle.settings import Settings
from ministyle.weights import load

SMALL = Settings(image_size=32, iterations=2)
LARGE = 320, 256  # large enough for a pyramid of three scales


def first_picture(settings, *pictures, **options):
    """Return the picture that a job begins with, as `on_step` sees it."""
    seen = []

    def look(step, pixels):
        seen.append(pixels)
        return True

    Job.of(settings, *pictures, **options).run(look)
    (start,) = seen
    return start


@pytest.fixture
def calls(monkeypatch):
    """Return lists of the pictures that are decoded and of the weight files that are loaded."""
    opened, loaded = [], []
    open_picture, load_weights = Image.open, load.load_weights

    def count_opened(source, *arguments):
        opened.append(source)
        return open_picture(source, *arguments)

    def count_loaded(path):
        loaded.append(path)
        return load_weights(path)

    monkeypatch.setattr(Image, "open", count_opened)
    monkeypatch.setattr(load, "load_weights", count_loaded)
    return opened, loaded


@pytest.fixture
def files(tmp_path):
    """Return the paths of a photograph, a painting and a start."""
    paths = [tmp_path / name for name in ("photo.png", "painting.png", "start.png")]
    for path, pixels in zip(paths, (PHOTO, PAINTING, PAINTING[::-1]), strict=True):
        Image.fromarray(pixels).save(path)
    return paths


def large_pictures(random):
    """Return a photograph and a painting without fine detail, large enough for a pyramid."""
    return [resize(random.uniform(0, 255, (6, 8, 3)), *size) for size in (LARGE, LARGE[::-1])]


# What a job holds -----------------------------------------------------------------------------------------


def test_a_job_has_its_pictures_in_the_sizes_asked_for(files):
    job = Job.of(Settings(image_size=28, style_size=36), *files[:2])
    assert job.photograph.shape == (20, 28, 3) and job.styles[0].picture.shape == (36, 24, 3)
    assert job.size == (20, 28)
    texture = replace(SMALL, init="noise")
    assert Job.of(texture, None, files[1]).size == (32, 21)
    assert Job.of(texture, None, files[1], size=[30, 70]).size == (30, 70)


def test_starts():
    content, style = PHOTO.astype(np.float32), PAINTING.astype(np.float32)
    settings = Settings(image_size=56, style_size=48)

    def start(**changes):
        return first_picture(replace(settings, **changes), PHOTO, PAINTING)

    np.testing.assert_array_equal(start(init="content"), content)
    for picture in (start(init="style"), start(init=PAINTING)):
        assert picture.shape == content.shape
        assert np.abs(picture.mean(axis=(0, 1)) - style.mean(axis=(0, 1))).max() < 4
    noise = start(init="noise", seed=3)
    assert noise.shape == content.shape
    assert noise.min() >= 0
    assert noise.max() <= 255
    # White: neighbours have nothing to do with one another.
    centred = noise - noise.mean()
    assert abs((centred[1:] * centred[:-1]).mean()) < 0.05 * (centred**2).mean()
    np.testing.assert_array_equal(noise, start(init="noise", seed=3))
    assert 50 < start(init="noise", noise_std=60.0).std() < 60 < 2.5 * noise.std() < 70  # clipped, and not


def test_a_job_goes_through_a_pickle_without_its_network(files):
    job = Job.of(replace(SMALL, init=str(files[2])), *files[:2])
    expected = job.run().image
    assert "network" in vars(job)
    data = pickle.dumps(job)
    assert len(data) < 1e5  # the network alone has 70 MB
    copy = pickle.loads(data)
    assert "network" not in vars(copy)
    assert (copy.settings, copy.size, copy.tileable) == (job.settings, job.size, job.tileable)
    np.testing.assert_array_equal(copy.run().image, expected)


def test_pictures_are_decoded_once_and_the_network_is_loaded_once(files, calls):
    opened, loaded = calls
    job = Job.of(replace(SMALL, init=str(files[2]), colours="photo-luminance"), *files[:2])
    for path in files:
        path.unlink()  # from here on nobody needs them
    job.estimate()
    job.run()
    job.run()
    assert len(opened) == 3 and len(loaded) == 1


# When it stops --------------------------------------------------------------------------------------------


def test_a_run_stops_where_it_is_told_to():
    job = Job.of(replace(SMALL, iterations=9), PHOTO, PAINTING)
    result = job.run(lambda step, pixels: step.iteration == 3)
    assert result.stopped and result.completed and not result.interrupted
    assert result.message.endswith("stopped by on_step")
    assert [step.iteration for step in result.history] == [0, 1, 2, 3]
    np.testing.assert_array_equal(result.image, job.run(stop_after(3)).image)
    assert not job.run(lambda step, pixels: None).stopped


def stop_after(iteration):
    """Return a function for `on_step` that stops a run after so many iterations."""
    return lambda step, pixels: step.iteration >= iteration


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize(("iteration", "size"), [(0, (80, 64)), (2, (80, 64)), (3, (160, 128))])
def test_a_pyramid_stops_at_any_scale_with_a_picture_of_full_size(iteration, size, random):
    settings = Settings(image_size=320, pyramid=True, iterations=4)
    seen = []

    def stop(step, pixels):
        seen.append(pixels)
        return step.iteration == iteration

    result = Job.of(settings, *large_pictures(random)).run(stop)
    assert result.stopped and result.history[-1].size == size and len(seen) == iteration + 1
    assert result.image.shape == (*LARGE, 3)
    expected = resize(seen[-1], *LARGE)
    assert np.abs(result.image - expected.clip(0, 255)).max() <= 0.501


# What is reported -----------------------------------------------------------------------------------------


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("bounds", [False, True])
@pytest.mark.parametrize("pyramid", [False, True])
def test_the_last_loss_is_that_of_the_picture(random, bounds, pyramid):
    """Of the finished one, but for its rounding; and at every other scale of the one that it ended with."""
    # Much style, so that free pixels go far beyond 0 to 255 on every processor.
    settings = Settings(image_size=128, iterations=12, tv_weight=0.0, strength=0.9, bounds=bounds, pyramid=pyramid)
    photo, painting = PHOTO * 1.0, 255.0 * (random.uniform(0, 255, (96, 96, 3)) > 127)
    job = Job.of(settings, resize(photo, 98, 128).round(), painting)
    seen = {}
    result = job.run(lambda step, pixels: seen.update({step.size: pixels}))
    assert len(job.scales) == (2 if pyramid else 1)
    for scale in job.scales:
        (*_, last) = (step for step in result.history if step.size == scale.size)
        picture = seen[scale.size].clip(0, 255)
        assert last.loss == pytest.approx(loss_of(job, scale, picture), rel=1e-5)
        assert bounds or last.loss != pytest.approx(loss_of(job, scale, seen[scale.size]), rel=0.02)
    assert result.history[-1].loss == pytest.approx(loss_of(job, job.scales[-1], result.image), rel=0.01)


def loss_of(job, scale, picture):
    """Return the loss of a picture, evaluated afresh."""
    return float(job.objective_at(scale)(job.network.to_device(np.asarray(picture, np.float32))).loss)


@pytest.mark.parametrize("changes", [{}, {"bounds": False}])
def test_a_run_that_goes_on_begins_where_the_other_ended(random, changes):
    painting = resize(random.uniform(0, 255, (12, 12, 3)), 96, 96)
    settings = Settings(image_size=96, iterations=8, pyramid=False, **changes)
    first = Job.of(settings, PHOTO, painting).run()
    second = Job.of(replace(settings, init=first.image), PHOTO, painting).run()
    assert second.history[0].loss == pytest.approx(first.history[-1].loss, rel=0.01)
    assert second.history[-1].loss < first.history[-1].loss


def test_a_tileable_picture_has_no_mirror_image(random):
    settings = Settings.from_preset("texture", image_size=64, iterations=1, border="mirror")
    job = Job.of(settings, None, random.uniform(0, 255, (64, 64, 3)), tileable=True)
    assert job.network.margin == 0
    untiled = Job.of(settings, None, random.uniform(0, 255, (64, 64, 3)))
    assert untiled.network.margin == 16


# Memory ---------------------------------------------------------------------------------------------------


def test_with_little_memory_the_same_picture_is_made_in_bands(random):
    photo, painting = random.uniform(0, 255, (2, 640, 64, 3))
    settings = Settings(image_size=640, iterations=3, dtype="float64")
    at_once = Job.of(settings, photo, painting)
    whole = at_once.plan_at(at_once.scales[0])
    limit = whole.bytes - 5e6
    in_bands = Job.of(replace(settings, max_memory=limit / 1e9), photo, painting)
    plan = in_bands.plan_at(in_bands.scales[0])
    assert not whole.in_bands and plan.rows is not None and plan.bytes <= limit
    results = at_once.run(), in_bands.run()
    assert [result.band_rows for result in results] == [None, plan.rows]
    assert np.abs(results[0].image.astype(int) - results[1].image).max() <= 1


def test_a_painting_alone_can_be_worked_on_in_bands(random, monkeypatch):
    photo, painting = random.uniform(0, 255, (64, 64, 3)), random.uniform(0, 255, (640, 64, 3))
    settings = Settings(image_size=64, style_size=640, iterations=2, dtype="float64", optimizer="lbfgs")
    whole = Job.of(settings, photo, painting)
    limit = whole.plan_at(whole.scales[0]).bytes - 10e6
    job = Job.of(replace(settings, max_memory=limit / 1e9), photo, painting)
    plan = job.plan_at(job.scales[0])
    assert plan.rows is None and plan.style_rows is not None and plan.bytes <= limit
    heights = heights_in_the_network(job, monkeypatch)
    result = job.run()
    assert max(heights) <= plan.style_rows + 256 < 640  # a band and 128 rows above and below
    assert result.band_rows is None
    assert np.abs(whole.run().image.astype(int) - result.image).max() <= 1


def test_what_the_targets_took_is_given_back_before_the_run_begins(random):
    photo, painting = random.uniform(0, 255, (2, 64, 64, 3))
    job = Job.of(Settings(image_size=64, device="cpu", convolution="winograd"), photo, painting)
    objective = job.objective_at(job.scales[0])
    buffers = job.network.backend.workers.buffers
    assert buffers.reserved_bytes() == 0
    objective(job.network.to_device(photo))
    assert buffers.reserved_bytes() > 0


def heights_in_the_network(job, monkeypatch):
    """Return a list to which the height of every picture that goes through the job's network is added."""
    heights = []
    network = type(job.network)
    run = network._run

    def watched(self, x, taps):
        heights.append(len(x))
        return run(self, x, taps)

    monkeypatch.setattr(network, "_run", watched)
    return heights


def test_a_tileable_picture_is_not_made_in_bands():
    settings = Settings.from_preset("texture", style_layers="conv1_1", image_size=64, iterations=1)
    options = {"size": (1024, 64), "tileable": True}
    limit = make_plan(settings, (1024, 64), content=False, style_sizes=[(320, 300)]).bytes - 1e6
    job = Job.of(replace(settings, max_memory=limit / 1e9), None, PAINTING, **options)
    with pytest.raises(MinistyleError, match="cannot be made in bands"):
        job.run()


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("style_size", [60, 100])
def test_a_small_painting_is_not_made_too_small_for_a_pyramid(style_size, random):
    photo = resize(random.uniform(0, 255, (6, 6, 3)), 256, 256)
    painting = resize(random.uniform(0, 255, (6, 6, 3)), style_size, style_size)
    job = Job.of(Settings(image_size=256, style_size=style_size, pyramid=True, iterations=2), photo, painting)
    assert len(job.scales) == 3
    assert job.estimate().seconds > 0
    result = job.run()
    assert list(dict.fromkeys(step.size for step in result.history)) == [(64, 64), (128, 128), (256, 256)]


def test_a_panorama_has_its_own_small_scales(random):
    """Narrower than a painting may be made: the photograph must be as small as the picture."""
    panorama = resize(random.uniform(0, 255, (2, 10, 3)), 100, 250)
    job = Job.of(Settings(image_size=250, iterations=1), panorama, PAINTING)
    assert [scale.size for scale in job.scales] == [(50, 125), (100, 250)]
    assert job.run().image.shape == (100, 250, 3)


def test_a_panorama_can_be_estimated_and_made(random):
    panorama = resize(random.uniform(0, 255, (2, 40, 3)), 100, 2000)
    job = Job.of(Settings(image_size=400, iterations=1), panorama, PAINTING)
    assert job.size == (20, 400)
    assert job.estimate().size == (20, 400)
    assert job.run().image.shape == (20, 400, 3)
