"""Every gradient checked: the operations, the losses, and the whole way from pixels to loss; see `measures`."""

import itertools
import math
import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from .. import arrays, layers, losses, network
from ..architecture import ARCHITECTURES
from ..arrays import to_device, to_host
from ..errors import MinistyleError
from ..network import BACKENDS
from ..objective import Objective
from ..styles import COVARIANCE, GRAM, MEAN, Style, count
from ..terms import CONTENT_LAYERS, STYLE_LAYERS, StyleTerm
from ..weights.file import Weights, load_weights
from ..weights.load import choose_backend, load_network
from .measures import SPACING, adjoint_error, directional_error, roomiest_direction

# Rounding errors in float64: a linear map sums up to 4608 products, each good to 1e-16; a finite difference loses
# the digits that f(h) and f(-h) have in common.
LINEAR_TOLERANCE = 1e-8
DIRECTION_TOLERANCE = 1e-7

LARGEST = 4096  # pixels
CANDIDATES = 16  # random directions, of which `roomiest_direction` chooses one
WHOLE = "pixels to loss"
BORDER = "zero"  # what the whole network sees around a picture


@dataclass(frozen=True)
class Check:
    """One line of the table.

    Attributes
    ----------
    name : str, what was checked
    method : "direction" or "adjoint"
    error : float, the largest relative error found
    tolerance : float
    convolution : str, the backend that computed it, "direct" or "winograd", or "" where no backend is involved
    cause : str, of a wrong line of the whole network: what makes it wrong, as far as that is certain, or ""
    """

    name: str
    method: str
    error: float
    tolerance: float
    convolution: str = ""
    cause: str = ""

    @property
    def passed(self) -> bool:
        """True if the error is within the tolerance; nan is not."""
        return bool(self.error <= self.tolerance)

    @property
    def verdict(self):
        """Return "ok", or "WRONG" and the cause."""
        return "ok" if self.passed else ", ".join(filter(None, ("WRONG", self.cause)))


class Checks:
    """An iterator over checks, each of which is computed when it is asked for.

    Attributes
    ----------
    planned : list of Check
        All that there are, in order. Their errors are nan: nothing has been computed.
    """

    def __init__(self, checks: Iterable[Check], planned: list[Check]) -> None:
        self._checks = iter(checks)
        self._one_thread = arrays.OneBlasThread()
        self.planned = planned

    def __iter__(self) -> "Checks":
        return self

    def __next__(self) -> Check:
        """Compute the next check; with one thread of BLAS, as several slow each other with arrays this small."""
        with self._one_thread:
            return next(self._checks)


def check_gradients(
    weights: str | os.PathLike[str] | Weights | None = None,
    *,
    size: int = 32,
    directions: int = 3,
    seed: int = 0,
    device: str = "cpu",
    convolution: str = "all",
    quick: bool = False,
) -> Checks:
    """Check every operation, every loss, and the whole way from pixels to loss through the real network.

    Everything is computed in float64.

    Parameters
    ----------
    weights : path or Weights, optional, see `load_network`
    size : int, side in pixels of the picture that goes through the network, 16 to `LARGEST`
    directions : int, how many random directions each check tries
    seed : int, of everything random
    device : {"auto", "cpu", "cuda"}
    convolution : {"all", "direct", "winograd", "auto"}
        The backend to check, see `load_network`; by default every one that can compute on the device.
    quick : bool
        Check the way through one network only, the normalised one with average pooling, in the mean convention.

    Returns
    -------
    Checks
        An iterator of `Check`; all of them take about half a minute.

    Raises
    ------
    MinistyleError
        `size` or `directions` is too small, or the network cannot be loaded.
    """
    if not 16 <= size <= LARGEST:
        raise MinistyleError(f"size (={size}) must be from 16, below which conv5_1 has no positions, to {LARGEST}")
    if directions < 1:
        raise MinistyleError(f"directions (={directions}) must be at least 1")
    if seed < 0:
        raise MinistyleError(f"seed (={seed}) must be at least 0")
    device = arrays.choose_device(device)
    if convolution == "all":
        names = [name for name, backend in BACKENDS.items() if device in backend.devices]
    else:
        chosen = choose_backend(convolution, device)
        names = [name for name, backend in BACKENDS.items() if backend is chosen]  # "auto" is not one of them
    if not isinstance(weights, Weights):
        weights = load_weights(weights)

    def checks(rehearse):
        sampler = _Sampler(np.random.default_rng(seed), device, directions, rehearse)
        wrong = []
        for check in itertools.chain(
            _check_preprocessing(sampler, weights),
            _check_losses(sampler),
            *(_check_layers(sampler) if name == "direct" else _check_backend(sampler, name) for name in names),
            _check_network(sampler, weights, names, size, quick, wrong),
        ):
            if not check.passed:
                wrong.append(check)
            yield check

    return Checks(checks(rehearse=False), list(checks(rehearse=True)))


def _check_layers(sampler):
    """Check the functions of `layers`, on sizes even and odd."""
    kernel = sampler.normal(3, 3, 5, 4)
    linear = {
        **{
            f"convolution, {border} border": (
                partial(layers.convolution_forward, kernel=kernel, border=border),
                layers.convolution_backward,
            )
            for border in layers.BORDERS
        },
        "average pooling": (layers.average_pool_forward, layers.average_pool_backward),
    }
    for name, (forward, backward) in linear.items():
        error = sampler.adjoint(forward, backward, [(7, 10, 5), (6, 5, 5), (2, 2, 5)])
        yield Check(name, "adjoint", error, LINEAR_TOLERANCE, "direct")
        error = sampler.along(forward, backward, sampler.normal(7, 10, 5))
        yield Check(name, "direction", error, LINEAR_TOLERANCE, "direct")
    error = sampler.along(layers.relu_forward, layers.relu_backward, sampler.away_from_zero(7, 10, 5))
    yield Check("ReLU", "direction", error, DIRECTION_TOLERANCE, "direct")
    error = sampler.along(layers.max_pool_forward, layers.max_pool_backward, sampler.all_different(7, 10, 5))
    yield Check("max pooling", "direction", error, DIRECTION_TOLERANCE, "direct")


def _check_preprocessing(sampler, weights):
    """Check what comes before the first layer, which every backend shares."""
    error = sampler.adjoint(network.surround_forward, network.surround_backward, [(20, 17, 3), (16, 16, 3)])
    yield Check("mirror image", "adjoint", error, LINEAR_TOLERANCE)
    origin, _ = network.preprocess_forward(0 * sampler.normal(4, 5, 3), weights)  # the mean makes the map affine

    def centred(x):
        y, cache = network.preprocess_forward(x, weights)
        return y - origin, cache

    error = sampler.adjoint(centred, network.preprocess_backward, [(4, 5, 3)])
    yield Check("preprocessing", "adjoint", error, LINEAR_TOLERANCE)
    forward = partial(network.preprocess_forward, weights=weights)
    error = sampler.along(forward, network.preprocess_backward, sampler.normal(4, 5, 3))
    yield Check("preprocessing", "direction", error, LINEAR_TOLERANCE)


def _check_backend(sampler, name):
    """Check the operations of a backend, where a convolution and its ReLU may be one operation.

    The biases are so large, and of either sign, that every ReLU is far from its kink. One is positive at least, or
    there would be no gradient to check.
    """
    backend = choose_backend(name, sampler.device)()
    # With these sizes the fast convolution uses patches, tiles of 2x2 outputs, and tiles of 4x4.
    for height, width, channels in ((7, 10, 5), (7, 10, 12), (20, 23, 12)):
        for border in layers.BORDERS:
            kernel, bias = sampler.normal(3, 3, channels, 6), 200 * sampler.away_from_zero(6)
            bias[0] = abs(bias[0])
            run = _Run(backend.convolution("conv1_1", kernel, bias, border))
            error = sampler.along(run.forward, run.backward, sampler.normal(height, width, channels))
            text = f"convolution with ReLU, {height} x {width} x {channels}, {border} border"
            yield Check(text, "direction", error, DIRECTION_TOLERANCE, name)
    for pooling, functions in network.POOLING.items():
        run = _Run(backend.pooling("pool1", *functions))
        error = sampler.along(run.forward, run.backward, sampler.all_different(7, 10, 5))
        yield Check(f"{pooling} pooling", "direction", error, DIRECTION_TOLERANCE, name)


class _Run:
    """Several operations, one after the other, as one operation."""

    def __init__(self, operations):
        self.operations = list(operations)

    def forward(self, x):
        caches = []
        for operation in self.operations:
            x, cache = operation.forward(x)
            caches.append(cache)
        return x, caches

    def backward(self, dy, caches):
        for operation, cache in zip(reversed(self.operations), reversed(caches), strict=True):
            dy = operation.backward(dy, cache)
        return dy


def _check_losses(sampler):
    """Check the gradients of the losses with respect to activations, many of which are 0, as after a ReLU."""
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
    guide = sampler.uniform(0, 1, 7, 10, 1)
    for statistic, T in itertools.product((GRAM, COVARIANCE, MEAN), (None, guide)):
        if statistic is not GRAM or T is not None:  # the plain Gram matrix has a line of its own
            name = f"{statistic.name}{', guided' if T is not None else ''}"
            error = sampler.along(*_statistic(statistic, T), F)
            yield Check(name, "direction", error, DIRECTION_TOLERANCE)
    error = sampler.directional(losses.total_variation_loss, sampler.normal(7, 10, 3))
    yield Check("total variation", "direction", error, DIRECTION_TOLERANCE)
    # This is no polynomial, so differences and edge are far larger than the stencil; most differences exceed the edge.
    pixels = sampler.uniform(0, 255, 7, 10, 3)
    error = sampler.directional(lambda x: losses.total_variation_loss(x, 20.0), pixels)
    yield Check("total variation, sparing edges", "direction", error, DIRECTION_TOLERANCE)


def _statistic(statistic, T):
    """Return a statistic's forward and backward as those of an operation."""

    def forward(F):
        total, M = statistic.total(F, T), count(T, F.shape)
        return statistic.of(total, M), (F, total, M)

    def backward(dS, cache):
        F, total, M = cache
        return statistic.backward(dS / M, F, T, total, M)

    return forward, backward


def _check_network(sampler, weights, convolutions, size, quick, wrong):
    """Check the gradient of the loss with respect to pixels, some of which lie outside 0 to 255.

    `wrong` are the checks that have failed before.
    """
    shape = size, size + 3, 3
    pixels, content, style = (sampler.uniform(-40, 295, *shape) for _ in range(3))
    mask, region = (to_host(sampler.uniform(0, 1, *shape[:2])) for _ in range(2))
    styles = [Style(style, mask=mask, region=region), Style(content[::-1], region=1 - region)]
    taps, table = {*CONTENT_LAYERS, *STYLE_LAYERS}, ARCHITECTURES[weights.architecture].layers
    networks = [(True, "average")] if quick else itertools.product((False, True), network.POOLING)
    for normalised, pooling in networks:
        name = f"{WHOLE}, {'normalised' if normalised else 'raw'}, {pooling} pooling"
        conventions = ("mean",) if quick else losses.CONVENTIONS
        lines = {f"{name}, {convention}": {"style": style, "convention": convention} for convention in conventions}
        if normalised and pooling == "average":
            lines[f"{name}, guided"] = {
                "style": styles,
                "covariance_weight": 1.0,
                "mean_weight": 1.0,
                # A single position has no covariance.
                "style_layers": [one for one in STYLE_LAYERS if math.prod(table[one].size(*shape[:2])) > 1],
            }
        ways = [[sampler.uniform(-1, 1, *shape) for _ in range(CANDIDATES)] for _ in range(sampler.directions)]
        for convolution in reversed(convolutions):  # the fastest one chooses among the directions
            if sampler.rehearse:
                yield from (Check(line, "direction", math.nan, DIRECTION_TOLERANCE, convolution) for line in lines)
                continue
            vgg = load_network(
                weights,
                pooling=pooling,
                normalised=normalised,
                dtype="float64",
                device=sampler.device,
                convolution=convolution,
                border=BORDER,
            )
            chosen = [roomiest_direction(vgg, pixels, candidates, taps) for candidates in ways]
            ways = [[way] for way, _ in chosen]
            operations = [check.name for check in wrong if _on_the_way(check, convolution, pooling)]
            for line, options in lines.items():
                objective = Objective(vgg, content=content, tv_weight=1.0, **options)
                _balance(objective, pixels)
                error = directional_error(objective, pixels, *zip(*chosen, strict=True))
                check = Check(line, "direction", error, DIRECTION_TOLERANCE, convolution)
                yield check if check.passed else replace(check, cause=_cause(operations, objective, pixels, chosen[0]))


def _on_the_way(check, convolution, pooling):
    """Say whether a check was of an operation that the way from pixels to loss goes through."""
    operation, *details = check.name.split(", ")
    if operation == "preprocessing":
        return True
    if operation == WHOLE or check.convolution != convolution:
        return False
    if operation.endswith(" pooling"):
        return operation == f"{pooling} pooling"
    return not details or f"{BORDER} border" in details


def _cause(operations, objective, pixels, way):
    """Return what makes a line of the whole network wrong, as far as that is certain.

    If operations on the way are wrong by themselves, it is these. Otherwise, if one kind of term is left out, such as
    the total variation, and the rest is right, it is that kind alone. One direction is enough to see that.

    Parameters
    ----------
    operations : list of str, names of the checks of operations on the way that are wrong
    objective, pixels : what the line is about
    way : (direction, step)
    """
    if operations:
        return "through " + ", ".join(dict.fromkeys(name.split(", ")[0] for name in operations))
    direction, step = way
    for kind in dict.fromkeys(_kind(term) for term in objective.terms):
        rest = Objective(objective.network, [term for term in objective.terms if _kind(term) != kind])
        if directional_error(rest, pixels, [direction], [step]) <= DIRECTION_TOLERANCE:
            return f"because of {kind} alone"
    return ""


def _kind(term):
    """Return what terms of all layers have in common: "content" of "content conv4_2"."""
    return "style" if isinstance(term, StyleTerm) else term.name.removesuffix(f" {term.layer}")


def _balance(objective, pixels):
    """Set the weights so that all terms are equally large. Then no term hides an error in a smaller one."""
    values = objective(pixels).terms
    for term in objective.terms:
        term.weight /= float(values[term.name])


class _Sampler:
    """Random float64 arrays, and the checks along random directions that use them.

    With `rehearse` it checks nothing, and the errors are nan. Then the checks only say which there are.
    """

    def __init__(self, generator, device, directions, rehearse=False):
        self.generator = generator
        self.device = device
        self.directions = directions
        self.rehearse = rehearse

    def normal(self, *shape):
        return to_device(self.generator.standard_normal(shape), self.device)

    def uniform(self, low, high, *shape):
        return to_device(self.generator.uniform(low, high, shape), self.device)

    def away_from_zero(self, *shape):
        """Return numbers of either sign whose sizes are 0.5 to 1.5: farther from 0 than the stencil reaches."""
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
        if self.rehearse:
            return math.nan
        directions = [self.uniform(-1, 1, *x.shape) for _ in range(self.directions)]
        return directional_error(function, x, directions, [SPACING] * self.directions)

    def along(self, forward, backward, x):
        """Check an operation by checking <dy, forward(x)>, whose gradient is backward(dy), for random dy."""
        dy = self.normal(*forward(x)[0].shape)

        def contracted(x):
            y, cache = forward(x)
            return (dy * y).sum(), backward(dy, cache)

        return self.directional(contracted, x)

    def adjoint(self, forward, backward, shapes):
        """Return the largest adjoint error of a linear operation over several shapes of its input."""
        if self.rehearse:
            return math.nan
        errors = []
        for shape in shapes * self.directions:
            v = self.normal(*shape)
            y, cache = forward(v)
            u = self.normal(*y.shape)
            errors.append(adjoint_error(lambda v: forward(v)[0], lambda u, c=cache: backward(u, c), u, v))
        return float(np.max(errors))
