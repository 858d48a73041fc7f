"""`transfer` with several photographs."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, SMALL, Terminal, contents, let_happen, note_jobs, run
from conftest import pixels_of
from PIL import Image

from ministyle.jobs.job import Job

MANY = ("transfer", "photos", "painting.png", *QUICK, "-o", "out")


@pytest.fixture(autouse=True)
def photographs(folder):
    """Put three photographs, of which one is a copy of the fixture's, into a folder."""
    Path("photos").mkdir()
    photo = Image.open("photo.png")
    photo.save("photos/a.png")
    photo.rotate(180).save("photos/b.jpg")
    photo.resize((36, 48)).save("photos/c.png")
    Path("photos/notes.txt").write_text("not a picture")


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


def last_line(text):
    return text.splitlines()[-1]


def test_a_folder_of_photographs_becomes_the_pictures_that_single_commands_make():
    status, out, err = run(*MANY)
    assert (status, err) == (0, "")
    assert [line.split("  ")[:2] for line in out.splitlines()[:-1]] == [
        ["1 of 3", "a-painting.png"],
        ["2 of 3", "b-painting.png"],
        ["3 of 3", "c-painting.png"],
    ]
    assert last_line(out) == "pictures: 3 made"
    assert run("transfer", "photos/b.jpg", "painting.png", *QUICK, "-o", "alone.png")[0] == 0
    assert np.array_equal(pixels_of("out/b-painting.png"), pixels_of("alone.png"))


@pytest.mark.parametrize(
    "arguments",
    [
        ("photo.png", "photos/b.jpg", "--style", "painting.png", "-o", "new/out"),
        ("photo.png", "-o", "new/out", "photos/b.jpg", "--style", "painting.png"),
        ("-o", "new/out", "photo.png", "photos/b.jpg", "--style", "painting.png"),
    ],
)
def test_with_a_flag_for_the_painting_all_else_is_photographs(arguments, jobs):
    status, out, _ = run("transfer", *arguments, *SMALL)
    assert status == 0 and last_line(out) == "pictures: 2 made"
    assert contents(Path("new/out")).keys() == {"photo-painting.png", "b-painting.png"}


def test_a_single_photograph_may_go_to_a_folder_too(jobs):
    assert run("transfer", "photo.png", "--style", "painting.png", *SMALL, "-o", "out")[0] == 0
    assert contents(Path("out")).keys() == {"photo-painting.png"}
    assert run("transfer", "photo.png", "--style", "painting.png", *SMALL, "-o", "out.png")[0] == 0
    assert Path("out.png").is_file()


def test_a_photograph_that_cannot_be_read_costs_no_other(jobs):
    Path("photos/a.png").write_text("Starry Night")
    status, out, err = run(*MANY)
    assert status == 1
    assert "photos/a.png' is not a picture" in err and err.count("\n") == 1
    assert last_line(out) == "pictures: 2 made, 1 could not be made"
    assert contents(Path("out")).keys() == {"b-painting.png", "c-painting.png"}
    status, out, _ = run("transfer", "x.png", "y.png", "--style", "painting.png", *SMALL, "-o", "out")
    assert status == 2 and last_line(out) == "pictures: 2 could not be made"


def test_what_is_there_is_not_made_again_unless_told_so(jobs):
    Path("out").mkdir()
    Path("out/b-painting.png").write_bytes(b"precious")
    status, out, _ = run(*MANY)
    assert status == 0 and len(jobs) == 2
    assert "2 of 3  b-painting.png  (was there)" in out
    assert last_line(out) == "pictures: 2 made, 1 there before (--overwrite makes them again)"
    assert Path("out/b-painting.png").read_bytes() == b"precious"
    assert run(*MANY, "--overwrite")[0] == 0
    assert len(jobs) == 5 and pixels_of("out/b-painting.png").shape == (24, 32, 3)


@pytest.mark.parametrize(
    ("flags", "change"),
    [(("--seed", "7"), "seed (=0) is now 7"), (("--bits", "16"), "output"), ((), "another content")],
)
def test_a_picture_that_was_made_differently_is_not_taken_for_done(flags, change, jobs):
    assert run(*MANY)[0] == 0
    if not flags:
        shutil.copy("photo.png", "photos/c.png")
    status, out, err = run(*MANY, *flags)
    changed = 1 if not flags else 3
    assert status == (1 if not flags else 2) and err.count("is there and was made differently") == changed
    assert change in err and "--overwrite" in err
    assert out.count("(was there)") == 3 - changed and len(jobs) == 3
    assert run(*MANY, *flags, "--overwrite")[0] == 0 and len(jobs) == 6


def test_a_batch_goes_on_after_an_interruption(monkeypatch):
    assert run(*MANY[:-1], "whole")[0] == 0
    work = Job.run

    def interrupt_the_second(self, on_step=None):
        def on_step_or_interruption(step, pixels):
            if Path("out/a-painting.png").exists():
                raise KeyboardInterrupt
            return on_step(step, pixels)

        return work(self, on_step_or_interruption)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", interrupt_the_second)
        status, _, err = run(*MANY)
    assert (status, err) == (130, "ministyle: interrupted; 1 of 3 pictures are finished\n")
    assert "b-painting.png" not in contents(Path("out"))
    status, out, _ = run(*MANY)
    assert status == 0 and out.count("(was there)") == 1
    assert contents(Path("out")) == contents(Path("whole"))


def test_an_unfinished_picture_is_kept_until_it_is_made(monkeypatch):
    def interrupt(self, on_step=None):
        return replace(work(self, on_step), interrupted=True, completed=False)

    work = Job.run
    with monkeypatch.context() as patch:
        patch.setattr(Job, "run", interrupt)
        assert run(*MANY)[0] == 130
    assert contents(Path("out")).keys() == {"a-painting.unfinished.png"}
    assert run(*MANY)[0] == 0
    assert contents(Path("out")).keys() == {"a-painting.png", "b-painting.png", "c-painting.png"}


def test_an_estimate_sums_up_what_is_missing(monkeypatch):
    monkeypatch.setattr("ministyle.cost.estimate._time_evaluations", lambda job: timed.append(job) or 1.0)
    timed = []
    Path("out").mkdir()
    shutil.copy("painting.png", "out/a-painting.png")
    status, out, _ = run("transfer", "photos", "painting.png", *SMALL, "-o", "out", "--estimate")
    assert status == 0 and len(timed) == 1  # both are as large, one upright
    assert out.startswith("2 pictures to make: about ") and out.endswith(" GB, 1 there already\n")
    alone = run("transfer", "photos/b.jpg", "painting.png", *SMALL, "--estimate")[1]
    hours = [int(text.split("about ")[1].split(" h ")[0]) for text in (out, alone)]
    assert hours[0] == pytest.approx(2 * hours[1], abs=1) and hours[1] > 10
    assert contents(Path("out")).keys() == {"a-painting.png"}
    assert not Path("new").exists() and run(*MANY[:-1], "new", "--estimate")[0] == 0 and not Path("new").exists()


def test_progress_says_which_picture_it_is(jobs):
    _, _, err = run(*MANY, stderr=Terminal())
    assert "1 of 3: 100%" in err and "3 of 3: 100%" in err


def test_weights_are_named_once(jobs):
    assert run(*MANY, "-v")[1].count("weights: ") == 1


BAD = {
    "no folder named": (("transfer", "photos", "painting.png"), "name a folder for them with -o"),
    "a picture named": (("transfer", "photos", "painting.png", "-o", "out.png"), "'out.png' must be a folder"),
    "a file named": (("transfer", "photos", "painting.png", "-o", "photos/notes.txt"), "must be a folder"),
    "the photographs' folder": (("transfer", "photos", "painting.png", "-o", "photos"), "name another folder"),
    "no painting": (("transfer", "photos"), "name a painting as well"),
    "painting missing": (("transfer", "photos", "missing.png", "-o", "out"), "'missing.png'"),
    "painting a folder": (("transfer", "photo.png", "photos"), "'photos' is a folder; name one picture"),
    "two alike": (
        ("transfer", "photo.png", "sub/photo.png", "--style", "painting.png", "-o", "out"),
        "'photo.png' and 'sub/photo.png' would become pictures of the same name",
    ),
    "weights missing": ((*MANY, "--weights", "missing.h5"), "'missing.h5'"),
    "evolution": ((*MANY, "--evolution", "film.gif"), "--evolution makes a film of one picture"),
    "the flag swallows all": (("transfer", "--style", "painting.png", "photo.png"), "photographs stand before --style"),
    "content: a folder": (("content", "photos"), "'photos' is a folder; name one picture"),
    "texture: two pictures": (("texture", "photo.png", "painting.png"), "'painting.png' is one too many"),
    "figure: three pictures": (("figure", "1", "photo.png", "painting.png", "c.png"), "takes photo and painting"),
    "compare: a folder": (("compare", "photos", "painting.png"), "'photos' is a folder"),
    "short flag unknown": (("transfer", "photo.png", "painting.png", "-x"), "there is no flag -x"),
}


@pytest.mark.parametrize("case", BAD)
def test_what_cannot_be_is_refused_before_any_work(case, folder, monkeypatch):
    let_happen(monkeypatch, lambda: pytest.fail("the work began"))
    arguments, words = BAD[case]
    before = contents(folder)
    status, out, err = run(*arguments)
    assert (status, out) == (2, "") and words in err and err.count("\n") == 1
    assert contents(folder) == before and not Path("out").exists()
