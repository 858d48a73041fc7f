"""Two independent tests of a gradient.

**Along a direction.** For a function f with gradient g, the derivative of f(x + t v) at t = 0 must be <g, v>. It is
measured with the five-point stencil

    f'(0) ~ (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h,

which is exact for polynomials of degree four. We chose it for that: as long as every ReLU and every maximum keeps its
decision, the network is a linear function of the pixels, the content loss a polynomial of degree two and the style loss
one of degree four. Then the stencil's only error is rounding, for any h.

So the kinks must be kept out. The construction does that; no tolerance is loosened. Single operations get numbers that
lie farther from their kinks than the stencil reaches. For the whole network, h is chosen such that the picture's two
outermost neighbours switch on exactly the units that the picture does. Linear inequalities decide which units these
are, so what holds at both ends of a line holds between them.

**By the adjoint.** A linear map J and the backward pass J^T must satisfy <u, J v> = <J^T u, v> for all u and v. No
differences are needed.
"""

import numpy as np

from ..errors import MinistyleError

SPACING = 0.1  # the stencil's h, where every kink is known to be farther away than 2 h


def directional_error(function, x, directions, steps):
    """Compare a function's gradient with its values along several directions.

    Parameters
    ----------
    function : function of an array like x that returns (value, gradient), or an `Evaluation`; float64
    x : array
    directions : sequence of arrays shaped as x
    steps : sequence of float, the stencil's h for each direction

    Returns
    -------
    float, the largest of |numerical - analytical| over the larger of the two
    """
    _, gradient = function(x)
    errors = []
    for direction, step in zip(directions, steps, strict=True):
        values = []
        for t in (-2, -1, 1, 2):
            value, _ = function(x + t * step * direction)
            values.append(float(value))
        numerical = (values[0] - 8 * values[1] + 8 * values[2] - values[3]) / (12 * step)
        errors.append(_relative_difference(numerical, float((gradient * direction).sum())))
    return float(np.max(errors))  # unlike max(), it does not lose a nan


def adjoint_error(forward, backward, u, v):
    """Compare <u, J v> with <J^T u, v>.

    Parameters
    ----------
    forward : linear function, v -> J v
    backward : function u -> J^T u
    u, v : arrays, shaped as the output and the input of `forward`

    Returns
    -------
    float, the relative difference
    """
    return _relative_difference(float((u * forward(v)).sum()), float((backward(u) * v).sum()))


def linear_region_step(network, pixels, direction, taps):
    """Return a step h such that the network is linear from pixels - 2h direction to pixels + 2h direction.

    Parameters
    ----------
    network : Network
    pixels, direction : arrays (H, W, 3)
    taps : layer names, as deep as the network is used
    """
    _, step = roomiest_direction(network, pixels, [direction], taps)
    return step


def roomiest_direction(network, pixels, directions, taps):
    """Return the direction along which the network stays linear the farthest, and its step h.

    There are a hundred thousand units, and one of them is often close to its kink. A short step is bad: the shorter it
    is, the more of a difference is rounding error. See `linear_region_step` for the parameters; `directions` are
    several.
    """
    pattern = list(_switches(network, pixels, taps))

    def same_switches(pixels):
        return all(bool((a == b).all()) for a, b in zip(pattern, _switches(network, pixels, taps), strict=True))

    def is_linear(direction, step):
        return all(same_switches(pixels + t * step * direction) for t in (-2, 2))

    roomiest, *others = directions
    step = SPACING
    while not is_linear(roomiest, step):
        step /= 2
        if step < 1e-9:
            raise MinistyleError("the picture lies on a kink of the network; try another seed")
    for direction in others:
        while 2 * step <= SPACING and is_linear(direction, 2 * step):
            roomiest, step = direction, 2 * step
    return roomiest, step


def _switches(network, pixels, taps):
    """Yield which units are on: the ReLUs' masks, and the maxima's winners where pooling takes the maximum.

    The network runs only as far as the caller asks. Most pictures that differ do so in the first layers already.
    """
    x, left = pixels, set(taps)
    for operation in network.operations:
        x, cache = operation.forward(x)
        if operation.kind in ("relu", "pool"):
            yield from _arrays(cache)
        left.discard(operation.layer)
        if not left:
            return


def _arrays(cache):
    """Return the arrays in a cache, however deep in tuples and lists."""
    if isinstance(cache, tuple | list):
        return [array for part in cache for array in _arrays(part)]
    return [cache] if hasattr(cache, "dtype") else []


def _relative_difference(a, b):
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0
