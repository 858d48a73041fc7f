"""Sizes: how large a picture becomes, and the filter that resizes it."""

import numbers
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from PIL import Image

from ..errors import MinistyleError, check_choice
from ..settings import MAXIMUM_SIZE, SIDES

STRIP = 2**20  # pixels, about, that are floating-point numbers at a time


def size_to_fit(shape, size, side="longest"):
    """Return the size of a picture whose proportions are kept and one of whose sides is given.

    Parameters
    ----------
    shape : (height, width) of the picture, in pixels
    size : int, length in pixels of the side that `side` names
    side : {"longest", "shortest"}

    Returns
    -------
    height, width : int, in pixels, at least 1

    Raises
    ------
    MinistyleError
        The side is unknown, the size is less than 1 pixel, or a side becomes longer than `MAXIMUM_SIZE`.
    """
    check_choice("side", side, SIDES)
    if not _is_whole(size) or size < 1:
        raise MinistyleError(f"size (={size!r}) must be a whole number of at least 1 pixel")
    reference = max(shape) if side == "longest" else min(shape)
    height, width = (max(1, round(length * size / reference)) for length in map(int, shape))
    if max(height, width) > MAXIMUM_SIZE:
        raise MinistyleError(
            f"with a {side} side of {size} pixels, a picture of {shape[1]} x {shape[0]} becomes {width} x {height}, "
            f"and a side has at most {MAXIMUM_SIZE}"
        )
    return height, width


def check_size(size):
    """Refuse what is no size of a picture that can be made: (height, width), each from 1 to `MAXIMUM_SIZE` pixels.

    Raises
    ------
    MinistyleError
    """
    sides = size if isinstance(size, tuple | list) else ()
    if len(sides) != 2 or not all(_is_whole(side) and 1 <= side <= MAXIMUM_SIZE for side in sides):
        raise MinistyleError(f"size (={size!r}) must be (height, width), whole numbers from 1 to {MAXIMUM_SIZE}")


def _is_whole(number):
    return isinstance(number, numbers.Integral) and not isinstance(number, bool)


def resize(pixels, height, width):  # (H, W, C) -> (height, width, C)
    """Resize a picture with a Lanczos filter.

    Values are not rounded to whole grey levels. The filter overshoots at edges; what leaves 0 to 255 is clipped.
    A picture that has the right size already is returned as it is.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    channels = [_lanczos(pixels[:, :, c], height, width) for c in range(pixels.shape[2])]
    return np.stack(channels, axis=2).clip(0, 255)


@dataclass(frozen=True)
class Strips:
    """A picture of which only some rows at a time are floating-point numbers, because it may have very many.

    Attributes
    ----------
    height, width : int
    rows : function of (top, bottom) -> float32 array (bottom - top, width, C), 0 to 255
    box : (left, top, right, bottom), the part that counts, in pixels and fractions of them; None for all of it
    """

    height: int
    width: int
    rows: Callable
    box: tuple[float, float, float, float] | None = None

    def __iter__(self):
        """Yield (top, bottom, rows) for each strip, from the top down."""
        height = max(1, STRIP // self.width)
        for top in range(0, self.height, height):
            bottom = min(top + height, self.height)
            yield top, bottom, self.rows(top, bottom)

    def whole(self):  # -> (H, W, C)
        """Return all of the picture."""
        whole = None
        for first, last, rows in self:
            if whole is None:
                whole = np.empty((self.height, *rows.shape[1:]), np.float32)
            whole[first:last] = rows
        return whole

    def resized(self, height, width):  # -> (height, width, C)
        """Return the picture in another size, bit for bit as `resize` does it.

        A Lanczos filter is applied to rows and then to columns. Rows need only one strip; what they become is small
        where the picture gets smaller.
        """
        if self.box is None and (self.height, self.width) == (height, width):
            return self.whole()
        left, top, right, bottom = self.box or (0, 0, self.width, self.height)
        narrow = None
        for first, last, rows in self:
            if narrow is None:
                narrow = np.empty((rows.shape[2], self.height, width), np.float32)
            for channel, lines in enumerate(rows.transpose(2, 0, 1)):
                narrow[channel, first:last] = _lanczos(lines, last - first, width, (left, 0, right, last - first))
        channels = [_lanczos(channel, height, width, (0, top, width, bottom)) for channel in narrow]
        return np.stack(channels, axis=2).clip(0, 255)


def _lanczos(channel, height, width, box=None):  # (h, w) -> (height, width)
    picture = Image.fromarray(np.ascontiguousarray(channel, dtype=np.float32))
    return np.asarray(picture.resize((width, height), Image.Resampling.LANCZOS, box))
