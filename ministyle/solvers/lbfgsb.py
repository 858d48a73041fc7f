"""SciPy's L-BFGS-B, which wants one flat float64 vector on the host.

The objective wants a picture (H, W, 3) of its own data type on its own device. The two meet here and nowhere else.
"""

from dataclasses import replace

import numpy as np

from .. import arrays
from .problem import NotFiniteError, Point
from .registry import FIRST_STEP, Solver

LINE_SEARCH = 20  # trials that SciPy's line search makes at most
TOO_HIGH = 5.0  # how many times what the slope promised a loss rises in place of one that is not finite


def minimise(problem, start, options):
    """Minimise with SciPy's L-BFGS-B, and return its message; see `registry.Solver`."""
    from scipy import optimize  # here, because importing it takes longer than all of the package

    flat = _FlatProblem(problem, start, unit=options.first_step)
    problem.begin(flat.point, start)
    iterations = options.iterations - problem.history[-1].iteration
    if problem.reason or not iterations:
        return f"{options.iterations} iterations done"
    limits = None
    if problem.bounds is not None:
        # SciPy makes a list with a pair of bounds for every variable, and keeps it. Numbers of an array become two new
        # floats for every pair, but an object goes in as it is: all pairs share two floats.
        limits = optimize.Bounds(*(np.array([float(bound / flat.unit)], dtype=object) for bound in problem.bounds))

    def record(intermediate_result):
        flat.accepted = flat.at(intermediate_result.x)
        problem.record(flat.accepted, (intermediate_result.x * flat.unit).reshape(start.shape))
        if problem.reason:
            raise StopIteration

    result = optimize.minimize(
        flat.loss,
        start.ravel() / flat.unit,
        method="L-BFGS-B",
        jac=flat.gradient,
        bounds=limits,
        callback=record,
        options={
            "maxiter": iterations,
            "maxfun": LINE_SEARCH * (iterations + 1),
            "maxcor": options.history_size,
            "ftol": 0,
            "gtol": 0,
        },
    )
    if problem.failed is not None and not problem.reason:
        raise NotFiniteError
    return result.message


class _FlatProblem:
    """A problem as SciPy wants it: loss and gradient of a flat float64 vector, in units of the solver's own.

    Without bounds, SciPy's first trial is a step of length 1. With bounds on every variable it is x - gradient,
    whatever the units of the loss: far too short or far too long. So the solver gets its own units for pixels and
    loss, in which either trial is about `unit` long.

    Attributes
    ----------
    unit : float, of the solver's variables, in grey levels; a power of two, so that scaling pixels rounds nothing
    scale : float, from the objective's units of loss to the solver's
    point : Point at the vector that was evaluated last, its gradient an array (H, W, 3) on the host
    accepted : Point, the latest iterate
    """

    def __init__(self, problem, start, unit):
        self.problem = problem
        self.shape = start.shape
        self.unit = unit
        self._z = start.ravel() / unit
        self._x = np.empty(start.size)
        self.point = self._evaluate(self._z)
        if not self.point.finite:
            raise NotFiniteError
        self.scale = FIRST_STEP / unit**2 / (np.abs(self.point.gradient).mean() or 1.0)
        self.accepted = self.point

    def at(self, z):
        """Return the point at a vector, evaluated unless it is the latest one."""
        if not np.array_equal(z, self._z):
            point = self._evaluate(z)
            self.point = point if point.finite else self._too_far(point)
            self._z[...] = z
        return self.point

    def loss(self, z):
        """Return the loss in the solver's units."""
        return self.at(z).loss * self.scale

    def gradient(self, z):
        """Return the gradient, flat, in the solver's units."""
        return np.multiply(self.at(z).gradient, self.scale * self.unit, dtype=np.float64).ravel()

    def _evaluate(self, z):
        """Send a picture to the device and fetch the gradient."""
        pixels = self.problem.objective.network.to_device(np.multiply(z, self.unit, out=self._x).reshape(self.shape))
        point = self.problem.evaluate(pixels)
        return Point(pixels, point.loss, arrays.to_host(point.gradient), 0.0, point.largest, point.terms)

    def _too_far(self, point):
        """Return a made-up point in place of one that is not finite, from which the line search turns back.

        SciPy gives up where it meets an infinite loss or nan. So it gets a loss that has risen, and a gradient that
        points back along the way from the latest iterate.
        """
        way = self._x.reshape(self.shape) - self.problem.pixels
        promised = abs(float((self.accepted.gradient * way).sum()))
        gradient = -TOO_HIGH * self.accepted.gradient
        return replace(point, loss=self.accepted.loss + TOO_HIGH * promised, gradient=gradient)


SOLVER = Solver(
    "L-BFGS-B",
    minimise,
    numbers=lambda history_size: 3 * (2 * history_size + 5 + 8),  # 8 copies of the picture on the way to and fro
    seconds=lambda history_size: 1.4e-8 * history_size,
    itemsize=8,
    fixed_bytes=50e6,
    bounds_numbers=43,  # a list of pairs, and what Python does not give back after making it
    bounds_seconds=lambda history_size: 5.5e-8 + 1.25e-8 * history_size,
    bounds_start=5.5e-6,  # SciPy makes the list, and looks at the bounds one by one in Python
)
