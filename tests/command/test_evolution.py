"""`--evolution`: a film of how a picture comes about."""

import itertools
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, TRANSFER, contents, forbid_work, let_happen, note_jobs, run
from conftest import pixels_of

from ministyle.command import evolution
from ministyle.jobs.job import Job
from ministyle.objective import Objective
from ministyle.pictures.films import read_frames
from ministyle.settings import Settings
from ministyle.solvers import Step

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


def frames_of(path):
    """Return an animation's frames (H, W, 3), and how long each is shown."""
    frames, durations = zip(*read_frames(path), strict=True)
    return [np.asarray(frame.convert("RGB"), float) for frame in frames], list(durations)


def difference(one, other):
    return np.abs(one - other).mean()


@pytest.mark.usefixtures("early_pyramid")
def test_a_film_leads_from_the_start_to_the_finished_picture_in_its_size():
    flags = "--image-size", "128", "--style-layers", "conv2_1", "--content-layers", "conv2_1"
    command = "transfer", "photo.png", "painting.png", *flags, "--iterations", "4", "-o", "out.png"
    status, out, _ = run(*command, "--evolution", "film.gif", "--save-every", "2")
    assert status == 0 and "film: film.gif (7 frames)" in out
    frames, durations = frames_of("film.gif")
    assert [frame.shape for frame in frames] == [(96, 128, 3)] * 7
    assert durations == [80] * 6 + [2000]
    finished = pixels_of("out.png").astype(float)
    assert difference(frames[-1], finished) < 6  # 256 colours
    assert difference(frames[4], pixels_of("out-4.png")) < 6
    distances = [difference(frame, finished) for frame in frames]
    assert distances[0] > 1.5 * distances[4] > 1.5 * distances[-1]


def test_a_long_run_has_few_frames_and_ends_with_the_picture(jobs, monkeypatch):
    kept = []
    monkeypatch.setattr(evolution, "write_film", lambda path, frames, durations, overwrite: kept.extend(frames))
    monkeypatch.setattr(evolution, "FRAMES", 1)
    run(*TRANSFER, "--iterations", "2", "--evolution", "film.gif")
    assert [frame[0, 0].tolist() for frame in kept] == [[155, 0, 0], [157, 0, 0], [255, 0, 0]]


@pytest.mark.parametrize(
    ("iterations", "memory", "frames"), [(60, 250e6, 61), (1000, 250e6, 59), (60, 20 * 32 * 24 * 3, 21)]
)
def test_frames_are_bounded(iterations, memory, frames, monkeypatch):

    monkeypatch.setattr(evolution, "MEMORY", memory)
    job = Job.of(Settings(image_size=32, iterations=iterations), "photo.png", "painting.png")
    film = evolution.Evolution(job, Path("film.gif"))
    for iteration in range(iterations + 1):
        film.add(Step(iteration, iteration, 1.0, {}, 0.0, (24, 32)), np.zeros((24, 32, 3)))
    assert len(film.frames) == frames
    assert {frame.dtype for frame in film.frames} == {np.dtype(np.uint8)}


def test_an_interrupted_run_leaves_a_film_that_ends_with_its_picture(monkeypatch):
    evaluate, calls = Objective.__call__, itertools.count()

    def evaluate_five_times(self, pixels):
        if next(calls) == 5:
            raise KeyboardInterrupt
        return evaluate(self, pixels)

    monkeypatch.setattr(Objective, "__call__", evaluate_five_times)
    status, out, _ = run(*TRANSFER, "--iterations", "9", "-o", "out.png", "--evolution", "film.webp")
    assert status == 1 and "film: film.webp" in out
    frames, _ = frames_of("film.webp")
    assert difference(frames[-1], pixels_of("out.png")) < 8
    assert difference(frames[0], pixels_of("out.png")) > 16


def test_the_film_has_the_photograph_s_colours_where_the_picture_has_them():
    flags = "--iterations", "2", "--colours", "photo-luminance", "-o", "out.png", "--evolution", "film.gif"
    assert run(*TRANSFER, *flags)[0] == 0
    for frame in frames_of("film.gif")[0]:
        assert difference(np.diff(frame, axis=2), np.diff(pixels_of("out.png").astype(float), axis=2)) < 8


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("old.gif", "film 'old.gif' exists"),
        ("film.avi", "must end in .gif, .webp, .mp4"),
        ("missing/film.gif", "no folder"),
        ("out.webp", "two outputs are named 'out.webp'"),
    ],
)
def test_an_impossible_film_is_refused_before_any_work(name, words, folder, monkeypatch):
    forbid_work(monkeypatch)
    Path("old.gif").write_text("precious")
    before = contents(folder)
    status, out, err = run(*TRANSFER, "-o", "out.webp", "--evolution", name)
    assert (status, out) == (2, "") and words in err and err.count("\n") == 1
    assert contents(folder) == before


def test_a_film_that_can_no_longer_be_written_does_not_cost_the_picture(jobs, monkeypatch):
    Path("sub").mkdir()
    let_happen(monkeypatch, lambda: shutil.rmtree("sub"))
    status, out, err = run(*TRANSFER, "--evolution", "sub/film.gif")
    assert status == 0 and "picture: photo-painting.png" in out
    assert "film 'sub/film.gif' cannot be written" in err and err.count("\n") == 1


def test_other_commands_have_films_too(jobs):
    assert run("texture", "photo.png", *SMALL, "--evolution", "film.gif")[0] == 0
    assert Path("film.gif").is_file()
