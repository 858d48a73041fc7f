"""3x3 convolution of few channels, by one matrix product.

The first layer reads three channels, and writes three on the way back. Winograd's transforms would cost more there
than they save. Forward, every patch of 3x3 pixels becomes a row of a matrix ("im2col"), and one product with the
kernel does all sums. Backward, one product gives the nine numbers that each position adds to its neighbours, and nine
additions put them there ("col2im").
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided

from .workers import split

TAPS = 3  # of a kernel, in one dimension


class Im2colConvolution:
    """Convolution from few channels, with ReLU.

    Parameters
    ----------
    kernel : array (3, 3, C, K)
    bias : array (K,)
    workers : Workers
    border : {"zero", "replicate", "periodic"}
    """

    def __init__(self, kernel, bias, workers, border):
        self.kernel = kernel.reshape(-1, kernel.shape[3])  # (9 C, K)
        self.bias = np.tile(bias, 2)  # arrays of whole tiles have an even number of positions
        self.workers = workers
        self.border = border

    def run(self, x, mask, y, positive):  # (H, W, C), (H, W, C) or None
        """Convolve x, taken as 0 where the mask is False, into y and `positive`, both of whole tiles."""
        self.workers.run(lambda strip: self._strip(x, mask, y, positive, *strip), split(*x.shape[:2]))

    def _strip(self, x, mask, y, positive, top, bottom):
        height, width, channels_in = bottom - top, y.shape[1], x.shape[2]
        padded = self.workers.scratch("padded", (height + 2, width + 2, channels_in), x.dtype)
        copy_with_border(x, mask, top - 1, padded, self.border)
        row, column, channel = padded.strides
        # Three neighbouring pixels of a row lie side by side in memory.
        patches = as_strided(padded, (height, width, TAPS, TAPS * channels_in), (row, column, row, channel))
        gathered = self.workers.scratch("tiles", patches.shape, x.dtype)
        gathered[...] = patches
        outputs = y[top:bottom]
        np.matmul(gathered.reshape(height, width, -1), self.kernel, out=outputs)
        rectify(outputs.reshape(-1, len(self.bias)), self.bias)
        np.greater(outputs, 0, out=positive[top:bottom])


class Col2imConvolution:
    """The backward pass of a convolution from few channels.

    Parameters
    ----------
    kernel : array (3, 3, C, K)
    workers : Workers
    border : {"zero", "periodic"}
    """

    def __init__(self, kernel, workers, border):
        _, _, self.channels_out, channels_in = kernel.shape
        self.kernel = kernel.reshape(-1, channels_in)  # (9 C, K)
        self.workers = workers
        self.border = border

    def run(self, dy, mask, dx, positive):  # (H, W, K), (H, W, K)
        """Propagate dy, taken as 0 where the mask is False, back into dx of whole tiles; `positive` is not used."""
        height, width, _ = dy.shape
        self.workers.run(lambda strip: self._strip(dy, mask, dx, *strip), split(height, width))

    def _strip(self, dy, mask, dx, top, bottom):
        _, width, channels_in = dy.shape
        height = bottom - top
        scratch = self.workers.scratch
        padded = scratch("padded", (height + 2, width + 2, channels_in), dy.dtype)
        copy_with_border(dy, mask, top - 1, padded, self.border)
        spread = scratch("products", (TAPS, TAPS, self.channels_out, height + 2, width + 2), dy.dtype)
        np.dot(self.kernel, padded.reshape(-1, channels_in).T, out=spread.reshape(len(self.kernel), -1))
        planes = scratch("tiles", (self.channels_out, height, width), dy.dtype)
        planes[...] = 0
        for i in range(TAPS):
            for j in range(TAPS):
                planes += spread[i, j, :, 2 - i : 2 - i + height, 2 - j : 2 - j + width]
        dx[top:bottom, :width] = planes.transpose(1, 2, 0)


def rectify(rows, bias):  # (n, K), (K,)
    """Add the bias to every row and apply the ReLU, in place."""
    rows += bias
    np.maximum(rows, np.zeros_like(bias), out=rows)  # three times as fast as with the number 0


def copy_with_border(x, mask, first, padded, border):  # (H, W, C), (H, W, C) or None, int, (h, w, C)
    """Copy the rows of x from row `first` on into `padded`, one column to the right, and fill in the border.

    Parameters
    ----------
    x : array (H, W, C)
    mask : bool array (H, W, C), or None
        x counts as 0 where it is False.
    first : int, the row of x that belongs into the first row of `padded`; -1 is the row above the picture
    padded : array (h, w, C) with w > W + 1, which is overwritten
    border : {"zero", "replicate", "periodic"}
        What lies around x: zeros, the edge of x again, or the opposite side of x.
    """
    height, width, _ = x.shape
    top, bottom = max(first, 0), min(first + len(padded), height)
    inside = padded[top - first : bottom - first, 1 : width + 1]
    padded[: top - first] = 0
    padded[bottom - first :] = 0
    padded[:, 0] = 0
    padded[:, width + 1 :] = 0
    if mask is None:
        inside[...] = x[top:bottom]
    else:
        np.multiply(x[top:bottom], mask[top:bottom], out=inside)
    if border == "zero":
        return
    above, below, left, right = (0, height - 1, 1, width) if border == "replicate" else (height - 1, 0, width, 1)
    for row, source in ((-1, above), (height, below)):
        if first <= row < first + len(padded):
            padded[row - first, 1 : width + 1] = x[source] if mask is None else x[source] * mask[source]
    padded[:, 0] = padded[:, left]
    padded[:, width + 1] = padded[:, right]
