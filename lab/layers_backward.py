"""Exercise 1: the backward passes of convolution, ReLU and pooling."""

from ministyle.arrays import array_module
from ministyle.layers import BORDERS, _windows


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


def relu_forward(x):  # (H, W, C) -> (H, W, C)
    """Rectify: y = max(x, 0).

    Returns
    -------
    y : array (H, W, C)
    cache : bool array (H, W, C), True where the output is positive
    """
    y = array_module(x).maximum(x, 0)
    return y, y > 0


def average_pool_forward(x):  # (H, W, C) -> (H // 2, W // 2, C)
    """Replace each 2x2 block of positions by its mean; an odd last row or column is dropped.

    Returns
    -------
    y : array (H // 2, W // 2, C)
    cache : the shape of x
    """
    top_left, top_right, bottom_left, bottom_right = _windows(x)
    return (top_left + top_right + bottom_left + bottom_right) / 4, x.shape


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


def relu_backward(dy, cache):  # (H, W, C), (H, W, C) -> (H, W, C)
    """Let the gradient through where the output was positive, and nowhere else.

    At x = 0 the derivative does not exist. We take 0 there, as the paper's equations 2 and 6 do.
    """
    # Hint: y is max(x, 0). How much does y change when x changes a little, if x > 0, and if x < 0?
    raise NotImplementedError("relu_backward")


def average_pool_backward(dy, cache):  # (H // 2, W // 2, C), shape -> (H, W, C)
    """Give each of the four positions of a block a quarter of the block's gradient."""
    # Hint: Each of a block's four positions has a quarter of the mean.
    # Hint: `_windows(dx)` returns the four positions of every block as views; what you write there is in dx.
    # Hint: A position that no block contains cannot change the loss.
    raise NotImplementedError("average_pool_backward")


def max_pool_backward(dy, cache):  # (H // 2, W // 2, C), (shape, winner) -> (H, W, C)
    """Give the whole gradient of a block to the position that held its maximum."""
    # Hint: Only the winner of a block changes its maximum. `cache` says which of the four it was.
    raise NotImplementedError("max_pool_backward")


def convolution_backward(dy, cache):  # (H, W, K), ((3, 3, C, K), border) -> (H, W, C)
    """Propagate a gradient back through `convolution_forward`.

    x[h, w, c] enters y[h - i + 1, w - j + 1, k] with the factor kernel[i, j, c, k]. Adding up these contributions is
    again a convolution with the same border: dy is convolved with the kernel rotated by 180 degrees, its input and
    output channels swapped. The bias plays no part.

    A replicated border is the one that has a gradient of its own. It is part of the padded picture, and what arrives
    there belongs to the pixels that it repeats.
    """
    # Hint: Which outputs does x[h, w, c] enter, and with which number of the kernel?
    # Hint: With zeros or with copies around the picture, this is a convolution again: of dy, with a kernel that
    #       is turned and whose last two axes are exchanged.
    # Hint: With a replicated border, think of the padded picture first: its border repeats pixels, so what
    #       arrives in the border belongs to those. Begin without it; the other borders are tested alone.
    raise NotImplementedError("convolution_backward")
