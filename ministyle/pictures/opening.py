"""Opening: from a path, bytes or an open file to a PIL image, which is not decoded yet.

A file may come from anywhere. A damaged one is refused with a sentence, and so is one with too many pixels, before they
are decoded: a file of some kilobytes can hold a picture of gigabytes. Pipes and devices are not read, as they may have
no end, and formats that start programs are not known here.
"""

import importlib
import io
import math
import os
import re
import threading
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path

from PIL import ExifTags, Image, UnidentifiedImageError

from ..errors import MinistyleError, as_damaged
from ..files import open_regular
from ..settings import MAX_MEGAPIXELS

# Of all that Pillow can open. For EPS and WMF it would start other programs, and others are no formats of photographs.
# Pillow has HEIF once the program that uses this package registers it, with pillow-heif for instance.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "AVIF", "JPEG2000", "TGA", "HEIF")
PLUGINS = ("Png", "Jpeg", "Mpo", "WebP", "Tiff", "Bmp", "Gif", "Ppm", "Avif", "Jpeg2K", "Tga")  # Pillow's, for those
SHOWN = "PNG, JPEG, WebP, TIFF, AVIF, ..."
ADDRESS = re.compile(r"[A-Za-z][\w+.-]+:/|.*://")  # a path writes an address with a single slash
UNREDUCED = 4  # times the limit: the pixels of a JPEG file itself, however small it is decoded
BYTES_A_PIXEL = 16  # of a file, at most, for each pixel that is allowed: uncompressed ones of 16 bits have 8
SMALLEST_LIMIT = 64e6  # bytes: no smaller file is refused for its size
WEBP_HEADER = 30  # bytes, within which a WebP file says how large it is
LARGEST_STREAM = 500e6  # bytes of an open file, all of which are held in memory
TURNED = (5, 6, 7, 8)  # EXIF's orientation marks of pictures whose upright rows are columns of the file
_LOCK = threading.RLock()  # of Pillow's limit and Python's warnings, both of which the whole process shares


@contextmanager
def open_picture(source, *, max_megapixels=MAX_MEGAPIXELS):
    """Yield a picture file, opened but not decoded, as a PIL image; a PIL image as it is; None for an array.

    What Pillow raises about it inside the `with` block becomes a sentence.

    Parameters
    ----------
    source : see `reading.read_picture`
    max_megapixels : float, which limits the size of a file; of the pixels, `check_pixels` does

    Raises
    ------
    MinistyleError
        The source cannot be opened as a picture.
    """
    source = unwrapped(source)
    if is_array(source):
        yield None
    elif isinstance(source, Image.Image):
        with as_damaged("the picture"):
            yield source
    else:
        with stream_of(source, max_megapixels) as (stream, name), as_damaged(name):
            yield open_stream(stream, name)


def size_of(source, *, max_megapixels=MAX_MEGAPIXELS):
    """Return a picture's own (height, width) in pixels, upright; its pixels are hardly ever decoded, see `exif_of`.

    Raises
    ------
    MinistyleError
        The source cannot be opened as a picture.
    """
    with open_picture(source, max_megapixels=max_megapixels) as picture:
        if picture is not None:
            return upright_size(picture, max_megapixels)
        check_shape(unwrapped(source).shape, "the picture")
        return unwrapped(source).shape[:2]


def check_shape(shape, name):
    """Refuse the shape of an array that is none of a picture: (H, W), or (H, W, C) with 1, 3 or 4 channels."""
    if len(shape) not in (2, 3) or (len(shape) == 3 and shape[2] not in (1, 3, 4)):
        raise MinistyleError(f"{name} must be an array (H, W, 3), got shape {tuple(shape)}")
    if 0 in shape:
        raise MinistyleError(f"{name} is empty: its array has shape {tuple(shape)}")


def exif_of(picture, *, max_megapixels=MAX_MEGAPIXELS):
    """Return the EXIF data of a PIL image, a `PIL.Image.Exif`. Those of a PNG may stand behind the pixels.

    Raises
    ------
    MinistyleError
        To find them would take decoding too many pixels.
    """
    if picture.format == "PNG" and "exif" not in picture.info:
        check_pixels(picture.size, "the picture", max_megapixels)
    with without_pillows_limit():
        return picture.getexif()


def check_pixels(size, name, max_megapixels, own_size=None):
    """Refuse a picture that has too many pixels.

    Parameters
    ----------
    size : (width, height) that it is decoded to
    name : str, for the message
    max_megapixels : float
    own_size : (width, height) that it has, where it is decoded smaller

    Raises
    ------
    MinistyleError
        The sentence says how many there are and what allows them.
    """
    (width, height), (own_width, own_height) = size, own_size or size
    needed = max(width * height, own_width * own_height / UNREDUCED) / 1e6
    if needed > max_megapixels:
        raise MinistyleError(
            f"{name} has {own_width} x {own_height} pixels, and the limit is {max_megapixels:g} megapixels; if you "
            f"trust the file, --max-megapixels {math.ceil(needed)} (max_megapixels={math.ceil(needed)}) allows it"
        )


def register_formats():
    """Let Pillow know the formats in `READABLE`, and no other: some of those start programs."""
    for name in PLUGINS:
        with suppress(ImportError):  # AVIF takes Pillow 11.3
            importlib.import_module(f"PIL.{name}ImagePlugin")


def upright_size(picture, max_megapixels):  # -> (height, width)
    """Return the size of a PIL image, which has not been decoded yet, once it is upright."""
    with without_pillows_limit():
        exif = exif_of(picture, max_megapixels=max_megapixels)
        width, height = picture.size
        if picture.format == "TIFF":  # for which some versions of Pillow say the upright size
            width, height = (exif.get(tag, side) for tag, side in zip((256, 257), picture.size, strict=True))
        return (width, height) if exif.get(ExifTags.Base.Orientation) in TURNED else (height, width)


def orientation_of(picture):
    """Return how a PIL image is turned, as EXIF counts it, or None."""
    with without_pillows_limit():
        return picture.getexif().get(ExifTags.Base.Orientation)


def unwrapped(source):
    """Return the picture that something has as its `pixels`, such as a `Result`; any other source as it is."""
    return source.pixels if hasattr(source, "pixels") else source


def is_array(source):
    """Say whether a source is an array, of the host or of a GPU."""
    return hasattr(source, "ndim") and not isinstance(source, memoryview)


@contextmanager
def stream_of(source, max_megapixels):
    """Yield a picture file, open for bytes, and what to call it in a sentence."""
    if isinstance(source, bytes | bytearray | memoryview):
        stream, name = io.BytesIO(source), f"the picture of {len(source)} bytes"
    elif isinstance(source, str | os.PathLike):
        stream, name = _open_file(source, max_megapixels), f"picture '{source}'"
    elif hasattr(source, "read"):
        stream, name = io.BytesIO(bytes_of_stream(source)), f"the picture in {type(source).__name__}"
    else:
        raise MinistyleError(
            f"a picture must be a path, an open file, bytes, a PIL image or an array, got {type(source).__name__}"
        )
    with stream:
        beginning = stream.read(WEBP_HEADER)
        if not beginning:
            raise MinistyleError(f"{name} is empty (0 bytes)")
        size = _webp_size(beginning)
        if size is not None:  # its decoder takes memory for all pixels as soon as Pillow opens it
            check_pixels(size, name, max_megapixels)
        stream.seek(0)
        yield stream, name


def _webp_size(beginning):
    """Return the (width, height) that a WebP file claims in its first bytes, or None; see RFC 9649, section 2."""
    if beginning[:4] != b"RIFF" or beginning[8:12] != b"WEBP" or len(beginning) < WEBP_HEADER:
        return None
    kind, content = beginning[12:16], beginning[20:]
    if kind == b"VP8X":  # flags in four bytes, then width - 1 and height - 1 in three each
        return int.from_bytes(content[4:7], "little") + 1, int.from_bytes(content[7:10], "little") + 1
    if kind == b"VP8L":  # a signature in one byte, then width - 1 and height - 1 in 14 bits each
        bits = int.from_bytes(content[1:5], "little")
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8 ":  # a tag and a start code in three bytes each, then 14 bits of width and of height
        return tuple(int.from_bytes(content[start : start + 2], "little") & 0x3FFF for start in (6, 8))
    return None


def _open_file(source, max_megapixels):
    """Open a file; each kind of failure has its own sentence."""
    if ADDRESS.match(str(source)):
        raise MinistyleError(f"'{source}' is an address; download the picture, and name the file")
    path = Path(source)
    try:
        stream = open_regular(path)
    except FileNotFoundError:
        raise MinistyleError(f"there is no picture '{path}'") from None
    except IsADirectoryError:
        raise MinistyleError(f"'{path}' is a folder, not a picture") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        raise MinistyleError(f"picture '{path}' cannot be read: {error}") from None
    size, limit = os.fstat(stream.fileno()).st_size, max(SMALLEST_LIMIT, BYTES_A_PIXEL * 1e6 * max_megapixels)
    if size > limit:
        stream.close()
        raise MinistyleError(
            f"picture '{path}' has {size / 1e6:.0f} MB, and with a limit of {max_megapixels:g} megapixels a file has "
            f"at most {limit / 1e6:.0f}; if you trust the file, --max-megapixels (max_megapixels) raises both"
        )
    return stream


def bytes_of_stream(stream):
    """Read an open file from its beginning.

    Raises
    ------
    MinistyleError
        It cannot be read, is open for text, or has more than `LARGEST_STREAM` bytes.
    """
    name = f"the picture in {type(stream).__name__}"
    try:
        if stream.seekable():
            stream.seek(0)
        data = stream.read(int(LARGEST_STREAM) + 1)
    except (OSError, ValueError, AttributeError) as error:  # ValueError: it is closed
        raise MinistyleError(f"{name} cannot be read: {error}") from None
    if not isinstance(data, bytes):
        raise MinistyleError(f"{name} must be open for bytes, not for text")
    if len(data) > LARGEST_STREAM:
        raise MinistyleError(f"{name} has more than {LARGEST_STREAM / 1e6:.0f} MB; name a file")
    return data


def open_stream(stream, name):
    """Open the picture in an open file as a PIL image, which is not decoded yet; use it in `as_damaged`."""
    register_formats()
    known = [picture_format for picture_format in READABLE if picture_format in Image.OPEN]
    try:
        with without_pillows_limit():
            return Image.open(stream, "r", known)
    except UnidentifiedImageError:
        stream.seek(0)
    if stream.read(12)[4:] in (b"ftypavif", b"ftypavis") and "AVIF" not in Image.SAVE:
        raise MinistyleError(f"{name} is in the format AVIF, which takes Pillow 11.3 or newer")
    raise MinistyleError(f"{name.removeprefix('picture ')} is not a picture that can be read ({SHOWN})")


def load(picture):
    """Decode a PIL image. Pillow does that only now, and may find that it is damaged; use it in `as_damaged`."""
    with without_pillows_limit():
        picture.load()


@contextmanager
def without_pillows_limit():
    """Keep Pillow's own limit of pixels, and its warnings about damaged metadata, out of the way; ours is checked."""
    with _LOCK, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        limit, Image.MAX_IMAGE_PIXELS = Image.MAX_IMAGE_PIXELS, None
        try:
            yield
        finally:
            Image.MAX_IMAGE_PIXELS = limit
