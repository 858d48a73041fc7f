"""Reading: from a picture file, a PIL image or an array to pixels (H, W, 3).

Files vary: rotated photographs, transparency, grey and CMYK pictures, colour profiles, 16 bits per channel. All of
them become float32 RGB here. 16 bits are read as 16, unless there is a colour profile to apply: Pillow does that with
8.

Pixels are bytes, as Pillow has them, until a strip of them at a time becomes floating-point numbers, see
`sizes.Strips`. So a picture of 64 million pixels takes half a gigabyte, and not four.
"""

import functools
from contextlib import contextmanager

import numpy as np
from PIL import Image, ImageFile

from ..arrays import to_host
from ..errors import MinistyleError, as_damaged
from ..settings import MAX_MEGAPIXELS
from .opening import (
    TURNED,
    check_pixels,
    check_shape,
    is_array,
    load,
    open_stream,
    orientation_of,
    stream_of,
    unwrapped,
    upright_size,
    without_pillows_limit,
)
from .profiles import MODES, is_srgb, transform_to_srgb
from .sixteen import decode_lower_bytes, has_sixteen_bits
from .sizes import Strips, size_to_fit

# A JPEG file can be decoded to a half, a quarter or an eighth of its size, which is quick and takes little memory. It
# stays this many times larger than the picture that is wanted, whose pixels then hardly differ.
GAP = 3
_SIXTEEN_BIT_MODES = ("I;16", "I;16B", "I;16L", "I;16N", "I")
# EXIF's orientation mark -> how Pillow turns a picture upright
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_TOP_LAST = (3, 4, 7, 8)  # whose first upright row is the last row, or column, of the file
_LEFT_LAST = (2, 3, 6, 7)  # likewise, whose first upright column


def read_picture(source, size=None, side="longest", *, at_most=False, max_megapixels=MAX_MEGAPIXELS):  # -> (H, W, 3)
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
    at_most : bool
        `size` is a limit: a picture whose longest side is no longer stays as it is.
    max_megapixels : float
        A file that decodes to more millions of pixels is refused.

    Raises
    ------
    MinistyleError
        The source cannot be read as a picture, is empty or too large; see `size_to_fit` for an impossible size.
    """
    with _strips_of(source, functools.partial(_wanted, size, side, at_most), max_megapixels) as (strips, wanted):
        laid = Strips(strips.height, strips.width, lambda *lines: _on_white(strips.rows(*lines)), strips.box)
        return laid.whole() if wanted is None else laid.resized(*wanted)


def read_alpha(source, size=None, side="longest", *, max_megapixels=MAX_MEGAPIXELS):  # -> (H, W) or None
    """Return how opaque a picture is, or None where it is opaque everywhere.

    Parameters
    ----------
    source, size, side, max_megapixels : see `read_picture`, whose result has the same height and width

    Returns
    -------
    float32 array (H, W), from 0, transparent, to 1, opaque; or None

    Raises
    ------
    MinistyleError
        See `read_picture`.
    """
    with _strips_of(source, functools.partial(_wanted, size, side, False), max_megapixels) as (strips, wanted):
        if not any(rows.shape[2] == 4 and rows[:, :, 3].min() < 255 for _, _, rows in strips):
            return None
        opacity = Strips(strips.height, strips.width, lambda *lines: strips.rows(*lines)[:, :, 3:], strips.box)
        return (opacity.whole() if wanted is None else opacity.resized(*wanted))[:, :, 0] / 255


def _on_white(rows):  # (h, W, 3) or (h, W, 4) -> (h, W, 3)
    """Return colours, those with opacity laid on white."""
    if rows.shape[2] == 3:
        return rows
    alpha = rows[:, :, 3:] / 255
    return rows[:, :, :3] * alpha + 255 * (1 - alpha)


def _wanted(size, side, at_most, shape):
    """Return the (height, width) that a picture of a shape is resized to, or None where it stays as it is."""
    if size is None or (at_most and max(shape) <= size):
        return None
    return size_to_fit(shape, size, side)


@contextmanager
def _strips_of(source, wanted_of, max_megapixels):
    """Yield a picture as `Strips` of 3 or, with opacity, 4 channels, and the (height, width) wanted, or None.

    `wanted_of` is a function of the picture's own (height, width) that returns the wanted one.
    """
    source = unwrapped(source)
    if is_array(source):
        strips = _from_array(to_host(source), "the picture")
        yield strips, wanted_of((strips.height, strips.width))
    elif isinstance(source, Image.Image):
        with as_damaged("the picture"):
            if isinstance(source, ImageFile.ImageFile):
                check_pixels(source.size, "the picture", max_megapixels)
            strips = _from_pil(source, "the picture")
            yield strips, wanted_of((strips.height, strips.width))
    else:
        with stream_of(source, max_megapixels) as (stream, name), as_damaged(name):
            yield _decoded(stream, name, wanted_of, max_megapixels)


def _decoded(stream, name, wanted_of, max_megapixels):
    """Return the picture in an open file as `Strips`, and the (height, width) wanted, or None."""
    picture = open_stream(stream, name)
    deep = has_sixteen_bits(picture)  # which it does not say any more once it is decoded, as `upright_size` may do
    own_size, part = picture.size, None
    is_jpeg = picture.format in ("JPEG", "MPO")
    if not is_jpeg:
        check_pixels(own_size, name, max_megapixels)
    wanted = wanted_of(upright_size(picture, max_megapixels))
    if wanted is None:
        check_pixels(own_size, name, max_megapixels)
    elif is_jpeg:
        part = _reduce(picture, wanted)
        check_pixels(picture.size, name, max_megapixels, own_size)
    load(picture)
    return _from_pil(picture, name, part, open_stream(stream, name) if deep else None), wanted


def _reduce(picture, wanted):
    """Let a JPEG file be decoded to a picture that is smaller, but still `GAP` times as large as the one wanted.

    Return the (width, height) that it would then have exactly, which are no whole numbers, or None for another file.
    """
    height, width = wanted
    if orientation_of(picture) in TURNED:
        height, width = width, height
    drafted = picture.draft(None, (GAP * width, GAP * height))
    return None if drafted is None else drafted[1][2:]


def _from_pil(picture, name, part=None, lower=None):
    """Return a PIL image of any mode as `Strips`.

    Parameters
    ----------
    picture : PIL image
    name : str, for messages
    part : (width, height), optional, that counts, in pixels and fractions of them
    lower : the same picture, opened once more, where it has 16 bits; see `sixteen`
    """
    if 0 in picture.size:
        raise MinistyleError(f"{name} is empty: {picture.width} x {picture.height} pixels")
    load(picture)  # before it is asked for its orientation: that of some files is then done
    orientation = orientation_of(picture)
    size = (picture.width, picture.height) if orientation in TURNED else (picture.height, picture.width)
    box = None if part is None else _upright_box(size, part, orientation)
    profile = picture.info.get("icc_profile")
    profile = None if profile and is_srgb(profile) else profile
    take = functools.partial(_upright_rows, picture, orientation)
    if picture.mode in _SIXTEEN_BIT_MODES or picture.mode == "F":
        white = 255 if picture.mode == "F" else 65535
        return _from_rows(lambda *lines: np.asarray(take(*lines)), size, name, white=white)
    # Profiles are applied to 8 bits, which is what Pillow can; and so are single colours that stand for transparent.
    if lower is not None and not profile and "transparency" not in picture.info:
        decode_lower_bytes(lower)
        load(lower)

        def both(*lines):
            return 256 * np.asarray(take(*lines), np.uint16) + np.asarray(_upright_rows(lower, orientation, *lines))

        return _from_rows(both, size, name, white=65535)
    transform = functools.cache(functools.partial(transform_to_srgb, profile))
    return _from_rows(lambda *lines: np.asarray(_as_rgb(take(*lines), profile, transform)), size, name, box=box)


def _as_rgb(picture, profile, transform):
    """Return a PIL image in the mode RGB or, if it may be transparent, RGBA."""
    if picture.mode in ("P", "PA", "LA", "La", "RGBa") or "transparency" in picture.info:
        picture = picture.convert("RGBA")
    if profile and picture.mode in MODES:
        picture = transform(picture.mode)(picture)
    return picture if picture.mode == "RGBA" else picture.convert("RGB")


def _upright_rows(picture, orientation, top, bottom):
    """Return rows of a PIL image as they are when it is upright, as a PIL image."""
    length = picture.width if orientation in TURNED else picture.height
    first, last = (length - bottom, length - top) if orientation in _TOP_LAST else (top, bottom)
    turned = orientation in TURNED
    with without_pillows_limit():  # which older versions compare with parts of pictures, too
        strip = picture.crop((first, 0, last, picture.height) if turned else (0, first, picture.width, last))
    return strip.transpose(_UPRIGHT[orientation]) if orientation in _UPRIGHT else strip


def _upright_box(size, part, orientation):  # -> (left, top, right, bottom)
    """Return the part that counts of an upright picture, given its (height, width), and the part as the file has it."""
    height, width = size
    right, bottom = reversed(part) if orientation in TURNED else part
    left = width - right if orientation in _LEFT_LAST else 0
    top = height - bottom if orientation in _TOP_LAST else 0
    return left, top, min(width, left + right), min(height, top + bottom)


def _from_array(array, name):
    """Return an array of 1, 3 or 4 channels, with values 0 to 255, as `Strips`."""
    check_shape(array.shape, name)
    pixels = array[:, :, np.newaxis] if array.ndim == 2 else array
    if pixels.dtype.kind not in "uif":
        raise MinistyleError(f"{name} must hold numbers 0 to 255, got data type {pixels.dtype}")
    return _from_rows(lambda top, bottom: pixels[top:bottom], pixels.shape[:2], name)


def _from_rows(levels, size, name, white=255, box=None):
    """Return `Strips` of what is asked for row by row.

    Parameters
    ----------
    levels : function of (top, bottom) -> array (bottom - top, W) or (bottom - top, W, C), with values 0 to `white`
    size : (height, width)
    name : str, for messages
    white : number
    box : see `Strips`
    """

    def rows(top, bottom):
        pixels = levels(top, bottom)
        pixels = pixels[:, :, np.newaxis] if pixels.ndim == 2 else pixels
        pixels = (pixels.astype(np.float32) / (white / 255)).clip(0, 255)
        return np.repeat(pixels, 3, axis=2) if pixels.shape[2] == 1 else pixels

    height, width = size
    if levels(0, 1).dtype.kind == "f":
        _check_numbers((part for _, _, part in Strips(height, width, levels)), name)
    return Strips(height, width, rows, box)


def _check_numbers(strips, name):
    """Refuse floating-point numbers that are not finite, or are fractions of 1, with which a picture would be black."""
    largest = 0.0
    for strip in strips:
        pixels = strip.astype(np.float32)
        if not np.isfinite(pixels).all():
            raise MinistyleError(f"{name} holds numbers that are not finite (nan or infinity)")
        largest = max(largest, pixels.max())
    if 0 < largest <= 1:  # as other libraries have pictures; they would be black here
        raise MinistyleError(f"{name} holds fractions, 0 to {largest:.3g}; multiply it by 255 to get grey levels")
