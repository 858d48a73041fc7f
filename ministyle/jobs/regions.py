"""Paintings and masks: from what a user gives to arrays, and which part of the picture takes which style.

| masks | what they say |
|---|---|
| a style mask | white is the part of its painting that counts |
| a content mask, one painting | white takes the style, black stays as in the photograph |
| a content mask, two paintings | white takes the first style, black the second |
| a content mask for each painting | white takes that painting's style |
| colour-coded masks, one for the content and one for each painting | a region takes the style of its own colour |
"""

from dataclasses import replace
from functools import partial
from operator import mul

import numpy as np

from ..errors import MinistyleError
from ..pictures.masks import GREY, check_proportions, corresponding, in_sizes, read_mask
from ..pictures.opening import size_of
from ..pictures.reading import read_alpha, read_picture
from ..pictures.sizes import size_to_fit
from ..styles import as_styles

NUMBERS = ("style_blend", "style_scale")  # settings that have a number for each painting
SKETCH = 256  # pixels, the longest side of a picture that is read for an estimate alone, which times no larger one
ALPHA = "alpha"  # in place of a content mask: the photograph's own opacity


def read_styles(settings, style, content=None, content_mask=None, size=None, *, sketch=False):
    """Decode paintings and masks.

    Parameters
    ----------
    settings : Settings
    style : painting, `Style`, sequence of these, or None
    content : path, PIL image or array, the photograph, of which only the opacity is needed here
    content_mask : mask, `ALPHA`, a sequence of masks, or None; see above
    size : (height, width) of the picture to be made, by default that of the first painting
    sketch : bool, see `read_scaled`; regions are small as well then

    Returns
    -------
    tuple of Style
        Pictures are float32 arrays (h, w, 3), scaled; masks are arrays (h, w), and regions (H, W), 0 to 1. There may be
        more than there are paintings: one for each colour of their masks.

    Raises
    ------
    MinistyleError
        A picture or mask cannot be read, is black, of other proportions, or leaves a region without a style; or there
        are too many masks or numbers, or too few.
    """
    several = as_styles(style)
    masks = _content_masks(content_mask, content, settings.max_megapixels)
    if masks and not several:
        raise MinistyleError("a content mask says where styles go, and there is no style picture")
    settings = with_own_numbers(settings, several)
    weights, scales = (_each(settings, name, len(several)) for name in NUMBERS)
    decoded = []
    for one, weight, scale in zip(several, weights, scales, strict=True):
        picture, full = read_scaled(one.picture, length_of(settings, scale), settings, sketch)
        size = size or full
        decoded.append(replace(one, picture=picture, weight=weight, scale=scale))
    drawn = size_to_fit(size, min(SKETCH, max(size))) if sketch and size else size
    return tuple(
        in_sizes(one, one.picture, drawn) for one in _with_regions(decoded, masks, size, settings.max_megapixels)
    )


def read_scaled(source, length, settings, sketch=False):
    """Return a picture scaled to a length, float32 (H, W, 3), and its (height, width).

    Parameters
    ----------
    source : see `reading.read_picture`
    length : int, of the side that the settings name, in pixels
    settings : Settings
    sketch : bool
        The picture has no side longer than `SKETCH`; the size is the one that it would have otherwise.
    """
    if not sketch:
        picture = read_picture(source, length, settings.side, max_megapixels=settings.max_megapixels)
        return picture, picture.shape[:2]
    size = scaled_size(source, length, settings)
    return read_picture(source, min(SKETCH, max(size)), max_megapixels=settings.max_megapixels), size


def scaled_size(source, length, settings):
    """Return the (height, width) of what `read_scaled` returns without a sketch."""
    return size_to_fit(size_of(source, max_megapixels=settings.max_megapixels), length, settings.side)


def size_in_full(picture, settings, scale=None, sketch=False):
    """Return a picture's (height, width); of a sketch, those of the picture that it stands for, but for rounding.

    Parameters
    ----------
    picture : array (H, W, 3), see `read_scaled`
    settings : Settings
    scale : float, of a painting, or None for the photograph
    sketch : bool
    """
    if not sketch:
        return picture.shape[:2]
    length = settings.image_size if scale is None else length_of(settings, scale)
    return size_to_fit(picture.shape[:2], length, settings.side)


def length_of(settings, scale):
    """Return the length in pixels of a painting's side, the one that the settings name."""
    return max(16, round((settings.style_size or settings.image_size) * scale))


def with_own_numbers(settings, styles):
    """Return settings whose `style_blend` and `style_scale` hold what several `Style` have of their own as well.

    Raises
    ------
    MinistyleError
        There are too many numbers or too few, or a number is impossible.
    """
    own = [[one.weight for one in styles], [one.scale for one in styles]]
    if all(number == 1 for numbers in own for number in numbers):
        return settings
    given = [_each(settings, name, len(styles)) for name in NUMBERS]
    return replace(settings, **{name: tuple(map(mul, *pair)) for name, *pair in zip(NUMBERS, own, given, strict=True)})


def as_masks(content_mask):
    """Return a list of content masks, whether `content_mask` is None, a mask or a sequence of masks."""
    if content_mask is None:
        return []
    return list(content_mask) if isinstance(content_mask, list | tuple) else [content_mask]


def is_alpha(mask):
    """Say whether something that stands in place of a content mask is `ALPHA`."""
    return isinstance(mask, str) and mask == ALPHA


def _each(settings, name, count):
    """Return a setting's numbers, one for each of so many paintings."""
    values = getattr(settings, name) or (1.0,)
    if values == (1.0,) or (name == "style_scale" and len(values) == 1):
        values *= count
    if count and len(values) != count:
        raise MinistyleError(f"{name} has {len(values)} numbers for {_pictures(count)}")
    return values[:count]


def _pictures(count):
    return "1 style picture" if count == 1 else f"{count} style pictures"


def _content_masks(content_mask, content, max_megapixels):
    """Return the regions of each content mask, a list of dictionaries."""
    masks, read = as_masks(content_mask), []
    for number, mask in enumerate(masks, 1):
        name = "content mask" if len(masks) == 1 else f"content mask {number}"
        if is_alpha(mask):
            opacity = None if content is None else read_alpha(content, max_megapixels=max_megapixels)
            if opacity is None:
                raise MinistyleError("content_mask (='alpha') needs a photograph that is transparent in parts")
            if not opacity.max() > 0:
                raise MinistyleError("the photograph is transparent everywhere: nothing would take the style")
            read.append({GREY: opacity})
        else:
            read.append(read_mask(mask, name, max_megapixels=max_megapixels))
    return read


def _with_regions(styles, content_masks, size, max_megapixels):
    """Return styles with masks and regions as arrays, one for each pair of painting and colour."""
    read = partial(read_mask, max_megapixels=max_megapixels)
    masks = [
        None if one.mask is None else read(one.mask, _name("style", styles, number))
        for number, one in enumerate(styles)
    ]
    for number, (one, mask) in enumerate(zip(styles, masks, strict=True)):
        for region in (mask or {}).values():
            check_proportions(region, one.picture.shape[:2], _name("style", styles, number))
    for mask in content_masks:
        for region in mask.values():
            check_proportions(region, size, "content mask")
    if any(GREY not in mask for mask in content_masks):
        return _by_colour(styles, masks, content_masks)
    if any(mask is not None and GREY not in mask for mask in masks):
        raise MinistyleError("a style mask is colour-coded; the content mask must be so, too")
    masks = [None if mask is None else mask[GREY] for mask in masks]
    regions = _regions(styles, [mask[GREY] for mask in content_masks], size, read)
    return [replace(one, mask=m, region=r) for one, m, r in zip(styles, masks, regions, strict=True)]


def _regions(styles, content_masks, size, read):
    """Return for each style the region that grey content masks, or the style itself, give it."""
    own = [None if one.region is None else read(one.region, "region of a style") for one in styles]
    if content_masks and any(own):
        raise MinistyleError("give either content masks or regions of the styles, not both")
    if any(own):
        for region in filter(None, own):
            if GREY not in region:
                raise MinistyleError("the region of a style must be a grey picture")
            check_proportions(region[GREY], size, "region of a style")
        return [None if region is None else region[GREY] for region in own]
    if not content_masks:
        return [None] * len(styles)
    if len(content_masks) == 1 and len(styles) == 2:
        (white,) = content_masks
        if white.min() >= 1:
            raise MinistyleError("the content mask is white everywhere: nothing would take the second style")
        return [white, 1 - white]
    if len(content_masks) != len(styles):
        raise MinistyleError(
            f"{len(styles)} style pictures need as many content masks, got {len(content_masks)}; or make all masks "
            "colour-coded"
        )
    return content_masks


def _by_colour(styles, masks, content_masks):
    """Return a style for each painting and colour that the content mask has and the painting's mask, too."""
    if len(content_masks) > 1:
        raise MinistyleError("one content mask is enough if it is colour-coded")
    if any(one.region is not None for one in styles):
        raise MinistyleError("give either content masks or regions of the styles, not both")
    (regions,) = content_masks
    for number, mask in enumerate(masks):
        if mask is None or GREY in mask:
            name = _name("style", styles, number)
            raise MinistyleError(f"the content mask is colour-coded; the {name} must be so, too, with the same colours")
    made = []
    for colour, region in regions.items():
        takers = [(one, corresponding(mask, colour)) for one, mask in zip(styles, masks, strict=True)]
        takers = [replace(one, mask=mask, region=region) for one, mask in takers if mask is not None]
        if not takers:
            raise MinistyleError(f"no style mask has the colour {colour} of the content mask: it has no style there")
        made += takers
    return made


def _name(kind, styles, number):
    return f"{kind} mask" if len(styles) == 1 else f"{kind} mask {number + 1}"


def uncovered(styles):
    """Return the share of the picture to be made that takes no style, from 0 to 1; see `read_styles`."""
    if not styles or any(one.region is None for one in styles):
        return 0.0
    return float(1 - np.minimum(1, sum(one.region for one in styles)).mean())
