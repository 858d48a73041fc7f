"""Are the gradients right? Two independent tests, as a library and as a command.

**Along a direction.** For a function f with gradient g, the derivative of f(x + t v) at t = 0 must be <g, v>. It is
measured with the five-point stencil

    f'(0) ~ (f(-2h) - 8 f(-h) + 8 f(h) - f(2h)) / 12h,

which is exact for polynomials of degree four. That is no accident: while no ReLU and no maximum changes its mind, the
network is a linear function of the pixels, the content loss a polynomial of degree two and the style loss one of degree
four. Then the stencil has no error but rounding, for any h.

So the kinks must be kept out, and they are, by construction and not by a tolerance. Single operations are fed numbers
that lie farther from their kinks than the stencil reaches. For the whole network, h is such that the picture's two
outermost neighbours switch on exactly the units that the picture does. Those units are given by linear
inequalities, so whatever holds at both ends of a line holds between them.

**By the adjoint.** A linear map J and the backward pass J^T must satisfy <u, J v> = <J^T u, v> for all u and v. No
differences are needed.
"""

import itertools
from dataclasses import dataclass

import numpy as np

from . import layers, losses
from .arrays import to_device
from .errors import MinistyleError
from .network import load_network, preprocess_backward, preprocess_forward
from .objective import CONTENT_LAYERS, STYLE_LAYERS, Objective

# Rounding errors in float64: a linear map sums up to 4608 products, each good to 1e-16; a finite difference loses
# the digits that f(h) and f(-h) have in common.
LINEAR_TOLERANCE = 1e-8
DIRECTION_TOLERANCE = 1e-7

CANDIDATES = 16  # directions of which the best is taken where kinks are near, see `roomiest_direction`
STEP = 0.1  # the stencil's h, where every kink is known to be farther away than 2 h


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes
    ----------
    name : str, what was checked
    method : "direction" or "adjoint"
    error : float, the largest relative error found
    tolerance : float
    """

    name: str
    method: str
    error: float
    tolerance: float

    @property
    def passed(self):
        """True if the error is within the tolerance; nan is not."""
        return bool(self.error <= self.tolerance)


def check_gradients(weights=None, *, size=32, directions=3, seed=0, device="cpu", convolution="direct"):
    """Check every operation, every loss, and the whole way from pixels to loss through the real network.

    Everything is computed in float64.

    Parameters
    ----------
    weights : path or Weights, optional, see `load_network`
    size : int, side in pixels of the picture that goes through the network, at least 16
    directions : int, how many random directions each check tries
    seed : int, of everything random
    device : {"auto", "cpu", "cuda"}
    convolution : {"direct", "winograd", "auto"}
        Which convolution the network uses, see `load_network`.

    Returns
    -------
    iterator of Check
        Each is computed when it is asked for; a list of all takes some seconds.

    Raises
    ------
    MinistyleError
        `size` or `directions` is too small, or the network cannot be loaded.
    """
    if size < 16:
        raise MinistyleError(f"size (={size}) must be at least 16, or conv5_1 has no positions")
    if directions < 1:
        raise MinistyleError(f"directions (={directions}) must be at least 1")
    if seed < 0:
        raise MinistyleError(f"seed (={seed}) must be at least 0")
    network = load_network(weights, dtype="float64", device=device, convolution=convolution)
    sampler = _Sampler(np.random.default_rng(seed), network.device, directions)
    return itertools.chain(
        _check_operations(sampler, network.weights), _check_losses(sampler), _check_network(sampler, network, size)
    )


def directional_error(function, x, directions, steps):
    """Compare a function's gradient with its values along several directions.

    Parameters
    ----------
    function : function of an array like x, returning (value, gradient); float64
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
        values = [float(function(x + t * step * direction)[0]) for t in (-2, -1, 1, 2)]
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
    """Return, of some directions, the one along which the network stays linear the farthest, and its step h.

    Among a hundred thousand units there is often one close to its kink, and the shorter the step, the more of a
    difference is rounding error. Parameters as for `linear_region_step`.
    """
    pattern = _switches(network, pixels, taps)

    def is_linear(direction, step):
        return all(_same(pattern, _switches(network, pixels + t * step * direction, taps)) for t in (-2, 2))

    roomiest, *others = directions
    step = STEP
    while not is_linear(roomiest, step):
        step /= 2
        if step < 1e-9:
            raise MinistyleError("the picture lies on a kink of the network; try another seed")
    for direction in others:
        while 2 * step <= STEP and is_linear(direction, 2 * step):
            roomiest, step = direction, 2 * step
    return roomiest, step


def _check_operations(sampler, weights):
    """Check the layers and the preprocessing, on sizes even and odd."""
    kernel = sampler.normal(3, 3, 5, 4)
    linear = {
        "convolution": (lambda x: layers.convolution_forward(x, kernel), layers.convolution_backward),
        "convolution, periodic border": (
            lambda x: layers.convolution_forward(x, kernel, border="periodic"),
            layers.convolution_backward,
        ),
        "average pooling": (layers.average_pool_forward, layers.average_pool_backward),
    }
    for name, (forward, backward) in linear.items():
        shapes = [(7, 10, 5), (6, 5, 5), (2, 2, 5)]
        yield Check(name, "adjoint", sampler.adjoint(forward, backward, shapes), LINEAR_TOLERANCE)
        yield Check(name, "direction", sampler.along(forward, backward, sampler.normal(7, 10, 5)), LINEAR_TOLERANCE)
    origin, _ = preprocess_forward(0 * sampler.normal(4, 5, 3), weights)  # the mean makes the map affine

    def centred(x):
        y, cache = preprocess_forward(x, weights)
        return y - origin, cache

    yield Check(
        "preprocessing", "adjoint", sampler.adjoint(centred, preprocess_backward, [(4, 5, 3)]), LINEAR_TOLERANCE
    )
    error = sampler.along(lambda x: preprocess_forward(x, weights), preprocess_backward, sampler.normal(4, 5, 3))
    yield Check("preprocessing", "direction", error, LINEAR_TOLERANCE)
    error = sampler.along(layers.relu_forward, layers.relu_backward, sampler.away_from_zero(7, 10, 5))
    yield Check("ReLU", "direction", error, DIRECTION_TOLERANCE)
    error = sampler.along(layers.max_pool_forward, layers.max_pool_backward, sampler.all_different(7, 10, 5))
    yield Check("max pooling", "direction", error, DIRECTION_TOLERANCE)


def _check_losses(sampler):
    """Check the losses with respect to activations, many of which are 0, as after a ReLU."""
    F = sampler.rectified(7, 10, 5)
    P = sampler.rectified(7, 10, 5)
    G, A = losses.gram_matrix(F) / 70, losses.gram_matrix(sampler.rectified(6, 8, 5)) / 48
    error = sampler.along(lambda x: (losses.gram_matrix(x), x), losses.gram_backward, F)
    yield Check("Gram matrix", "direction", error, DIRECTION_TOLERANCE)
    for convention in losses.CONVENTIONS:
        error = sampler.directional(lambda x: losses.content_loss(x, P, convention), F)  # noqa: B023
        yield Check(f"content loss, {convention}", "direction", error, DIRECTION_TOLERANCE)
        error = sampler.directional(lambda x: losses.style_loss(x, A, convention), G)  # noqa: B023
        yield Check(f"style loss, {convention}", "direction", error, DIRECTION_TOLERANCE)
    error = sampler.directional(losses.total_variation_loss, sampler.normal(7, 10, 3))
    yield Check("total variation", "direction", error, DIRECTION_TOLERANCE)


def _check_network(sampler, network, size):
    """Check the gradient of the loss with respect to pixels, some of which lie outside 0 to 255."""
    shape = size, size + 3, 3
    pixels, content, style = (sampler.uniform(-40, 295, *shape) for _ in range(3))
    taps = {*CONTENT_LAYERS, *STYLE_LAYERS}
    kinds = [(normalised, pooling) for normalised in (False, True) for pooling in ("average", "max")]
    for normalised, pooling in kinds:
        variant = load_network(
            network.weights,
            pooling=pooling,
            normalised=normalised,
            dtype="float64",
            device=network.device,
            convolution="winograd" if network.workers else "direct",
        )
        ways, steps = [], []
        for _ in range(sampler.directions):
            candidates = [sampler.uniform(-1, 1, *shape) for _ in range(CANDIDATES)]
            way, step = roomiest_direction(variant, pixels, candidates, taps)
            ways.append(way)
            steps.append(step)
        for convention in losses.CONVENTIONS:
            objective = Objective(variant, content=content, style=style, convention=convention)
            _balance(objective, pixels)
            error = directional_error(objective, pixels, ways, steps)
            name = f"pixels to loss, {'normalised' if normalised else 'raw'}, {pooling} pooling, {convention}"
            yield Check(name, "direction", error, DIRECTION_TOLERANCE)


def _balance(objective, pixels):
    """Set the weights so that all terms are equally large, lest an error in a small one hide behind a large one."""
    objective(pixels)
    for kind, weights in (("content", objective.content_weights), ("style", objective.style_weights)):
        for layer in weights:
            weights[layer] /= objective.terms[f"{kind} {layer}"]
    objective.tv_weight = 1 / float(losses.total_variation_loss(pixels)[0])


def _switches(network, pixels, taps):
    """Return which units are on: the ReLUs' masks, and the maxima's winners where pooling takes the maximum."""
    _, tape = network.forward(pixels, taps)
    return [array for operation, _, _, cache in tape if operation in ("relu", "pool") for array in _arrays(cache)]


def _arrays(cache):
    """Return the arrays in a cache, however deep in tuples and lists."""
    if isinstance(cache, tuple | list):
        return [array for part in cache for array in _arrays(part)]
    return [cache] if hasattr(cache, "dtype") else []


def _same(these, those):
    return all(bool((this == that).all()) for this, that in zip(these, those, strict=True))


def _relative_difference(a, b):
    return abs(a - b) / max(abs(a), abs(b)) if a != b else 0.0


class _Sampler:
    """Random float64 arrays, and the checks along random directions that use them."""

    def __init__(self, generator, device, directions):
        self.generator = generator
        self.device = device
        self.directions = directions

    def normal(self, *shape):
        return to_device(self.generator.standard_normal(shape), self.device)

    def uniform(self, low, high, *shape):
        return to_device(self.generator.uniform(low, high, shape), self.device)

    def away_from_zero(self, *shape):
        """Return numbers of both signs between 0.5 and 1.5: farther from 0 than the stencil reaches."""
        sign = self.generator.choice([-1.0, 1.0], shape)
        return to_device(sign * self.generator.uniform(0.5, 1.5, shape), self.device)

    def all_different(self, *shape):
        """Return numbers that differ from one another by at least 1."""
        return to_device(self.generator.permutation(np.prod(shape)).reshape(shape).astype(float), self.device)

    def rectified(self, *shape):
        """Return activations as a ReLU leaves them: about half of them exactly 0."""
        return to_device(self.generator.standard_normal(shape).clip(0), self.device)

    def directional(self, function, x):
        """Return the largest error of a function's gradient over several random directions."""
        directions = [self.uniform(-1, 1, *x.shape) for _ in range(self.directions)]
        return directional_error(function, x, directions, [STEP] * self.directions)

    def along(self, forward, backward, x):
        """Check an operation by checking <dy, forward(x)>, whose gradient is backward(dy), for random dy."""
        dy = self.normal(*forward(x)[0].shape)

        def contracted(x):
            y, cache = forward(x)
            return (dy * y).sum(), backward(dy, cache)

        return self.directional(contracted, x)

    def adjoint(self, forward, backward, shapes):
        """Return the largest adjoint error of a linear operation over several shapes of its input."""
        errors = []
        for shape in shapes * self.directions:
            v = self.normal(*shape)
            y, cache = forward(v)
            u = self.normal(*y.shape)
            errors.append(adjoint_error(lambda v: forward(v)[0], lambda u, c=cache: backward(u, c), u, v))
        return float(np.max(errors))
