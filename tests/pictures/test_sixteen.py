"""16 bits per channel. The oracles are tifffile, and a PNG codec that follows the standard byte by byte."""

import struct
import zlib

import numpy as np
import pytest
import tifffile
from conftest import sentence
from PIL import Image

from ministyle.pictures import sixteen
from ministyle.pictures.profiles import srgb_profile
from ministyle.pictures.reading import read_alpha, read_picture
from ministyle.pictures.writing import write_picture


def paeth(a, b, c):
    """The predictor of PNG's fourth filter (RFC 2083, 6.6)."""
    p = a + b - c
    return min((abs(p - a), 0, a), (abs(p - b), 1, b), (abs(p - c), 2, c))[2]


def predictions(previous, raw, width):
    """Return what each of PNG's five filters predicts for each byte of a row; `width` is that of a pixel, in bytes."""
    left = [0] * width + list(raw[:-width])
    corner = [0] * width + list(previous[:-width])
    guesses = zip(left, previous, corner, strict=True)
    return [(0, a, b, (a + b) // 2, paeth(a, b, c)) for a, b, c in guesses]


def chunks(data):
    """Return a PNG's chunks as {name: content}, having checked their sums."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(data):
        length, name = struct.unpack_from(">I4s", data, at)
        content = data[at + 8 : at + 8 + length]
        assert struct.unpack_from(">I", data, at + 8 + length)[0] == zlib.crc32(name + content)
        found[name] = found.get(name, b"") + content
        at += 12 + length
    return found


def decode_png(data):
    """Return a PNG's levels as an array (H, W, channels)."""
    found = chunks(data)
    width, height, depth, kind, *rest = struct.unpack(">2I5B", found[b"IHDR"])
    assert depth == 16 and rest == [0, 0, 0]
    size = 2 * {2: 3, 6: 4}[kind]
    rows, previous = zlib.decompress(found[b"IDAT"]), [0] * (size * width)
    levels = []
    for y in range(height):
        method, *coded = rows[y * (size * width + 1) : (y + 1) * (size * width + 1)]
        raw = []
        for i, byte in enumerate(coded):
            a = raw[i - size] if i >= size else 0
            c = previous[i - size] if i >= size else 0
            b = previous[i]
            raw.append((byte + (0, a, b, (a + b) // 2, paeth(a, b, c))[method]) % 256)
        levels.append(np.frombuffer(bytes(raw), ">u2"))
        previous = raw
    return np.reshape(levels, (height, width, size // 2))


def encode_png(levels):
    """Return a PNG in which each of the five filters is used in turn."""
    height, width, channels = levels.shape
    data, previous = b"", [0] * (2 * channels * width)
    for y, row in enumerate(levels.astype(">u2")):
        raw = list(row.tobytes())
        method = y % 5
        guesses = predictions(previous, raw, 2 * channels)
        data += bytes([method, *((byte - guess[method]) % 256 for byte, guess in zip(raw, guesses, strict=True))])
        previous = raw
    header = struct.pack(">2I5B", width, height, 16, {3: 2, 4: 6}[channels], 0, 0, 0)
    png = b"\x89PNG\r\n\x1a\n"
    for name, content in ((b"IHDR", header), (b"IDAT", zlib.compress(data)), (b"IEND", b"")):
        png += struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))
    return png


@pytest.fixture
def levels(random):
    return random.integers(0, 65536, (7, 9, 4), dtype=np.uint16)


@pytest.fixture
def fine(random):
    """A picture whose levels 8 bits cannot hold."""
    return random.uniform(0, 255, (7, 9, 3)).astype(np.float32)


def expected(fine):
    """Return the nearest of 65536 levels, 0 to 255."""
    return np.floor(fine.astype(float) / 255 * 65535 + 0.5)


def test_a_png_of_16_bits_holds_the_nearest_of_65536_levels(fine, tmp_path):
    write_picture(tmp_path / "out.png", fine, bits=16)
    data = (tmp_path / "out.png").read_bytes()
    assert np.array_equal(decode_png(data), expected(fine))
    assert zlib.decompress(chunks(data)[b"iCCP"].split(b"\0", 2)[2]) == srgb_profile()


@pytest.mark.parametrize("ending", ["tif", "tiff"])
def test_a_tiff_of_16_bits_holds_the_nearest_of_65536_levels(fine, ending, tmp_path):
    write_picture(tmp_path / f"out.{ending}", fine, bits=16)
    with tifffile.TiffFile(tmp_path / f"out.{ending}") as file:
        (page,) = file.pages
        assert page.photometric == tifffile.PHOTOMETRIC.RGB
        assert page.tags["InterColorProfile"].value == srgb_profile()
        stored = page.asarray()
    assert stored.dtype == np.uint16
    assert np.array_equal(stored, expected(fine))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_alpha_has_16_bits_as_well(fine, random, ending, tmp_path):
    alpha = random.uniform(0, 1, (7, 9)).astype(np.float32)
    write_picture(tmp_path / f"out.{ending}", fine, bits=16, alpha=alpha)
    path = tmp_path / f"out.{ending}"
    stored = decode_png(path.read_bytes()) if ending == "png" else tifffile.imread(path)
    assert np.abs(stored[:, :, 3] - 65535 * alpha.astype(float)).max() <= 0.51
    if ending == "tif":
        with tifffile.TiffFile(path) as file:
            assert file.pages[0].extrasamples == (tifffile.EXTRASAMPLE.UNASSALPHA,)
    assert read_alpha(path) == pytest.approx(alpha, abs=1e-5)


def test_0_and_255_are_the_ends_of_16_bits(tmp_path):
    write_picture(tmp_path / "out.tif", np.array([[[-3, 0, 127.5], [255, 300, 1]]]), bits=16)
    assert tifffile.imread(tmp_path / "out.tif").tolist() == [[[0, 0, 32768], [65535, 65535, 257]]]


@pytest.mark.parametrize("channels", [3, 4])
def test_16_bits_of_a_png_are_read_whatever_its_filters(levels, channels, tmp_path):
    levels = levels[:, :, :channels]
    (tmp_path / "photo.png").write_bytes(encode_png(levels))
    assert np.array_equal(decode_png(encode_png(levels)), levels)  # else the test would show nothing
    picture = read_picture(tmp_path / "photo.png")
    if channels == 4:
        alpha = levels[:, :, 3:] / 65535
        levels = levels[:, :, :3] * alpha + 65535 * (1 - alpha)
        assert read_alpha(tmp_path / "photo.png") == pytest.approx(alpha[:, :, 0], abs=1e-6)
    assert picture == pytest.approx(levels / 257, abs=1e-4)


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_16_bits_of_a_tiff_are_read_whatever_its_bytes_order(levels, order, compression, tmp_path):
    path = tmp_path / "photo.tif"
    tifffile.imwrite(path, levels[:, :, :3], photometric="rgb", byteorder=order, compression=compression)
    assert read_picture(path) == pytest.approx(levels[:, :, :3] / 257, abs=1e-4)


def test_16_bits_are_turned_upright(levels, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # row 0 is the right side, column 0 the top
    write_picture(tmp_path / "photo.png", levels[:, :, :3] / 257, bits=16, exif=exif.tobytes())
    assert read_picture(tmp_path / "photo.png") == pytest.approx(np.rot90(levels[:, :, :3], -1) / 257, abs=1e-4)


def test_a_tiff_that_would_be_too_large_is_refused_by_name(fine, tmp_path, monkeypatch):
    write_picture(tmp_path / "fits.tiff", fine, bits=16)
    monkeypatch.setattr(sixteen, "LARGEST_TIFF", fine.size * 2 - 1)
    assert "less than 4 GB" in sentence(write_picture, tmp_path / "large.tiff", fine, bits=16)
    assert not (tmp_path / "large.tiff").exists()


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_what_is_written_with_16_bits_is_read_back(fine, ending, tmp_path):
    write_picture(tmp_path / f"out.{ending}", fine, bits=16)
    assert np.abs(read_picture(tmp_path / f"out.{ending}") - fine).max() < 0.5 / 257 + 1e-4


def test_the_upper_byte_alone_would_be_noticed(levels, tmp_path):
    """What Pillow reads of 16 bits by itself is up to a grey level too low."""
    (tmp_path / "photo.png").write_bytes(encode_png(levels[:, :, :3]))
    with Image.open(tmp_path / "photo.png") as picture:
        assert np.abs(np.asarray(picture, float) - levels[:, :, :3] / 257).max() > 0.5
