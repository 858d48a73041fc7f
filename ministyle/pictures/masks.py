"""Masks: which part of a picture takes which style.

A mask is a picture of the same proportions. A grey one has one region: white belongs to it, black does not, and grey
does in part, so edges may be soft. A colour-coded one has a region for each of its colours, with hard edges; regions
of one colour in two masks belong together.
"""

from dataclasses import replace

import numpy as np
from PIL import Image

from ..arrays import to_host
from ..errors import MinistyleError
from ..settings import MAX_MEGAPIXELS
from .reading import read_picture

COLOURED = 48  # grey levels between a pixel's channels, from which on it is coloured and not grey
SAME = 64  # grey levels: colours nearer to each other than this are one, as in a JPEG file
LEAST = 0.005  # of the picture: smaller regions are rounding at edges
LARGEST = 2048  # pixels, the longest side with which a mask is read; a larger one takes memory for nothing
MOST = 32  # regions
GREY = ""  # the name of a grey mask's region


def read_mask(source, name="mask", *, max_megapixels=MAX_MEGAPIXELS):
    """Return a mask's regions.

    Parameters
    ----------
    source : path, PIL image or array, see `reading.read_picture`; an array may also hold fractions, 0 to 1, or bools
    name : str, for messages
    max_megapixels : see `reading.read_picture`

    Returns
    -------
    dict, colour such as "#ff0000", or `GREY` -> float32 array (H, W), 0 to 1

    Raises
    ------
    MinistyleError
        The mask cannot be read, is black, or has no colour that is frequent.
    """
    if hasattr(source, "ndim"):
        source = to_host(source)
        if source.size and source.dtype.kind in "bf" and source.max() <= 1:
            source = source * 255.0
    pixels = read_picture(source, LARGEST, at_most=True, max_megapixels=max_megapixels)
    if (np.ptp(pixels, axis=2) > COLOURED).mean() >= LEAST:
        return _by_colour(pixels, name)
    grey = pixels.mean(axis=2) / 255
    if not grey.max() > 0:
        raise MinistyleError(f"the {name} is black everywhere: nothing would take the style")
    return {GREY: grey}


def _by_colour(pixels, name):
    """Return the regions of a colour-coded mask: every pixel goes to the nearest of the colours that are frequent."""
    red, green, blue = np.rint(pixels).astype(np.uint32).transpose(2, 0, 1)
    codes, counts = np.unique(red << 16 | green << 8 | blue, return_counts=True)
    order = np.argsort(-counts, kind="stable")
    colours = []
    for code in codes[order[counts[order] >= LEAST * red.size]]:
        colour = np.array([code >> 16, code >> 8 & 255, code & 255], np.float32)
        if all(_distance(colour, other) > SAME for other in colours):
            colours.append(colour)
    if len(colours) > MOST:
        raise MinistyleError(f"the {name} has {len(colours)} colours, and a mask has at most {MOST} regions")
    if not colours:
        raise MinistyleError(f"the {name} has more colours than regions: none of them fills {LEAST:.1%} of it")
    nearest, least = np.zeros(red.shape, int), _distance(pixels, colours[0])
    for number, colour in enumerate(colours[1:], 1):
        distance = _distance(pixels, colour)
        nearest[distance < least] = number
        least = np.minimum(distance, least)
    names = ["#{:02x}{:02x}{:02x}".format(*map(int, colour)) for colour in colours]
    return {name: (nearest == number).astype(np.float32) for number, name in enumerate(names)}


def _distance(pixels, colour):
    return np.abs(pixels - colour).max(axis=-1)


def corresponding(regions, name):
    """Return the region among some whose colour is that of another mask's, or None; see `read_mask`."""
    colour = _parsed(name)
    return next((region for other, region in regions.items() if _distance(_parsed(other), colour) <= SAME), None)


def _parsed(name):
    return np.array([int(name[first : first + 2], 16) for first in (1, 3, 5)], np.float32)


def check_proportions(region, size, name):
    """Refuse a mask whose proportions are not those of its picture.

    Parameters
    ----------
    region : array (h, w)
    size : (height, width) of the picture, in any scale
    name : str, for the message
    """
    (h, w), (height, width) = region.shape, size
    # Rounding to whole pixels moves a side by half a pixel at most; that counts most where the picture is small.
    if abs(h * width - w * height) > max(h, w) + max(height, width):
        raise MinistyleError(
            f"the {name} is {w} x {h} pixels, which are not the proportions of its picture, {width} x {height}"
        )


def resize_mask(region, height, width):  # (h, w) -> (height, width)
    """Resize a mask's region by averaging, so that it stays within 0 to 1."""
    if region.shape == (height, width):
        return region
    return np.asarray(Image.fromarray(region).resize((width, height), Image.Resampling.BOX))


def in_sizes(style, picture, size):
    """Return a `styles.Style` with another picture, its mask as large as that, and its region of a (height, width)."""
    mask, region = (
        None if one is None else resize_mask(one, *fitting)
        for one, fitting in ((style.mask, picture.shape[:2]), (style.region, size))
    )
    return replace(style, picture=picture, mask=mask, region=region)
