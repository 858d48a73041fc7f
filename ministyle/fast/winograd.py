r"""3x3 convolution of many channels, with a quarter of the multiplications.

**One dimension.** A correlation with three taps, y[i] = sum_k d[i + k] g[k], takes twelve multiplications for four
outputs. Winograd (1980) showed that six suffice. Read g and the outputs as the coefficients of polynomials. The
transpose of the correlation is then a product of two polynomials, one with 3 coefficients and one with 4. The product
has degree 5, and its values at six points determine it. So evaluate both factors at six points, multiply the values,
which takes one multiplication for each point, and interpolate. One of the points may lie at infinity, where the
"value" of a polynomial is its leading coefficient. With Lagrange's formula for the points a_0 ... a_4 and infinity
this is

    y = A^T [ (G g) * (B^T d) ]

    A^T[i, j] = a_j^i                          last column: 0 0 0 1       evaluate at the points (transposed)
    G[j, k]   = a_j^k / prod_{l != j} (a_j - a_l)     last row: 0 0 1     evaluate at the points, Lagrange's weights
    B^T[j, :] = coefficients of prod_{l != j} (x - a_l)                   Lagrange's polynomials (transposed)
                last row: coefficients of prod_l (x - a_l)

`transforms` computes the three matrices from the points. The choice of points decides how far rounding errors grow. In
float32, with 128 to 512 channels, the largest error relative to the largest value is

- 8e-6 with the customary points 0, 1, -1, 2, -2,
- 2e-6 with 0, 2/3, -2/3, 3/2, -3/2, which we found by trying a grid of pairs,
- 3e-7 with the direct sum.

The customary points give matrices of small whole numbers, for programs that multiply by adding. Here the transforms
are matrix products, and any number will do.

**Two dimensions.** F(4x4, 3x3) of Lavin and Gray (arXiv:1509.09308) does the same along rows and columns. A tile of
4x4 outputs reads 6x6 inputs, and takes 36 multiplications for a pair of channels instead of 144:

    Y = A^T [ (G g G^T) * (B^T d B) ] A

The last transform is linear, so the sum over input channels can be taken before it. Each of the 36 points then needs
one matrix product, (tiles, C) @ (C, K). Most of the time goes into these products.

A small picture has few tiles in its deep layers. Most of the time then goes into reading the kernels, which have grown
from 9 numbers to 36. F(2x2, 3x3) is faster there: it takes 16 multiplications for 4 outputs instead of 36, and reads
16 numbers.

**The backward pass** is the same convolution with the kernel rotated by 180 degrees and its channels swapped. A rotated
kernel needs no transform of its own. Rotating reverses the coefficients of a polynomial, and x^2 g(1/x) has at the
point a the value a^2 g(1/a). Our points are each other's inverses: 2/3 and 3/2, -2/3 and -3/2, 0 and infinity; 1 and -1
are their own. So the values of the rotated kernel are those of the kernel in another order, up to a factor for each
point. `rotated` puts order and factors into A^T and B^T. Both directions then share one transformed kernel, which is
the largest thing in memory.

**On arrays (H, W, C).** The 6x6 pixels of a tile, one below the other, are a matrix (36, C). The input transform in
both dimensions is a product of this matrix with the 36x36 Kronecker product of B^T with itself. The output transform
is likewise a product with a matrix (16, 36). These products fit into the first cache, and NumPy does them for a stack
of tiles in one call, as fast as large products. The 36 products need an array (36, tiles, C), a stack of matrices. The
input transform writes into a transposed view of that array, so nothing has to be copied; the output transform reads
in the same way.

**In strips.** A strip is about 128 tiles, which stay in a core's cache while one thread reads, multiplies and writes
them; see `workers`. In the deep layers the kernel is larger than all tiles together, and reading it takes time. There
the whole layer is one strip. All threads do each of the three steps together, and the kernel is read once.

The first layer has too few channels for this; see `im2col`.
"""

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.polynomial import polynomial

from .im2col import TAPS, Col2imConvolution, Im2colConvolution, copy_with_border, rectify
from .workers import split

POINTS = {2: (0, 1, -1), 4: (0, 2 / 3, -2 / 3, 3 / 2, -3 / 2)}  # outputs -> points; infinity is always one more
TILES_PER_STRIP = 128  # few enough to stay in the cache, enough for matrix products to run at full speed
FEW_TILES = 16  # with so many tiles of 4x4 outputs or fewer, tiles of 2x2 are faster: their kernels are smaller
FEW_CHANNELS = 8  # with so many input channels or fewer, `im2col` is faster
SMALL_KERNEL = 2**23  # bytes; of a kernel no larger we keep a transposed copy for backward, as it is faster to read


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


def rotated(outputs=4):
    """Return A^T and B^T with which the transformed kernel G g correlates as the rotated kernel g[::-1] would."""
    A_T, G, B_T = transforms(outputs)
    unit = G / np.linalg.norm(G, axis=1, keepdims=True)
    # The inverse of a point is the one whose row of G is parallel to the point's own row reversed.
    inverses = np.abs(unit[:, ::-1] @ unit.T).argmax(axis=1)
    factors = G[:, ::-1].sum(axis=1) / G[inverses].sum(axis=1)  # G[:, ::-1] = factors * G[inverses], row by row
    return A_T[:, inverses], (factors[:, np.newaxis] * B_T)[inverses]


class Convolution:
    """A 3x3 convolution with bias and ReLU, and its backward pass, made ready for one layer.

    Parameters
    ----------
    kernel : array (3, 3, C, K)
    bias : array (K,)
    workers : Workers
    border : {"zero", "replicate", "periodic"}, see `layers.convolution_forward`
    """

    def __init__(self, kernel, bias, workers, border="zero"):
        self.kernel = kernel
        self.bias = bias
        self.workers = workers
        self.border = border
        self.channels_in, self.channels_out = kernel.shape[2:]
        self._made = {}

    def forward(self, x):  # (H, W, C) -> (H, W, K), (H, W, K)
        """Return the activations after the ReLU, and where they are positive (bool), which `backward` needs."""
        height, width, _ = x.shape
        outputs = choose_outputs(height, width)
        y = self._whole_tiles(height, width, outputs, self.channels_out, x.dtype)
        positive = self._whole_tiles(height, width, outputs, self.channels_out, bool)
        self._once(self._make_forward, outputs).run(x, None, y, positive)
        return y[:height, :width], positive[:height, :width]

    def backward(self, dy, positive):  # (H, W, K), (H, W, K) -> (H, W, C)
        """Propagate a gradient back through ReLU and convolution."""
        height, width, _ = dy.shape
        outputs = choose_outputs(height, width)
        dx = self._whole_tiles(height, width, outputs, self.channels_in, dy.dtype)
        self._once(self._make_backward, outputs).run(dy, positive, dx, None)
        dx = dx[:height, :width]
        if self.border == "replicate":
            self._add_border(dy, positive, dx)
        return dx

    def _add_border(self, dy, positive, dx):
        """Add to the edges of dx the gradient of the replicated border. It comes from the edges of dy alone."""
        kernel = self.kernel
        sides = [
            (np.s_[0], kernel[0]),  # above; with the two corners
            (np.s_[-1], kernel[2]),  # below
            (np.s_[:, 0], kernel[:, 0]),  # to the left
            (np.s_[:, -1], kernel[:, 2]),  # to the right
        ]
        lines = self.workers.run(lambda side: _spread(dy[side[0]] * positive[side[0]], side[1]), sides)
        for line in lines[:2]:
            line[1] += line[0]
            line[-2] += line[-1]
        for (edge, _), line in zip(sides, lines, strict=True):
            dx[edge] += line[1:-1]

    def _whole_tiles(self, height, width, outputs, channels, dtype):
        """Return an array large enough for whole tiles; the caller cuts it to size with a view."""
        down, across = tile_grid(height, width, outputs)
        return self.workers.buffers.empty((outputs * down, outputs * across, channels), dtype)

    def _once(self, make, outputs):
        """Return `make(outputs)`, computed at the first call and kept.

        A caller who needs conv1_1 only does not wait for the kernel of conv5_1.
        """
        key = make.__name__, outputs  # the method itself would refer back to self, and memory would be freed late
        if key not in self._made:
            self._made[key] = make(outputs)
        return self._made[key]

    def _make_forward(self, outputs):
        if self.channels_in <= FEW_CHANNELS:
            return Im2colConvolution(self.kernel, self.bias, self.workers, self.border)
        A_T, _, B_T = transforms(outputs)
        kernel = self._once(self._transform_kernel, outputs)
        return TileConvolution(kernel, A_T, B_T, self.bias, self.workers, self.border)

    def _make_backward(self, outputs):
        border = "zero" if self.border == "replicate" else self.border
        if self.channels_in <= FEW_CHANNELS:
            return Col2imConvolution(self.kernel, self.workers, border)
        swapped = self._once(self._transform_kernel, outputs).swapaxes(1, 2)  # (n n, K, C)
        if swapped.nbytes <= SMALL_KERNEL:
            swapped = np.ascontiguousarray(swapped)
        return TileConvolution(swapped, *rotated(outputs), None, self.workers, border)

    def _transform_kernel(self, outputs):
        _, G, _ = transforms(outputs)
        flat = self.kernel.reshape(TAPS * TAPS, -1)
        transform = np.kron(G, G).astype(flat.dtype)
        # By the workers, like all products: BLAS on several threads may round differently.
        (transformed,) = self.workers.run(transform.__matmul__, [flat])
        return transformed.reshape(-1, self.channels_in, self.channels_out)  # (n n, C, K)


class TileConvolution:
    """Convolution by tiles, for one size of tiles and one direction.

    Parameters
    ----------
    kernel : array (n n, C, K), transformed
    A_T, B_T : arrays (outputs, n) and (n, n), from `transforms` or `rotated`
    bias : array (K,), or None
        With a bias the ReLU follows; without one, neither.
    workers : Workers
    border : {"zero", "replicate", "periodic"}
    """

    def __init__(self, kernel, A_T, B_T, bias, workers, border):
        self.outputs, self.tile = A_T.shape  # in one dimension: 4 and 6, or 2 and 4
        self.kernel = kernel
        _, self.channels_in, self.channels_out = kernel.shape
        self.output_transform = np.kron(A_T, A_T).astype(kernel.dtype)
        self.input_transform = np.kron(B_T, B_T).astype(kernel.dtype)
        self.bias = None if bias is None else np.tile(bias, self.outputs**2)
        self.workers = workers
        self.border = border

    def run(self, x, mask, y, positive):
        """Convolve x, taken as 0 where the mask is False, into y, and with a ReLU note where y is positive.

        Parameters
        ----------
        x : array (H, W, C)
        mask : bool array (H, W, C), or None
        y : array (H', W', K) of whole tiles, which is overwritten
        positive : bool array like y, which is overwritten, or None
        """
        down, across = tile_grid(*x.shape[:2], self.outputs)
        if kernel_is_larger(down * across, self.channels_in, self.channels_out):
            self._run_together(x, mask, y, positive, down, across)
        else:
            self._run_in_strips(x, mask, y, positive, down, across)

    def _run_in_strips(self, x, mask, y, positive, down, across):
        """Let each thread take whole strips, from reading to writing."""

        def convolve(strip):
            transformed, products = self._arrays(self.workers.scratch, strip, across)
            self._read(x, mask, strip, across, transformed)
            np.matmul(transformed, self.kernel, out=products)
            self._write(products, strip, across, y, positive)

        self.workers.run(convolve, split(down, across, TILES_PER_STRIP))

    def _run_together(self, x, mask, y, positive, down, across):
        """Let all threads read, then all multiply, each for some of the points, then all write."""
        buffers = self.workers.buffers
        transformed, products = self._arrays(lambda _, *array: buffers.empty(*array), (0, down), across)

        def part(array, strip):
            return array[:, strip[0] * across : strip[1] * across]

        def multiply(points):
            np.matmul(transformed[slice(*points)], self.kernel[slice(*points)], out=products[slice(*points)])

        rows = split(down, across, TILES_PER_STRIP // 4)
        self.workers.run(lambda strip: self._read(x, mask, strip, across, part(transformed, strip)), rows)
        self.workers.run(multiply, split(self.tile**2, 1, 3))
        self.workers.run(lambda strip: self._write(part(products, strip), strip, across, y, positive), rows)

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
        scratch = self.workers.scratch
        padded = scratch("padded", (outputs * down + 2, outputs * across + 2, self.channels_in), x.dtype)
        copy_with_border(x, mask, outputs * first - 1, padded, self.border)
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
        tiles = self.workers.scratch("tiles", (down * across, outputs**2, self.channels_out), y.dtype)
        np.matmul(self.output_transform, products.swapaxes(0, 1), out=tiles)
        if self.bias is not None:
            rectify(tiles.reshape(down * across, -1), self.bias)
        tiles = tiles.reshape(down, across, outputs, -1)

        def in_tiles(array):
            rows = array[outputs * first : outputs * last]
            return rows.reshape(down, outputs, across, -1).swapaxes(1, 2)  # (down, across, outputs, outputs * K)

        in_tiles(y)[...] = tiles
        if positive is not None:
            np.greater(tiles, 0, out=in_tiles(positive))


def _spread(edge, taps):  # (n, K), (3, C, K) -> (n + 2, C)
    """Propagate a row of gradients back to the n + 2 positions that it was computed from along one row of a kernel."""
    length = len(edge)
    line = np.zeros((length + 2, taps.shape[1]), edge.dtype)
    for offset, tap in enumerate(taps):
        line[offset : offset + length] += edge @ tap.T
    return line


def choose_outputs(height, width):
    """Return the size of the tiles for a feature map: they have so many outputs, 4 or 2, down and across."""
    down, across = tile_grid(height, width, 4)
    return 4 if down * across > FEW_TILES else 2


def tile_grid(height, width, outputs):
    """Return how many tiles cover a feature map, down and across; the last ones may stick out."""
    return -(-height // outputs), -(-width // outputs)


def kernel_is_larger(tiles, channels_in, channels_out):
    """Say whether a layer's transformed kernel takes more memory than all its tiles, inputs and outputs."""
    return channels_in * channels_out >= tiles * (channels_in + channels_out)
