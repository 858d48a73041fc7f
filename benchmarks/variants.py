"""The fast convolution without some of its ideas, to measure what each idea is worth; see docs/performance.md.

A variant is a list of ideas that are taken away. Each takes a few lines here, and `ministyle.fast` knows nothing of it.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from ministyle.fast import buffers, im2col, winograd, workers

# From the plain convolution to the fast one: (name, what it means, ideas that are still missing).
STEPS = (
    ("direct", "nine matrix products a layer", None),
    ("winograd", "F(4x4, 3x3), a layer at a time, one thread", ("strips", "stacks", "memory", "threads", "together")),
    ("strips", "in strips that fit into the cache", ("stacks", "memory", "threads", "together")),
    ("stacks", "transforms as stacks of small products", ("memory", "threads", "together")),
    ("memory", "memory that is used again", ("threads", "together")),
    ("threads", "strips on all cores", ("together",)),
    ("together", "one strip for all threads where kernels are large", ()),
)


def apply(variant):
    """Take away what a step is still missing; return the options of `load_network` that go with it."""
    missing = {name: missing for name, _, missing in STEPS}[variant]
    if missing is None:
        return {"convolution": "direct"}
    for idea in missing:
        TAKE_AWAY[idea]()
    return {"convolution": "winograd", **({"threads": 1} if "threads" in missing else {})}


def _no_strips():
    winograd.TILES_PER_STRIP = 10**9


def _no_stacks():
    winograd.FEW_TILES = 0  # what follows is for tiles of 4x4 outputs
    winograd.TileConvolution._read = _read_wide
    winograd.TileConvolution._write = _write_wide


def _no_memory():
    buffers.BufferPool.empty = lambda self, shape, dtype: np.empty(shape, dtype)
    workers.Workers.scratch = lambda self, name, shape, dtype: np.empty(shape, dtype)


def _no_together():
    winograd.kernel_is_larger = lambda tiles, channels_in, channels_out: False


TAKE_AWAY = {
    "strips": _no_strips,
    "stacks": _no_stacks,
    "memory": _no_memory,
    "threads": lambda: None,  # an option of load_network
    "together": _no_together,
}


def _read_wide(self, x, mask, strip, across, transformed):
    """Transform inputs by one product of a 36x36 matrix with a very wide one, (36, tiles * C)."""
    first, last = strip
    down = last - first
    padded = self.workers.scratch("padded", (4 * down + 2, 4 * across + 2, self.channels_in), x.dtype)
    im2col.copy_with_border(x, mask, 4 * first - 1, padded, self.border)
    row, column, channel = padded.strides
    tiles = as_strided(padded, (6, 6, down, across, self.channels_in), (row, column, 4 * row, 4 * column, channel))
    gathered = self.workers.scratch("tiles", tiles.shape, x.dtype)
    gathered[...] = tiles
    np.dot(self.input_transform, gathered.reshape(36, -1), out=transformed.reshape(36, -1))


def _write_wide(self, products, strip, across, y, positive):
    """Transform products by one product of a 16x36 matrix with a very wide one, (36, tiles * K)."""
    first, last = strip
    down = last - first
    tiles = self.workers.scratch("tiles", (4, 4, down, across, self.channels_out), y.dtype)
    np.dot(self.output_transform, products.reshape(36, -1), out=tiles.reshape(16, -1))
    rows = y[4 * first : 4 * last].reshape(down, 4, across, 4, self.channels_out)
    rows[...] = tiles.transpose(2, 0, 3, 1, 4)
    if self.bias is not None:
        im2col.rectify(rows.reshape(-1, len(self.bias)), self.bias)
    if positive is not None:
        np.greater(y[4 * first : 4 * last], 0, out=positive[4 * first : 4 * last])
