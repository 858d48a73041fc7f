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

Small pictures have few tiles in their deep layers, and the time goes into reading the kernels, which have grown from 9
numbers to 36. There F(2x2, 3x3) is faster: 16 multiplications for 4 outputs instead of 36, and 16 numbers to read.

**The way back** is the same with the kernel turned by 180 degrees and its channels swapped. A turned kernel needs no
transform of its own: turning reverses a polynomial's coefficients, and x^2 g(1/x) has at the point a the value a^2
g(1/a). Our points are each other's inverses (2/3 and 3/2, -2/3 and -3/2, 0 and infinity; 1 and -1 are their own), so
the turned kernel's values are those of the kernel in another order, up to a factor for each point. `turned` puts
order and factors into A^T and B^T; then both directions share one transformed kernel, which at 36 numbers for 9 is
the largest thing in memory.

**On arrays (H, W, C).** The 6x6 pixels of a tile, written out one below the other, are a matrix (36, C); on it the
input transform in both dimensions is a product with the 36x36 Kronecker product of B^T with itself. Likewise (16, 36)
for the output. These products are small enough to stay in the first cache, and NumPy does them for a stack of tiles
in one call, at the speed of large ones. The results of the first land in an array (36, tiles, C), a stack of matrices
for the 36 products, simply by giving a transposed view of that as `out`; the last reads its input in the same way.

**In strips.** All this is done for about 128 tiles at a time, so that they stay in a core's cache, by one thread from
reading to writing; see `strips`. In the deep layers the kernel is larger than all tiles together, and reading it
takes time. There the layer is one strip, all threads do each of the three steps together, and the kernel is read
once.

The first layer reads only three channels, and writes only three on the way back. There transforms would cost more
than they save, and `_PatchConvolution` multiplies patches of 3x3x3 pixels directly.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.polynomial import polynomial

from .strips import cut

TAPS = 3
POINTS = {2: (0, 1, -1), 4: (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)}  # outputs -> points, and infinity is always one more
TILES_PER_STRIP = 128  # few enough to stay in the cache, enough for matrix products to run at full speed
FEW_TILES = 16  # up to so many tiles of 4x4 outputs, tiles of 2x2 are faster: their kernels are smaller
FEW_CHANNELS = 8  # up to here the direct product is faster
SMALL_KERNEL = 2**23  # bytes; up to here a transposed copy is kept for the way back, as it is faster to read


def transforms(outputs=4, points=None):
    """Return Winograd's matrices A^T (outputs, n), G (n, 3) and B^T (n, n), with n = outputs + 2.

    Parameters
    ----------
    outputs : int
    points : n - 1 different numbers, by default those of `POINTS`; infinity is always the last point
    """
    points = POINTS[outputs] if points is None else points
    n = outputs + TAPS - 1
    assert len(points) == n - 1
    A, G, B = np.zeros((n, outputs)), np.zeros((n, TAPS)), np.zeros((n, n))
    for j, point in enumerate(points):
        others = [other for other in points if other != point]
        A[j] = [point**i for i in range(outputs)]
        G[j] = [point**k / np.prod([point - other for other in others]) for k in range(TAPS)]
        B[j, :-1] = polynomial.polyfromroots(others)
    A[-1, -1] = G[-1, -1] = 1
    B[-1] = polynomial.polyfromroots(points)
    return A.T, G, B


def turned(outputs=4):
    """Return A^T and B^T such that with them a transformed kernel G g correlates as the turned kernel g[::-1] would."""
    A_T, G, B_T = transforms(outputs)
    unit = G / np.linalg.norm(G, axis=1, keepdims=True)
    # Of each point: the one whose row of G is parallel to its own row turned.
    inverses = np.abs(unit[:, ::-1] @ unit.T).argmax(axis=1)
    factors = G[:, ::-1].sum(axis=1) / G[inverses].sum(axis=1)  # G[:, ::-1] = factors * G[inverses], row by row
    return A_T[:, inverses], (factors[:, np.newaxis] * B_T)[inverses]


class Convolution:
    """A 3x3 convolution with bias and ReLU, and its backward pass, made ready for one layer.

    Parameters
    ----------
    kernel : array (3, 3, C, K)
    bias : array (K,)
    pool : strips.ThreadPool
    border : {"zero", "periodic"}, see `layers.convolution_forward`
    """

    def __init__(self, kernel, bias, pool, border="zero"):
        self.kernel = kernel
        self.bias = bias
        self.pool = pool
        self.border = border
        self.channels_in, self.channels_out = kernel.shape[2:]
        self._made = {}

    def forward(self, x):  # (H, W, C) -> (H, W, K), (H, W, K)
        """Return the activations after the ReLU, and where they are positive (bool), which `backward` needs."""
        height, width, _ = x.shape
        outputs = _outputs(height, width)
        y = self._whole_tiles(height, width, outputs, self.channels_out, x.dtype)
        positive = self._whole_tiles(height, width, outputs, self.channels_out, bool)
        self._once(self._make_forward, outputs).run(x, None, y, positive)
        return y[:height, :width], positive[:height, :width]

    def backward(self, dy, positive):  # (H, W, K), (H, W, K) -> (H, W, C)
        """Propagate a gradient back through ReLU and convolution."""
        height, width, _ = dy.shape
        outputs = _outputs(height, width)
        dx = self._whole_tiles(height, width, outputs, self.channels_in, dy.dtype)
        self._once(self._make_backward, outputs).run(dy, positive, dx, None)
        return dx[:height, :width]

    def _whole_tiles(self, height, width, outputs, channels, dtype):
        """Return an array large enough for whole tiles; what sticks out is cut off by a view."""
        down, across = _tiles(height, width, outputs)
        return self.pool.memory.empty((outputs * down, outputs * across, channels), dtype)

    def _once(self, make, outputs):
        """Return what was made for tiles of this size, made when it is first needed.

        Who asks for conv1_1 does not wait for conv5_1's kernel.
        """
        key = make.__name__, outputs  # the method itself would refer back to self, and memory be freed late
        if key not in self._made:
            self._made[key] = make(outputs)
        return self._made[key]

    def _make_forward(self, outputs):
        if self.channels_in <= FEW_CHANNELS:
            return _PatchConvolution(self.kernel, self.bias, self.pool, self.border)
        A_T, _, B_T = transforms(outputs)
        kernel = self._once(self._transform_kernel, outputs)
        return _TileConvolution(kernel, A_T, B_T, self.bias, self.pool, self.border)

    def _make_backward(self, outputs):
        if self.channels_in <= FEW_CHANNELS:
            return _SpreadConvolution(self.kernel, self.pool, self.border)
        swapped = self._once(self._transform_kernel, outputs).swapaxes(1, 2)  # (n n, K, C)
        if swapped.nbytes <= SMALL_KERNEL:
            swapped = np.ascontiguousarray(swapped)
        return _TileConvolution(swapped, *turned(outputs), None, self.pool, self.border)

    def _transform_kernel(self, outputs):
        _, G, _ = transforms(outputs)
        flat = self.kernel.reshape(TAPS * TAPS, -1)
        transform = np.kron(G, G).astype(flat.dtype)
        # In the pool, like all products, as BLAS on several threads may round otherwise.
        (transformed,) = self.pool.run(transform.__matmul__, [flat])
        return transformed.reshape(-1, self.channels_in, self.channels_out)  # (n n, C, K)


class _TileConvolution:
    """Convolution by tiles; with a bias also the ReLU, without one neither."""

    def __init__(self, kernel, A_T, B_T, bias, pool, border):
        self.outputs, self.tile = A_T.shape  # in one dimension: 4 and 6, or 2 and 4
        self.kernel = kernel  # (tile * tile, C, K), transformed
        _, self.channels_in, self.channels_out = kernel.shape
        self.output_transform = np.kron(A_T, A_T).astype(kernel.dtype)
        self.input_transform = np.kron(B_T, B_T).astype(kernel.dtype)
        self.bias = None if bias is None else np.tile(bias, self.outputs**2)
        self.pool = pool
        self.border = border

    def run(self, x, mask, y, positive):
        """Convolve x, taken as 0 where the mask is False, into y and, with a ReLU, `positive`, both of whole tiles."""
        down, across = _tiles(*x.shape[:2], self.outputs)
        if _kernel_is_larger(down * across, self.channels_in, self.channels_out):
            self._run_together(x, mask, y, positive, down, across)
        else:
            self._run_in_strips(x, mask, y, positive, down, across)

    def _run_in_strips(self, x, mask, y, positive, down, across):
        """Let each thread take whole strips, from reading to writing."""

        def convolve(strip):
            transformed, products = self._arrays(self.pool.scratch, strip, across)
            self._read(x, mask, strip, across, transformed)
            np.matmul(transformed, self.kernel, out=products)
            self._write(products, strip, across, y, positive)

        self.pool.run(convolve, cut(down, across, TILES_PER_STRIP))

    def _run_together(self, x, mask, y, positive, down, across):
        """Let all threads read, then all multiply, each for some of the points, then all write."""
        memory = self.pool.memory
        transformed, products = self._arrays(
            lambda _, *shape_and_type: memory.empty(*shape_and_type), (0, down), across
        )

        def part(array, strip):
            return array[:, strip[0] * across : strip[1] * across]

        def multiply(points):
            np.matmul(transformed[slice(*points)], self.kernel[slice(*points)], out=products[slice(*points)])

        rows = cut(down, across, TILES_PER_STRIP // 4)
        self.pool.run(lambda strip: self._read(x, mask, strip, across, part(transformed, strip)), rows)
        self.pool.run(multiply, cut(self.tile**2, 1, 3))
        self.pool.run(lambda strip: self._write(part(products, strip), strip, across, y, positive), rows)

    def _arrays(self, empty, strip, across):
        tiles = (strip[1] - strip[0]) * across
        dtype = self.kernel.dtype
        return (
            empty("transformed", (self.tile**2, tiles, self.channels_in), dtype),
            empty("products", (self.tile**2, tiles, self.channels_out), dtype),
        )

    def _read(self, x, mask, strip, across, transformed):
        """Transform the inputs of some rows of tiles, `strip` being (first, last + 1)."""
        first, last = strip
        down, outputs = last - first, self.outputs
        scratch = self.pool.scratch
        padded = scratch("padded", (outputs * down + 2, outputs * across + 2, self.channels_in), x.dtype)
        _copy_with_border(x, mask, outputs * first - 1, padded, self.border)
        row, column, channel = padded.strides
        # The pixels that a tile has in one row lie side by side in memory.
        shape = down, across, self.tile, self.tile * self.channels_in
        tiles = as_strided(padded, shape, (outputs * row, outputs * column, row, channel))
        gathered = scratch("tiles", shape, x.dtype)
        gathered[...] = tiles
        gathered = gathered.reshape(down * across, self.tile**2, self.channels_in)
        np.matmul(self.input_transform, gathered, out=transformed.swapaxes(0, 1))

    def _write(self, products, strip, across, y, positive):
        """Transform the products into outputs, and write them to the rows of y where they belong."""
        first, last = strip
        down, outputs = last - first, self.outputs
        tiles = self.pool.scratch("tiles", (down * across, outputs**2, self.channels_out), y.dtype)
        np.matmul(self.output_transform, products.swapaxes(0, 1), out=tiles)
        if self.bias is not None:
            _rectify(tiles.reshape(down * across, -1), self.bias)
        tiles = tiles.reshape(down, across, outputs, -1)

        def in_tiles(array):
            rows = array[outputs * first : outputs * last]
            return rows.reshape(down, outputs, across, -1).swapaxes(1, 2)  # (down, across, outputs, outputs * K)

        in_tiles(y)[...] = tiles
        if positive is not None:
            np.greater(tiles, 0, out=in_tiles(positive))


class _PatchConvolution:
    """Convolution of a few channels, with ReLU: every patch of 3x3 pixels is written out and multiplied."""

    def __init__(self, kernel, bias, pool, border):
        self.kernel = kernel.reshape(-1, kernel.shape[3])  # (9 C, K)
        self.bias = np.tile(bias, 2)  # arrays of whole tiles have an even number of positions
        self.pool = pool
        self.border = border

    def run(self, x, mask, y, positive):
        """Convolve x, taken as 0 where the mask is False, into y and `positive`, both of whole tiles."""
        self.pool.run(lambda strip: self._strip(x, mask, y, positive, *strip), cut(*x.shape[:2]))

    def _strip(self, x, mask, y, positive, top, bottom):
        height, width, channels_in = bottom - top, y.shape[1], x.shape[2]
        padded = self.pool.scratch("padded", (height + 2, width + 2, channels_in), x.dtype)
        _copy_with_border(x, mask, top - 1, padded, self.border)
        row, column, channel = padded.strides
        # Three neighbouring pixels of a row lie side by side in memory.
        patches = as_strided(padded, (height, width, TAPS, TAPS * channels_in), (row, column, row, channel))
        gathered = self.pool.scratch("tiles", patches.shape, x.dtype)
        gathered[...] = patches
        outputs = y[top:bottom]
        np.matmul(gathered.reshape(height, width, -1), self.kernel, out=outputs)
        _rectify(outputs.reshape(-1, len(self.bias)), self.bias)
        np.greater(outputs, 0, out=positive[top:bottom])


class _SpreadConvolution:
    """The backward pass to a few channels: one product gives what each position spreads over its 3x3 neighbours."""

    def __init__(self, kernel, pool, border):
        _, _, self.channels_out, channels_in = kernel.shape
        self.kernel = kernel.reshape(-1, channels_in)  # (9 C, K)
        self.pool = pool
        self.border = border

    def run(self, dy, mask, dx, positive):
        height, width, _ = dy.shape
        self.pool.run(lambda strip: self._strip(dy, mask, dx, *strip), cut(height, width))

    def _strip(self, dy, mask, dx, top, bottom):
        _, width, channels_in = dy.shape
        height = bottom - top
        scratch = self.pool.scratch
        padded = scratch("padded", (height + 2, width + 2, channels_in), dy.dtype)
        _copy_with_border(dy, mask, top - 1, padded, self.border)
        spread = scratch("products", (TAPS, TAPS, self.channels_out, height + 2, width + 2), dy.dtype)
        np.dot(self.kernel, padded.reshape(-1, channels_in).T, out=spread.reshape(len(self.kernel), -1))
        planes = scratch("tiles", (self.channels_out, height, width), dy.dtype)
        planes[...] = 0
        for i in range(TAPS):
            for j in range(TAPS):
                planes += spread[i, j, :, 2 - i : 2 - i + height, 2 - j : 2 - j + width]
        dx[top:bottom, :width] = planes.transpose(1, 2, 0)


def _outputs(height, width):
    """Return how many outputs, down and across, tiles should have for a picture of this size."""
    down, across = _tiles(height, width, 4)
    return 4 if down * across > FEW_TILES else 2


def _tiles(height, width, outputs):
    """Return how many tiles it takes down and across, those counted in full that stick out."""
    return -(-height // outputs), -(-width // outputs)


def _kernel_is_larger(tiles, channels_in, channels_out):
    """Say whether a layer's kernel takes more memory than all its tiles, those read and those written."""
    return channels_in * channels_out >= tiles * (channels_in + channels_out)


def _rectify(rows, bias):
    """Add the bias to every row and apply the ReLU, in place.

    NumPy takes the maximum of two arrays three times as fast as that of an array and a number.
    """
    rows += bias
    np.maximum(rows, np.zeros_like(bias), out=rows)


def _copy_with_border(x, mask, first, padded, border):
    """Fill `padded` with the rows of x from row `first` on, shifted right by one column; what x lacks is 0.

    With a mask, x counts as 0 where the mask is False. With a periodic border the pixel before x's first is its last
    one, and the pixel after its last is its first one, down and across.
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
    if border == "periodic":
        for row, source in ((-1, height - 1), (height, 0)):
            if first <= row < first + len(padded):
                padded[row - first, 1 : width + 1] = x[source] if mask is None else x[source] * mask[source]
        padded[:, 0] = padded[:, width]
        padded[:, width + 1] = padded[:, 1]
