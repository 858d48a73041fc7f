import os
from pathlib import Path

import numpy as np
import pytest
from conftest import sentence
from PIL import Image

from ministyle.errors import MinistyleError
from ministyle.pictures.reading import read_picture
from ministyle.pictures.writing import FORMATS, PictureFormat, check_output, write_picture


@pytest.fixture
def smooth():
    """A picture that JPEG hardly changes."""
    y, x = np.mgrid[:32, :48]
    return np.stack([5 * x, 8 * y, 2 * x + 3 * y], axis=2).astype(np.uint8)


@pytest.mark.parametrize("ending", ["png", "PNG", "tif", "tiff", "bmp", "ppm"])
def test_what_is_written_is_read_back_exactly(ending, tmp_path, pixels):
    path = tmp_path / f"picture.{ending}"
    write_picture(path, pixels.astype(np.float32) + 0.3)
    with Image.open(path) as picture:
        assert np.array_equal(np.asarray(picture), pixels)


@pytest.mark.parametrize("ending", ["jpg", "jpeg", "JPG", "jfif"])
def test_jpeg_is_written_in_high_quality(ending, tmp_path, smooth):
    path = tmp_path / f"picture.{ending}"
    write_picture(str(path), smooth)
    with Image.open(path) as picture:
        assert picture.format == "JPEG"
        assert np.abs(np.asarray(picture, float) - smooth).max() <= 5


def test_an_existing_file_is_kept_unless_told_otherwise(tmp_path, pixels):
    path = tmp_path / "old.png"
    path.write_bytes(b"precious")
    assert "old.png" in sentence(write_picture, path, pixels)
    assert path.read_bytes() == b"precious"
    write_picture(path, pixels, overwrite=True)
    assert np.array_equal(read_picture(path), pixels)


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize(
    ("failure", "becomes"), [(OSError("no space left"), MinistyleError), (KeyboardInterrupt(), KeyboardInterrupt)]
)
def test_a_write_that_fails_midway_leaves_no_trace(existed, failure, becomes, tmp_path, pixels, monkeypatch):
    def fail_midway(picture, file, **options):
        file.write(b"half a picture")
        file.flush()
        assert len(list(tmp_path.iterdir())) == 1 + existed  # else the test would show nothing
        raise failure

    path = tmp_path / "out.png"
    if existed:
        path.write_bytes(b"precious")
    monkeypatch.setattr(Image.Image, "save", fail_midway)
    with pytest.raises(becomes):
        write_picture(path, pixels, overwrite=True)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == (
        {"out.png": b"precious"} if existed else {}
    )


def test_the_old_file_is_there_until_the_new_one_is_complete(tmp_path, pixels, monkeypatch):
    path = tmp_path / "out.png"
    path.write_bytes(b"precious")
    seen = []

    def replace(source, target, original=os.replace):
        with Image.open(source) as complete:
            seen.append((np.array_equal(np.asarray(complete), pixels), path.read_bytes()))
        original(source, target)

    monkeypatch.setattr(os, "replace", replace)
    write_picture(path, pixels, overwrite=True)
    assert seen == [(True, b"precious")]
    assert [file.name for file in tmp_path.iterdir()] == ["out.png"]


@pytest.mark.parametrize("mask, mode", [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_a_written_file_has_the_permissions_that_the_umask_allows(mask, mode, tmp_path, pixels):
    before = os.umask(mask)
    try:
        write_picture(tmp_path / "out.png", pixels)
    finally:
        after = os.umask(before)
    assert (tmp_path / "out.png").stat().st_mode & 0o777 == mode
    assert after == mask


@pytest.mark.parametrize("function", [check_output, lambda path: write_picture(path, np.zeros((2, 2, 3)))])
@pytest.mark.parametrize(
    "name",
    ["noending", "out.xyz", "out.png.txt", "missing/out.png", "folder.png", ".png"]
    + [f"out.{ending}" for ending in ("xbm", "palm", "hdf", "grib", "wmf", "msp")],  # formats, but not for this picture
)
def test_an_impossible_output_is_refused_by_name(function, name, tmp_path):
    (tmp_path / "folder.png").mkdir()
    assert name in sentence(function, tmp_path / name)
    assert [file.name for file in tmp_path.iterdir()] == ["folder.png"]


@pytest.mark.parametrize(
    "pixels", [np.full((2, 2, 3), np.nan), np.full((2, 2, 3), np.inf), np.zeros((2, 2, 7)), np.zeros((2, 2))]
)
def test_an_array_that_is_no_picture_is_not_written(pixels, tmp_path):
    assert "out.png" in sentence(write_picture, tmp_path / "out.png", pixels)
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_missing_or_may_not_be_written_to_is_said_to_be(tmp_path, monkeypatch):
    assert f"there is no folder '{tmp_path / 'missing'}'" in sentence(check_output, tmp_path / "missing" / "out.png")
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != tmp_path)
    assert f"no permission to write in '{tmp_path}'" in sentence(check_output, tmp_path / "out.png")


def test_a_folder_is_not_overwritten(tmp_path):
    (tmp_path / "folder.png").mkdir()
    assert "folder.png" in sentence(check_output, tmp_path / "folder.png", overwrite=True)


def test_checking_an_output_writes_nothing(tmp_path):
    check_output(tmp_path / "out.png")
    check_output(str(tmp_path / "out.jpeg"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", FORMATS)
def test_a_file_has_the_format_that_its_name_promises(ending, tmp_path, smooth):
    path = tmp_path / f"picture{ending}"
    write_picture(path, smooth)
    promised = Image.registered_extensions()[ending]
    with Image.open(path, formats=[promised]) as picture:
        assert (picture.format, picture.mode, picture.size) == (promised, "RGB", (48, 32))


@pytest.mark.parametrize(("ending", "longest"), [("jpg", 65535), ("webp", 16383)])
def test_a_picture_too_long_for_its_format_is_refused_by_name(ending, longest, tmp_path):
    refusal = sentence(write_picture, tmp_path / f"out.{ending}", np.zeros((1, longest + 1, 3)))
    assert f"out.{ending}" in refusal
    assert not list(tmp_path.iterdir())


def test_a_new_format_is_one_entry_in_the_list(tmp_path, monkeypatch):
    def write(pixels, file):
        if pixels.shape[1] > 2:
            raise ValueError("more than 2 columns")
        file.write(b"raw" + pixels.tobytes())

    path = tmp_path / "out.raw"
    assert "out.raw" in sentence(check_output, path)
    monkeypatch.setitem(FORMATS, ".raw", PictureFormat("RAW", write))
    check_output(path)
    write_picture(path, np.array([[[1.2, 2.0, 3.7], [-4.0, 5.0, 300.0]]]))
    assert path.read_bytes() == b"raw" + bytes([1, 2, 4, 0, 5, 255])
    refusal = sentence(write_picture, tmp_path / "wide.raw", np.zeros((1, 3, 3)))
    assert "wide.raw" in refusal and "RAW" in refusal and "more than 2 columns" in refusal
    assert [file.name for file in tmp_path.iterdir()] == ["out.raw"]


# Bits and transparency -------------------------------------------------------------------------------------

OPAQUE_FORMATS = [".jpg", ".jpeg", ".jfif", ".bmp", ".ppm"]


@pytest.mark.parametrize("ending", [*OPAQUE_FORMATS, ".webp", ".avif"])
def test_16_bits_are_refused_where_the_format_has_8(ending, tmp_path):
    for function in (check_output, lambda path, bits: write_picture(path, np.zeros((2, 2, 3)), bits=bits)):
        refusal = sentence(function, tmp_path / f"out{ending}", bits=16)
        assert f"out{ending}' cannot have 16 bits: name one that ends in .png, .tif or .tiff" in refusal
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("ending", OPAQUE_FORMATS)
def test_transparency_is_refused_where_the_format_has_none(ending, tmp_path):
    refusal = sentence(write_picture, tmp_path / f"out{ending}", np.zeros((2, 2, 3)), alpha=np.zeros((2, 2)))
    assert "cannot be transparent: name one that ends in .png, .webp, .avif, .tif or .tiff" in refusal
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bits", [0, 12, "8", None, 32])
def test_other_bits_are_refused(bits, tmp_path):
    assert "must be 8 or 16" in sentence(write_picture, tmp_path / "out.png", np.zeros((2, 2, 3)), bits=bits)


@pytest.mark.parametrize("ending", ["png", "tif", "webp", "avif"])
def test_transparency_is_written_and_laid_on_white_the_picture_is_the_same(ending, tmp_path, smooth):
    """Where the picture can have come about on white: no colour is darker than the white that shines through."""
    alpha = np.full((32, 48), 1, np.float32)
    alpha[:, :16], alpha[:, 16:32] = 0, 0.5
    pixels = smooth / 255 * 127 + 128.0
    pixels[:, :16] = 255
    path = tmp_path / f"out.{ending}"
    write_picture(path, pixels, alpha=alpha)
    with Image.open(path) as picture:
        stored = np.asarray(picture, float)
    lossy = {"webp": 25, "avif": 8}.get(ending, 0)
    assert np.abs(stored[:, :, 3] - 255 * alpha).max() <= 0.51 + lossy / 8
    laid = stored[:, :, :3] * stored[:, :, 3:] / 255 + 255 - stored[:, :, 3:]
    assert np.abs(laid - pixels).max() <= 1 + lossy


def test_on_black_an_edge_has_no_white_seam(tmp_path):
    """A red subject whose edge is half transparent: what the photograph shows on white is pink."""
    pixels = np.array([[[255, 0, 0], [255, 127.5, 127.5], [255, 255, 255]]])
    write_picture(tmp_path / "out.png", pixels, alpha=np.array([[1, 0.5, 0]]))
    with Image.open(tmp_path / "out.png") as picture:
        red, edge, nothing = np.asarray(picture)[0].tolist()
    assert red == [255, 0, 0, 255]
    assert edge[0] == 255 and max(edge[1:3]) <= 1 and edge[3] in (127, 128)
    assert nothing[3] == 0


def test_transparency_is_resized_to_the_picture(tmp_path):
    write_picture(tmp_path / "out.png", np.zeros((20, 40, 3)), alpha=np.repeat([[0.0, 1.0]], 3, axis=0))
    with Image.open(tmp_path / "out.png") as picture:
        alpha = np.asarray(picture)[:, :, 3]
    assert alpha.shape == (20, 40)
    assert alpha[:, 0].max() <= 1 and alpha[:, -1].min() >= 254
