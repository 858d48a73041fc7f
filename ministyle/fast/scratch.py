"""How much memory the threads keep for themselves.

Each thread keeps four arrays from one layer to the next: a strip of the input with a border, its tiles or patches, the
tiles transformed, and the products; see `Workers.scratch`. Each array grows to the largest size that any layer needs.
"""

from .im2col import TAPS
from .winograd import FEW_CHANNELS, TILES_PER_STRIP, choose_outputs, kernel_is_larger, tile_grid
from .workers import split


def scratch_bytes(layers, threads, itemsize=4):
    """Return how many bytes of scratch memory `threads` threads keep after convolving forward and backward.

    It is what they keep if each of them works on a strip of the largest height at some time, and so an upper bound.

    Parameters
    ----------
    layers : iterable of (height, width, channels_in, channels_out)
        The feature maps, in positions, and the channels of the convolutions, of which there is at least one.
    threads : int
    itemsize : int, bytes of a number, 4 or 8
    """
    needs = [need for layer in layers for need in (_forward(*layer), _backward(*layer))]
    numbers = sum(max(need.get(name, 0) for need in needs) for name in ("padded", "tiles", "transformed", "products"))
    return threads * numbers * itemsize


def _forward(height, width, channels_in, channels_out):  # -> {name: numbers}
    if channels_in > FEW_CHANNELS:
        return _tiles(height, width, channels_in, channels_out)
    outputs = choose_outputs(height, width)
    whole = outputs * tile_grid(height, width, outputs)[1]  # the width of whole tiles
    rows = _highest(split(height, width))
    return {"padded": (rows + 2) * (whole + 2) * channels_in, "tiles": rows * whole * TAPS**2 * channels_in}


def _backward(height, width, channels_in, channels_out):  # -> {name: numbers}
    if channels_in > FEW_CHANNELS:
        return _tiles(height, width, channels_out, channels_in)
    rows = _highest(split(height, width))
    positions = (rows + 2) * (width + 2)
    return {
        "padded": positions * channels_out,
        "products": TAPS**2 * channels_in * positions,
        "tiles": channels_in * rows * width,
    }


def _tiles(height, width, channels_in, channels_out):  # -> {name: numbers}
    outputs = choose_outputs(height, width)
    down, across = tile_grid(height, width, outputs)
    together = kernel_is_larger(down * across, channels_in, channels_out)
    rows = _highest(split(down, across, TILES_PER_STRIP // 4 if together else TILES_PER_STRIP))
    tiles, inputs = rows * across, (outputs + TAPS - 1) ** 2  # of one tile
    need = {
        "padded": (outputs * rows + 2) * (outputs * across + 2) * channels_in,
        "tiles": tiles * max(inputs * channels_in, outputs**2 * channels_out),
    }
    if not together:  # otherwise all threads share these two
        need |= {"transformed": inputs * tiles * channels_in, "products": inputs * tiles * channels_out}
    return need


def _highest(strips):
    return max(last - first for first, last in strips)
