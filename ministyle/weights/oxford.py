"""Is a network Oxford's, and which way round are its numbers? Its first layer tells.

The filters of conv1_1 look at the picture itself, so they show how a file has its channels and its rows and columns.
We compare them with those of the weight file that comes with the project, in all ways in which files are known to be
wrong: red and blue exchanged, rows and columns exchanged, mirrored.
"""

from dataclasses import dataclass

import numpy as np

from .file import shipped_weights

FIRST_LAYER = "conv1_1"
# The least cosine between a filter and Oxford's that count as the same, on average over the filters. Rounding to 16
# bits leaves 0.9999; the best wrong way round of Oxford's own filters reaches 0.95, and another network far less.
SAME = 0.99
ROUNDING = 2e-3  # relative to the layer's largest number: what float16 changes, and more

TURNS = {
    "": lambda kernel: kernel,
    "mirrored from left to right": lambda kernel: kernel[:, ::-1],
    "mirrored from top to bottom": lambda kernel: kernel[::-1],
    "turned by 180 degrees": lambda kernel: kernel[::-1, ::-1],
    "with rows and columns exchanged": lambda kernel: kernel.swapaxes(0, 1),
    "turned by 90 degrees": lambda kernel: kernel.swapaxes(0, 1)[::-1],
    "turned by 270 degrees": lambda kernel: kernel.swapaxes(0, 1)[:, ::-1],
    "turned by 180 degrees, with rows and columns exchanged": lambda kernel: kernel.swapaxes(0, 1)[::-1, ::-1],
}


@dataclass(frozen=True)
class Likeness:
    """How a network's first layer is like Oxford's.

    Attributes
    ----------
    channel_order : "RGB" or "BGR", that of the file's kernels
    turn : str, one of `TURNS`: what makes the file's kernels Oxford's, "" for nothing
    rescaled : bool, whether the filters are Oxford's times a number each, as in the authors' normalised network
    """

    channel_order: str
    turn: str
    rescaled: bool

    def mend(self, kernel):  # (3, 3, C_in, C_out) -> (3, 3, C_in, C_out)
        """Return a kernel of the file the right way round."""
        return np.ascontiguousarray(TURNS[self.turn](kernel))


def likeness(kernel):
    """Compare a network's first layer with Oxford's.

    Parameters
    ----------
    kernel : array (3, 3, 3, C_out), of conv1_1

    Returns
    -------
    Likeness, or None where it is another network
    """
    reference = _shipped_layers()
    if reference is None or kernel.shape != reference[FIRST_LAYER][0].shape:
        return None
    oxfords = reference[FIRST_LAYER][0].astype(np.float64)  # its input channels are BGR
    best, found = SAME, None
    for turn, turned in TURNS.items():
        for order, step in (("BGR", 1), ("RGB", -1)):
            candidate = turned(kernel)[:, :, ::step].astype(np.float64)
            similarity = _cosines(candidate, oxfords).mean()
            if similarity > best:
                factors = _lengths(candidate) / _lengths(oxfords)
                best, found = similarity, Likeness(order, turn, bool(np.abs(factors - 1).max() > 0.01))
    return found


def has_the_shipped_numbers(layers):
    """Say whether layers are those of the shipped file but for rounding, in one channel order or the other.

    Parameters
    ----------
    layers : dict, layer name -> (kernel, bias)
    """
    reference = _shipped_layers()
    if reference is None or not set(reference) <= set(layers):
        return False
    return all(
        _equal(layers[name][1], bias)
        and (_equal(layers[name][0], kernel) or (name == FIRST_LAYER and _equal(layers[name][0][:, :, ::-1], kernel)))
        for name, (kernel, bias) in reference.items()
    )


def _shipped_layers():
    shipped = shipped_weights()
    return shipped and shipped.layers


def _cosines(one, other):
    """Return the cosine between each filter of two kernels, float64 (C_out,)."""
    lengths = _lengths(one) * _lengths(other)
    return (one * other).sum(axis=(0, 1, 2)) / np.maximum(lengths, np.finfo(np.float64).tiny)


def _equal(one, other):
    if one.shape != other.shape:
        return False
    return bool(np.abs(one.astype(np.float32) - other).max() <= ROUNDING * np.abs(other).max())


def _lengths(kernel):
    """Return the length of each filter as a vector, (C_out,)."""
    return np.sqrt((kernel**2).sum(axis=(0, 1, 2)))
