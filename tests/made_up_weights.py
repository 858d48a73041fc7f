"""Small networks with made-up weights."""

from pathlib import Path

import numpy as np

from ministyle.architecture import Architecture
from ministyle.weights.file import Weights


def thin(architecture, channels=(4, 5, 6, 7, 8)):
    """Return an architecture with fewer channels in each block, and all else as it was."""
    blocks = ((few, names) for few, (_, names) in zip(channels, architecture.blocks, strict=True))
    return Architecture(architecture.name, tuple(blocks))


def make_up_weights(architecture, draw):
    """Return weights for an architecture; `draw(shape)` returns the numbers of one array."""
    layers, channels_in = {}, 3
    for channels, names in architecture.blocks:
        for name in names:
            layers[name] = draw((3, 3, channels_in, channels)), draw((channels,))
            channels_in = channels
    return Weights(
        layers=layers,
        mean_activations={},
        architecture=architecture.name,
        channel_order="RGB",
        pixel_mean=np.array([120.0, 110.0, 100.0]),
        pixel_scale=np.array([60.0, 50.0, 40.0]),
        path=Path("made-up.h5"),
        attributes={},
    )
