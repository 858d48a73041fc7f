"""A small animation: a red disc that moves over a smooth picture, 64 x 48, four frames."""

import numpy as np
from PIL import Image

DURATIONS = [100, 200, 300, 400]  # milliseconds


def make_frames():
    """Return the frames, PIL images."""
    y, x = np.mgrid[:48, :64]
    background = np.stack([3 * x, 5 * y, x + y], axis=2)
    discs = [((y - 24) ** 2 + (x - 10 - 10 * i) ** 2 < 64)[:, :, np.newaxis] for i in range(4)]
    return [Image.fromarray(np.where(disc, (230, 40, 40), background).astype(np.uint8)) for disc in discs]


def write_animation(path):
    """Write the animation."""
    first, *others = make_frames()
    first.save(path, save_all=True, append_images=others, duration=DURATIONS, loop=0)
