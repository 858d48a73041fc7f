"""`transfer` with an animation or a folder of frames."""

import tempfile
from pathlib import Path

import numpy as np
import pytest
from animations import DURATIONS, make_frames, write_animation
from commands import QUICK, SMALL, contents, forbid_work, note_jobs, run
from conftest import pixels_of
from PIL import Image

from ministyle.command import video
from ministyle.errors import MinistyleError
from ministyle.jobs.job import Job
from ministyle.pictures import films
from ministyle.pictures.films import read_frames

FILM = ("transfer", "anim.gif", "painting.png", *QUICK[:-4], "--iterations", "3", "--style-layers", "conv1_1")


@pytest.fixture(autouse=True)
def animation(folder, monkeypatch):
    """Put the animation into the folder, and temporary files as well."""
    write_animation("anim.gif")
    (folder / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


@pytest.mark.parametrize("name", ["out.gif", "out.webp"])
def test_every_frame_is_repainted_and_shown_as_long_as_before(name):
    status, out, err = run(*FILM, "-o", name)
    assert (status, err) == (0, "")
    assert out.startswith("each frame begins with the one before; there is no optical flow")
    assert f"film: {name} (4 frames, 32 x 24)" in out
    assert not list(Path("temporary").iterdir())
    frames, durations = zip(*read_frames(name), strict=True)
    assert list(durations) == DURATIONS and {frame.size for frame in frames} == {(32, 24)}
    assert run(*FILM, "-o", "frames")[0] == 0
    for number, frame in enumerate(frames, 1):
        written = pixels_of(f"frames/anim-painting-000{number}.png").astype(float)
        assert np.abs(np.asarray(frame.convert("RGB")) - written).mean() < 8  # 256 colours, or compressed


def test_each_frame_begins_with_the_one_before(jobs):
    assert run(*FILM, "-o", "frames")[0] == 0
    first, *others = jobs
    assert first.init is None and first.settings.iterations == 3
    assert len(others) == 3
    for job in others:
        kept = (job.init == (255, 0, 0)).all(axis=2)  # what the noted jobs make
        assert 0.5 < kept.mean() < 0.95  # the disc has moved
        assert job.settings.iterations == 1 and not job.settings.pyramid
    for job, frame in zip(jobs, make_frames(), strict=True):
        expected = np.asarray(frame.resize((32, 24)), float)
        assert np.abs(job.photograph - expected).mean() < 16


def test_a_folder_of_frames_goes_on_where_it_stopped(monkeypatch):
    assert run(*FILM, "-o", "whole")[0] == 0
    work = Job.run

    def interrupt_the_third(self, on_step=None):
        if Path("frames/anim-painting-0002.png").exists():
            raise KeyboardInterrupt
        return work(self, on_step)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", interrupt_the_third)
        status, _, err = run(*FILM, "-o", "frames")
    assert status == 130 and "2 of 4 pictures are finished" in err
    status, out, _ = run(*FILM, "-o", "frames")
    assert status == 0 and out.count("(was there)") == 2
    assert contents(Path("frames")) == contents(Path("whole")) and len(contents(Path("whole"))) == 4


def test_an_interruption_leaves_the_film_of_the_frames_that_are_finished(jobs, monkeypatch):
    work, done = Job.run, []

    def interrupt_the_third(self, on_step=None):
        done.append(self)
        if len(done) == 3:
            raise KeyboardInterrupt
        return work(self, on_step)

    monkeypatch.setattr(Job, "run", interrupt_the_third)
    status, out, _ = run(*FILM, "-o", "out.gif")
    assert status == 130 and "film: out.gif (2 frames" in out
    assert not list(Path("temporary").iterdir())


def test_frames_in_a_folder_are_taken_by_number(jobs):
    Path("in").mkdir()
    for number, frame in zip((1, 2, 10, 11), make_frames(), strict=True):
        frame.save(f"in/f{number}.png")
    status, out, _ = run("transfer", "in", "painting.png", "--frames", *SMALL)
    assert status == 0 and "optical flow" in out
    assert sorted(contents(Path("in-painting"))) == [f"in-painting-000{i}.png" for i in range(1, 5)]
    for job, frame in zip(jobs, make_frames(), strict=True):
        assert np.abs(job.photograph - np.asarray(frame.resize((32, 24)), float)).mean() < 16
    assert run("transfer", "in", "painting.png", "--frames", *SMALL, "-o", "out.gif")[0] == 0
    assert sum(duration for _, duration in read_frames("out.gif")) == 160


def test_a_damaged_frame_in_a_folder_costs_no_other(jobs):
    Path("in").mkdir()
    for number, frame in enumerate(make_frames()):
        frame.save(f"in/{number}.png")
    Path("in/1.png").write_text("Starry Night")
    status, _, err = run("transfer", "in", "painting.png", "--frames", *SMALL, "-o", "out")
    assert status == 1 and "in/1.png' is not a picture" in err and err.count("\n") == 1
    assert sorted(contents(Path("out"))) == [f"in-painting-000{i}.png" for i in (1, 3, 4)]


@pytest.mark.parametrize("flags", [(), ("-o", "out.png"), ("-o", "out.jpg")])
def test_a_still_of_an_animation_says_that_it_is_the_first_frame(flags, jobs):
    status, out, _ = run(*FILM, *flags)
    assert status == 0 and len(jobs) == 1
    assert out.startswith("'anim.gif' is animated, and only the first of its 4 frames is used; -o NAME.gif")
    assert np.abs(jobs[0].photograph - np.asarray(make_frames()[0].resize((32, 24)), float)).mean() < 16


def test_a_still_picture_says_nothing_of_the_kind(jobs):
    Image.open("photo.png").save("two-pages.tif", save_all=True, append_images=[Image.open("photo.png")])
    for name in ("photo.png", "two-pages.tif"):
        assert "animated" not in run("transfer", name, "painting.png", *SMALL)[1]


def test_an_estimate_counts_the_frames(monkeypatch):
    monkeypatch.setattr("ministyle.cost.estimate._time_evaluations", lambda job: 1.0)
    for output in ("out.gif", "out"):
        status, out, _ = run(*FILM, "-o", output, "--estimate")
        assert status == 0 and out.startswith("4 pictures to make: about ")
        assert not Path(output).exists()


def test_a_film_that_cannot_be_written_leaves_its_frames(jobs, monkeypatch):
    def fail(*_):
        raise MinistyleError("the disk is full")

    monkeypatch.setattr(films, "write_film", fail)
    status, _, err = run(*FILM, "-o", "out.gif")
    assert status == 2 and err.startswith("ministyle: the disk is full; the frames are in '")
    assert len(list(Path("temporary").glob("*/*.png"))) == 4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((*FILM, "-o", "old.gif"), "film 'old.gif' exists"),
        ((*FILM, "-o", "anim.gif", "--overwrite"), "one of the input pictures"),
        ((*FILM, "-o", "missing/out.gif"), "no folder 'missing'"),
        ((*FILM, "-o", "out.gif", "--save-every", "2"), "--save-every needs a folder"),
        ((*FILM, "-o", "out", "--evolution", "film.gif"), "--evolution makes a film of one picture"),
        (("transfer", "photo.png", "painting.png", "--frames"), "--frames needs a folder of frames"),
        (("transfer", "photo.png", "start.png", "--style", "painting.png", "--frames"), "not 2 pictures"),
        (("transfer", "half.gif", "painting.png", "-o", "out.gif"), "frame 2 of 'half.gif' is damaged"),
    ],
)
def test_what_cannot_be_is_refused_before_any_work(arguments, words, folder, monkeypatch):
    forbid_work(monkeypatch)
    Path("old.gif").write_text("precious")
    data = Path("anim.gif").read_bytes()
    Path("half.gif").write_bytes(data[: len(data) // 2])
    before = contents(folder)
    status, _, err = run(*arguments)
    assert status == 2 and words in err and err.count("\n") == 1
    assert contents(folder) == before and not Path("out").exists()
    assert not list(Path("temporary").iterdir())


def test_the_module_sorts_numbers_as_numbers():
    names = ["b1", "a10", "a9", "a", "a10b2", "a10b10"]
    assert sorted(map(Path, names), key=video._by_number) == [
        Path(name) for name in ("a", "a9", "a10", "a10b2", "a10b10", "b1")
    ]
