"""Two small pictures: a photograph and a painting."""

import numpy as np


def make_photo():
    """Return a smooth gradient with an edge in it, 56 x 40."""
    picture = np.zeros((40, 56, 3), np.uint8)
    picture[:, :, 0] = np.linspace(0, 255, 56)
    picture[20:, :, 2] = 200
    return picture


def make_painting():
    """Return diagonal stripes in strong colours, 32 x 48."""
    h, w = np.mgrid[:48, :32]
    stripes = (h + w) // 4 % 2
    return np.stack([255 * stripes, 160 * stripes, 255 - 255 * stripes], axis=2).astype(np.uint8)


PHOTO, PAINTING = make_photo(), make_painting()
