"""Several paintings and masks on the command line."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from commands import SMALL, contents, forbid_work, note_jobs, run
from conftest import pixels_of
from PIL import Image

import ministyle
from ministyle import Style

TWO = ("transfer", "photo.png", "painting.png", "start.png", *SMALL, "-q")
QUICK = ("--iterations", "2", "--style-layers", "conv1_1,conv2_1")


@pytest.fixture(autouse=True)
def masks(folder):
    """The left half of the photograph, the upper half of the painting, and both in colours."""
    left, upper = np.zeros((36, 48), np.uint8), np.zeros((40, 32), np.uint8)
    left[:, :24] = upper[:20] = 255
    for name, mask in (("left", left), ("upper", upper)):
        Image.fromarray(mask).save(f"{name}.png")
        Image.fromarray(np.where(mask[:, :, np.newaxis], [255, 0, 0], [0, 0, 255]).astype(np.uint8)).save(
            f"{name}-coloured.png"
        )
    Image.fromarray(0 * left).save("black.png")
    Image.fromarray(left[:, :30]).save("narrow.png")
    Image.fromarray(np.dstack([np.asarray(Image.open("photo.png")), left])).save("cut-out.png")
    return folder


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


def test_the_command_makes_the_picture_that_the_library_makes():
    flags = ("--content-mask", "left.png", "--style-mask", "upper.png", "--style-mask", "none")
    status, out, _ = run(*TWO, *QUICK, *flags, "--style-blend", "2,1", "--style-scale", "1,2", "-o", "out.png")
    assert status == 0
    styles = [Style("painting.png", 2, mask="upper.png"), Style("start.png", scale=2)]
    settings = {"image_size": 32, "iterations": 2, "style_layers": ["conv1_1", "conv2_1"]}
    result = ministyle.transfer("photo.png", styles, content_mask="left.png", **settings)
    assert np.array_equal(pixels_of("out.png"), result.image)
    assert re.search(r"style 1 .*\n.*style 2 ", out)


def test_masks_change_the_picture_and_the_record_makes_it_again():
    flags = (*QUICK, "--content-mask", "left-coloured.png", "--style-mask", "upper-coloured.png")
    one = (*TWO[:3], *TWO[4:], *flags)
    assert run(*one, "-o", "out.png")[0] == 0
    assert run(*TWO[:3], *TWO[4:], *QUICK, "-o", "plain.png")[0] == 0
    assert not np.array_equal(pixels_of("out.png"), pixels_of("plain.png"))
    inputs = ("--content", "photo.png", "--style", "painting.png", "--content-mask", "left-coloured.png")
    again = ("remake", "out.png", *inputs, "--style-mask", "upper-coloured.png", "-o", "again.png")
    status, out, _ = run(*again)
    assert status == 0 and "the same as out.png" in out
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()
    status, _, err = run(*again[:-4], "--style-mask", "upper.png", "-o", "other.png")
    assert status == 2 and "is not the style mask picture" in err


def test_the_photographs_opacity_is_a_mask(jobs):
    status, out, _ = run("transfer", "cut-out.png", "painting.png", *SMALL, "--content-mask", "alpha", "-o", "out.png")
    assert status == 0 and "50% of the picture takes no style" in out
    (style,) = jobs[0].styles
    assert style.region[:, :16].min() == 1 and style.region[:, 16:].max() == 0
    record = Image.open("out.png").text
    assert json.loads(next(iter(record.values())))["content_mask"] == "alpha"


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--content-mask", "black.png"), "content mask is black everywhere"),
        (("--content-mask", "narrow.png"), "not the proportions of its picture"),
        (("--content-mask", "missing.png"), "there is no picture 'missing.png'"),
        (("--content-mask", "alpha"), "transparent in parts"),
        (("--style-mask", "upper.png"), "2 style pictures need as many style masks, got 1; 'none' stands for no mask"),
        (("--content-mask", "left.png") * 3, "2 style pictures need as many content masks, got 3"),
        (("--content-mask", "left-coloured.png"), "style mask 1 must be so, too"),
        (("--style-blend", "1,2,3"), "style_blend has 3 numbers for 2 style pictures"),
        (("--style-blend", "0,0"), "(style_blend) must not all be 0"),
        (("--style-scale", "0.001"), "must be from 0.05 to 20"),
        (("--content-layer-weights", "1,2"), "content_layer_weights has 2 numbers for 1 content layers"),
    ],
)
def test_what_does_not_fit_gets_its_sentence_before_any_work(flags, words, monkeypatch, folder):
    forbid_work(monkeypatch)
    before = contents(folder)
    status, out, err = run(*TWO, *flags, "-o", "out.png")
    assert (status, out) == (2, "") and words in err and err.count("\n") == 1
    assert contents(folder) == before


def test_an_output_that_is_a_mask_is_refused(monkeypatch, folder):
    forbid_work(monkeypatch)
    before = contents(folder)
    status, _, err = run(*TWO, "--content-mask", "left.png", "-o", "left.png", "--overwrite")
    assert status == 2 and "one of the input pictures" in err
    assert contents(folder) == before


def test_a_batch_takes_masks_too():
    status, _, _ = run(
        *("transfer", "photo.png", "cut-out.png", "--style", "painting.png", *SMALL, *QUICK, "-q"),
        *("--content-mask", "left.png", "-o", "out"),
    )
    assert status == 0
    result = ministyle.transfer(
        "photo.png",
        "painting.png",
        content_mask="left.png",
        image_size=32,
        iterations=2,
        style_layers=["conv1_1", "conv2_1"],
    )
    assert np.array_equal(pixels_of("out/photo-painting.png"), result.image)
