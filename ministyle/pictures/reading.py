"""Reading: from a picture file, a PIL image or an array to pixels (H, W, 3).

Files vary: rotated photographs, transparency, grey and CMYK pictures, colour profiles, 16 bits per channel. All of
them become float32 RGB here. A damaged file, or a picture beyond Pillow's limit of size, is refused with a sentence.
"""

import io
import os
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from ..arrays import to_host
from ..errors import MinistyleError
from .profiles import MODES, to_srgb
from .sizes import resize, size_to_fit

_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")


def read_picture(source, size=None, side="longest"):  # -> (H, W, 3)
    """Return a picture as a float32 array, RGB, 0 to 255.

    Parameters
    ----------
    source : path, PIL image, array or what has one as its `pixels`, such as a `Result`
        An array is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), with values 0 to 255 (not 0 to 1); the fourth channel
        is opacity. A transparent picture is laid on white. Colours with a profile are converted to sRGB. A photograph
        with an orientation mark is turned upright. An animation gives its first picture.
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


def _decoded(source):  # -> (H, W, 3), (H, W) or None
    """Return a picture's colours, 0 to 255, and its opacity, 0 to 1, float32 both; None without an alpha channel."""
    if hasattr(source, "ndim"):  # an array, of the host or of a GPU
        return _from_array(to_host(source), "the picture")
    if isinstance(source, Image.Image):
        return _decode(source, "the picture")
    if isinstance(source, str | os.PathLike):
        return _from_file(source)
    raise MinistyleError(f"a picture must be a path, a PIL image or an array, got {type(source).__name__}")


def _from_file(source):
    """Read a picture file; each kind of failure has its own sentence."""
    if "://" in str(source):  # which a path would write with a single slash
        raise MinistyleError(f"'{source}' is an address; download the picture, and name the file")
    path = Path(source)
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
    """Turn a PIL image into colours and opacity. Pillow decodes it only now, and may find that it is damaged."""
    try:
        return _from_pil(picture, name)
    except MinistyleError:
        raise
    except Exception as error:  # each decoder has its own errors: OSError, SyntaxError, RuntimeError, ...
        raise MinistyleError(f"{name} is damaged: {error}") from None


def _from_pil(picture, name):
    """Turn a PIL image of any mode into colours and opacity."""
    if 0 in picture.size:
        raise MinistyleError(f"{name} is empty: {picture.width} x {picture.height} pixels")
    picture = ImageOps.exif_transpose(picture)
    if picture.mode in _SIXTEEN_BIT_MODES:
        return _from_array(np.asarray(picture), name, white=65535)
    if picture.mode == "F":
        return _from_array(np.asarray(picture), name)
    profile = picture.info.get("icc_profile")
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
