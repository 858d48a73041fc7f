"""`transfer` and `demo`."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, TRANSFER, note_jobs, run
from conftest import pixels_of

import ministyle
from ministyle.pictures.reading import read_picture

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


def test_the_command_makes_the_picture_that_the_library_makes():
    options = {"iterations": 2, "init": "noise", "seed": 5, "style_weight": 50.0, "pooling": "max", "tv_weight": 0.1}
    flags = [text for name, value in options.items() for text in ("--" + name.replace("_", "-"), value)]
    assert run(*TRANSFER, *flags, "-o", "out.png")[0] == 0
    result = ministyle.transfer("photo.png", "painting.png", image_size=32, **options)
    assert np.array_equal(pixels_of("out.png"), result.image)


def test_without_a_name_the_output_is_called_after_both_pictures(jobs):
    Path("sub").mkdir()
    shutil.move("photo.png", "sub/my.photo.png")
    status, out, _ = run("transfer", "sub/my.photo.png", "painting.png", *SMALL)
    assert status == 0
    assert "picture: my.photo-painting.png (32 x 24)" in out
    assert pixels_of("my.photo-painting.png")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_every_optimizer_lowers_the_loss_and_saves_what_it_makes(optimizer):
    status, out, _ = run(*TRANSFER, "--iterations", "8", "--save-every", "4", "--optimizer", optimizer, "-o", "out.png")
    before, after = (float(number) for number in re.search(r"^loss +(\S+) -> +(\S+)", out, re.MULTILINE).groups())
    assert status == 0 and after < before / 2
    assert pixels_of("out-4.png").shape == pixels_of("out.png").shape


def test_the_photograph_s_colours_can_be_kept():
    status, _, _ = run(*TRANSFER, "--iterations", "9", "--colours", "photo-luminance", "-o", "out.png")
    result = ministyle.transfer(
        "photo.png", "painting.png", image_size=32, iterations=9, colours="photo-luminance"
    ).image
    photograph, picture = read_picture("photo.png", 32), pixels_of("out.png")
    assert status == 0 and np.array_equal(picture, result)
    # What is added to a pixel's three channels is the same, where none of them is clipped.
    change = picture - photograph
    inside = ((picture > 0) & (picture < 255)).all(axis=2)
    assert inside.mean() > 0.3 and np.abs(change).mean() > 2
    assert np.ptp(change, axis=2)[inside].max() <= 1.01  # rounding to whole levels


def test_the_demo_repaints_the_project_s_own_picture(jobs):
    status, out, _ = run("demo")
    photo, painting = re.match(r"repainting (.*)\nin the style of (.*)\n", out).groups()
    assert status == 0 and Path(photo).is_file() and Path(painting).is_file()
    (job,) = jobs
    assert np.array_equal(job.photograph, read_picture(photo, 512))
    assert np.array_equal(job.styles[0].picture, read_picture(painting, 512))
    assert "picture: ministyle-demo.png" in out and Path("ministyle-demo.png").is_file()


def test_the_demo_takes_the_flags_of_a_run():
    status, out, _ = run("demo", *SMALL, "--iterations", "1", "-o", "mine.png")
    assert status == 0 and "picture: mine.png" in out
    assert max(pixels_of("mine.png").shape) == 32
