"""What a picture file can do: have too many pixels, be no file at all, start a program. The oracle is Pillow, used
plainly.
"""

import io
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
import tifffile
from conftest import sentence
from PIL import Image, ImageOps, PngImagePlugin

import ministyle
from ministyle.pictures import opening, sizes
from ministyle.pictures.films import frame_count, read_frames
from ministyle.pictures.masks import read_mask
from ministyle.pictures.metadata import read_exif, read_text
from ministyle.pictures.opening import size_of
from ministyle.pictures.reading import read_alpha, read_picture
from ministyle.pictures.sizes import resize
from ministyle.pictures.writing import to_levels, write_picture

ON_POSIX = pytest.mark.skipif(os.name != "posix", reason="Windows has no such files")
ORIENTATION = 0x0112


def bomb(path, side):
    """Write a PNG of one bit a pixel, all black: 13300 x 13300 pixels take 21 KB."""
    Image.new("1", (side, side)).save(path)
    return path


@pytest.fixture
def low_limit_of_pillow(monkeypatch):
    """Pillow warns above 30 pixels, and refuses above 60."""
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 30)


# Pixels ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("read", [read_picture, read_alpha, read_mask])
def test_a_picture_of_too_many_pixels_is_refused_before_they_are_decoded(read, tmp_path, monkeypatch):
    path = bomb(tmp_path / "bomb.png", 8100)
    assert path.stat().st_size < 20_000
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("it was decoded"))
    refusal = sentence(read, path)
    for words in ("bomb.png", "8100 x 8100", "64 megapixels", "--max-megapixels 66", "max_megapixels=66"):
        assert words in refusal


@pytest.mark.parametrize("read", [read_picture, read_mask])
def test_the_limit_can_be_another(read, tmp_path, random):
    path = tmp_path / "photo.png"
    Image.fromarray(random.integers(0, 256, (110, 100), dtype=np.uint8)).save(path)
    assert "--max-megapixels 1 " in sentence(read, path, max_megapixels=0.0109)
    read(path, max_megapixels=0.011)
    with Image.open(path) as picture:
        assert "100 x 110" in sentence(read, picture, max_megapixels=0.0109)
    picture.close()


def test_the_size_and_the_exif_data_of_too_large_a_png_are_not_looked_for_behind_its_pixels(tmp_path, monkeypatch):
    path = bomb(tmp_path / "bomb.png", 8100)
    monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("it was decoded"))
    assert "8100 x 8100" in sentence(size_of, path)
    assert read_exif(path) is None
    assert read_text(path) is None


WEBP = {
    "lossy": (b"VP8 ", {}),
    "lossless": (b"VP8L", {"lossless": True}),
    "with more beside the pixels": (b"VP8X", {"exif": b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0"}),
}


@pytest.mark.parametrize("kind", WEBP)
def test_a_webp_of_too_many_pixels_is_refused_before_its_decoder_starts(kind, tmp_path, random, monkeypatch):
    """The decoder takes memory for all the pixels that the file claims as soon as it starts."""
    chunk, options = WEBP[kind]
    Image.fromarray(random.integers(0, 256, (300, 517, 3), dtype=np.uint8)).save(tmp_path / "photo.webp", **options)
    assert (tmp_path / "photo.webp").read_bytes()[12:16] == chunk
    assert read_picture(tmp_path / "photo.webp", max_megapixels=0.16).shape == (300, 517, 3)

    def start(*_):
        raise AssertionError("the decoder starts")

    monkeypatch.setattr(Image, "open", start)
    for source in (tmp_path / "photo.webp", (tmp_path / "photo.webp").read_bytes()):
        assert "has 517 x 300 pixels, and the limit is 0.15" in sentence(read_picture, source, max_megapixels=0.15)


def test_a_film_of_too_many_pixels_is_refused(tmp_path):
    frames = [Image.new("RGB", (110, 100), (level, 0, 0)) for level in (0, 99)]
    frames[0].save(tmp_path / "film.gif", save_all=True, append_images=frames[1:])
    assert len(list(read_frames(tmp_path / "film.gif"))) == 2
    assert "110 x 100" in sentence(list, read_frames(tmp_path / "film.gif", max_megapixels=0.01))


def test_pillow_s_own_limit_neither_hinders_nor_changes(tmp_path, pixels, low_limit_of_pillow):
    for ending in ("png", "webp", "gif", "tif", "jpg"):
        path = tmp_path / f"photo.{ending}"
        exif = Image.Exif()
        exif[ORIENTATION] = 6
        Image.fromarray(np.repeat(pixels, 3, axis=0)).save(path, exif=exif)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert read_picture(path).shape[:2] == size_of(path) == ((18, 9) if ending == "gif" else (9, 18))
    assert Image.MAX_IMAGE_PIXELS == 30
    with pytest.raises(Image.DecompressionBombError):
        Image.open(path)


def test_pillow_s_limit_and_the_warnings_are_as_before_after_reading_in_threads(tmp_path, pixels, low_limit_of_pillow):
    path = tmp_path / "photo.png"
    Image.fromarray(np.repeat(pixels, 3, axis=0)).save(path)
    filters, interval = warnings.filters[:], sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        threads = [threading.Thread(target=lambda: [read_picture(path) for _ in range(40)]) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    assert Image.MAX_IMAGE_PIXELS == 30
    assert warnings.filters == filters


# Reduced decoding --------------------------------------------------------------------------------------------


def smooth(height, width):
    """Return a picture of gentle waves, in which each place can be told from every other."""
    y, x = np.mgrid[:height, :width]
    waves = [128 + 100 * np.sin(x / width * 9), 128 + 100 * np.cos(y / height * 7), 255 * x / width]
    return np.stack(waves, axis=2).astype(np.uint8)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_large_jpeg_decoded_small_is_the_same_picture_but_for_rounding(orientation, tmp_path):
    """Also where an eighth of its sides is no whole number."""
    path, exif = tmp_path / "photo.jpg", Image.Exif()
    exif[ORIENTATION] = orientation
    Image.fromarray(smooth(1003, 1501)).save(path, quality=95, exif=exif)
    with Image.open(path) as picture:
        plain = np.asarray(ImageOps.exif_transpose(picture), np.float32)
    expected = resize(plain, *((60, 40) if orientation > 4 else (40, 60)))
    assert np.abs(read_picture(path, 60) - expected).max() < 1.2
    assert np.abs(read_picture(path, 60) - expected).mean() < 0.2


def test_a_jpeg_counts_with_the_pixels_that_it_is_decoded_to(tmp_path):
    path = tmp_path / "photo.jpg"
    Image.fromarray(smooth(300, 400)).save(path)
    assert "400 x 300" in sentence(read_picture, path, max_megapixels=0.1)
    assert "400 x 300" in sentence(read_picture, path, 300, max_megapixels=0.1)
    assert read_picture(path, 40, max_megapixels=0.1).shape == (30, 40, 3)
    # However small it is decoded, all of it passes through the decoder.
    assert "--max-megapixels" in sentence(read_picture, path, 20, max_megapixels=0.029)


def test_a_jpeg_stays_three_times_as_large_as_what_is_wanted(tmp_path, monkeypatch):
    path, decoded = tmp_path / "photo.jpg", []
    Image.fromarray(smooth(300, 400)).save(path)
    monkeypatch.setattr("ministyle.pictures.reading.load", lambda one: decoded.append(one.size) or opening.load(one))
    for size in (133, 67, 66, 33, 34, 16):
        read_picture(path, size)
    assert decoded[::2] == [(400, 300), (400, 300), (200, 150), (100, 75), (200, 150), (50, 38)]


# Strips ------------------------------------------------------------------------------------------------------


def directly(picture, size):
    """Resize a PIL image as it was done at first: all of it as floating-point numbers, channel by channel."""
    picture = ImageOps.exif_transpose(picture)
    if picture.mode.startswith("I;16"):
        pixels = np.repeat(np.asarray(picture, np.float32)[:, :, np.newaxis] / np.float32(257), 3, axis=2)
    else:
        pixels = np.asarray(picture.convert("RGBA"), np.float32)
        alpha = pixels[:, :, 3:] / 255
        pixels = pixels[:, :, :3] * alpha + 255 * (1 - alpha)
    channels = [Image.fromarray(np.ascontiguousarray(one)) for one in pixels.transpose(2, 0, 1)]
    resized = [np.asarray(one.resize(size, Image.Resampling.LANCZOS)) for one in channels]
    return np.stack(resized, axis=2).clip(0, 255)


def picture_of(kind, random):
    picture = Image.fromarray(random.integers(0, 256, (70, 90, 4), dtype=np.uint8), "RGBA")
    deep = Image.fromarray(random.integers(0, 65536, (70, 90), dtype=np.uint16))
    return {
        "RGB": lambda: picture.convert("RGB"),
        "RGBA": lambda: picture,
        "LA": lambda: picture.convert("LA"),
        "L": lambda: picture.convert("L"),
        "1": lambda: picture.convert("1"),
        "P": lambda: picture.convert("RGB").quantize(60),
        "16 bits": lambda: deep,
    }[kind]()


@pytest.mark.parametrize("orientation", [1, 2, 3, 4, 5, 6, 7, 8])
@pytest.mark.parametrize("kind", ["RGB", "RGBA", "LA", "L", "1", "P", "16 bits"])
def test_strips_are_bit_for_bit_what_the_whole_picture_is(kind, orientation, tmp_path, random, monkeypatch):
    monkeypatch.setattr(sizes, "STRIP", 7 * 90)
    path, exif = tmp_path / "photo.png", Image.Exif()
    exif[ORIENTATION] = orientation
    picture_of(kind, random).save(path, exif=exif)
    turned = orientation > 4
    for side, size in ((36, (36, 28)), (135, (135, 105)), (90, (90, 70))):
        with Image.open(path) as picture:
            expected = directly(picture, size[::-1] if turned else size)
        assert np.array_equal(read_picture(path, side), expected)
    assert np.array_equal(read_picture(path), expected)


@pytest.mark.parametrize("ending", ["png", "tif"])
@pytest.mark.parametrize("channels", [3, 4])
def test_strips_of_16_bits_in_colour_are_bit_for_bit_what_the_whole_picture_is(
    ending, channels, tmp_path, random, monkeypatch
):
    monkeypatch.setattr(sizes, "STRIP", 7 * 90)
    fine, alpha = random.uniform(0, 255, (70, 90, 3)), random.uniform(0, 1, (70, 90)) if channels == 4 else None
    path = tmp_path / f"photo.{ending}"
    write_picture(path, fine, bits=16, alpha=alpha)
    levels = tifffile.imread(path) if ending == "tif" else to_levels(fine, 16, alpha)
    pixels = levels.astype(np.float32) / np.float32(257)
    if channels == 4:
        opacity = pixels[:, :, 3:] / 255
        pixels = pixels[:, :, :3] * opacity + 255 * (1 - opacity)
    assert np.array_equal(read_picture(path), pixels)
    assert np.array_equal(read_picture(path, 36), resize(pixels, 28, 36))


def test_strips_of_opacity_are_what_the_whole_opacity_is(tmp_path, random, monkeypatch):
    monkeypatch.setattr(sizes, "STRIP", 7 * 90)
    picture = picture_of("RGBA", random)
    picture.save(tmp_path / "photo.png")
    opacity = np.asarray(picture.getchannel("A"), np.float32)
    expected = np.asarray(Image.fromarray(opacity).resize((36, 28), Image.Resampling.LANCZOS)).clip(0, 255) / 255
    assert np.abs(read_alpha(tmp_path / "photo.png", 36) - expected).max() < 1e-6
    assert np.array_equal(read_alpha(tmp_path / "photo.png"), opacity / np.float32(255))


SCRIPT = """
import re, sys
from ministyle.pictures.reading import read_picture

def peak():
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) * 1024

before = peak()
read_picture(sys.argv[1], 256)
print(peak() - before)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
@pytest.mark.parametrize("mode", ["1", "P", "RGB", "RGBA"])
def test_reading_takes_hardly_more_than_the_decoded_bytes(mode, tmp_path):
    """Floating-point numbers of 9 megapixels would take 108 MB, and at first there were four copies of them."""
    Image.new(mode, (3000, 3000)).save(tmp_path / "photo.png")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(tmp_path / "photo.png")],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])},
    )
    bytes_a_pixel = {"1": 1, "P": 1, "RGB": 4, "RGBA": 4}[mode]
    assert int(done.stdout) < 9e6 * bytes_a_pixel + 100e6


# Metadata ----------------------------------------------------------------------------------------------------


def png_with(*chunks):
    """Return a PNG of 4 x 3 pixels with more chunks, (name, data), before its pixels."""
    stream = io.BytesIO()
    Image.new("RGB", (4, 3), (9, 99, 199)).save(stream, "PNG")
    data = stream.getvalue()
    more = b""
    for name, content in chunks:
        checksum = zlib.crc32(name + content)
        more += len(content).to_bytes(4, "big") + name + content + checksum.to_bytes(4, "big")
    return data[:33] + more + data[33:]


HUGE = zlib.compress(bytes(200_000_000), 9)
METADATA_BOMBS = {
    "profile": [(b"iCCP", b"x\0\0" + HUGE)],
    "text": [(b"zTXt", b"x\0\0" + HUGE)],
    "texts": [(b"zTXt", b"x%d\0\0" % number + zlib.compress(bytes(1_000_000), 9)) for number in range(80)],
    "international text": [(b"iTXt", b"ministyle\0\1\0\0\0" + HUGE)],
}


@pytest.mark.parametrize("kind", METADATA_BOMBS)
@pytest.mark.parametrize("read", [read_picture, read_exif, read_text, size_of])
def test_enormous_metadata_end_with_a_sentence_or_are_left_out(kind, read, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(png_with(*METADATA_BOMBS[kind]))
    try:
        read(path)
    except ministyle.MinistyleError as error:
        assert "bomb.png" in str(error) and "\n" not in str(error)


def test_enormous_exif_data_are_not_kept(tmp_path):
    exif = Image.Exif()
    exif[0x010E] = "a" * 2_000_000
    Image.new("RGB", (4, 3)).save(tmp_path / "photo.png", exif=exif)
    assert read_picture(tmp_path / "photo.png").shape == (3, 4, 3)
    assert read_exif(tmp_path / "photo.png") is None


# No files, and too large ones --------------------------------------------------------------------------------


@ON_POSIX
@pytest.mark.parametrize("kind", ["pipe", "socket", "device"])
@pytest.mark.parametrize("read", [read_picture, read_alpha, read_mask, size_of, read_exif, read_text, frame_count])
def test_what_is_no_regular_file_is_refused_and_nobody_waits_for_it(kind, read, tmp_path):
    path = tmp_path / "photo.gif"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind(str(path))
    else:
        path.symlink_to("/dev/zero")
    if read is frame_count:
        assert read(path) == 1
    else:
        refusal = sentence(read, path)
        assert f"is a {kind}" in refusal and "photo.gif" in refusal


@ON_POSIX
def test_a_job_waits_for_no_pipe(folder):
    os.mkfifo("pipe.png")
    settings = ministyle.Settings(image_size=32)
    assert "is a pipe" in sentence(ministyle.Job.of, settings, "pipe.png", "painting.png")
    assert "is a pipe" in sentence(ministyle.Job.of, settings, "photo.png", "painting.png", content_mask="pipe.png")


def test_an_enormous_file_is_not_read(tmp_path):
    path = tmp_path / "photo.png"
    shutil.copyfile(Path(__file__), path)
    os.truncate(path, 2_000_000_000)  # which takes no room on the disk
    refusal = sentence(read_picture, path)
    assert "2000 MB" in refusal and "1024" in refusal and "--max-megapixels" in refusal
    assert "not a picture" in sentence(read_picture, path, max_megapixels=200)


def test_an_endless_stream_is_not_read_to_its_end(monkeypatch):
    monkeypatch.setattr(opening, "LARGEST_STREAM", 1000)
    assert "more than" in sentence(read_picture, io.BytesIO(bytes(2000)))


# Programs ----------------------------------------------------------------------------------------------------

PROGRAM = """
import sys
import numpy as np
from PIL import Image
import ministyle
from ministyle.pictures import films, folders, metadata, opening, reading, writing

for name in sys.argv[1:]:
    for read in (reading.read_picture, opening.size_of, metadata.read_exif, metadata.read_text):
        try:
            read(name)
        except ministyle.MinistyleError as error:
            assert "is not a picture" in str(error), error
        else:
            raise SystemExit(f"{name} was read by {read.__name__}")
    films.frame_count(name)
folders.pictures_in(".")
for ending in writing.FORMATS:
    writing.write_picture(f"out{ending}", np.zeros((4, 4, 3)))
    reading.read_picture(f"out{ending}")
print(*sorted({"EPS", "WMF"} & {*Image.OPEN, *Image.SAVE}))
"""


@ON_POSIX
def test_no_picture_starts_a_program_and_no_plugin_that_does_is_registered(tmp_path, monkeypatch):
    """An EPS is a program, which Pillow would hand to Ghostscript. Here that is a script that leaves a mark."""
    monkeypatch.chdir(tmp_path)
    Path("gs").write_text("#!/bin/sh\ntouch mark\n")
    Path("gs").chmod(0o755)
    environment = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment["PYTHONPATH"] = str(Path(ministyle.__file__).parents[1])
    for name in ("photo.png", "photo.gif", "photo.eps"):
        Image.new("RGB", (9, 6)).save(name, "EPS")
    plain = "from PIL import Image; Image.open('photo.png').load()"
    subprocess.run([sys.executable, "-c", plain], env=environment, check=False, capture_output=True)
    assert Path("mark").exists()  # else the test would show nothing
    Path("mark").unlink()
    Path("photo.eps").rename("drawing")
    names = ["photo.png", "photo.gif", "drawing"]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *names], env=environment, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "\n", "")
    assert not Path("mark").exists()


def test_all_readable_formats_are_registered_and_pictures_of_them_written(tmp_path):
    """AVIF takes Pillow 11.3, HEIF comes from elsewhere, and an MPO file begins as a JPEG file."""
    opening.register_formats()
    assert {*opening.READABLE} - {*Image.OPEN} <= {"AVIF", "HEIF", "MPO"}
    write_picture(tmp_path / "out.png", np.zeros((4, 4, 3)))
    assert re.match(b"\x89PNG", (tmp_path / "out.png").read_bytes())


# No larger than of use -------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_a_limit_of_size_leaves_smaller_pictures_alone(tmp_path, random, ending):
    path = tmp_path / f"picture.{ending}"
    Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save(path)
    for limit in (40, 41, 1000):
        np.testing.assert_array_equal(read_picture(path, limit, at_most=True), read_picture(path))
    np.testing.assert_array_equal(read_picture(path, 20, at_most=True), read_picture(path, 20))


def test_a_mask_is_read_no_larger_than_of_use(tmp_path):
    Image.new("L", (5000, 100), 200).save(tmp_path / "mask.png")
    (region,) = read_mask(tmp_path / "mask.png").values()
    assert region.shape == (41, 2048)
    np.testing.assert_allclose(region, 200 / 255, atol=1e-6)


def test_a_picture_of_many_colours_is_no_mask():
    levels = np.array([0, 85, 170, 255], np.uint8)
    colours = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(8, 8, 3)
    assert "64 colours" in sentence(read_mask, colours.repeat(10, 0).repeat(10, 1))
