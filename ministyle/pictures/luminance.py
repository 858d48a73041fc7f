"""Luminance-only transfer: the painting gives light and dark, the photograph gives the colours.

The method is the luminance-only transfer of Gatys, Bethge, Hertzmann and Shechtman, "Preserving Color in Neural
Artistic Style Transfer" (2016), arXiv:1606.05897. It works in the YIQ colours of NTSC television. Y is the luminance;
I and Q are the chrominance, two weighted sums of R - Y and B - Y.
"""

import numpy as np

from .sizes import resize

NTSC = np.array([0.30, 0.59, 0.11])  # Y of R, G and B: United States regulation 47 CFR 73.682 (a)(20)
FLAT = 1e-3  # grey levels: a smaller standard deviation is rounding, and the picture has a single luminance


def luminance(pixels):  # (H, W, 3) -> (H, W, 1)
    """Return the luminance Y of an RGB picture, in grey levels, 0 to 255, as float64."""
    return (pixels @ NTSC)[:, :, np.newaxis]


def to_luminance(content, style):
    """Return the photograph and the painting in grey, as the network sees them during the run.

    The painting's luminance L_S is shifted and scaled to the mean mu_C and the standard deviation sigma_C of the
    photograph's: sigma_C / sigma_S (L_S - mu_S) + mu_C. What leaves 0 to 255 is clipped; the mean and the standard
    deviation are then met only roughly. A painting of a single luminance has nothing to scale: it becomes mu_C.

    Parameters
    ----------
    content : float32 array (H, W, 3), RGB, 0 to 255, the photograph
    style : the same of the painting, whose size may differ, or None

    Returns
    -------
    content, style : float32 arrays (H, W, 3), 0 to 255, with three equal channels, or None for `style`
    """
    target = luminance(content)
    if style is not None:
        source = luminance(style)
        deviation = source.std()
        scale = target.std() / deviation if deviation > FLAT else 0.0
        style = _grey(scale * (source - source.mean()) + target.mean())
    return _grey(target), style


def with_chrominance(picture, content):  # (H, W, 3), (H', W', 3) -> (H, W, 3)
    """Return a picture with the luminance of the result and the chrominance of the photograph.

    I and Q depend on differences between R, G and B alone. To add one number to R, G and B changes Y by that number and
    leaves I and Q as they are. So the photograph gets, at each pixel, the difference of the two luminances added to its
    three channels. What leaves 0 to 255 is clipped; there, the chrominance and the luminance are met only roughly.

    Parameters
    ----------
    picture : array (H, W, 3), RGB, 0 to 255, the result of the run
    content : float32 array (H', W', 3), RGB, 0 to 255, the photograph in colour; it is resized to the result

    Returns
    -------
    float32 array (H, W, 3), RGB, 0 to 255
    """
    photograph = resize(content, *picture.shape[:2])
    return (photograph + luminance(picture) - luminance(photograph)).clip(0, 255).astype(np.float32)


def _grey(values):  # (H, W, 1) -> (H, W, 3)
    """Return a luminance as a picture with three equal channels."""
    return np.repeat(values.clip(0, 255).astype(np.float32), 3, axis=2)
