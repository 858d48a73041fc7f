"""`--history`: a row for each iteration."""

import csv
import json
import os
import shutil
from pathlib import Path

import pytest
from commands import SMALL, TRANSFER, contents, forbid_work, let_happen, note_jobs, run

import ministyle
from ministyle.command.history import History

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


def rows_of(path):
    if path.endswith(".csv"):
        with open(path, encoding="utf-8", newline="") as file:
            return list(csv.DictReader(file))
    return [json.loads(line) for line in Path(path).read_text(encoding="utf-8").splitlines()]


@pytest.mark.usefixtures("early_pyramid")
@pytest.mark.parametrize("name", ["history.csv", "history.jsonl"])
def test_every_iteration_at_every_scale_has_a_row(name):
    options = {"image_size": 128, "iterations": 2, "style_layers": ("conv1_1", "conv2_1"), "content_layers": "conv2_1"}
    flags = (
        "--image-size",
        "128",
        "--iterations",
        "2",
        "--style-layers",
        "conv1_1,conv2_1",
        "--content-layers",
        "conv2_1",
    )
    assert run("transfer", "photo.png", "painting.png", *flags, "-o", "out.png", "--history", name)[0] == 0
    rows = rows_of(name)
    steps = ministyle.transfer("photo.png", "painting.png", **options).history
    steps = [step for i, step in enumerate(steps) if i == 0 or step.iteration != steps[i - 1].iteration]
    assert [int(row["iteration"]) for row in rows] == [step.iteration for step in steps] == [0, 1, 2, 3]
    for row, step in zip(rows, steps, strict=True):
        assert row.pop("picture") == "out.png"
        assert float(row.pop("seconds")) >= 0
        shown = {"iteration": step.iteration, "evaluations": step.evaluations, "loss": step.loss, **step.terms}
        shown |= {"height": step.size[0], "width": step.size[1]}
        assert {key: float(value) for key, value in row.items()} == shown
    assert {row["width"] for row in rows} == {type(rows[0]["width"])(side) for side in (64, 128)}


def test_a_killed_run_leaves_all_rows_so_far(jobs, monkeypatch):
    def add_and_look(self, picture, step):
        add(self, picture, step)
        assert len(rows_of("history.csv")) == step.iteration + 1

    add = History.add
    monkeypatch.setattr(History, "add", add_and_look)
    assert run(*TRANSFER, "--history", "history.csv")[0] == 0
    assert len(rows_of("history.csv")) == 3


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("old.csv", "exists"),
        ("history.txt", "must end in .csv, .jsonl"),
        ("missing/history.csv", "no folder"),
        ("painting.csv", "one of the input pictures"),
    ],
)
def test_an_impossible_history_is_refused_before_any_work(name, words, folder, monkeypatch):
    forbid_work(monkeypatch)
    Path("old.csv").write_text("precious")
    shutil.copy("painting.png", "painting.csv")
    before = contents(folder)
    overwrite = ("--overwrite",) if name == "painting.csv" else ()
    status, out, err = run("transfer", "photo.png", "painting.csv", *SMALL, "--history", name, *overwrite)
    assert (status, out) == (2, "") and words in err and err.count("\n") == 1
    assert contents(folder) == before


def test_an_existing_history_is_replaced_when_told_so(jobs):
    Path("old.csv").write_text("precious")
    assert run(*TRANSFER, "--history", "old.csv", "--overwrite")[0] == 0
    assert len(rows_of("old.csv")) == 3


def test_a_run_that_cannot_begin_leaves_no_history():
    assert run(*TRANSFER, "--style-layers", "conv5_2", "--history", "history.csv")[0] == 2
    assert not Path("history.csv").exists()


@pytest.mark.parametrize("name", ["history.csv", "history.jsonl"])
def test_several_photographs_share_a_history_that_goes_on(name, jobs):
    for photo in ("=1+1.png", "b.png"):
        shutil.copy("photo.png", photo)
    many = "transfer", "=1+1.png", "b.png", "--style", "painting.png", *SMALL, "-o", "out", "--history", name
    assert run(*many)[0] == 0
    with open(name, "a", encoding="utf-8") as file:
        file.write("half a r")  # as a killed run may leave
    os.remove("out/b-painting.png")
    assert run(*many)[0] == 0
    lines = Path(name).read_text(encoding="utf-8").splitlines()
    heads = 1 if name.endswith(".csv") else 0
    assert len(lines) == heads + 6 + 1 + 3 and lines[heads + 6] == "half a r"
    first = lines[heads] if heads else json.loads(lines[0])["picture"]
    assert first.startswith("'=1+1-painting.png,") if heads else first == "=1+1-painting.png"
    assert all("b-painting.png" in line for line in lines[-3:])


def test_a_history_of_other_columns_is_not_continued(jobs):
    Path("history.csv").write_text("time,loss\n1,2\n")
    status, _, err = run(
        "transfer", "photo.png", "--style", "painting.png", *SMALL, "-o", "out", "--history", "history.csv"
    )
    assert status == 2 and "other columns" in err
    assert Path("history.csv").read_text() == "time,loss\n1,2\n"


def test_a_history_that_cannot_be_written_does_not_end_the_run(jobs, monkeypatch):
    let_happen(monkeypatch, lambda: Path("sub").rmdir())
    Path("sub").mkdir()
    status, out, err = run(*TRANSFER, "--history", "sub/history.csv")
    assert status == 0 and "picture: " in out
    assert err.startswith("ministyle: history 'sub/history.csv' cannot be written: ") and err.count("\n") == 1


@pytest.mark.parametrize("ending", ["csv", "jsonl"])
def test_a_picture_whose_name_is_no_text_has_a_history(ending):
    """Such as one in Latin-1: UTF-8 does not hold it, and the table has JSON's escape instead."""
    name = os.fsdecode(b"Fl\xfcsse.png")
    assert run(*TRANSFER, "--iterations", "1", "--history", f"log.{ending}", "-o", name)[0] == 0
    lines = Path(f"log.{ending}").read_text(encoding="utf-8").splitlines()
    assert all("Fl\\udcfcsse.png" in line for line in lines[ending == "csv" :])
    if ending == "jsonl":
        assert json.loads(lines[0])["picture"] == name
