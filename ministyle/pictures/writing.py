"""Writing: from an array of pixels to a picture file, whole or not at all.

`FORMATS` lists the file formats. A format that Pillow writes takes one line there. Any other format takes a file with
a function `write(pixels, file)`, and one line.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from ..errors import MinistyleError
from ..files import new_file
from .values import to_uint8


@dataclass(frozen=True)
class PictureFormat:
    """A file format for pictures.

    Attributes
    ----------
    name : str, for messages
    write : function of (pixels, file)
        Writes a uint8 array (H, W, 3), RGB, to a file open for bytes. Raises ValueError for a picture that the format
        cannot hold, one that is too large for instance.
    """

    name: str
    write: Callable


def pillow_format(name, **options):
    """Return a format that Pillow writes; `options` go to `PIL.Image.Image.save`."""
    return PictureFormat(name, lambda pixels, file: Image.fromarray(pixels).save(file, format=name, **options))


JPEG = pillow_format("JPEG", quality=95, subsampling=0)
TIFF = pillow_format("TIFF")
FORMATS = {  # the end of a file's name -> its format
    ".png": pillow_format("PNG"),
    ".jpg": JPEG,
    ".jpeg": JPEG,
    ".jfif": JPEG,
    ".webp": pillow_format("WEBP"),
    ".tif": TIFF,
    ".tiff": TIFF,
    ".bmp": pillow_format("BMP"),
    ".ppm": pillow_format("PPM"),
}


def check_output(path, overwrite=False):
    """Check, before a long run begins, that a picture can be written to `path`; see `check_file` for the errors.

    Parameters
    ----------
    path : path of the picture file
    overwrite : bool, allow a file that exists
    """
    check_file(path, FORMATS, "output", overwrite)


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
    except OSError as error:  # a name too long, for instance
        raise MinistyleError(f"{what} '{path}' cannot be written: {error.strerror}") from None
    else:
        if path.is_dir():
            raise MinistyleError(f"{what} '{path}' is a folder; name a file in it")
        if not overwrite:
            raise MinistyleError(f"{what} '{path}' exists; choose another name or add --overwrite")
    if not os.access(path.parent, os.W_OK):
        raise MinistyleError(f"{what} '{path}' cannot be written: no permission to write in '{path.parent}'")


def write_picture(path, pixels, overwrite=False):
    """Write a picture to a file, whole or not at all.

    Parameters
    ----------
    path : path of the picture file; the end of its name chooses the format, see `FORMATS`
    pixels : array (H, W, 3), RGB, 0 to 255; it is clipped and rounded
    overwrite : bool, replace a file that exists

    Raises
    ------
    MinistyleError
        The output is refused, see `check_output`. The array is not a picture. The format cannot hold the picture, or
        the disk is full.
    """
    path = Path(path)
    check_output(path, overwrite)
    if pixels.ndim != 3 or pixels.shape[2] != 3 or not np.isfinite(pixels).all():
        raise MinistyleError(f"output '{path}' cannot be written: not a picture (H, W, 3) of finite numbers")
    picture_format = FORMATS[path.suffix.lower()]
    with new_file(path) as temporary, temporary.open("wb") as file:
        try:
            picture_format.write(to_uint8(pixels), file)
        except ValueError as error:
            raise MinistyleError(f"output '{path}' cannot be written as {picture_format.name}: {error}") from error
