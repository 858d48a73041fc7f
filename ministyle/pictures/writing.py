"""Writing: from an array of pixels to a picture file, whole or not at all.

`FORMATS` lists the file formats. A format that Pillow writes takes one line there. Any other format takes a file with
a function `write(levels, file)`, and one line.

A file says what its colours mean, sRGB, where its format can hold that, and it may hold EXIF data and a record, see
`metadata`.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from ..arrays import to_host
from ..errors import MinistyleError
from ..files import new_file
from . import sixteen
from .metadata import KEYWORD, add_comment
from .opening import register_formats
from .profiles import srgb_profile
from .sizes import resize
from .values import picture_sha256, to_uint8, to_uint16

BITS = (8, 16)  # per channel
ENCODED_IN_JPEG = 65533  # bytes of EXIF data, at most


@dataclass(frozen=True)
class PictureFormat:
    """A file format for pictures.

    Attributes
    ----------
    name : str, for messages
    write : function of (levels, file)
        Writes a uint8 array (H, W, 3), RGB, to a file open for bytes. Raises ValueError for a picture that the format
        cannot hold, one that is too large for instance.
    deep : bool, does it take uint16 arrays as well?
    alpha : bool, does it take arrays (H, W, 4) as well, whose fourth channel is opacity?
    metadata : bool
        Does it take `profile`, bytes, `exif`, bytes or None, and `text`, str or None, of ASCII letters?
    """

    name: str
    write: Callable
    deep: bool = False
    alpha: bool = False
    metadata: bool = False


def pillow_format(name, *, alpha=False, metadata=False, **options):
    """Return a format that Pillow writes; `options` go to `PIL.Image.Image.save`.

    With `metadata`, the text becomes EXIF's user comment.
    """

    def write(levels, file, profile=None, exif=None, text=None):
        held = {"icc_profile": profile} if profile else {}
        exif = exif if text is None else add_comment(exif, text)
        if exif is not None:
            held["exif"] = exif
        Image.fromarray(levels).save(file, format=name, **held, **options)

    return PictureFormat(name, write, alpha=alpha, metadata=metadata)


def _write_png(levels, file, profile=None, exif=None, text=None):
    """Write a PNG of 8 or 16 bits per channel."""
    if levels.dtype == np.uint16:
        sixteen.write_png(levels, file, profile=profile, exif=exif, text=text and (KEYWORD, text))
        return
    texts = PngInfo()
    if text is not None:
        texts.add_itxt(KEYWORD, text)
    Image.fromarray(levels).save(file, format="PNG", icc_profile=profile, exif=exif, pnginfo=texts)


def _write_jpeg(levels, file, profile=None, exif=None, text=None):
    """Write a JPEG. Where it cannot hold both the photograph's EXIF data and the record, it gets the record."""
    if exif is not None and text is not None and len(add_comment(exif, text)) > ENCODED_IN_JPEG:
        exif = None
    _PLAIN_JPEG.write(levels, file, profile, exif, text)


def _write_tiff(levels, file, profile=None, exif=None, text=None):
    """Write a TIFF of 8 or 16 bits per channel."""
    if levels.dtype == np.uint16:
        exif = exif if text is None else add_comment(exif, text)
        sixteen.write_tiff(levels, file, profile=profile, exif=exif)
    else:
        _TIFF_OF_8_BITS.write(levels, file, profile, exif, text)


_PLAIN_JPEG = pillow_format("JPEG", quality=95, subsampling=0)
_TIFF_OF_8_BITS = pillow_format("TIFF")
JPEG = PictureFormat("JPEG", _write_jpeg, metadata=True)
TIFF = PictureFormat("TIFF", _write_tiff, deep=True, alpha=True, metadata=True)
FORMATS = {  # the end of a file's name -> its format
    ".png": PictureFormat("PNG", _write_png, deep=True, alpha=True, metadata=True),
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".jfif": JPEG,
    ".webp": pillow_format("WEBP", alpha=True, metadata=True),
    ".avif": pillow_format("AVIF", alpha=True, metadata=True, quality=90, subsampling="4:4:4"),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": pillow_format("BMP"),
    ".ppm": pillow_format("PPM"),
}


def check_output(path, overwrite=False, *, bits=8, alpha=False):
    """Check, before a long run begins, that a picture can be written to `path`; see `check_file` for more errors.

    Parameters
    ----------
    path : path of the picture file
    overwrite : bool, allow a file that exists
    bits : 8 or 16, per channel
    alpha : bool, does the picture have transparency?

    Raises
    ------
    MinistyleError
        The format does not hold the bits or the transparency, or Pillow lacks it.
    """
    path = Path(path)
    check_file(path, FORMATS, "output", overwrite)
    _check_format(path, bits, alpha)


def check_file(path, endings, what, overwrite=False):
    """Check, before a long run begins, that a file can be written to `path`.

    Parameters
    ----------
    path : path of the file
    endings : collection of str, the ends that its name may have
    what : str, what messages call it
    overwrite : bool, allow a file that exists

    Raises
    ------
    MinistyleError
        The file's name has another ending. The file exists and `overwrite` is not set. Its folder is missing or not
        writable.
    """
    path = Path(path)
    if path.suffix.lower() not in endings:
        raise MinistyleError(f"{what} '{path}' must end in {', '.join(endings)}")
    if not path.parent.is_dir():
        raise MinistyleError(f"{what} '{path}' cannot be written: there is no folder '{path.parent}'")
    try:
        path.stat()
    except FileNotFoundError:
        pass
    except (OSError, ValueError) as error:  # a name too long, or with a zero byte in it
        reason = getattr(error, "strerror", None) or error
        raise MinistyleError(f"{what} '{path}' cannot be written: {reason}") from None
    else:
        if path.is_dir():
            raise MinistyleError(f"{what} '{path}' is a folder; name a file in it")
        if not overwrite:
            raise MinistyleError(f"{what} '{path}' exists; choose another name or add --overwrite")
    if not os.access(path.parent, os.W_OK):
        raise MinistyleError(f"{what} '{path}' cannot be written: no permission to write in '{path.parent}'")


def _check_format(path, bits, alpha):
    """Refuse a file whose format there is not, or which does not hold what is asked for."""
    if bits not in BITS:
        raise MinistyleError(f"bits (={bits!r}) must be 8 or 16")
    chosen = FORMATS[path.suffix.lower()]
    if chosen.name == "AVIF":
        register_formats()
        if "AVIF" not in Image.SAVE:
            raise MinistyleError(f"output '{path}' cannot be written: AVIF takes Pillow 11.3 or newer")
    if bits == 16 and not chosen.deep:
        raise MinistyleError(f"output '{path}' cannot have 16 bits: name one that ends in {_endings('deep')}")
    if alpha and not chosen.alpha:
        raise MinistyleError(f"output '{path}' cannot be transparent: name one that ends in {_endings('alpha')}")


def _endings(attribute):
    """Return the endings of all formats that have an attribute, as a text."""
    *all_but_last, last = (ending for ending, one in FORMATS.items() if getattr(one, attribute))
    return f"{', '.join(all_but_last)} or {last}"


def to_levels(pixels, bits=8, alpha=None):  # (H, W, 3) -> (H, W, 3) or (H, W, 4)
    """Return a picture as the whole numbers that are written.

    A result was computed on white wherever the photograph is transparent. Colours get that white taken out again, as
    far as they can be: laid on white, the picture is the result, and on black its edges have no white seam.

    Parameters
    ----------
    pixels : array (H, W, 3), RGB, 0 to 255; it is clipped and rounded
    bits : 8 or 16, per channel
    alpha : array (H', W'), opacity from 0 to 1, optional; it is resized

    Returns
    -------
    uint8 or uint16 array
    """
    round_to = {8: to_uint8, 16: to_uint16}[bits]
    pixels = to_host(pixels).astype(np.float32, copy=False)  # as a result has them: a picture on the way rounds alike
    if alpha is None:
        return round_to(pixels)
    opacity = resize(255 * np.asarray(alpha, np.float32)[:, :, np.newaxis], *pixels.shape[:2])  # (H, W, 1), 0 to 255
    white = 255 - opacity
    colours = np.where(opacity < 1, pixels, (pixels - white) / np.maximum(opacity / 255, 1 / 255))
    return round_to(np.concatenate([colours, opacity], axis=2))


def write_picture(path, pixels, overwrite=False, *, record=None, bits=8, alpha=None, exif=None):
    """Write a picture to a file, whole or not at all.

    A format that cannot hold a record or EXIF data goes without.

    Parameters
    ----------
    path : path of the picture file; the end of its name chooses the format, see `FORMATS`
    pixels : array (H, W, 3), RGB, 0 to 255; it is clipped and rounded
    overwrite : bool, replace a file that exists
    record : dict, optional
        How the picture was made, see `jobs.record`. It gets the hash of the pixels, as they are before a format such as
        JPEG compresses them.
    bits, alpha : see `to_levels`
    exif : bytes, optional, the photograph's EXIF data, see `metadata.read_exif`

    Raises
    ------
    MinistyleError
        The output is refused, see `check_output`. The array is not a picture. The format cannot hold the picture, or
        the disk is full.
    """
    path = Path(path)
    check_output(path, overwrite, bits=bits, alpha=alpha is not None)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not np.isfinite(pixels).all():
        raise MinistyleError(f"output '{path}' cannot be written: not a picture (H, W, 3) of finite numbers")
    picture_format = FORMATS[path.suffix.lower()]
    levels = to_levels(pixels, bits, alpha)
    held = {}
    if picture_format.metadata:
        text = None if record is None else json.dumps({**record, "picture_sha256": picture_sha256(levels)})
        held = {"profile": srgb_profile(), "exif": exif, "text": text}
    with new_file(path) as temporary, temporary.open("wb") as file:
        try:
            picture_format.write(levels, file, **held)
        except ValueError as error:
            raise MinistyleError(f"output '{path}' cannot be written as {picture_format.name}: {error}") from error
