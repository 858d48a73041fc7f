"""Values: pixels rounded to whole numbers, their hash, and how much two pictures differ."""

import hashlib
import math

import numpy as np

from ..arrays import to_host


def to_uint8(pixels):  # (H, W, 3) -> (H, W, 3)
    """Clip a picture to 0 to 255 and round it to whole grey levels."""
    return np.rint(np.clip(to_host(pixels), 0, 255)).astype(np.uint8)


def to_uint16(pixels):  # (H, W, C) -> (H, W, C)
    """Clip a picture to 0 to 255 and round it to 65536 levels, of which the last one is 255."""
    return np.rint(np.clip(to_host(pixels).astype(np.float64), 0, 255) * 257).astype(np.uint16)


def picture_sha256(levels):
    """Return the hash of a picture's pixels, 64 hexadecimal digits. It does not depend on the file format.

    Parameters
    ----------
    levels : uint8 or uint16 array (H, W, 3), RGB, or (H, W, 4), with opacity
        The bytes are hashed row by row, channel by channel; of a uint16 the lower byte is first.
    """
    levels = np.ascontiguousarray(levels)
    return hashlib.sha256(levels.astype(levels.dtype.newbyteorder("<"), copy=False).tobytes()).hexdigest()


def psnr(picture, reference):  # (H, W, 3), (H, W, 3) -> float
    """Return the peak signal-to-noise ratio in decibels: 10 log10(255^2 / mean squared difference).

    20 dB is a typical error of 25 grey levels, 40 dB one of 2.5. Equal pictures have an infinite ratio.
    """
    error = np.mean((np.asarray(picture, np.float64) - reference) ** 2)
    return float(10 * np.log10(255**2 / error)) if error else math.inf
