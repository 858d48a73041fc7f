"""Pictures: from a file to an array of pixels and back.

Inside the package a picture is an array of shape (H, W, 3), RGB, with values 0 to 255 (floating point,
not rounded). Here, and only here, it meets the variety of files: rotated photographs, transparency, grey and
CMYK pictures, colour profiles, 16 bits.
"""

import io
import math
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from .arrays import to_host
from .errors import MinistyleError
from .files import new_file

SIDES = ("longest", "shortest")
FORMATS = {  # what can be written, by the file name's ending
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".jfif": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
    ".bmp": "BMP",
    ".ppm": "PPM",
}
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_picture(source, size=None, side="longest"):  # -> (H, W, 3)
    """Return a picture as a float32 array, RGB, 0 to 255.

    Parameters
    ----------
    source : path, PIL image or array
        An array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), with values 0 to 255 (not 0 to 1). Transparent
        parts are laid on white; a colour profile is converted to sRGB; a photograph's orientation
        mark is obeyed; of an animation the first picture is taken.
    size : int, optional
        Length in pixels to which the side named by `side` is scaled, up or down.
    side : {"longest", "shortest"}
        Which side of the picture `size` measures.

    Raises
    ------
    MinistyleError
        The source cannot be read as a picture, or is empty.
    """
    if hasattr(source, "ndim"):  # an array, of the host or of a GPU
        pixels = _from_array(to_host(source))
    elif isinstance(source, Image.Image):
        pixels = _decode(source, "the picture")
    elif isinstance(source, str | os.PathLike):
        pixels = _from_file(Path(source))
    else:
        raise MinistyleError(f"a picture must be a path, a PIL image or an array, got {type(source).__name__}")
    if size is not None:
        pixels = resize(pixels, *size_to_fit(pixels.shape[:2], size, side))
    return pixels


def size_to_fit(shape, size, side="longest"):
    """Return (height, width) with the given side `size` pixels long and the proportions of `shape`."""
    if side not in SIDES:
        raise MinistyleError(f"side (={side!r}) must be one of {', '.join(SIDES)}")
    if size < 1:
        raise MinistyleError(f"size (={size}) must be at least 1 pixel")
    reference = max(shape) if side == "longest" else min(shape)
    height, width = (max(1, round(length * size / reference)) for length in shape)
    return height, width


def resize(pixels, height, width):  # (H, W, 3) -> (height, width, 3)
    """Scale a picture with Lanczos's filter, without rounding to whole levels; values stay in 0 to 255."""
    if pixels.shape[:2] == (height, width):
        return pixels
    channels = [
        Image.fromarray(np.ascontiguousarray(pixels[:, :, c], dtype=np.float32)).resize(
            (width, height), Image.Resampling.LANCZOS
        )
        for c in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2).clip(0, 255)


def to_uint8(pixels):  # (H, W, 3) -> (H, W, 3)
    """Round a picture to whole levels 0 to 255, cutting off what lies outside."""
    return np.rint(np.clip(to_host(pixels), 0, 255)).astype(np.uint8)


def check_output(path, overwrite=False):
    """Make sure, before long work begins, that a picture can be written to `path`.

    Raises
    ------
    MinistyleError
        The file exists and `overwrite` is not set, its folder is missing or not writable, or its ending
        names no format that can be written.
    """
    path = Path(path)
    if path.suffix.lower() not in FORMATS:
        raise MinistyleError(f"output '{path}' must end in {', '.join(FORMATS)}")
    if not path.parent.is_dir():
        raise MinistyleError(f"output '{path}' cannot be written: there is no folder '{path.parent}'")
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except OSError as error:  # a name too long, for instance
        raise MinistyleError(f"output '{path}' cannot be written: {error.strerror}") from None
    else:
        if path.is_dir():
            raise MinistyleError(f"output '{path}' is a folder; name a file in it")
        if not overwrite:
            raise MinistyleError(f"output '{path}' exists; choose another name or add --overwrite")
    if not os.access(path.parent, os.W_OK):
        raise MinistyleError(f"output '{path}' cannot be written: no permission to write in '{path.parent}'")


def write_picture(path, pixels, overwrite=False):
    """Write a picture (H, W, 3) to a file, whole or not at all.

    Raises
    ------
    MinistyleError
        See `check_output`; or the disk is full, for instance.
    """
    path = Path(path)
    check_output(path, overwrite)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not np.isfinite(pixels).all():
        raise MinistyleError(f"output '{path}' cannot be written: not a picture (H, W, 3) of finite numbers")
    picture = Image.fromarray(to_uint8(pixels))
    format_name = FORMATS[path.suffix.lower()]
    options = {"quality": 95, "subsampling": 0} if format_name == "JPEG" else {}
    with new_file(path) as temporary, temporary.open("wb") as file:
        try:
            picture.save(file, format=format_name, **options)
        except ValueError as error:  # sides too long for the format
            raise MinistyleError(f"output '{path}' cannot be written: {error}") from error


def psnr(picture, reference):  # (H, W, 3), (H, W, 3) -> float
    """Return the peak signal-to-noise ratio in decibels: 10 log10(255^2 / mean squared difference).

    20 dB is a typical error of 25 levels, 40 dB one of 2.5; equal pictures have an infinite ratio.
    """
    error = np.mean((np.asarray(picture, np.float64) - reference) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else math.inf


def _from_file(path):
    """Read a picture file; every way in which that fails gets its sentence."""
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise MinistyleError(f"there is no picture '{path}'") from None
    except IsADirectoryError:
        raise MinistyleError(f"'{path}' is a folder, not a picture") from None
    except (OSError, ValueError) as error:  # ValueError: a name with a zero byte in it
        raise MinistyleError(f"picture '{path}' cannot be read: {error}") from None
    if not data:
        raise MinistyleError(f"picture '{path}' is empty (0 bytes)")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # large, but not yet refused
            picture = Image.open(io.BytesIO(data))
    except UnidentifiedImageError:
        raise MinistyleError(f"'{path}' is not a picture that can be read (PNG, JPEG, TIFF, ...)") from None
    except Image.DecompressionBombError as error:
        raise MinistyleError(f"picture '{path}' is too large: {error}") from None
    with picture:
        return _decode(picture, f"picture '{path}'")


def _decode(picture, name):
    """Turn a PIL image, whose file may prove to be damaged only now, into (H, W, 3) float32."""
    try:
        return _from_pil(picture, name)
    except MinistyleError:
        raise
    except Exception as error:  # decoders fail in ways of their own: OSError, SyntaxError, RuntimeError, ...
        raise MinistyleError(f"{name} is damaged: {error}") from None


def _from_pil(picture, name):
    """Turn any of Pillow's kinds of image into (H, W, 3) float32."""
    if 0 in picture.size:
        raise MinistyleError(f"{name} is empty: {picture.width} x {picture.height} pixels")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in _SIXTEEN_BIT_MODES:
        return _from_array(np.asarray(picture, dtype=np.float32) / 257, name)  # 65535 / 255
    if picture.mode == "F":
        return _from_array(np.asarray(picture), name)
    profile = picture.info.get("icc_profile")
    if picture.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if profile and picture.mode in ("RGB", "RGBA", "L", "CMYK"):
        picture = _to_srgb(picture, profile)
    if picture.mode == "RGBA":
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, "white"), picture)
    return np.asarray(picture.convert("RGB"), dtype=np.float32)


def _to_srgb(picture, profile):
    """Convert a picture from its colour profile to sRGB; one with a damaged profile stays as it is."""
    output_mode = picture.mode if picture.mode == "RGBA" else "RGB"
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        return ImageCms.profileToProfile(picture, source, ImageCms.createProfile("sRGB"), outputMode=output_mode)
    except (ImageCms.PyCMSError, OSError):
        return picture


def _from_array(array, name="the picture"):
    """Turn an array of 1, 3 or 4 channels into (H, W, 3) float32, 0 to 255."""
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
    pixels = pixels.clip(0, 255)
    if pixels.shape[2] == 4:
        opacity = pixels[:, :, 3:] / 255
        pixels = pixels[:, :, :3] * opacity + 255 * (1 - opacity)
    return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels
