"""Minimise an objective over pictures, with SciPy's L-BFGS-B or a solver of our own.

SciPy wants one flat float64 vector on the host; the objective wants a picture (H, W, 3) of its own data type on
its own device. The two meet here and nowhere else. Our own solvers, see `solvers`, work on the objective's device.
"""

import math
import time
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from . import arrays, solvers
from .errors import MinistyleError

OPTIMIZERS = {"lbfgsb": "L-BFGS-B", "lbfgs": "L-BFGS", "adam": "Adam"}
BOUNDS = (0.0, 255.0)
FIRST_STEP = 0.3  # levels, about, by which the solver's first trial moves an average pixel; twice that is often too far
LEARNING_RATE = 10.0
INTERRUPTED = "interrupted; this is the latest picture"


@dataclass(frozen=True)
class Step:
    """Where an optimisation stands after one iteration.

    Attributes
    ----------
    iteration : int, 0 for the start
    evaluations : int, how often loss and gradient have been computed so far
    loss : float
    terms : dict, term's name -> float; they add up to the loss
    seconds : float, since the beginning
    size : (height, width) of the picture
    """

    iteration: int
    evaluations: int
    loss: float
    terms: dict = field(repr=False)
    seconds: float
    size: tuple


@dataclass(frozen=True)
class Outcome:
    """What an optimisation ended with.

    Attributes
    ----------
    pixels : float64 array (H, W, 3), the last picture whose loss was finite
    history : list of Step, the first of them the start
    message : str, the solver's own words on why it stopped, or ours
    completed : bool, False if the loss became infinite or nan, or the user interrupted
    interrupted : bool, True if it was the user
    solver : LBFGS or Adam as it stands, whose `state()` another run can begin with; None if it was SciPy's
    """

    pixels: np.ndarray
    history: list
    message: str
    completed: bool
    interrupted: bool = False
    solver: Any = field(default=None, repr=False)


class _NotFiniteError(Exception):
    """The loss or its gradient became infinite or nan."""


def choose_optimizer(name, device):
    """Return an optimizer's name: "auto" is SciPy's on a CPU and our L-BFGS, which stays on the device, on a GPU."""
    if name == "auto":
        return "lbfgsb" if device == "cpu" else "lbfgs"
    return name


def minimise(
    objective,
    start,
    *,
    iterations,
    optimizer="lbfgsb",
    bounds=None,
    history_size=10,
    learning_rate=LEARNING_RATE,
    ftol=0.0,
    gtol=0.0,
    state=None,
    on_step=None,
):
    """Minimise an objective, beginning with the picture `start`.

    Parameters
    ----------
    objective : Objective, or what behaves like one: called with pixels (H, W, 3) it returns loss and gradient,
        and it has `.terms` and `.network.to_device`
    start : array (H, W, 3)
    iterations : int
        How many steps to make. With L-BFGS each costs one evaluation of loss and gradient, now and then two or three;
        with Adam one.
    optimizer : {"lbfgsb", "lbfgs", "adam"}
        SciPy's L-BFGS-B, on the host, or one of `solvers`, on the objective's device and in its data type.
    bounds : (float, float), optional
        Keep every pixel value between these. By default they are free, and cut off when the picture is saved.
    history_size : int
        How many pairs of steps and gradient changes L-BFGS remembers; each takes 48 bytes a pixel with SciPy's, and 24
        with ours in float32.
    learning_rate : float
        How many levels (0 to 255), about, Adam moves a pixel in one step.
    ftol, gtol : float
        Stop when the loss falls, relative to itself, by no more than `ftol` in one step, or when no component of
        the gradient, in units of the loss per level, exceeds `gtol`; at a bound those that push against it do not
        count. Both are 0: what loss is small is a matter of the weights.
    state : dict, optional
        What `Outcome.solver.state()` of an earlier run returned: our solvers go on from there, and `start` gives no
        more than the shape.
    on_step : function of (Step, pixels (H, W, 3)), optional
        Called at the start and after each iteration, with pixels of its own to keep: from SciPy float64 on the host,
        from our solvers an array on the objective's device, which `arrays.to_host` fetches. The solver goes on with all
        that it has learnt about the curvature.

    Returns
    -------
    Outcome

    Raises
    ------
    MinistyleError
        The loss of the start is not finite, or the optimizer is unknown.
    """
    if optimizer not in OPTIMIZERS:
        raise MinistyleError(f"optimizer (={optimizer!r}) must be one of {', '.join(OPTIMIZERS)}")
    if optimizer == "lbfgsb":
        if state is not None:
            raise MinistyleError("SciPy's solver cannot go on from a state; choose optimizer 'lbfgs' or 'adam'")
        import scipy.optimize  # noqa: F401  # before BLAS libraries are looked for, as it brings one along
    problem = _Problem(objective, bounds, ftol, gtol, on_step)
    start = np.asarray(arrays.to_host(start), dtype=np.float64)
    if bounds is not None:
        start = start.clip(*bounds)
    # The solver knows nothing yet about the size of things; its first trial is a step about this long. It is a power of
    # two, as SciPy's variables are measured in it: then scaling pixels rounds nothing.
    first_step = 2.0 ** round(math.log2(FIRST_STEP * math.sqrt(start.size)))
    completed = interrupted = False
    try:
        with problem.blas.limit(limits=1):
            if optimizer == "lbfgsb":
                message = _minimise_with_scipy(problem, start, iterations, first_step, history_size)
            elif optimizer == "lbfgs":
                options = {"history_size": history_size, "first_step": first_step}
                message = _minimise_on_device(problem, solvers.LBFGS, options, start, iterations, state)
            else:
                options = {"learning_rate": learning_rate}
                message = _minimise_on_device(problem, solvers.Adam, options, start, iterations, state)
        message, completed = f"{OPTIMIZERS[optimizer]}: {problem.reason or message}", True
    except _NotFiniteError:
        if not problem.history:
            raise MinistyleError(
                f"the loss of the starting picture is not finite ({problem.loss}); check the weights of the terms"
            ) from None
        message = f"stopped: loss (={problem.loss:.4g}) or gradient not finite; this is the picture before that"
    except KeyboardInterrupt:
        if not problem.history:
            raise
        message, interrupted = INTERRUPTED, True
    pixels = np.asarray(arrays.to_host(problem.pixels), dtype=np.float64)
    return Outcome(pixels, problem.history, message, completed, interrupted, problem.solver)


def _minimise_with_scipy(problem, start, iterations, first_step, history_size):
    """Minimise with SciPy's L-BFGS-B, and return its message."""
    from scipy import optimize  # here, because importing it takes longer than all of the package

    # Without bounds SciPy's first trial is a step of length 1; with bounds on every variable it is x - gradient,
    # whatever the units of the loss: far too short or far too long. So it is given units of its own, for pixels and
    # loss, in which either trial is about `first_step` long.
    flat = _FlatProblem(problem, start.shape, unit=first_step)
    flat.evaluate(start)
    flat.scale = FIRST_STEP / flat.unit**2 / (np.abs(flat.gradient).mean() or 1.0)
    problem.record(start, flat.gradient)
    limits = None
    if problem.bounds is not None:
        limits = optimize.Bounds(*(np.full(start.size, bound / flat.unit) for bound in problem.bounds))

    def record(intermediate_result):
        problem.record((intermediate_result.x * flat.unit).reshape(start.shape), flat.gradient)
        if problem.reason:
            raise StopIteration

    result = optimize.minimize(
        flat.scaled_loss,
        start.ravel() / flat.unit,
        method="L-BFGS-B",
        jac=flat.scaled_gradient,
        bounds=limits,
        callback=record,
        options={
            "maxiter": iterations,
            "maxfun": 20 * iterations + 20,  # the solver's line search tries 20 times at most
            "maxcor": history_size,
            "ftol": 0,
            "gtol": 0,
        },
    )
    return result.message


def _minimise_on_device(problem, kind, options, start, iterations, state):
    """Minimise with one of `solvers`, and return a message."""
    to_device = problem.objective.network.to_device
    x = to_device(start if state is None else state["x"])
    if x.shape != start.shape:
        raise MinistyleError(f"the state is that of a picture of shape {x.shape}, and the start has {start.shape}")
    problem.solver = solver = kind(problem.evaluate, x, bounds=problem.bounds, **options)
    if state is not None:
        try:
            solver.restore({name: to_device(array) for name, array in state.items()})
        except KeyError:
            raise MinistyleError("the state is that of another optimizer") from None
    problem.record(solver.x, solver.gradient)
    for _ in range(iterations):
        if not solver.step():
            return "no lower loss is found, even straight against the gradient"
        problem.record(solver.x, solver.gradient)
        if problem.reason:
            break
    return f"{iterations} iterations done"


class _Problem:
    """An objective as a solver on its device wants it, and a record of what comes of it.

    The solvers' vector operations are limited by memory, and BLAS threads only get in their way, and in that of our
    threads afterwards, as they go on waiting busily for a while. So BLAS is held to one thread but for evaluations.

    Attributes
    ----------
    loss, terms : float and dict, of the latest evaluation
    pixels : array (H, W, 3), the latest iterate, as the solver has it
    history : list of Step
    reason : str or None, why the solver should stop
    """

    def __init__(self, objective, bounds, ftol, gtol, on_step):
        import threadpoolctl

        self.objective = objective
        self.bounds = bounds
        self.ftol = ftol
        self.gtol = gtol
        self.on_step = on_step
        self.solver = None
        self.evaluations = 0
        self.loss, self.terms = np.nan, {}
        self.pixels, self.history, self.reason = None, [], None
        # Not the controller that `fast.workers` keeps: SciPy may have loaded its BLAS after that was made.
        self.blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        self._blas_threads = {library["prefix"]: library["num_threads"] for library in self.blas.info()}
        self._began = time.perf_counter()

    def evaluate(self, pixels, direction=None):
        """Return loss (float), gradient (on the device), and the loss's slope in a direction (float).

        All that the host needs to know of an evaluation comes from the device at once.
        """
        with self.blas.limit(limits=self._blas_threads), np.errstate(over="ignore", invalid="ignore"):
            loss, gradient = self.objective(pixels)
        xp = arrays.array_module(gradient)
        slope = 0.0 if direction is None else xp.vdot(gradient, direction)
        terms = self.objective.terms
        scalars = [loss, *terms.values(), xp.isfinite(gradient).all(), slope]
        self.loss, *values, finite, slope = arrays.read_scalars(scalars)
        self.terms = dict(zip(terms, values, strict=True))
        self.evaluations += 1
        if not (finite and np.isfinite(self.loss)):
            raise _NotFiniteError
        return self.loss, gradient, slope

    def record(self, pixels, gradient):
        """Record the iterate of the latest evaluation, and see whether that should be the last."""
        self.pixels = pixels
        seconds = time.perf_counter() - self._began
        size = pixels.shape[:2]
        self.history.append(Step(len(self.history), self.evaluations, self.loss, self.terms, seconds, size))
        if self.on_step is not None:
            self.on_step(self.history[-1], pixels)
        if self.gtol and self._largest_component(pixels, gradient) <= self.gtol:
            self.reason = f"converged, no component of the gradient exceeds gtol (={self.gtol:g})"
        if self.ftol and len(self.history) > 1:
            before = self.history[-2].loss
            if before - self.loss <= self.ftol * max(abs(before), abs(self.loss)):
                self.reason = f"converged, the loss fell by no more than ftol (={self.ftol:g}) of itself"

    def _largest_component(self, pixels, gradient):
        """Return the largest component of the gradient, projected onto the bounds."""
        if self.bounds is not None:
            gradient = pixels - (pixels - gradient).clip(*self.bounds)
        (largest,) = arrays.read_scalars([abs(gradient).max()])
        return largest


class _FlatProblem:
    """A problem as SciPy wants it: loss and gradient of a flat float64 vector, in units of the solver's own.

    Attributes
    ----------
    unit : float, of the solver's variables, in levels
    scale : float, from the objective's units of loss to the solver's
    gradient : array (H, W, 3) on the host, of the latest evaluation, in the objective's units
    """

    def __init__(self, problem, shape, unit):
        self.problem = problem
        self.shape = shape
        self.unit = unit
        self.scale = 1.0
        self.gradient = None
        self._start_is_used = False  # the solver begins with the start, from which the scale was taken
        self._x = np.empty(np.prod(shape))

    def evaluate(self, x):
        """Send a picture to the device and fetch the gradient."""
        pixels = self.problem.objective.network.to_device(x.reshape(self.shape))
        _, gradient, _ = self.problem.evaluate(pixels)
        self.gradient = arrays.to_host(gradient)

    def scaled_loss(self, z):
        """Return the loss in the solver's units."""
        if self._start_is_used:
            self.evaluate(np.multiply(z, self.unit, out=self._x))
        self._start_is_used = True
        return self.problem.loss * self.scale

    def scaled_gradient(self, z):
        """Return the gradient that belongs to the latest loss, flat, in the solver's units.

        SciPy asks for it right after the loss of the same z.
        """
        return np.multiply(self.gradient, self.scale * self.unit, dtype=np.float64).ravel()
