"""Checkpoints: a run goes on from any of them as if it had not stopped, and a damaged one is refused."""

import functools
import json
import warnings
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import sentence
from small_pictures import PAINTING, PHOTO

from ministyle.errors import MinistyleError
from ministyle.jobs import checkpoint as module
from ministyle.jobs.checkpoint import Checkpoint
from ministyle.jobs.job import Job
from ministyle.pictures.sizes import resize
from ministyle.settings import Settings
from ministyle.solvers import SOLVERS
from ministyle.weights.file import load_weights, write_weights

OURS = [name for name in SOLVERS if name != "lbfgsb"]
SETTINGS = Settings(
    image_size=32, iterations=5, content_layers="conv2_1", style_layers=("conv1_1", "conv2_1"), optimizer="lbfgs"
)
LARGE = {"image_size": 128, "pyramid": True, "iterations": 4}  # two scales, where pyramids begin early


def job_of(**changes):
    """Return a job, its pictures scaled anew. All jobs share a network, which takes longer to load than to use."""
    settings = replace(SETTINGS, **changes)
    photo = resize(PHOTO.astype(float), 98, 128) if settings.image_size > 100 else PHOTO
    job = Job.of(settings, photo, resize(PAINTING.astype(float), 96, 96))
    vars(job)["network"] = load_once()
    return job


@functools.cache
def load_once():
    return Job.of(SETTINGS, PHOTO, PAINTING).network


class EveryStep(Checkpoint):
    """A checkpoint that is written after every step, and each time kept."""

    def __init__(self, path, **options):
        super().__init__(path, **options)
        self.files = []

    def note(self, standing):
        super().note(standing)
        self.save()
        self.files.append(Path(self.path).read_bytes())


def assert_the_same(result, expected):
    """Check that two results are the same, bit for bit; only the seconds may differ."""
    assert result.pixels.tobytes() == expected.pixels.tobytes()
    assert without_seconds(result.history) == without_seconds(expected.history)
    assert (result.message, result.completed) == (expected.message, expected.completed)
    seconds = [step.seconds for step in result.history]
    assert seconds == sorted(seconds)


def without_seconds(history):
    return [replace(step, seconds=0.0) for step in history]


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.png.checkpoint"


@pytest.fixture
def written(path):
    """The job of a checkpoint that was written in the middle of its run, the checkpoint, and how the run ended."""
    job, checkpoint = job_of(), Checkpoint(path)
    job.run(lambda step, pixels: step.iteration == 3, checkpoint=checkpoint)
    return job, checkpoint


# Going on ---------------------------------------------------------------------------------------------


@pytest.mark.slow
@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("bounds", [True, False])
@pytest.mark.parametrize("optimizer", OURS)
def test_a_run_goes_on_from_any_step_as_if_it_had_not_stopped(optimizer, bounds, path):
    """At the first scale, at the last one, and at the change between them."""
    changes = {**LARGE, "optimizer": optimizer, "bounds": bounds}
    checkpoint, told = EveryStep(path), []
    whole = job_of(**changes).run(lambda step, pixels: told.append(step), checkpoint=checkpoint)
    assert [step.size for step in whole.history] == 3 * [(49, 64)] + 5 * [(98, 128)]
    assert len(checkpoint.files) == len(whole.history)
    for number, content in enumerate(checkpoint.files):
        path.write_bytes(content)
        job, seen = job_of(**changes), []
        begin = Checkpoint(path).read(job)
        assert begin.history[-1].iteration == whole.history[number].iteration
        result = job.run(lambda step, pixels, seen=seen: seen.append(step), begin=begin)
        assert_the_same(result, whole)
        done = number + 1 if number < 3 else number  # the start of the second scale is not told
        assert without_seconds(seen) == without_seconds(told[done:])


@pytest.mark.slow
def test_a_run_in_bands_goes_on_as_if_it_had_not_stopped(path, random):
    photo, painting = random.uniform(0, 255, (2, 640, 64, 3))
    whole = Job.of(replace(SETTINGS, image_size=640, iterations=3, pyramid=False), photo, painting)
    limit = whole.plan_at(whole.scales[0]).bytes - 5e6
    job = Job.of(replace(whole.settings, max_memory=limit / 1e9), photo, painting)
    checkpoint = EveryStep(path)
    expected = job.run(checkpoint=checkpoint)
    assert expected.band_rows is not None
    path.write_bytes(checkpoint.files[1])
    result = job.run(begin=checkpoint.read(job))
    assert result.band_rows == expected.band_rows
    assert_the_same(result, expected)


def test_scipy_s_solver_goes_on_from_the_picture_that_is_not_rounded(path):
    checkpoint, seen = EveryStep(path), []
    job = job_of(optimizer="lbfgsb")
    job.run(lambda *step: seen.append(step), checkpoint=checkpoint)
    path.write_bytes(checkpoint.files[3])
    begin = checkpoint.read(job)
    assert begin.snapshot.state is None
    assert begin.snapshot.pixels.tobytes() == seen[3][1].tobytes()
    assert without_seconds(begin.history) == without_seconds(step for step, _ in seen[:4])
    result = job.run(begin=begin)
    assert [step.iteration for step in result.history] == [0, 1, 2, 3, 4, 5]
    assert result.history[:4] == begin.history and result.history[-1].loss < seen[3][0].loss


def test_a_tileable_texture_from_noise_goes_on(path):
    settings = replace(SETTINGS, init="noise", image_size=64, iterations=4)

    def job():
        return Job.of(settings, None, PAINTING, size=(32, 48), tileable=True)

    checkpoint = EveryStep(path)
    whole = job().run(checkpoint=checkpoint)
    path.write_bytes(checkpoint.files[2])
    again = job()
    assert_the_same(again.run(begin=checkpoint.read(again)), whole)


def test_without_a_file_a_run_begins_at_the_beginning(path):
    job = job_of()
    assert Checkpoint(path).read(job) is None
    assert_the_same(job.run(begin=None), job_of().run())


# When a run ends early --------------------------------------------------------------------------------


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("optimizer", SOLVERS)
@pytest.mark.parametrize("iteration", [0, 2, 3, 6])
def test_what_on_step_raises_carries_the_picture_so_far(optimizer, iteration, path):
    seen, raised = [], StopIteration("mine")  # which SciPy would take for an order to stop

    def fail(step, pixels):
        seen.append((step, pixels))
        if step.iteration == iteration:
            raise raised

    job, checkpoint = job_of(**LARGE, optimizer=optimizer), Checkpoint(path)
    with pytest.raises(StopIteration) as caught:
        job.run(fail, checkpoint=checkpoint)
    assert caught.value is raised
    assert any("'result'" in note for note in raised.__notes__)
    result = raised.result
    assert not (result.completed or result.stopped or result.interrupted)
    assert result.history[-1] == seen[-1][0] and result.history[-1].iteration == iteration
    expected = job.coloured(resize(np.float64(seen[-1][1]), *job.size)).astype(np.float32)
    np.testing.assert_array_equal(result.pixels, expected)
    if optimizer in OURS and iteration == 3:
        assert_the_same(job.run(begin=checkpoint.read(job)), job_of(**LARGE, optimizer=optimizer).run())


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("optimizer", SOLVERS)
@pytest.mark.parametrize("iteration", [0, 2, 3, 6])
def test_every_solver_stops_where_on_step_says_so_and_another_run_goes_on(optimizer, iteration, path):
    job, checkpoint, seen = job_of(**LARGE, optimizer=optimizer), Checkpoint(path), []

    def stop(step, pixels):
        seen.append(pixels)
        return step.iteration == iteration

    result = job.run(stop, checkpoint=checkpoint)
    assert result.stopped and result.completed and result.message.endswith("stopped by on_step")
    assert result.history[-1].iteration == iteration == len(seen) - 1
    expected = job.coloured(resize(np.float64(seen[-1]), *job.size)).astype(np.float32)
    np.testing.assert_array_equal(result.pixels, expected)
    assert checkpoint.read(job).history == result.history


def test_what_is_raised_before_there_is_a_picture_carries_none(monkeypatch, path):
    monkeypatch.setattr(Job, "objective_at", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError) as caught:
        job_of().run(checkpoint=Checkpoint(path))
    assert not hasattr(caught.value, "result") and not path.exists()


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("error", [KeyboardInterrupt, MemoryError])
def test_what_happens_between_two_scales_loses_nothing(error, monkeypatch, path):
    expected, right = job_of(**LARGE).run(), Job.objective_at

    def objective_at(self, scale, plan=None):
        if scale.reduction == 1:
            raise error
        return right(self, scale, plan)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "objective_at", objective_at)
        try:
            result = job_of(**LARGE).run(checkpoint=Checkpoint(path))
        except MemoryError as raised:
            result = raised.result
    assert result.interrupted == (error is KeyboardInterrupt) and not result.completed
    assert without_seconds(result.history) == without_seconds(expected.history[:3])
    assert result.pixels.shape == (98, 128, 3)
    job = job_of(**LARGE)
    assert_the_same(job.run(begin=Checkpoint(path).read(job)), expected)


@pytest.mark.parametrize("times", [1, 2])
def test_ctrl_c_while_a_checkpoint_is_written_keeps_picture_and_checkpoint(times, monkeypatch, path):
    """The second time, the older checkpoint has to do."""
    expected, right, calls = job_of().run(), module._write, []

    def write(*arguments):
        calls.append(None)
        if 3 <= len(calls) < 3 + times:
            raise KeyboardInterrupt
        right(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr(module, "_write", write)
        result = job_of().run(checkpoint=EveryStep(path))
    assert result.interrupted and len(calls) == 4
    job = job_of()
    begin = Checkpoint(path).read(job)
    assert len(begin.history) == len(result.history) + 1 - times
    assert_the_same(job.run(begin=begin), expected)


def test_a_run_interrupted_before_its_next_step_leaves_the_checkpoint_alone(written, monkeypatch):
    job, checkpoint = written
    before = checkpoint.path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Job, "objective_at", interrupt)
    with pytest.raises(KeyboardInterrupt):
        job.run(checkpoint=checkpoint, begin=checkpoint.read(job))
    assert checkpoint.path.read_bytes() == before


# When it is written -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("writing", "expected"), [(0.0, [3, 6]), (5.0, [3, 7])])
def test_it_is_written_now_and_then_and_less_often_where_that_takes_long(writing, expected, path, monkeypatch):
    """A step takes 25 seconds. Where writing takes 5, the next one is 100 seconds later, not 60."""
    clock, written = [0.0], []

    def write(path, standing, job):
        clock[0] += writing
        written.append(standing.history[-1].iteration)

    def step(step, pixels):
        clock[0] += 25

    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(module, "_write", write)
    job_of(iterations=8).run(step, checkpoint=Checkpoint(path))
    assert written == expected


def test_with_0_seconds_it_is_never_written(path):
    job_of().run(lambda step, pixels: step.iteration == 3, checkpoint=Checkpoint(path, every=0))
    assert not path.exists()


def test_a_full_disk_is_told_once_and_the_run_goes_on(path):
    resource = pytest.importorskip("resource")
    path.write_bytes(b"an older one")
    told, expected = [], job_of().run()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, limits[1]))  # a picture takes 9 kB, each pair 18
    try:
        result = job_of().run(checkpoint=EveryStep(path, warn=told.append))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert_the_same(result, expected)
    (told,) = told
    assert "out.png.checkpoint' cannot be written: File too large" in told and "goes on" in told and "\n" not in told
    assert [name.name for name in path.parent.iterdir()] == [path.name]


def test_a_folder_that_has_gone_is_told_once_and_the_run_goes_on(tmp_path):
    with pytest.warns(UserWarning, match="cannot be written") as told:
        result = job_of().run(checkpoint=Checkpoint(tmp_path / "gone" / "checkpoint", every=1e-9))
    assert len(told) == 1
    assert_the_same(result, job_of().run())


def test_a_finished_run_s_checkpoint_can_be_removed(written):
    _, checkpoint = written
    assert checkpoint.exists()
    checkpoint.remove()
    assert not checkpoint.exists()
    checkpoint.remove()


# What is refused --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"strength": 0.3}, "strength (=0.5) is now 0.3"),
        ({"image_size": 48}, "image_size (=32) is now 48"),
        ({"optimizer": "adam"}, "optimizer (=lbfgs) is now adam"),
        ({"style_layers": ("conv1_1", "conv1_2")}, "style_layers 2 (=conv2_1) is now conv1_2"),
        ({"style_layers": ("conv1_1",)}, 'style_layers (=["conv1_1", "conv2_1"]) is now ["conv1_1"]'),
        ({"init": "noise"}, "init (=content) is now noise"),
        ({"init": PHOTO}, "another init"),
    ],
)
def test_other_settings_are_refused_and_the_first_is_named(changes, words, written):
    _, checkpoint = written
    refusal = sentence(checkpoint.read, job_of(**changes))
    assert words in refusal and "out.png.checkpoint" in refusal


def test_other_pictures_are_refused(written):
    job, checkpoint = written
    (style,) = job.styles
    photograph, painting = job.photograph.copy(), style.picture.copy()
    for picture in (photograph, painting):
        picture[3, 4, 1] += 0.001
    mask = np.ones(painting.shape[:2], np.float32)
    for other, words in (
        ({"photograph": photograph}, "another photograph"),
        ({"styles": (replace(style, picture=painting),)}, "another styles 1 picture"),
        ({"styles": (replace(style, mask=mask),)}, "another styles 1 mask"),
        ({"styles": (replace(style, weight=2.0),)}, "styles 1 weight (=1.0) is now 2.0"),
    ):
        assert words in sentence(checkpoint.read, replace(job, **other))


def test_other_weights_are_refused_and_the_same_elsewhere_are_not(written, tmp_path):
    job, checkpoint = written
    weights = load_weights()
    copy = tmp_path / "copy.h5"
    copy.write_bytes(weights.path.read_bytes())
    checkpoint.read(replace(job, settings=replace(job.settings, weights=str(copy), threads=1)))
    write_weights(replace(weights, path=copy, attributes={**weights.attributes, "license": "another"}))
    assert "another weight file" in sentence(
        checkpoint.read, replace(job, settings=replace(job.settings, weights=str(copy)))
    )


def test_other_versions_are_told_of(written, monkeypatch):
    job, checkpoint = written
    monkeypatch.setattr(module.importlib.metadata, "version", {"numpy": "9.9", "scipy": "1"}.get)
    told = []
    assert Checkpoint(checkpoint.path, warn=told.append).read(job).history[-1].iteration == 3
    assert len(told) == 2 and f"numpy {np.__version__}" in told[0] and "9.9" in told[0]


def test_what_is_no_checkpoint_is_refused(path):
    np.savez(path.with_suffix(".npz"), about=json.dumps({"format": "something else"}))
    strange = [b"", b"not even a file", path.with_suffix(".npz").read_bytes()]
    for save, value in ((np.save, np.zeros(3)), (np.savez, {"a": 1}), (np.save, np.array([{}], object))):
        with path.open("wb") as file:
            save(file, value)
        strange.append(path.read_bytes())
    for content in strange:
        path.write_bytes(content)
        refusal = sentence(Checkpoint(path).read, job_of())
        assert refusal.startswith(f"'{path}' is damaged, or no checkpoint")


def test_a_checkpoint_of_another_version_is_refused(written):
    job, checkpoint = written
    with np.load(checkpoint.path) as archive:
        arrays = dict(archive)
    about = json.loads(arrays["about"].item())
    for version, known in ((about["format"], True), (about["format"] + "0", False)):
        with checkpoint.path.open("wb") as file:
            np.savez(file, **{**arrays, "about": np.array(json.dumps({**about, "format": version}))})
        if known:
            checkpoint.read(job)
    assert "no checkpoint that this version can read" in sentence(checkpoint.read, job)


def test_a_damaged_checkpoint_is_refused_or_says_what_it_said(written, random):
    """Half a file never passes; a flipped bit may, where it stands for nothing."""
    job, checkpoint = written
    whole = checkpoint.path.read_bytes()
    expected = checkpoint.read(job)
    passed = 0
    for length in (*random.integers(0, len(whole), 40), len(whole) - 1):
        checkpoint.path.write_bytes(whole[:length])
        sentence(checkpoint.read, job)
    for place in (*random.integers(0, len(whole), 150), *random.integers(len(whole) - 1500, len(whole), 250)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        checkpoint.path.write_bytes(damaged)
        try:
            with warnings.catch_warnings(action="ignore"):
                standing = checkpoint.read(job)
        except MinistyleError as error:
            assert "\n" not in str(error)
            continue
        passed += 1
        assert (standing.scale, standing.history) == (expected.scale, expected.history)
        assert standing.snapshot.pixels.tobytes() == expected.snapshot.pixels.tobytes()
        assert {name: value.tobytes() for name, value in standing.snapshot.state.items()} == {
            name: value.tobytes() for name, value in expected.snapshot.state.items()
        }
    assert passed < 200
