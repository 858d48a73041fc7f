"""Arrays to convolve, and what the plain convolution makes of them."""

from ministyle import layers

SIZES = [(70, 61), (16, 20), (13, 7), (3, 2), (1, 1), (1, 9), (5, 1)]


def sample(random, height, width, channels_in, channels_out, dtype):
    x = random.normal(size=(height, width, channels_in)).clip(0).astype(dtype)
    kernel = random.normal(size=(3, 3, channels_in, channels_out)).astype(dtype)
    bias = random.normal(size=channels_out).astype(dtype)
    dy = random.normal(size=(height, width, channels_out)).astype(dtype)
    return x, kernel, bias, dy


def plain(x, kernel, bias, dy, border):
    """Convolution and ReLU, forward and backward, by `layers`."""
    y, cache = layers.convolution_forward(x, kernel, bias, border)
    y, positive = layers.relu_forward(y)
    return y, positive, layers.convolution_backward(layers.relu_backward(dy, positive), cache)
