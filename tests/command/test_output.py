"""Where a command's picture goes, and what its file holds beside the pixels."""

import os
from pathlib import Path

import numpy as np
import pytest
import tifffile
from commands import QUICK, SMALL, contents, forbid_work, note_jobs, run
from conftest import pixels_of
from PIL import ExifTags, Image

from ministyle.pictures.reading import read_alpha, read_picture

pytestmark = pytest.mark.usefixtures("folder")

TRANSFER = ("transfer", "photo.png", "painting.png", *QUICK)


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (("transfer", "photo.png", "painting.png"), "photo-painting.png"),
        (("content", "photo.png"), "photo-content.png"),
        (("texture", "painting.png"), "painting-texture.png"),
        (("demo",), "ministyle-demo.png"),
    ],
)
def test_an_existing_folder_gets_the_picture_under_its_default_name(command, name, jobs):
    Path("results.png").mkdir()  # whatever a folder is called
    status, out, _ = run(*command, *SMALL, "-o", "results.png")
    assert status == 0
    assert [path.name for path in Path("results.png").iterdir()] == [name]
    assert f"picture: {Path('results.png') / name} " in out
    status, _, err = run(*command, *SMALL, "-o", "results.png")
    assert status == 2 and name in err and "exists" in err


def test_16_bits_hold_what_was_not_rounded():
    assert run(*TRANSFER, "--bits", "16", "-o", "out.tif")[0] == 0
    assert run(*TRANSFER, "-o", "out.png")[0] == 0
    deep = tifffile.imread("out.tif")
    assert deep.dtype == np.uint16 and deep.shape == (24, 32, 3)
    assert len(np.unique(deep % 257)) > 100  # more than 8 bits would give
    assert np.array_equal(np.rint(deep / 257), pixels_of("out.png"))


def test_numbered_pictures_have_16_bits_as_well():
    assert run(*TRANSFER, "--bits", "16", "--save-every", "1", "-o", "out.tif")[0] == 0
    assert np.array_equal(tifffile.imread("out-1.tif"), tifffile.imread("out.tif"))


def cut_out():
    """Make the photograph transparent on its left half."""
    photo = Image.open("photo.png").convert("RGBA")
    photo.paste((0, 0, 0, 0), (0, 0, 24, 36))
    photo.save("photo.png")


@pytest.mark.parametrize("ending", ["png", "tif", "webp"])
def test_the_photograph_s_transparency_is_kept_if_that_is_wanted(ending, jobs):
    cut_out()
    name = f"out.{ending}"
    assert run(*TRANSFER, "--alpha", "keep", "--save-every", "2", "--iterations", "2", "-o", name)[0] == 0
    for path in (name, f"out-2.{ending}"):
        alpha = read_alpha(path)
        assert alpha.shape == (24, 32)
        assert alpha[:, :14].max() < 0.02 and alpha[:, 18:].min() > 0.98
    assert read_picture(name)[:, 20:] == pytest.approx(np.broadcast_to((255, 0, 0), (24, 12, 3)), abs=6)


def test_transparency_is_laid_on_white_by_default(jobs):
    cut_out()
    assert run(*TRANSFER, "-o", "out.png")[0] == 0
    assert read_alpha("out.png") is None


def test_an_opaque_photograph_has_no_transparency_to_keep(jobs):
    assert run(*TRANSFER, "--alpha", "keep", "-o", "out.jpg")[0] == 0
    with Image.open("out.jpg") as picture:
        assert picture.mode == "RGB"


@pytest.mark.parametrize(("flags", "kept"), [((), True), (("--no-exif",), False)])
def test_exif_data_are_kept_unless_told_otherwise(flags, kept, jobs):
    exif = Image.Exif()
    exif[ExifTags.Base.Make] = "Maker"
    exif[ExifTags.IFD.GPSInfo] = {1: "N", 2: (48.0, 31.0, 12.5)}
    Image.open("photo.png").save("photo.jpg", exif=exif)
    for name in ("out.jpg", "out.png"):
        assert run("transfer", "photo.jpg", "painting.png", *SMALL, *flags, "-o", name)[0] == 0
        with Image.open(name) as picture:
            found = picture.getexif()
        assert (found.get(ExifTags.Base.Make) == "Maker") is kept
        assert bool(found.get_ifd(ExifTags.IFD.GPSInfo)) is kept


def test_a_texture_has_no_photograph_whose_data_it_could_keep():
    for flag in (("--alpha", "keep"), ("--no-exif",)):
        status, _, err = run("texture", "painting.png", *flag)
        assert status == 2 and flag[0] in err


# The photograph's own size -----------------------------------------------------------------------------------


@pytest.mark.parametrize("side", ["longest", "shortest"])
@pytest.mark.parametrize(
    ("command", "size"),
    [
        (("transfer", "photo.png", "painting.png"), (36, 48)),
        (("content", "photo.png"), (36, 48)),
        (("texture", "painting.png"), (40, 32)),
    ],
)
def test_a_picture_has_its_own_size_if_that_is_wanted(command, size, side, jobs):
    assert run(*command, "--image-size", "content", "--side", side, "-o", "out.png")[0] == 0
    assert pixels_of("out.png").shape == (*size, 3)
    assert jobs[0].size == size
    assert jobs[0].settings.image_size == (max(size) if side == "longest" else min(size))


def test_an_estimate_is_given_for_the_picture_s_own_size():
    assert run("transfer", "photo.png", "painting.png", "--image-size", "content", "--estimate")[1].startswith(
        "48 x 36 "
    )


def test_a_grid_of_photographs_in_their_own_size():
    Path("photos").mkdir()
    Image.open("photo.png").save("photos/a.png")
    Image.open("start.png").save("photos/b.png")
    flags = "--iterations", "1", "--image-size", "content", "--layers", "1", "-q", "-o", "out"
    assert run("grid", "--content", "photos", "--style", "painting.png", *flags)[0] == 0
    assert sorted(pixels_of(path).shape for path in Path("out/panels").glob("*.png")) == [(30, 40, 3), (36, 48, 3)]


# Inputs survive ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("link", [os.link, os.symlink, None])
@pytest.mark.parametrize("role", ["content", "style", "init"])
def test_no_file_that_is_written_is_an_input(role, link, folder, monkeypatch):
    """Neither the finished picture nor a numbered one, whatever the input is called."""
    original = {"content": "photo.png", "style": "painting.png", "init": "start.png"}[role]
    names = {"content": "photo.png", "style": "painting.png", "init": "start.png"}
    for output in ("out-1.png", "out.png"):
        if link is None:
            Path(names[role]).rename(output)
            names[role] = output
        else:
            link(original, output)
        before = contents(folder)
        with monkeypatch.context() as patch:
            forbid_work(patch)
            status, _, err = run(
                *("transfer", names["content"], names["style"], "--init", names["init"], *QUICK),
                *("--save-every", "1", "--overwrite", "-o", "out.png"),
            )
        assert status == 2 and f"'{output}' is one of the input pictures" in err
        assert contents(folder) == before
        if link is not None:
            Path(output).unlink()
