"""The four operations that VGG-19 is made of, forward and backward, by hand.

A feature map is an array of shape (H, W, C): height, width, channels, without a batch axis. Every forward function
returns its output and a cache, the little that its backward function needs. Every backward function takes the gradient
of the loss with respect to the output, `dy`, and the cache. It returns the gradient with respect to the input, `dx`.

The network's weights are never trained, so nothing computes gradients with respect to them, and the caches stay small:
a convolution keeps its kernel, a ReLU one byte per number, average pooling only a shape.

All functions are pure: they change none of their arguments. The result has the data type of the input, float32 or
float64.
"""

from .arrays import array_module

BORDERS = {"zero": "constant", "replicate": "edge", "periodic": "wrap"}  # what surrounds a picture, and NumPy's name


def convolution_forward(x, kernel, bias=None, border="zero"):  # (H, W, C), (3, 3, C, K), (K,) -> (H, W, K)
    """Cross-correlate `x` with 3x3 kernels: stride 1, a border of one zero around the picture.

    With `border="replicate"` the border repeats the pixels at the edge instead. With `border="periodic"` the picture is
    surrounded by copies of itself, as in a tiling.

    Deep learning's convolution does not flip its kernel:
    y[h, w, k] = bias[k] + sum over i, j, c of padded[h + i, w + j, c] * kernel[i, j, c, k].

    The sum over c, for all h, w and k at once, is a matrix product. The loop below adds up the nine positions i, j of
    the kernel.

    Returns
    -------
    y : array (H, W, K)
    cache : the kernel and the border
    """
    xp = array_module(x)
    height, width, _ = x.shape
    padded = xp.pad(x, ((1, 1), (1, 1), (0, 0)), BORDERS[border])  # (H + 2, W + 2, C)
    y = xp.zeros((height, width, kernel.shape[3]), x.dtype)
    for i in range(3):
        for j in range(3):
            y += padded[i : i + height, j : j + width] @ kernel[i, j]
    if bias is not None:
        y += bias
    return y, (kernel, border)


def convolution_backward(dy, cache):  # (H, W, K), ((3, 3, C, K), border) -> (H, W, C)
    """Propagate a gradient back through `convolution_forward`.

    x[h, w, c] enters y[h - i + 1, w - j + 1, k] with the factor kernel[i, j, c, k]. Adding up these contributions is
    again a convolution with the same border: dy is convolved with the kernel rotated by 180 degrees, its input and
    output channels swapped. The bias plays no part.

    A replicated border is the one that has a gradient of its own. It is part of the padded picture, and what arrives
    there belongs to the pixels that it repeats.
    """
    kernel, border = cache
    rotated = kernel[::-1, ::-1].swapaxes(2, 3)  # (3, 3, K, C)
    if border != "replicate":
        dx, _ = convolution_forward(dy, rotated, border=border)
        return dx
    padded, _ = convolution_forward(array_module(dy).pad(dy, ((1, 1), (1, 1), (0, 0))), rotated)  # (H + 2, W + 2, C)
    padded[1] += padded[0]
    padded[-2] += padded[-1]
    padded[:, 1] += padded[:, 0]
    padded[:, -2] += padded[:, -1]
    return padded[1:-1, 1:-1]


def relu_forward(x):  # (H, W, C) -> (H, W, C)
    """Rectify: y = max(x, 0).

    Returns
    -------
    y : array (H, W, C)
    cache : bool array (H, W, C), True where the output is positive
    """
    y = array_module(x).maximum(x, 0)
    return y, y > 0


def relu_backward(dy, cache):  # (H, W, C), (H, W, C) -> (H, W, C)
    """Let the gradient through where the output was positive, and nowhere else.

    At x = 0 the derivative does not exist. We take 0 there, as the paper's equations 2 and 6 do.
    """
    return dy * cache


def average_pool_forward(x):  # (H, W, C) -> (H // 2, W // 2, C)
    """Replace each 2x2 block of positions by its mean; an odd last row or column is dropped.

    Returns
    -------
    y : array (H // 2, W // 2, C)
    cache : the shape of x
    """
    top_left, top_right, bottom_left, bottom_right = _windows(x)
    return (top_left + top_right + bottom_left + bottom_right) / 4, x.shape


def average_pool_backward(dy, cache):  # (H // 2, W // 2, C), shape -> (H, W, C)
    """Give each of the four positions of a block a quarter of the block's gradient."""
    dx = array_module(dy).zeros(cache, dy.dtype)
    quarter = dy / 4
    for window in _windows(dx):
        window[...] = quarter
    return dx


def max_pool_forward(x):  # (H, W, C) -> (H // 2, W // 2, C)
    """Replace each 2x2 block of positions by its maximum; an odd last row or column is dropped.

    Returns
    -------
    y : array (H // 2, W // 2, C)
    cache : the shape of x, and which position of each block (0 to 3, row by row) holds its maximum: a
        uint8 array (H // 2, W // 2, C). The first of several equal ones counts, as in PyTorch.
    """
    xp = array_module(x)
    first, *others = _windows(x)
    y = first
    winner = xp.zeros(first.shape, xp.uint8)
    for position, window in enumerate(others, start=1):
        winner = xp.where(window > y, xp.uint8(position), winner)
        y = xp.maximum(y, window)
    return y, (x.shape, winner)


def max_pool_backward(dy, cache):  # (H // 2, W // 2, C), (shape, winner) -> (H, W, C)
    """Give the whole gradient of a block to the position that held its maximum."""
    shape, winner = cache
    dx = array_module(dy).zeros(shape, dy.dtype)
    for position, window in enumerate(_windows(dx)):
        window[...] = dy * (winner == position)
    return dx


def _windows(x):  # (H, W, C) -> four views (H // 2, W // 2, C)
    """Return the four positions of every 2x2 block as views of x, row by row."""
    height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
    return [x[i:height:2, j:width:2] for i in range(2) for j in range(2)]
