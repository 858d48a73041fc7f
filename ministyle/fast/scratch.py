"""How much memory the fast convolution keeps: scratch memory of its threads, and transformed kernels.

Each thread keeps four arrays from one layer to the next: a strip of the input with a border, its tiles or patches, the
tiles transformed, and the products; see `Workers.scratch`. Each array grows to the largest size that any layer needs.
"""

from .im2col import TAPS
from .winograd import FEW_CHANNELS, SMALL_KERNEL, TILES_PER_STRIP, choose_outputs, kernel_is_larger, tile_grid
from .workers import count_strips


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


def kernel_bytes(sizes, channels_in, channels_out, itemsize=4):
    """Return how many bytes of transformed kernels a layer keeps after convolving forward and backward.

    Parameters
    ----------
    sizes : iterable of (height, width), those of all feature maps that the layer meets
    channels_in, channels_out : int
    itemsize : int, bytes of a number, 4 or 8
    """
    if channels_in <= FEW_CHANNELS:
        return 0
    total = 0
    for outputs in {choose_outputs(*size) for size in sizes}:
        kernel = (outputs + TAPS - 1) ** 2 * channels_in * channels_out * itemsize
        total += kernel if kernel > SMALL_KERNEL else 2 * kernel
    return total


def _forward(height, width, channels_in, channels_out):  # -> {name: numbers}
    if channels_in > FEW_CHANNELS:
        return _tiles(height, width, channels_in, channels_out)
    outputs = choose_outputs(height, width)
    whole = outputs * tile_grid(height, width, outputs)[1]  # the width of whole tiles
    rows = _highest(height, width)
    return {"padded": (rows + 2) * (whole + 2) * channels_in, "tiles": rows * whole * TAPS**2 * channels_in}


def _backward(height, width, channels_in, channels_out):  # -> {name: numbers}
    if channels_in > FEW_CHANNELS:
        return _tiles(height, width, channels_out, channels_in)
    rows = _highest(height, width)
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
    rows = _highest(down, across, TILES_PER_STRIP // 4 if together else TILES_PER_STRIP)
    tiles, inputs = rows * across, (outputs + TAPS - 1) ** 2  # of one tile
    need = {
        "padded": (outputs * rows + 2) * (outputs * across + 2) * channels_in,
        "tiles": tiles * max(inputs * channels_in, outputs**2 * channels_out),
    }
    if not together:  # otherwise all threads share these two
        need |= {"transformed": inputs * tiles * channels_in, "products": inputs * tiles * channels_out}
    return need


def _highest(rows, *positions):
    """Return how many rows the highest strip has; see `workers.split`."""
    return -(-rows // count_strips(rows, *positions))
