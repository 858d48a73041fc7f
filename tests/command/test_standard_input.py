"""`-` in place of a picture."""

import hashlib
import io
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from commands import QUICK, SMALL, contents, run
from conftest import pixels_of

from ministyle.jobs.record import read_record


@pytest.fixture
def piped(folder, monkeypatch):
    """Have a picture on standard input, which can be read once; return its bytes."""
    data = Path("photo.png").read_bytes()
    reading, writing = os.pipe()
    with open(writing, "wb") as file:
        file.write(data)
    with open(reading, "rb") as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream, isatty=lambda: False))
        yield data


@pytest.mark.parametrize(
    ("arguments", "role", "name"),
    [
        (("transfer", "-", "painting.png", *QUICK, "--record-paths"), "content", "stdin-painting.png"),
        (("transfer", "painting.png", "-", *QUICK), "style", "painting-stdin.png"),
        (("transfer", "painting.png", "--style", "-", *QUICK), "style", "painting-stdin.png"),
        (("transfer", "photo.png", "painting.png", "--init", "-", *QUICK), "init", "photo-painting.png"),
        (("texture", "-", *SMALL, "--iterations", "1", "--layers", "conv1_1"), "style", "stdin-texture.png"),
        (("content", "-", *SMALL, "--iterations", "1", "--layer", "conv1_1"), "content", "stdin-content.png"),
    ],
)
def test_a_picture_comes_from_standard_input(arguments, role, name, piped):
    assert run(*arguments)[0] == 0
    record = read_record(name)
    assert record["inputs"][role] == {"sha256": hashlib.sha256(piped).hexdigest()}
    made = pixels_of(name)
    Path(name).unlink()
    status, _, _ = run(*("photo.png" if word == "-" else word for word in arguments), "-o", "again.png")
    assert status == 0
    assert (pixels_of("again.png") == made).all()


def test_it_is_one_of_several_photographs(piped):
    status, _, _ = run("transfer", "-", "start.png", "--style", "painting.png", "-o", "out", *QUICK)
    assert status == 0
    assert sorted(contents(Path("out"))) == ["start-painting.png", "stdin-painting.png"]


def test_it_is_compared(piped):
    status, out, _ = run("compare", "-", "photo.png", "--layers", "conv1_1", "--image-size", "32")
    assert status == 0
    assert out.split()[6:] == ["0", "0.000", "0", "0.000"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("transfer", "-", "-", *QUICK), "can be read once"),
        (("transfer", "-", "painting.png", "--style-mask", "-", *QUICK), "can be read once"),
        (("transfer", "-", "painting.png", "--init", "-", *QUICK), "can be read once"),
        (("grid", "--content", "-", "--style", "painting.png"), "'grid' takes files only"),
        (("figure", "1", "-", "painting.png"), "'figure' takes files only"),
    ],
)
def test_what_cannot_come_from_standard_input_is_refused(arguments, words, piped, folder):
    before = contents(folder)
    status, _, err = run(*arguments)
    assert status == 2 and words in err and err.count("\n") == 1
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("stdin", "words"),
    [
        (None, "there is no picture on it"),
        (SimpleNamespace(buffer=None, isatty=lambda: True), "there is no picture on it"),
        (SimpleNamespace(buffer=io.BytesIO(), isatty=lambda: False), "standard input, which is empty"),
        (SimpleNamespace(buffer=io.BytesIO(b"Starry Night"), isatty=lambda: False), "is not a picture"),
    ],
)
def test_without_a_picture_on_standard_input_there_is_a_sentence(stdin, words, folder, monkeypatch):
    monkeypatch.setattr(sys, "stdin", stdin)
    status, _, err = run("transfer", "-", "painting.png", *QUICK)
    assert status == 2 and words in err and err.count("\n") == 1
