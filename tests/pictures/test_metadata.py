"""What a picture file says beside its pixels, read back with Pillow."""

import io
import json

import numpy as np
import pytest
from conftest import sentence
from PIL import ExifTags, Image, ImageCms, TiffImagePlugin

from ministyle.pictures.metadata import read_exif, read_text
from ministyle.pictures.opening import size_of
from ministyle.pictures.profiles import srgb_profile
from ministyle.pictures.reading import read_picture
from ministyle.pictures.values import picture_sha256
from ministyle.pictures.writing import FORMATS, write_picture

Base, IFD = ExifTags.Base, ExifTags.IFD
HOLDING = [".png", ".jpg", ".webp", ".tif", ".avif"]
RECORD = {"format": "ministyle picture 1", "message": "Schöne Grüße", "n": 1.5}
PLACE = {1: "N", 2: (48.0, 31.0, 12.5), 3: "E", 4: (9.0, 3.0, 0.0)}


@pytest.fixture(autouse=True)
def avif():
    Image.init()
    if "AVIF" not in Image.SAVE:
        pytest.skip("Pillow was built without AVIF")


def of_a_camera():
    """EXIF data as a camera writes them."""
    exif = Image.Exif()
    exif[Base.Make], exif[Base.Artist], exif[Base.Orientation] = "Maker", "Photographer", 6
    exif[IFD.Exif] = {
        Base.ExposureTime: TiffImagePlugin.IFDRational(1, 250),
        Base.ISOSpeedRatings: 400,
        Base.LensModel: "35 mm",
        Base.DateTimeOriginal: "2024:06:01 12:00:00",
        Base.MakerNote: b"private" * 100,
        Base.ExifImageWidth: 4000,
        Base.ColorSpace: 65535,
    }
    exif[IFD.GPSInfo] = PLACE
    return exif.tobytes()


@pytest.fixture
def smooth():
    y, x = np.mgrid[:32, :48]
    return np.stack([5 * x, 8 * y, 2 * x + 3 * y], axis=2).astype(np.float32)


def exif_of(path):
    with Image.open(path) as picture:
        exif = picture.getexif()
        return dict(exif), dict(exif.get_ifd(IFD.Exif)), dict(exif.get_ifd(IFD.GPSInfo))


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("written", HOLDING)
@pytest.mark.parametrize("taken", [".jpg", ".png", ".tif"])
def test_exif_data_are_kept_but_for_what_is_no_longer_true(taken, written, bits, smooth, tmp_path):
    if bits == 16 and not FORMATS[written].deep:
        return
    photo = tmp_path / f"photo{taken}"
    Image.fromarray(smooth.astype(np.uint8)).save(photo, exif=of_a_camera())
    path = tmp_path / f"out{written}"
    write_picture(path, smooth, bits=bits, exif=read_exif(photo), record=RECORD)
    base, exposure, place = exif_of(path)
    assert (base[Base.Make], base[Base.Artist]) == ("Maker", "Photographer")
    assert base.get(Base.Orientation, 1) == 1  # Pillow adds this one to what it writes as AVIF
    assert exposure[Base.ExposureTime] == 1 / 250 and exposure[Base.ISOSpeedRatings] == 400
    assert (exposure[Base.LensModel], exposure[Base.DateTimeOriginal]) == ("35 mm", "2024:06:01 12:00:00")
    assert exposure[Base.ColorSpace] == 1  # sRGB
    assert not {Base.MakerNote, Base.ExifImageWidth} & set(exposure)
    assert place == PLACE
    assert read_picture(path).shape == smooth.shape  # it is upright already


def test_a_thumbnail_is_left_out(smooth, tmp_path):
    """A camera's thumbnail shows the photograph itself. This one is added by hand, as a second directory."""
    exif = bytearray(of_a_camera())
    tiff = exif[6:]
    order = "little" if tiff[:2] == b"II" else "big"
    first = int.from_bytes(tiff[4:8], order)
    end = first + 2 + 12 * int.from_bytes(tiff[first : first + 2], order)
    tiff[end : end + 4] = len(tiff).to_bytes(4, order)
    entry = (0x0201).to_bytes(2, order) + (4).to_bytes(2, order) + (1).to_bytes(4, order)
    tiff += (1).to_bytes(2, order) + entry + (len(tiff) + 18).to_bytes(4, order) + bytes(4) + b"\xff\xd8thumb"
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "photo.jpg", exif=bytes(exif[:6] + tiff))
    with Image.open(tmp_path / "photo.jpg") as picture:
        assert picture.getexif().get_ifd(IFD.IFD1)  # else the test would show nothing
    assert b"thumb" in (tmp_path / "photo.jpg").read_bytes()
    kept = Image.Exif()
    kept.load(read_exif(tmp_path / "photo.jpg"))
    assert kept[Base.Make] == "Maker" and not kept.get_ifd(IFD.IFD1)


@pytest.mark.parametrize("exif", [b"", b"Exif\0\0", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0" + bytes(200)])
def test_damaged_exif_data_count_as_none(exif, smooth, tmp_path):
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "photo.jpg", exif=exif)
    assert read_exif(tmp_path / "photo.jpg") is None
    assert read_text(tmp_path / "photo.jpg") is None


def test_an_array_has_neither_exif_data_nor_a_record(smooth):
    assert read_exif(smooth) is None and read_text(smooth) is None


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("ending", HOLDING)
def test_a_record_is_read_back_with_the_hash_of_the_pixels(ending, bits, smooth, tmp_path):
    if bits == 16 and not FORMATS[ending].deep:
        return
    path = tmp_path / f"out{ending}"
    write_picture(path, smooth, record=RECORD, bits=bits)
    levels = (smooth * 257).astype(np.uint16) if bits == 16 else smooth.astype(np.uint8)
    assert json.loads(read_text(path)) == {**RECORD, "picture_sha256": picture_sha256(levels)}


@pytest.mark.parametrize("ending", [".bmp", ".ppm"])
def test_a_format_without_metadata_holds_the_picture_alone(ending, smooth, tmp_path):
    path = tmp_path / f"out{ending}"
    write_picture(path, smooth, record=RECORD, exif=of_a_camera())
    assert np.array_equal(read_picture(path), smooth)
    assert read_text(path) is None


def test_the_record_is_in_a_jpeg_even_where_the_exif_data_fill_it(smooth, tmp_path):
    exif = Image.Exif()
    exif[Base.ImageDescription] = "x" * 65000
    write_picture(tmp_path / "out.jpg", smooth, record={**RECORD, "terms": "y" * 1000}, exif=exif.tobytes())
    assert json.loads(read_text(tmp_path / "out.jpg"))["format"] == RECORD["format"]


def test_a_photographer_s_own_comment_is_no_record(smooth, tmp_path):
    exif = Image.Exif()
    exif[IFD.Exif] = {Base.UserComment: b"ASCII\0\0\0A fine day"}
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "photo.jpg", exif=exif.tobytes())
    assert read_text(tmp_path / "photo.jpg") is None
    write_picture(tmp_path / "out.png", smooth, record=RECORD, exif=read_exif(tmp_path / "photo.jpg"))
    assert exif_of(tmp_path / "out.png")[1][Base.UserComment] == b"ASCII\0\0\0A fine day"
    assert json.loads(read_text(tmp_path / "out.png"))["n"] == 1.5


@pytest.mark.parametrize("ending", [".jpg", ".webp", ".png"])
def test_a_record_survives_a_program_that_hands_on_exif_data(ending, smooth, tmp_path):
    write_picture(tmp_path / "out.jpg", smooth, record=RECORD)
    with Image.open(tmp_path / "out.jpg") as picture:
        picture.resize((24, 16)).save(tmp_path / f"small{ending}", exif=picture.getexif())
    assert json.loads(read_text(tmp_path / f"small{ending}"))["message"] == RECORD["message"]


@pytest.mark.parametrize("ending", HOLDING)
def test_the_profile_of_srgb_is_embedded(ending, smooth, tmp_path):
    write_picture(tmp_path / f"out{ending}", smooth)
    with Image.open(tmp_path / f"out{ending}") as picture:
        profile = picture.info["icc_profile"]
        description = ImageCms.getProfileDescription(ImageCms.getOpenProfile(io.BytesIO(profile)))
    assert profile == srgb_profile()
    assert "sRGB" in description


def test_the_profile_of_srgb_does_not_say_when_it_was_made():
    assert np.frombuffer(srgb_profile()[24:36], ">u2").tolist() == [1999, 10, 18, 0, 0, 0]
    assert srgb_profile()[40:44] == bytes(4)
    ImageCms.ImageCmsProfile(io.BytesIO(srgb_profile()))


@pytest.mark.parametrize("ending", HOLDING)
def test_the_same_picture_is_the_same_file(ending, smooth, tmp_path):
    srgb_profile.cache_clear()
    write_picture(tmp_path / f"one{ending}", smooth, record=RECORD)
    srgb_profile.cache_clear()
    write_picture(tmp_path / f"two{ending}", smooth, record=RECORD)
    assert (tmp_path / f"one{ending}").read_bytes() == (tmp_path / f"two{ending}").read_bytes()


def test_what_is_no_picture_has_no_exif_data_to_read(tmp_path):
    (tmp_path / "text.jpg").write_text("Starry Night")
    assert "text.jpg" in sentence(read_exif, tmp_path / "text.jpg")
    assert "text.jpg" in sentence(read_text, tmp_path / "text.jpg")


@pytest.mark.parametrize(("orientation", "size"), [(1, (32, 48)), (3, (32, 48)), (6, (48, 32)), (8, (48, 32))])
def test_the_size_is_that_of_the_upright_picture(orientation, size, smooth, tmp_path):
    exif = Image.Exif()
    exif[Base.Orientation] = orientation
    Image.fromarray(smooth.astype(np.uint8)).save(tmp_path / "photo.jpg", exif=exif)
    assert size_of(tmp_path / "photo.jpg") == size
    assert read_picture(tmp_path / "photo.jpg").shape[:2] == size
