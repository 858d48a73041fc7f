"""Average and max pooling, a few rows at a time on all cores.

The functions of `ministyle.layers` do the arithmetic. An output row depends on two input rows only, so the strips need
nothing from each other.
"""

from .workers import split


class Pooling:
    """A pooling layer on all cores.

    Parameters
    ----------
    forward, backward : functions such as `layers.average_pool_forward` and `layers.average_pool_backward`
    workers : Workers
    """

    def __init__(self, forward, backward, workers):
        self._forward = forward
        self._backward = backward
        self.workers = workers

    def forward(self, x):  # (H, W, C) -> (H // 2, W // 2, C)
        """Return the pooled array and a cache: the input's shape, the strips, and the cache of every strip."""
        height, width, channels = x.shape[0] // 2, x.shape[1] // 2, x.shape[2]
        y = self.workers.buffers.empty((height, width, channels), x.dtype)
        strips = split(height, width)

        def pool_strip(strip):
            first, last = strip
            bottom = x.shape[0] if last == height else 2 * last  # the last strip has the odd row, if there is one
            y[first:last], cache = self._forward(x[2 * first : bottom])
            return cache

        return y, (x.shape, strips, self.workers.run(pool_strip, strips))

    def backward(self, dy, cache):  # (H // 2, W // 2, C) -> (H, W, C)
        """Propagate a gradient back."""
        shape, strips, caches = cache
        dx = self.workers.buffers.empty(shape, dy.dtype)

        def pool_strip(part):
            (first, last), cache = part
            bottom = shape[0] if last == len(dy) else 2 * last
            dx[2 * first : bottom] = self._backward(dy[first:last], cache)

        self.workers.run(pool_strip, list(zip(strips, caches, strict=True)))
        return dx
