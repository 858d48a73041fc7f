"""Reading: from a picture file, a PIL image or an array to pixels (H, W, 3).

Files vary: rotated photographs, transparency, grey and CMYK pictures, colour profiles, 16 bits per channel. All of
them become float32 RGB here. 16 bits are read as 16, unless there is a colour profile to apply: Pillow does that with
8. A damaged file, or a picture beyond Pillow's limit of size, is refused with a sentence.
"""

import io
import os
import re
import warnings
from pathlib import Path

import numpy as np
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from ..arrays import to_host
from ..errors import MinistyleError
from .profiles import MODES, is_srgb, to_srgb
from .sixteen import decode_lower_bytes, has_sixteen_bits
from .sizes import resize, size_to_fit

# Of all that Pillow can open. For EPS and WMF it would start other programs, and others are no formats of photographs.
# Pillow has HEIF once the program that uses this package registers it, with pillow-heif for instance.
READABLE = ("PNG", "JPEG", "MPO", "WEBP", "TIFF", "BMP", "DIB", "GIF", "PPM", "AVIF", "JPEG2000", "TGA", "HEIF")
SHOWN = "PNG, JPEG, WebP, TIFF, AVIF, ..."
ADDRESS = re.compile(r"[A-Za-z][\w+.-]+:/|.*://")  # a path writes an address with a single slash
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_picture(source, size=None, side="longest"):  # -> (H, W, 3)
    """Return a picture as a float32 array, RGB, 0 to 255.

    Parameters
    ----------
    source : path, bytes, file open for bytes, PIL image, array or what has one as its `pixels`, such as a `Result`
        An open file is read from its beginning. An array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), with values 0
        to 255 (not 0 to 1); the fourth channel is opacity. A transparent picture is laid on white. Colours with a
        profile are converted to sRGB. A photograph with an orientation mark is turned upright. An animation gives its
        first picture.
    size : int, optional
        Length in pixels of the side that `side` names. The picture is scaled up or down to it.
    side : {"longest", "shortest"}
        Which side of the picture `size` measures.

    Raises
    ------
    MinistyleError
        The source cannot be read as a picture or is empty; see `size_to_fit` for an impossible size.
    """
    pixels, alpha = _decoded(source)
    if alpha is not None:
        pixels = pixels * alpha[:, :, np.newaxis] + 255 * (1 - alpha[:, :, np.newaxis])
    if size is not None:
        pixels = resize(pixels, *size_to_fit(pixels.shape[:2], size, side))
    return pixels


def read_alpha(source, size=None, side="longest"):  # -> (H, W) or None
    """Return how opaque a picture is, or None where it is opaque everywhere.

    Parameters
    ----------
    source, size, side : see `read_picture`, whose result has the same height and width

    Returns
    -------
    float32 array (H, W), from 0, transparent, to 1, opaque; or None

    Raises
    ------
    MinistyleError
        See `read_picture`.
    """
    _, alpha = _decoded(source)
    if alpha is None or alpha.min() == 1:
        return None
    if size is not None:
        height, width = size_to_fit(alpha.shape, size, side)
        alpha = resize(255 * alpha[:, :, np.newaxis], height, width)[:, :, 0] / 255
    return alpha


def open_picture(source):
    """Return a picture file, opened but not decoded, as a PIL image; a PIL image as it is; None for an array.

    Raises
    ------
    MinistyleError
        The source cannot be opened as a picture.
    """
    source = _unwrapped(source)
    if _is_array(source):
        return None
    return source if isinstance(source, Image.Image) else _open(*_data_of(source))


def size_of(source):
    """Return a picture's own (height, width) in pixels, upright; its pixels are not decoded.

    Raises
    ------
    MinistyleError
        The source cannot be opened as a picture.
    """
    picture = open_picture(source)
    if picture is None:
        return _unwrapped(source).shape[:2]
    width, height = picture.size
    turned = picture.getexif().get(ExifTags.Base.Orientation) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def _decoded(source):  # -> (H, W, 3), (H, W) or None
    """Return a picture's colours, 0 to 255, and its opacity, 0 to 1, float32 both; None without an alpha channel."""
    source = _unwrapped(source)
    if _is_array(source):
        return _from_array(to_host(source), "the picture")
    if isinstance(source, Image.Image):
        return _decode(source, "the picture")
    data, name = _data_of(source)
    with _open(data, name) as picture:
        return _decode(picture, name, _open(data, name) if has_sixteen_bits(picture) else None)


def _unwrapped(source):
    """Return the picture that something has as its `pixels`, such as a `Result`; any other source as it is."""
    return source.pixels if hasattr(source, "pixels") else source


def _is_array(source):
    """Say whether a source is an array, of the host or of a GPU."""
    return hasattr(source, "ndim") and not isinstance(source, memoryview)


def _data_of(source):
    """Return the bytes of a picture file, and what to call it in a sentence."""
    if isinstance(source, bytes | bytearray | memoryview):
        data, name = bytes(source), f"the picture of {len(source)} bytes"
    elif isinstance(source, str | os.PathLike):
        data, name = _bytes_of_file(source), f"picture '{source}'"
    elif hasattr(source, "read"):
        data, name = _bytes_of_stream(source), f"the picture in {type(source).__name__}"
    else:
        raise MinistyleError(
            f"a picture must be a path, an open file, bytes, a PIL image or an array, got {type(source).__name__}"
        )
    if not data:
        raise MinistyleError(f"{name} is empty (0 bytes)")
    return data, name


def _bytes_of_file(source):
    """Read a file; each kind of failure has its own sentence."""
    if ADDRESS.match(str(source)):
        raise MinistyleError(f"'{source}' is an address; download the picture, and name the file")
    path = Path(source)
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise MinistyleError(f"there is no picture '{path}'") from None
    except IsADirectoryError:
        raise MinistyleError(f"'{path}' is a folder, not a picture") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        raise MinistyleError(f"picture '{path}' cannot be read: {error}") from None


def _bytes_of_stream(stream):
    """Read an open file from its beginning."""
    try:
        if stream.seekable():
            stream.seek(0)
        data = stream.read()
    except (OSError, ValueError, AttributeError) as error:  # ValueError: it is closed
        raise MinistyleError(f"the picture in {type(stream).__name__} cannot be read: {error}") from None
    if not isinstance(data, bytes):
        raise MinistyleError(f"the picture in {type(stream).__name__} must be open for bytes, not for text")
    return data


def _open(data, name):
    """Open the bytes of a picture file as a PIL image, which is not decoded yet."""
    Image.init()
    known = [picture_format for picture_format in READABLE if picture_format in Image.OPEN]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # large, but not yet refused; or damaged metadata
            return Image.open(io.BytesIO(data), "r", known)
    except UnidentifiedImageError:
        if data[4:12] in (b"ftypavif", b"ftypavis") and "AVIF" not in Image.SAVE:
            raise MinistyleError(f"{name} is in the format AVIF, which takes Pillow 11.3 or newer") from None
        raise MinistyleError(f"{name.removeprefix('picture ')} is not a picture that can be read ({SHOWN})") from None
    except Image.DecompressionBombError as error:
        raise MinistyleError(f"{name} is too large: {error}") from None
    except Exception as error:
        raise MinistyleError(f"{name} is damaged: {error}") from None


def _decode(picture, name, lower=None):
    """Turn a PIL image into colours and opacity. Pillow decodes it only now, and may find that it is damaged.

    `lower` is the same picture, opened once more, where it has 16 bits; see `sixteen`.
    """
    try:
        return _from_pil(picture, name, lower)
    except MinistyleError:
        raise
    except Exception as error:  # each decoder has its own errors: OSError, SyntaxError, RuntimeError, ...
        raise MinistyleError(f"{name} is damaged: {error}") from None


def _from_pil(picture, name, lower):
    """Turn a PIL image of any mode into colours and opacity."""
    if 0 in picture.size:
        raise MinistyleError(f"{name} is empty: {picture.width} x {picture.height} pixels")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in _SIXTEEN_BIT_MODES:
        return _from_array(np.asarray(picture), name, white=65535)
    if picture.mode == "F":
        return _from_array(np.asarray(picture), name)
    profile = picture.info.get("icc_profile")
    if profile and is_srgb(profile):
        profile = None
    # Profiles are applied to 8 bits, which is what Pillow can; and so are single colours that stand for transparent.
    if lower is not None and not profile and "transparency" not in picture.info:
        decode_lower_bytes(lower)
        lower = ImageOps.exif_transpose(lower)
        return _from_array(256 * np.asarray(picture, np.uint16) + np.asarray(lower), name, white=65535)
    if picture.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if profile and picture.mode in MODES:
        picture = to_srgb(picture, profile)
    if picture.mode != "RGBA":
        picture = picture.convert("RGB")
    return _from_array(np.asarray(picture), name)


def _from_array(array, name, white=255):
    """Turn an array of 1, 3 or 4 channels, with values 0 to `white`, into colours and opacity."""
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3, 4):
        raise MinistyleError(f"{name} must be an array (H, W, 3), got shape {array.shape}")
    if 0 in pixels.shape:
        raise MinistyleError(f"{name} is empty: its array has shape {array.shape}")
    if pixels.dtype.kind not in "uif":
        raise MinistyleError(f"{name} must hold numbers 0 to 255, got data type {pixels.dtype}")
    pixels = pixels.astype(np.float32)
    if not np.isfinite(pixels).all():
        raise MinistyleError(f"{name} holds numbers that are not finite (nan or infinity)")
    if array.dtype.kind == "f" and 0 < pixels.max() <= 1:  # as other libraries have pictures; they would be black here
        raise MinistyleError(f"{name} holds fractions, 0 to {pixels.max():.3g}; multiply it by 255 to get grey levels")
    pixels = (pixels / (white / 255)).clip(0, 255)
    alpha = pixels[:, :, 3] / 255 if pixels.shape[2] == 4 else None
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels[:, :, :3], alpha
