"""Where a command's picture goes, and what its file holds beside the pixels."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from commands import QUICK, SHIPPED, SMALL, contents, forbid_work, note_jobs, run
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


# All files that a command writes, by where it says so -> the flags.
WRITTEN = {
    "out.png": (),
    "out.png.checkpoint": (),
    "out-1.png": ("--save-every", "1"),
    "out.gif": ("--evolution", "out.gif"),
    "out.csv": ("--history", "out.csv"),
}


@pytest.mark.parametrize("link", [os.link, os.symlink, None])
@pytest.mark.parametrize("how", ["flag", "variable", "default"])
@pytest.mark.parametrize("output", WRITTEN)
def test_no_file_that_is_written_is_the_weight_file(output, how, link, folder, monkeypatch):
    file = Path("weights.h5") if link else Path(output)
    if how == "default":
        file = Path("data/ministyle/vgg19-float32.h5")
        file.parent.mkdir(parents=True)
        monkeypatch.setenv("XDG_DATA_HOME", str(folder / "data"))
    shutil.copy(SHIPPED, file)
    if how == "variable":
        monkeypatch.setenv("MINISTYLE_WEIGHTS", str(file))
    if file != Path(output):
        (link or os.link)(file.absolute(), output)
    flags = ("--weights", file) if how == "flag" else ()
    before = contents(folder)
    forbid_work(monkeypatch)
    status, _, err = run(*TRANSFER, *flags, *WRITTEN[output], "--overwrite", "-o", "out.png")
    assert status == 2 and f"'{output}' is the weight file" in err.splitlines()[-1]
    assert contents(folder) == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
def test_no_checkpoint_is_written_over_an_input(link, folder, monkeypatch):
    link("photo.png", "out.png.checkpoint")
    before = contents(folder)
    forbid_work(monkeypatch)
    status, _, err = run(*TRANSFER, "--overwrite", "-o", "out.png")
    assert status == 2 and "'out.png.checkpoint' is one of the input pictures" in err
    assert contents(folder) == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("name", ["photo-start.png", "photo-start.unfinished.png", "photo-start-1.png", "log.csv"])
def test_no_picture_of_several_is_written_over_an_input(name, link, folder, monkeypatch):
    Path("out").mkdir()
    link(Path("start.png").absolute(), f"out/{name}")
    before = contents(folder), contents(folder / "out")
    forbid_work(monkeypatch)
    flags = ("--save-every", "1", "--history", "out/log.csv", "--overwrite", "-o", "out")
    status, _, err = run("transfer", "photo.png", "--style", "start.png", *QUICK, *flags)
    assert status == 2 and f"'out/{name}' is one of the input pictures" in err
    assert (contents(folder), contents(folder / "out")) == before


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("number", [1, 2])
def test_no_frame_is_written_over_an_input(number, link, folder, monkeypatch):
    for path in ("frames", "out"):
        Path(path).mkdir()
    for name in ("1.png", "2.png"):
        shutil.copy("photo.png", f"frames/{name}")
    link(Path("frames/2.png").absolute(), f"out/frames-painting-000{number}.png")
    before = contents(folder / "out"), contents(folder / "frames")
    forbid_work(monkeypatch)
    status, _, err = run("transfer", "frames", "painting.png", "--frames", *QUICK, "--overwrite", "-o", "out")
    assert status == 2 and "is one of the input pictures" in err
    assert (contents(folder / "out"), contents(folder / "frames")) == before


GRID = ("grid", "--content", "photo.png", "--style", "painting.png", "--layers", "1")
FIGURE = ("figure", "2", "photo.png", "painting.png")
PANEL = "photo_painting_to-conv1_1_0.1_0"
EXPERIMENTS = [
    *((GRID, name) for name in (f"panels/{PANEL}.png", f"panels/{PANEL}.json", f"panels/{PANEL}.unfinished.png")),
    *((GRID, name) for name in ("manifest.json", "manifest.csv", "sheet-photo.png")),
    *((FIGURE, name) for name in ("panels/painting.png", "panels/painting.json", "figure2.png")),
]


@pytest.mark.parametrize("link", [os.link, os.symlink])
@pytest.mark.parametrize("source", ["photo.png", "painting.png", "start.png", "weights.h5"])
@pytest.mark.parametrize(("command", "name"), EXPERIMENTS)
def test_no_file_of_an_experiment_is_written_over_an_input(command, name, source, link, folder, monkeypatch):
    shutil.copy(SHIPPED, "weights.h5")
    Path("out/panels").mkdir(parents=True)
    link(Path(source).absolute(), f"out/{name}")
    before = contents(folder), contents(folder / "out"), contents(folder / "out/panels")
    forbid_work(monkeypatch)
    flags = (*QUICK[:4], "--init", "start.png", "--weights", "weights.h5", "--overwrite", "-q", "-o", "out")
    status, _, err = run(*command, *flags)
    what = "the weight file" if source == "weights.h5" else "one of the input pictures"
    assert status == 2 and f"'out/{name}' is {what}" in err
    assert (contents(folder), contents(folder / "out"), contents(folder / "out/panels")) == before


@pytest.mark.parametrize("source", ["photo.png", "painting.png", "weights.h5"])
@pytest.mark.parametrize("record", ["one.png", "out/manifest.json"])
def test_nothing_is_made_again_over_what_it_was_made_from(record, source, folder, monkeypatch):
    shutil.copy(SHIPPED, "weights.h5")
    flags = ("--weights", "weights.h5")
    if record == "one.png":
        assert run(*TRANSFER, *flags, "--record-paths", "-o", record)[0] == 0
    else:
        assert run(*GRID, *QUICK[:4], *flags, "-q", "-o", "out")[0] == 0
    os.link(source, "again.png")
    before = contents(folder)
    forbid_work(monkeypatch)
    for output in ("again.png", source) if source.endswith(".png") else ("again.png",):
        status, _, err = run("remake", record, *flags, "--overwrite", "-o", output)
        assert status == 2 and f"output '{output}' is " in err and err.count("\n") == 1
    assert contents(folder) == before
