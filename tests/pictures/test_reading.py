import io
import struct
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import sentence
from PIL import Image, ImageCms

from ministyle.errors import printable
from ministyle.pictures import sizes
from ministyle.pictures.profiles import srgb_profile
from ministyle.pictures.reading import read_alpha, read_picture
from ministyle.pictures.writing import write_picture


def saved(tmp_path, picture, name="photo.png", **options):
    picture.save(tmp_path / name, **options)
    return tmp_path / name


@pytest.mark.parametrize("kind", ["str", "Path", "PIL", "uint8", "float64", "read-only", "with pixels"])
def test_every_kind_of_source_gives_the_same_float32_picture(kind, tmp_path, pixels):
    path = saved(tmp_path, Image.fromarray(pixels))
    read_only = pixels.copy()
    read_only.flags.writeable = False
    source = {
        "str": str(path),
        "Path": path,
        "PIL": Image.fromarray(pixels),
        "uint8": pixels,
        "float64": pixels.astype(np.float64),
        "read-only": read_only,
        "with pixels": SimpleNamespace(pixels=pixels),
    }[kind]
    picture = read_picture(source)
    assert picture.dtype == np.float32
    assert np.array_equal(picture, pixels)


def test_an_array_of_any_module_is_read_to_the_host(xp, pixels):
    picture = read_picture(xp.asarray(pixels))
    assert type(picture) is np.ndarray
    assert np.array_equal(picture, pixels)


def test_what_is_read_does_not_share_memory_with_its_source():
    source = np.zeros((4, 4, 3), np.float32)
    read_picture(source)[:] = 7
    assert not source.any()


def test_fractions_of_a_level_in_an_array_are_kept():
    assert read_picture(np.full((2, 2, 3), 12.25))[0, 0].tolist() == [12.25] * 3


def test_levels_of_an_array_outside_0_to_255_are_cut_off():
    assert read_picture(np.array([[-5.0, 12.25, 300.0]]))[0, :, 0].tolist() == [0, 12.25, 255]


# The EXIF standard's own words: which side of the scene the stored row 0 and the stored column 0 are.
ORIENTATIONS = {
    1: ("top", "left"),
    2: ("top", "right"),
    3: ("bottom", "right"),
    4: ("bottom", "left"),
    5: ("left", "top"),
    6: ("right", "top"),
    7: ("right", "bottom"),
    8: ("left", "bottom"),
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_the_orientation_mark_is_obeyed(orientation, tmp_path, pixels):
    exif = Image.Exif()
    exif[0x0112] = orientation
    picture = read_picture(saved(tmp_path, Image.fromarray(pixels), exif=exif))
    sides = {"top": picture[0], "bottom": picture[-1], "left": picture[:, 0], "right": picture[:, -1]}
    row, column = ORIENTATIONS[orientation]
    forwards = {"top": 1, "left": 1, "bottom": -1, "right": -1}
    assert np.array_equal(sides[row], pixels[0, :: forwards[column]])
    assert np.array_equal(sides[column], pixels[:: forwards[row], 0])


def test_reading_leaves_a_pil_image_as_it_was(pixels):
    source = Image.fromarray(pixels).convert("RGBA")
    source.getexif()[0x0112] = 6
    before = source.mode, source.size, source.tobytes()
    read_picture(source, 4)
    assert (source.mode, source.size, source.tobytes()) == before


@pytest.mark.parametrize(
    ("mode", "colour", "expected"),
    [
        ("RGBA", (200, 100, 0, 51), (244, 224, 204)),  # a fifth of the colour, four fifths of white
        ("RGBA", (200, 100, 0, 0), (255, 255, 255)),
        ("RGBA", (200, 100, 0, 255), (200, 100, 0)),
        ("LA", (100, 51), (224, 224, 224)),
    ],
)
def test_transparent_parts_are_laid_on_white(mode, colour, expected, tmp_path):
    picture = read_picture(saved(tmp_path, Image.new(mode, (3, 2), colour)))
    assert picture.shape == (2, 3, 3)
    assert np.abs(picture - expected).max() <= 1


def test_a_palette_s_transparent_colour_becomes_white(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    path = saved(tmp_path, picture, transparency=0)
    assert read_picture(path)[0].tolist() == [[255, 255, 255], [40, 50, 60]]


def test_the_fourth_channel_of_an_array_is_opacity():
    array = np.full((2, 3, 4), 100.0)
    array[:, :, 3] = 51
    assert read_picture(array) == pytest.approx(np.full((2, 3, 3), 224.0), abs=1e-3)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1)])
def test_a_grey_array_gets_three_equal_channels(shape):
    grey = np.arange(20.0).reshape(4, 5)
    picture = read_picture(grey.reshape(shape))
    assert all(np.array_equal(picture[:, :, c], grey) for c in range(3))


@pytest.mark.parametrize(
    ("mode", "colour", "expected", "ending"),
    [
        ("L", 77, (77, 77, 77), "png"),
        ("1", 1, (255, 255, 255), "png"),
        ("1", 0, (0, 0, 0), "png"),
        ("CMYK", (255, 0, 0, 0), (0, 255, 255), "tif"),
        ("CMYK", (0, 0, 0, 255), (0, 0, 0), "tif"),
        ("I;16", 65535, (255, 255, 255), "png"),
        ("I;16", 100 * 257, (100, 100, 100), "png"),
        ("I", 100 * 257, (100, 100, 100), "tif"),
        ("I", 2**31 - 1, (255, 255, 255), "tif"),  # what lies outside 0 to 255 is cut off
        ("F", 12.25, (12.25, 12.25, 12.25), "tif"),
        ("F", 300.0, (255, 255, 255), "tif"),
        ("F", -5.0, (0, 0, 0), "tif"),
    ],
)
def test_other_kinds_of_pixels_become_rgb(mode, colour, expected, ending, tmp_path):
    picture = read_picture(saved(tmp_path, Image.new(mode, (3, 2), colour), f"photo.{ending}"))
    assert picture.shape == (2, 3, 3)
    assert picture.reshape(-1, 3).tolist() == [list(expected)] * 6


def test_a_palette_is_looked_up(tmp_path):
    picture = Image.new("P", (2, 1))
    picture.putpalette([10, 20, 30, 40, 50, 60])
    picture.putpixel((1, 0), 1)
    assert read_picture(saved(tmp_path, picture))[0].tolist() == [[10, 20, 30], [40, 50, 60]]


def test_sixteen_bits_keep_what_eight_cannot_hold(tmp_path):
    levels = np.arange(12, dtype=np.uint16).reshape(3, 4) + 30000
    picture = read_picture(saved(tmp_path, Image.fromarray(levels)))
    assert picture[:, :, 1] == pytest.approx(levels * (255 / 65535), rel=1e-6)
    assert len(np.unique(picture)) == 12


def linear_profile():
    """An ICC profile with the primaries of sRGB whose numbers are proportional to light."""
    xyz = {
        b"rXYZ": (0.4360, 0.2225, 0.0139),
        b"gXYZ": (0.3851, 0.7169, 0.0971),
        b"bXYZ": (0.1431, 0.0606, 0.7141),
        b"wtpt": (0.9642, 1.0, 0.8249),
    }
    tags = {
        name: b"XYZ \0\0\0\0" + b"".join(struct.pack(">i", round(65536 * v)) for v in values)
        for name, values in xyz.items()
    }
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), b"curv" + bytes(8))  # a curve of no points: the identity
    header = bytes(4) + b"lcms\x02\x10\0\0mntrRGB XYZ " + bytes(12) + b"acsp" + bytes(28)
    header += struct.pack(">3i", 63190, 65536, 54061) + bytes(48)
    table, data, begin = struct.pack(">I", len(tags)), b"", 132 + 12 * len(tags)
    for name, tag in tags.items():
        table += name + struct.pack(">2I", begin + len(data), len(tag))
        data += tag
    profile = header + table + data
    return struct.pack(">I", len(profile)) + profile[4:]


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_colour_profile_is_converted_to_srgb(mode, tmp_path):
    ramp = np.linspace(0, 255, 18).round().astype(np.uint8)
    picture = Image.fromarray(ramp[np.newaxis]).convert(mode)
    converted = read_picture(saved(tmp_path, picture, icc_profile=linear_profile()))
    light = ramp / 255
    srgb = np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)  # IEC 61966-2-1
    assert np.abs(converted - 255 * srgb[:, np.newaxis]).max() < 1.5
    assert np.abs(srgb * 255 - ramp).max() > 50


def test_a_profile_is_applied_to_every_strip(tmp_path, random, monkeypatch):
    monkeypatch.setattr(sizes, "STRIP", 7 * 90)
    picture = Image.fromarray(random.integers(0, 256, (70, 90, 3), dtype=np.uint8))
    opened = ImageCms.ImageCmsProfile(io.BytesIO(linear_profile()))
    expected = ImageCms.profileToProfile(picture, opened, ImageCms.createProfile("sRGB"), outputMode="RGB")
    assert np.abs(np.asarray(expected, float) - np.asarray(picture)).max() > 20  # else the test would show nothing
    assert np.array_equal(read_picture(saved(tmp_path, picture, icc_profile=linear_profile())), np.asarray(expected))


@pytest.mark.parametrize("profile", [b"no profile", linear_profile()[:200], linear_profile()[:128]])
def test_a_damaged_colour_profile_is_ignored(profile, tmp_path, pixels):
    path = saved(tmp_path, Image.fromarray(pixels), icc_profile=profile)
    assert np.array_equal(read_picture(path), pixels)


def test_of_an_animation_the_first_picture_is_taken(tmp_path):
    first, second = (Image.new("RGB", (4, 3), colour) for colour in ("#ff0000", "#0000ff"))
    path = saved(tmp_path, first, "moving.gif", save_all=True, append_images=[second])
    with Image.open(path) as animation:
        assert animation.n_frames == 2
    assert read_picture(path)[0, 0].tolist() == [255, 0, 0]


# What cannot be read ---------------------------------------------------------------------------------------


def encoded(picture, format_name):
    stream = io.BytesIO()
    picture.save(stream, format_name)
    return stream.getvalue()


@pytest.mark.parametrize(
    ("format_name", "share"), [("PNG", 0.5), ("PNG", 0.9), ("JPEG", 0.5), ("JPEG", 0.9), ("TIFF", 0.5), ("GIF", 0.5)]
)
def test_a_truncated_picture_is_refused_by_name(format_name, share, tmp_path, random):
    data = encoded(Image.fromarray(random.integers(0, 256, (40, 48, 3), dtype=np.uint8)), format_name)
    path = tmp_path / "broken.picture"
    path.write_bytes(data)
    assert read_picture(path).shape == (40, 48, 3)
    path.write_bytes(data[: int(len(data) * share)])
    assert "broken.picture" in sentence(read_picture, path)


def test_a_truncated_pil_image_is_refused(random):
    data = encoded(Image.fromarray(random.integers(0, 256, (40, 48, 3), dtype=np.uint8)), "PNG")
    assert "damaged" in sentence(read_picture, Image.open(io.BytesIO(data[: len(data) // 2])))


Image.init()  # Pillow finds out what it can write
NO_AVIF = pytest.mark.skipif("AVIF" not in Image.SAVE, reason="Pillow was built without AVIF")


@pytest.mark.parametrize(
    ("format_name", "before_pixels"), [("PNG", b"IDAT"), pytest.param("AVIF", b"mdat", marks=NO_AVIF)]
)
def test_a_damaged_picture_is_refused_by_name(format_name, before_pixels, tmp_path, pixels):
    data = bytearray(encoded(Image.fromarray(pixels), format_name))
    begin = data.index(before_pixels) + len(before_pixels)
    data[begin:] = bytes(len(data) - begin)
    path = tmp_path / "broken.picture"
    path.write_bytes(data)
    refusal = sentence(read_picture, path)
    assert "broken.picture" in refusal and "damaged" in refusal


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing.png", "no picture"),
        ("folder", "is a folder"),
        ("empty.png", "is empty"),
        ("text.jpg", "not a picture"),
        ("text.jpg/photo.png", "cannot be read"),
        ("zero\0byte.png", "cannot be read"),
        ("nan.tif", "not finite"),
    ],
)
def test_what_is_no_picture_is_refused_by_name(name, words, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "empty.png").touch()
    (tmp_path / "text.jpg").write_text("Starry Night")
    saved(tmp_path, Image.new("F", (3, 2), np.nan), "nan.tif")
    refusal = sentence(read_picture, tmp_path / name)
    assert printable(str(tmp_path / name)) in refusal and words in refusal


@pytest.mark.parametrize(
    ("source", "kind"), [(None, "NoneType"), (5, "int"), ([[[1, 2, 3]]], "list"), (b"photo.png", "bytes")]
)
def test_what_is_no_source_of_a_picture_is_refused_by_its_type(source, kind):
    assert kind in sentence(read_picture, source)


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.zeros((0, 4, 3)), "(0, 4, 3)"),
        (np.zeros((4, 0, 3)), "(4, 0, 3)"),
        (np.zeros(5), "(5,)"),
        (np.zeros((4, 4, 2)), "(4, 4, 2)"),
        (np.zeros((4, 4, 5)), "(4, 4, 5)"),
        (np.zeros((3, 4, 4, 3)), "(3, 4, 4, 3)"),
        (np.full((4, 4, 3), np.nan), "not finite"),
        (np.full((4, 4, 3), np.inf), "not finite"),
        (np.zeros((4, 4, 3), bool), "bool"),
        (np.zeros((4, 4, 3), complex), "complex128"),
        (np.full((4, 4, 3), "a"), "<U1"),
    ],
)
def test_an_array_that_is_no_picture_is_refused_with_what_is_wrong(array, words):
    assert words in sentence(read_picture, array)


def test_a_pil_image_without_pixels_is_refused():
    assert "0 x 4" in sentence(read_picture, Image.new("RGB", (0, 4)))


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_fractions_are_refused_and_the_sentence_says_how_to_scale_them(dtype):
    picture = np.linspace(0, 1, 5 * 4 * 3).reshape(5, 4, 3).astype(dtype)
    assert "multiply it by 255" in sentence(read_picture, picture)
    assert "multiply it by 255" in sentence(read_picture, Image.fromarray(picture[:, :, 0].astype("float32")))
    np.testing.assert_allclose(read_picture(255 * picture), 255 * picture, rtol=1e-2)


@pytest.mark.parametrize("array", [np.zeros((5, 4, 3)), np.ones((5, 4, 3), "uint8"), np.full((5, 4, 3), 1.5)])
def test_dark_pictures_are_no_fractions(array):
    np.testing.assert_array_equal(read_picture(array), array)


def test_a_dark_picture_of_sixteen_bits_is_no_fraction():
    np.testing.assert_allclose(read_picture(Image.fromarray(np.full((5, 4), 100, "uint16"))), 100 / 257, rtol=1e-6)


# Transparency ----------------------------------------------------------------------------------------------


def half_transparent(mode="RGBA"):
    """A picture of 8 x 6: transparent left, opaque right."""
    picture = Image.new("RGBA", (8, 6), (200, 100, 0, 255))
    picture.paste((9, 9, 9, 0), (0, 0, 4, 6))
    return picture.convert(mode)


@pytest.mark.parametrize("ending", ["png", "webp", "tif", "gif"])
def test_alpha_is_read_from_every_format_that_holds_it(ending, tmp_path):
    options = {"lossless": True} if ending == "webp" else {}
    alpha = read_alpha(saved(tmp_path, half_transparent(), f"photo.{ending}", **options))
    assert alpha.dtype == np.float32
    assert alpha.tolist() == [[0, 0, 0, 0, 1, 1, 1, 1]] * 6


def test_alpha_is_a_fraction(tmp_path):
    assert read_alpha(saved(tmp_path, Image.new("LA", (3, 2), (100, 51)))) == pytest.approx(np.full((2, 3), 0.2))
    array = np.full((2, 3, 4), 100.0)
    array[0, 1, 3] = 127.5
    assert read_alpha(array)[0] == pytest.approx([100 / 255, 0.5, 100 / 255])


@pytest.mark.parametrize(
    "source", [np.zeros((4, 5, 3)), np.zeros((4, 5)), Image.new("RGBA", (3, 2), "red"), Image.new("L", (3, 2))]
)
def test_an_opaque_picture_has_no_alpha(source):
    assert read_alpha(source) is None


@pytest.mark.parametrize("side", ["longest", "shortest"])
def test_alpha_has_the_size_that_the_picture_has(side):
    alpha = read_alpha(half_transparent(), 12, side)
    assert alpha.shape == read_picture(half_transparent(), 12, side).shape[:2]
    assert alpha.min() >= 0 and alpha.max() <= 1
    assert alpha[:, 0] == pytest.approx(0, abs=1e-3) and alpha[:, -1] == pytest.approx(1, abs=1e-3)
    assert np.all(np.diff(alpha[3]) >= -0.1) and alpha[3].mean() == pytest.approx(0.5, abs=0.02)


def test_alpha_is_turned_upright_with_its_picture(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # row 0 is the right side, column 0 the top
    alpha = read_alpha(saved(tmp_path, half_transparent(), exif=exif))
    assert alpha.shape == (8, 6)
    assert alpha[:4].max() == 0 and alpha[4:].min() == 1


def test_a_missing_picture_has_no_alpha_to_read(tmp_path):
    assert "missing.png" in sentence(read_alpha, tmp_path / "missing.png")


# Other sources and formats -----------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["bytes", "bytearray", "memoryview", "BytesIO", "at its end", "open file"])
def test_bytes_and_open_files_are_read(kind, tmp_path, pixels):
    path = saved(tmp_path, Image.fromarray(pixels))
    data = path.read_bytes()
    at_its_end = io.BytesIO()
    at_its_end.write(data)
    with path.open("rb") as file:
        source = {
            "bytes": data,
            "bytearray": bytearray(data),
            "memoryview": memoryview(data),
            "BytesIO": io.BytesIO(data),
            "at its end": at_its_end,
            "open file": file,
        }[kind]
        assert np.array_equal(read_picture(source), pixels)
        assert np.array_equal(read_picture(source), pixels)  # also once more
        assert read_alpha(source) is None


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (b"", "is empty"),
        (io.BytesIO(), "is empty"),
        (io.BytesIO(b"Starry Night"), "not a picture"),
        (b"P6\n0 5\n255\n", "not a picture"),
        (io.StringIO("Starry Night"), "for bytes, not for text"),
    ],
)
def test_bytes_and_open_files_that_are_no_picture_are_refused(source, words):
    assert words in sentence(read_picture, source)


def test_a_closed_file_is_refused(tmp_path, pixels):
    with saved(tmp_path, Image.fromarray(pixels)).open("rb") as file:
        pass
    assert "cannot be read" in sentence(read_picture, file)


@pytest.mark.parametrize(
    "address",
    ["https://example.org/a.jpg", "https:/example.org/a.jpg", "file:///home/a.jpg", "file:/a.jpg", "s3://bucket/a.jpg"],
)
def test_an_address_is_refused_as_one(address):
    assert "is an address" in sentence(read_picture, address)
    assert "is an address" in sentence(read_picture, Path(address))


@pytest.mark.parametrize("format_name", ["EPS", "XBM", "SGI"])
def test_a_format_that_no_photograph_has_is_not_decoded_whatever_its_name(format_name, tmp_path, monkeypatch):
    """An EPS is a program, which Pillow would hand to Ghostscript."""
    mode = "1" if format_name == "XBM" else "RGB"
    (tmp_path / "photo.png").write_bytes(encoded(Image.new(mode, (9, 6)), format_name))
    with Image.open(tmp_path / "photo.png") as picture:
        assert picture.format == format_name  # else the test would show nothing
    monkeypatch.setattr("subprocess.check_call", lambda *_, **__: pytest.fail("a program was started"))
    assert "not a picture" in sentence(read_picture, tmp_path / "photo.png")


@pytest.mark.parametrize("format_name", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF", "PPM", "JPEG2000", "TGA"])
def test_formats_of_photographs_are_read(format_name, tmp_path):
    (tmp_path / "photo").write_bytes(encoded(Image.new("RGB", (9, 6), (200, 100, 0)), format_name))
    assert np.abs(read_picture(tmp_path / "photo") - (200, 100, 0)).max() <= 2


@NO_AVIF
def test_avif_is_read(tmp_path):
    (tmp_path / "photo").write_bytes(encoded(Image.new("RGB", (9, 6), (200, 100, 0)), "AVIF"))
    assert np.abs(read_picture(tmp_path / "photo") - (200, 100, 0)).max() <= 3


@NO_AVIF
def test_without_avif_a_sentence_says_what_is_missing(tmp_path, monkeypatch):
    (tmp_path / "photo.avif").write_bytes(encoded(Image.new("RGB", (9, 6)), "AVIF"))
    monkeypatch.delitem(Image.OPEN, "AVIF")
    monkeypatch.delitem(Image.SAVE, "AVIF")
    assert "Pillow 11.3" in sentence(read_picture, tmp_path / "photo.avif")
    assert "Pillow 11.3" in sentence(write_picture, tmp_path / "out.avif", np.zeros((4, 4, 3)))


def test_pixels_that_are_srgb_already_are_left_as_they_are(tmp_path, random):
    pixels = random.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    for profile in (srgb_profile(), ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()):
        assert np.array_equal(read_picture(saved(tmp_path, Image.fromarray(pixels), icc_profile=profile)), pixels)
