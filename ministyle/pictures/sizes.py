"""Sizes: how large a picture becomes, and the filter that resizes it."""

import numpy as np
from PIL import Image

from ..errors import MinistyleError, check_choice
from ..settings import SIDES


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
        The side is unknown, or the size is less than 1 pixel.
    """
    check_choice("side", side, SIDES)
    if size < 1:
        raise MinistyleError(f"size (={size}) must be at least 1 pixel")
    reference = max(shape) if side == "longest" else min(shape)
    height, width = (max(1, round(length * size / reference)) for length in shape)
    return height, width


def resize(pixels, height, width):  # (H, W, C) -> (height, width, C)
    """Resize a picture with a Lanczos filter.

    Values are not rounded to whole grey levels. The filter overshoots at edges; what leaves 0 to 255 is clipped.
    A picture that has the right size already is returned as it is.
    """
    if pixels.shape[:2] == (height, width):
        return pixels
    channels = [
        Image.fromarray(np.ascontiguousarray(pixels[:, :, c], dtype=np.float32)).resize(
            (width, height), Image.Resampling.LANCZOS
        )
        for c in range(pixels.shape[2])
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=2).clip(0, 255)
