r"""The same convolution as in `layers`, on the CPU, with a quarter of the multiplications and on all cores.

**One dimension.** Four outputs of a correlation with three taps, y[i] = sum_k d[i + k] g[k], take twelve
multiplications when written out. Winograd (1980) showed that six suffice. Read g and the outputs as polynomials'
coefficients: then the transpose of the correlation, a product of a polynomial with 3 and one with 4 coefficients, has
degree 5, and a polynomial of degree 5 is known from its values at six points. So: evaluate both factors at six
points, multiply the values, one multiplication for each point, and interpolate. One of the points may lie at
infinity, where a polynomial's "value" is its leading coefficient. With Lagrange's formula for the points a_0 ... a_4
and infinity this is

    y = A^T [ (G g) * (B^T d) ]

    A^T[i, j] = a_j^i                          last column: 0 0 0 1       evaluate at the points (transposed)
    G[j, k]   = a_j^k / prod_{l != j} (a_j - a_l)     last row: 0 0 1     evaluate at the points, Lagrange's weights
    B^T[j, :] = coefficients of prod_{l != j} (x - a_l)                   Lagrange's polynomials (transposed)
                last row: coefficients of prod_l (x - a_l)

`transforms` computes the three matrices from the points. Which points are taken decides how far rounding errors grow.
With the customary 0, 1, -1, 2, -2 they came to 8e-6 of the largest value in float32, for 128 to 512 channels; with 0,
2/3, -2/3, 3/2, -3/2, found by trying a grid of pairs, to 2e-6; the direct sum has 3e-7. The customary ones make
matrices of small whole numbers, for programs that multiply by adding. Here the transforms are matrix products, and
any number will do.

**Two dimensions.** F(4x4, 3x3) of Lavin and Gray (arXiv:1509.09308): the same along rows and columns. A tile of 4x4
outputs reads 6x6 inputs, and takes 36 multiplications for a pair of channels instead of 144:

    Y = A^T [ (G g G^T) * (B^T d B) ] A

The sum over input channels can be taken before the last transform, since that is linear. So for each of the 36 points
there is one matrix product, (tiles, C) @ (C, K), and this is where the time goes.

**On arrays (H, W, C).** A picture's overlapping tiles are one strided view; copying it gives a matrix (36, tiles *
C), on which the input transform in both dimensions is a product with the 36x36 Kronecker product of B^T with itself.
Likewise for the output, 16x36. Everything is three matrix products and two copies.

**In strips.** All this is done for a few rows of tiles at a time, so that a strip's arrays stay in a core's cache;
strips are spread over threads. NumPy lets go of the interpreter's lock in copies, arithmetic and BLAS. BLAS is held
to one thread meanwhile, as its own threads would get in the way of ours. How a picture is cut into strips does not
depend on the number of threads, so neither does any bit of the result. Each thread keeps its arrays from strip to
strip and layer to layer: fresh memory costs a page fault for every 4096 bytes.

The first layer reads only three channels, and writes only three on the way back. There transforms would cost more
than they save, and `_PatchConvolution` multiplies patches of 3x3x3 pixels directly.
"""

import os
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from contextvars import copy_context
from functools import cache, cached_property
from itertools import pairwise

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.polynomial import polynomial

OUTPUTS, TAPS = 4, 3
TILE = OUTPUTS + TAPS - 1
POINTS = (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)  # and infinity
TILES_PER_STRIP = 128  # few enough to stay in the cache, enough for matrix products to run at full speed
FEW_CHANNELS = 8  # up to here the direct product is faster


def transforms(points=POINTS, outputs=OUTPUTS, taps=TAPS):
    """Return Winograd's matrices A^T (outputs, n), G (n, taps) and B^T (n, n), with n = outputs + taps - 1.

    Parameters
    ----------
    points : n - 1 different numbers; infinity is always the last point
    outputs, taps : int
    """
    n = len(points) + 1
    assert n == outputs + taps - 1
    A, G, B = np.zeros((n, outputs)), np.zeros((n, taps)), np.zeros((n, n))
    for j, point in enumerate(points):
        others = [other for other in points if other != point]
        A[j] = [point**i for i in range(outputs)]
        G[j] = [point**k / np.prod([point - other for other in others]) for k in range(taps)]
        B[j, :-1] = polynomial.polyfromroots(others)
    A[-1, -1] = G[-1, -1] = 1
    B[-1] = polynomial.polyfromroots(points)
    return A.T, G, B


class Convolution:
    """A 3x3 convolution with bias and ReLU, and its backward pass, made ready for one layer.

    Parameters
    ----------
    kernel : array (3, 3, C, K)
    bias : array (K,)
    pool : ThreadPool
    """

    def __init__(self, kernel, bias, pool):
        self.kernel = kernel
        self.bias = bias
        self.pool = pool

    def forward(self, x):  # (H, W, C) -> (H, W, K), (H, W, K)
        """Return the activations after the ReLU, and where they are positive (bool), which `backward` needs."""
        y = self.pool.memory.empty((*x.shape[:2], self.kernel.shape[3]), x.dtype)
        positive = self.pool.memory.empty(y.shape, bool)
        self._forward.run(x, None, y, positive)
        return y, positive

    def backward(self, dy, positive):  # (H, W, K), (H, W, K) -> (H, W, C)
        """Propagate a gradient back through ReLU and convolution."""
        dx = self.pool.memory.empty((*dy.shape[:2], self.kernel.shape[2]), dy.dtype)
        self._backward.run(dy, positive, dx, None)
        return dx

    # Kernels are transformed when they are first needed: who asks for conv1_1 does not wait for conv5_1's.

    @cached_property
    def _forward(self):
        kind = _PatchConvolution if self.kernel.shape[2] <= FEW_CHANNELS else _TileConvolution
        return kind(self.kernel, self.bias, self.pool)

    @cached_property
    def _backward(self):
        if self.kernel.shape[2] <= FEW_CHANNELS:
            return _SpreadConvolution(self.kernel, self.pool)
        turned = np.ascontiguousarray(self.kernel[::-1, ::-1].swapaxes(2, 3))
        return _TileConvolution(turned, None, self.pool)


class _TileConvolution:
    """Convolution by tiles of 4x4 outputs; with a bias also the ReLU, without one neither."""

    def __init__(self, kernel, bias, pool):
        A_T, G, B_T = transforms()
        _, _, channels_in, self.channels_out = kernel.shape
        self.pool = pool
        self.bias = bias
        self.input_transform = np.kron(B_T, B_T).astype(kernel.dtype)  # (36, 36)
        self.output_transform = np.kron(A_T, A_T).astype(kernel.dtype)  # (16, 36)
        transformed = np.kron(G, G).astype(kernel.dtype) @ kernel.reshape(TAPS * TAPS, -1)
        self.kernel = transformed.reshape(TILE * TILE, channels_in, self.channels_out)  # (36, C, K)

    def run(self, x, mask, y, positive):
        height, width, _ = x.shape
        down, across = -(-height // OUTPUTS), -(-width // OUTPUTS)  # tiles, rounded up
        strips = _strips(down, -(-TILES_PER_STRIP // across))
        self.pool.run(lambda strip: self._strip(x, mask, y, positive, *strip, across), strips)

    def _strip(self, x, mask, y, positive, first, last, across):
        """Convolve the rows of tiles from `first` to before `last`, each with `across` tiles."""
        height, width, channels_in = x.shape
        down = last - first
        scratch = self.pool.scratch
        padded = scratch("padded", (OUTPUTS * down + 2, OUTPUTS * across + 2, channels_in), x.dtype)
        _copy_with_border(x, mask, OUTPUTS * first - 1, padded)

        row, column, channel = padded.strides
        tiles = as_strided(
            padded, (TILE, TILE, down, across, channels_in), (row, column, OUTPUTS * row, OUTPUTS * column, channel)
        )
        gathered = scratch("gathered", tiles.shape, x.dtype)
        gathered[...] = tiles

        transformed = scratch("transformed", (TILE * TILE, down * across, channels_in), x.dtype)
        np.dot(self.input_transform, gathered.reshape(TILE * TILE, -1), out=transformed.reshape(TILE * TILE, -1))

        products = scratch("products", (TILE * TILE, down * across, self.channels_out), x.dtype)
        np.matmul(transformed, self.kernel, out=products)

        outputs = scratch("gathered", (OUTPUTS, OUTPUTS, down, across, self.channels_out), x.dtype)
        np.dot(self.output_transform, products.reshape(TILE * TILE, -1), out=outputs.reshape(OUTPUTS * OUTPUTS, -1))

        in_place = outputs.transpose(2, 0, 3, 1, 4)  # (down, 4, across, 4, K): rows and columns of the picture
        block = scratch("padded", in_place.shape, x.dtype)
        if self.bias is None:
            block[...] = in_place
        else:
            np.add(in_place, self.bias, out=block)
        top, bottom = OUTPUTS * first, min(OUTPUTS * last, height)
        result = block.reshape(OUTPUTS * down, OUTPUTS * across, -1)[: bottom - top, :width]
        _finish(result, y[top:bottom], positive, top, bottom)


class _PatchConvolution:
    """Convolution of a few channels: every patch of 3x3 pixels is written out, and multiplied by the kernel."""

    def __init__(self, kernel, bias, pool):
        self.channels_out = kernel.shape[3]
        self.kernel = kernel.reshape(-1, self.channels_out)  # (9 C, K)
        self.bias = bias
        self.pool = pool

    def run(self, x, mask, y, positive):
        strips = _strips_of_rows(*x.shape[:2])
        self.pool.run(lambda strip: self._strip(x, mask, y, positive, *strip), strips)

    def _strip(self, x, mask, y, positive, top, bottom):
        _, width, channels_in = x.shape
        height = bottom - top
        scratch = self.pool.scratch
        padded = scratch("padded", (height + 2, width + 2, channels_in), x.dtype)
        _copy_with_border(x, mask, top - 1, padded)
        row, column, channel = padded.strides
        # Three neighbouring pixels of a row lie side by side in memory.
        patches = as_strided(padded, (height, width, TAPS, TAPS * channels_in), (row, column, row, channel))
        gathered = scratch("gathered", patches.shape, x.dtype)
        gathered[...] = patches
        result = scratch("products", (height, width, self.channels_out), x.dtype)
        np.dot(gathered.reshape(height * width, -1), self.kernel, out=result.reshape(height * width, -1))
        result += self.bias
        _finish(result, y[top:bottom], positive, top, bottom)


class _SpreadConvolution:
    """The backward pass to a few channels: one product gives what each position spreads over its 3x3 neighbours."""

    def __init__(self, kernel, pool):
        _, _, self.channels_out, channels_in = kernel.shape
        self.kernel = kernel.reshape(-1, channels_in)  # (9 C, K)
        self.pool = pool

    def run(self, dy, mask, dx, positive):
        strips = _strips_of_rows(*dy.shape[:2])
        self.pool.run(lambda strip: self._strip(dy, mask, dx, *strip), strips)

    def _strip(self, dy, mask, dx, top, bottom):
        _, width, channels_in = dy.shape
        height = bottom - top
        scratch = self.pool.scratch
        padded = scratch("padded", (height + 2, width + 2, channels_in), dy.dtype)
        _copy_with_border(dy, mask, top - 1, padded)
        spread = scratch("products", (TAPS, TAPS, self.channels_out, height + 2, width + 2), dy.dtype)
        np.dot(self.kernel, padded.reshape(-1, channels_in).T, out=spread.reshape(len(self.kernel), -1))
        planes = scratch("gathered", (self.channels_out, height, width), dy.dtype)
        planes[...] = 0
        for i in range(TAPS):
            for j in range(TAPS):
                planes += spread[i, j, :, 2 - i : 2 - i + height, 2 - j : 2 - j + width]
        dx[top:bottom] = planes.transpose(1, 2, 0)


class Pooling:
    """A pooling layer of `layers`, on all cores: its functions are called for a few rows at a time.

    Parameters
    ----------
    forward, backward : functions such as `layers.average_pool_forward` and `layers.average_pool_backward`
    pool : ThreadPool
    """

    def __init__(self, forward, backward, pool):
        self._forward = forward
        self._backward = backward
        self.pool = pool

    def forward(self, x):  # (H, W, C) -> (H // 2, W // 2, C)
        """Return the pooled array and a cache: (first row, last row + 1, cache) of every strip."""
        height, width, channels = x.shape[0] // 2, x.shape[1] // 2, x.shape[2]
        y = self.pool.memory.empty((height, width, channels), x.dtype)
        strips = _strips(height, -(-TILES_PER_STRIP * OUTPUTS // width))
        caches = [None] * len(strips)

        def pool_strip(index):
            first, last = strips[index]
            bottom = x.shape[0] if last == height else 2 * last  # the last strip has the odd row, if there is one
            y[first:last], caches[index] = self._forward(x[2 * first : bottom])

        self.pool.run(pool_strip, range(len(strips)))
        return y, (x.shape, strips, caches)

    def backward(self, dy, cache):  # (H // 2, W // 2, C) -> (H, W, C)
        """Propagate a gradient back."""
        shape, strips, caches = cache
        dx = self.pool.memory.empty(shape, dy.dtype)

        def pool_strip(index):
            first, last = strips[index]
            bottom = shape[0] if last == len(dy) else 2 * last
            dx[2 * first : bottom] = self._backward(dy[first:last], caches[index])

        self.pool.run(pool_strip, range(len(strips)))
        return dx


class ThreadPool:
    """Threads that work on strips, each with arrays of its own that it keeps.

    Parameters
    ----------
    threads : int
    """

    def __init__(self, threads):
        self.memory = Memory()
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix="ministyle")
        self._local = threading.local()

    def run(self, task, strips):
        """Call `task` with every strip, on all threads, with BLAS held to one thread until all are done."""
        contexts = [copy_context() for _ in strips]  # so that the caller's np.errstate holds in every thread
        with _one_blas_thread():
            for _ in self._executor.map(lambda context, strip: context.run(task, strip), contexts, strips):
                pass

    def scratch(self, name, shape, dtype):
        """Return an array of this thread's own, with whatever it held before.

        Arrays of one name share their memory, from call to call.
        """
        arrays = self._local.__dict__
        size = int(np.prod(shape))
        array = arrays.get(name)
        if array is None or array.size < size or array.dtype != dtype:
            array = arrays[name] = np.empty(size, dtype)
        return array[:size].reshape(shape)


class Memory:
    """Memory for large arrays that is used again as soon as nobody refers to them any more.

    Memory fresh from the operating system costs a page fault for every 4096 bytes when it is first written to: at 512
    pixels more than all of the arithmetic in conv1_1. Every array handed out is a view of a block, and so is every view
    of such an array: NumPy keeps a reference to the block in each of them. A block to which only this object refers is
    free.
    """

    def __init__(self):
        self._blocks = []

    def empty(self, shape, dtype):
        """Return an array with whatever its memory held before."""
        size = int(np.prod(shape)) * np.dtype(dtype).itemsize
        block = self._free_block(size)
        if block is None:
            block = np.empty(size, np.uint8)
            self._blocks.append(block)
        return block[:size].view(dtype).reshape(shape)

    def _free_block(self, size):
        """Return the smallest free block of at least `size` bytes, but not one that is more than twice too large."""
        counts = zip(self._blocks, _reference_counts(self._blocks), strict=True)
        fitting = [block for block, count in counts if count == _FREE and size <= block.size <= 2 * size]
        return min(fitting, key=len, default=None)


def _reference_counts(blocks):
    return [sys.getrefcount(block) for block in blocks]


# What Python counts for a block that is in one list and nowhere else; versions of Python differ.
_FREE = _reference_counts([np.empty(1)])[0]


def available_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@cache
def _blas():
    import threadpoolctl  # here, because looking for the libraries takes a while

    return threadpoolctl.ThreadpoolController().select(user_api="blas")


@contextmanager
def _one_blas_thread():
    with _blas().limit(limits=1):
        yield


def _strips(rows, rows_per_strip):
    """Cut rows into strips of equal height, give or take one; return (first, last + 1) of each.

    There are at least two, and an even number, so that two threads have the same to do.
    """
    count = min(rows, 2 * max(1, rows // (2 * rows_per_strip)))
    edges = [rows * i // count for i in range(count + 1)]
    return list(pairwise(edges))


def _strips_of_rows(height, width):
    """Cut a picture's rows into strips of as many positions as a strip of tiles has."""
    return _strips(height, -(-TILES_PER_STRIP * OUTPUTS**2 // width))


def _copy_with_border(x, mask, first, padded):
    """Fill `padded` with the rows of x from row `first` on, shifted right by one column; what x lacks is 0.

    With a mask, x counts as 0 where the mask is False.
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


def _finish(result, y, positive, top, bottom):
    """Write a strip's result to where it belongs, through the ReLU if there is a mask to fill."""
    if positive is None:
        y[...] = result
    else:
        np.maximum(result, 0, out=y)
        np.greater(result, 0, out=positive[top:bottom])
