"""Functions whose minimum is known, as objectives over pictures."""

import numpy as np
from scipy import optimize

from ministyle.arrays import to_device
from ministyle.objective import Evaluation

START = np.full((6, 7, 3), 128.0)


class Quadratic:
    """1/2 sum of stiffness * (pixels - target)^2, in units of `scale`; badly conditioned, as style losses are.

    The loss is split into two terms. Evaluations are counted, and those whose numbers are in `spoilt` are spoilt by
    `spoil`, a function of an evaluation.
    """

    def __init__(self, device="cpu", scale=1.0, target=None, dtype="float64", spoilt=(), spoil=None):
        generator = np.random.default_rng(1)
        self.network = self
        self.device = device
        self.dtype = dtype
        self.scale = scale
        self.target = self.to_device(generator.uniform(-50, 300, START.shape) if target is None else target)
        self.stiffness = self.to_device(np.geomspace(1, 1000, START.size).reshape(START.shape))
        self.calls = 0
        self.spoilt, self.spoil = spoilt, spoil or with_loss(np.nan)

    def to_device(self, x):
        return to_device(x, self.device, self.dtype)

    def __call__(self, pixels):
        self.calls += 1
        difference = pixels - self.target
        part = (self.stiffness * difference * difference).sum().astype("float64") / 8 * self.scale
        evaluation = Evaluation(4 * part, self.stiffness * difference * self.scale, {"one": part, "three": 3 * part})
        return self.spoil(evaluation) if self.calls in self.spoilt else evaluation


def with_loss(value):
    """Return a function that replaces an evaluation's loss."""
    return lambda evaluation: Evaluation(evaluation.loss * value, evaluation.gradient, evaluation.terms)


def with_a_gradient_of(value):
    """Return a function that replaces one number of an evaluation's gradient."""

    def spoil(evaluation):
        gradient = evaluation.gradient.copy()
        gradient[2, 3, 1] = value
        return Evaluation(evaluation.loss, gradient, evaluation.terms)

    return spoil


NOT_FINITE = {
    "loss inf": with_loss(np.inf),
    "loss nan": with_loss(np.nan),
    "gradient inf": with_a_gradient_of(np.inf),
    "gradient -inf": with_a_gradient_of(-np.inf),
    "gradient nan": with_a_gradient_of(np.nan),
}


class Function:
    """A function of a flat vector as an objective over pictures, which keeps the losses of all evaluations."""

    def __init__(self, function, device="cpu", dtype="float64"):
        self.function = function
        self.network = self
        self.device = device
        self.dtype = dtype
        self.losses = []

    def to_device(self, x):
        return to_device(x, self.device, self.dtype)

    def __call__(self, pixels):
        loss, gradient = self.function(pixels.ravel())
        self.losses.append(float(loss))
        return Evaluation(loss, gradient.reshape(pixels.shape), {"all": loss})


def quadratic(size, condition, seed=0):
    """Return 1/2 (x - t) . A (x - t) with curvatures from 1 to `condition` along random axes."""
    generator = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(generator.standard_normal((size, size)))
    A = axes * np.geomspace(1, condition, size) @ axes.T
    target = generator.uniform(-50, 300, size)

    def function(x):
        slope = A @ (x - target)
        return (x - target) @ slope / 2, slope

    return function


def rosenbrock(x):
    return np.float64(optimize.rosen(x)), optimize.rosen_der(x)
