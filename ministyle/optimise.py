"""Minimise an objective over pictures with SciPy's L-BFGS-B.

SciPy wants one flat float64 vector on the host; the objective wants a picture (H, W, 3) of its own data type on
its own device. The two meet here and nowhere else.
"""

import time
from dataclasses import dataclass, field

import numpy as np

from . import arrays
from .errors import MinistyleError

BOUNDS = (0.0, 255.0)
FIRST_STEP = 0.3  # levels, about, by which the solver's first trial moves an average pixel; twice that is often too far


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
    """

    iteration: int
    evaluations: int
    loss: float
    terms: dict = field(repr=False)
    seconds: float


@dataclass(frozen=True)
class Outcome:
    """What an optimisation ended with.

    Attributes
    ----------
    pixels : float64 array (H, W, 3), the last picture whose loss was finite
    history : list of Step, the first of them the start
    message : str, the solver's own words on why it stopped, or ours where it was stopped from outside
    completed : bool, False if the loss became infinite or nan, or the user interrupted
    interrupted : bool, True if it was the user
    """

    pixels: np.ndarray
    history: list
    message: str
    completed: bool
    interrupted: bool = False


class _NotFiniteError(Exception):
    """The loss or its gradient became infinite or nan."""


def minimise(objective, start, *, iterations, bounds=None, history_size=10, ftol=0.0, gtol=0.0, on_step=None):
    """Minimise an objective, beginning with the picture `start`.

    Parameters
    ----------
    objective : Objective, or what behaves like one: called with pixels (H, W, 3) it returns loss and gradient,
        and it has `.terms` and `.network.to_device`
    start : array (H, W, 3)
    iterations : int
        How many steps to make. Each costs one evaluation of loss and gradient, now and then two or three.
    bounds : (float, float), optional
        Keep every pixel value between these. By default they are free, and cut off when the picture is saved.
    history_size : int
        How many pairs of steps and gradient changes L-BFGS remembers; each takes 48 bytes per pixel.
    ftol, gtol : float
        Stop when the loss falls, relative to itself, by no more than `ftol` in one step, or when no component of
        the gradient, projected onto the bounds, exceeds `gtol`. Both are 0: what loss is small is a matter of
        the weights, and SciPy's own defaults stop at once when the loss has small units.
    on_step : function of (Step, pixels (H, W, 3) as float64), optional
        Called at the start and after each iteration, with pixels of its own to keep. The solver goes on with all
        that it has learnt about the curvature.

    Returns
    -------
    Outcome

    Raises
    ------
    MinistyleError
        The loss of the start is not finite.
    """
    from scipy import optimize  # here, because importing it takes longer than all of the package

    shape = start.shape
    x0 = np.asarray(arrays.to_host(start), dtype=np.float64).ravel()
    if bounds is not None:
        x0 = x0.clip(*bounds)
    problem = _Problem(objective, shape)
    gradient = problem.evaluate(x0)
    if not problem.finite:
        raise MinistyleError(
            f"the loss of the starting picture is not finite ({problem.loss}); check the weights of the terms"
        )
    # The solver knows nothing yet about the size of things. Without bounds its first trial is a step of length 1, a
    # thousandth of a level for each pixel, and it takes some evaluations to grow; with bounds on every variable it is
    # x - gradient, whatever the units of the loss: far too short or far too long. So it is given units of its own, for
    # pixels and loss, in which either trial moves an average pixel by `FIRST_STEP`. Pixels are scaled by a power of
    # two, which rounds nothing.
    problem.unit = 2.0 ** np.rint(np.log2(FIRST_STEP * np.sqrt(x0.size)))
    problem.scale = FIRST_STEP / problem.unit**2 / (np.abs(gradient).mean() or 1.0)

    limits = None
    if bounds is not None:
        limits = optimize.Bounds(*(np.full(x0.shape, bound / problem.unit) for bound in bounds))
    history = []
    good = x0

    def record(x):
        nonlocal good
        good = x
        history.append(problem.step(len(history)))
        if on_step is not None:
            on_step(history[-1], good.reshape(shape))

    record(x0)
    try:
        with problem.blas.limit(limits=1):
            result = optimize.minimize(
                problem.scaled_loss,
                x0 / problem.unit,
                method="L-BFGS-B",
                jac=problem.scaled_gradient,
                bounds=limits,
                callback=lambda intermediate_result: record(intermediate_result.x * problem.unit),
                options={
                    "maxiter": iterations,
                    "maxfun": 20 * iterations + 20,  # the solver's line search tries 20 times at most
                    "maxcor": history_size,
                    "ftol": ftol,
                    "gtol": gtol,
                },
            )
    except _NotFiniteError:
        message = (
            f"stopped: loss (={problem.loss:.4g}) or gradient not finite at evaluation {problem.evaluations}; "
            f"this is the picture after iteration {len(history) - 1}"
        )
        return Outcome(good.reshape(shape), history, message, completed=False)
    except KeyboardInterrupt:
        message = f"interrupted; this is the picture after iteration {len(history) - 1}"
        return Outcome(good.reshape(shape), history, message, completed=False, interrupted=True)
    return Outcome(good.reshape(shape), history, f"L-BFGS-B: {result.message}", completed=True)


class _Problem:
    """An objective as SciPy wants it: a function of a flat float64 vector.

    SciPy's own vector operations are limited by memory, and BLAS threads only get in their way, and in that of our
    threads afterwards, as they go on waiting busily for a while. So BLAS is held to one thread but for evaluations.
    """

    def __init__(self, objective, shape):
        import threadpoolctl

        self.objective = objective
        self.shape = shape
        self.unit = 1.0  # of the solver's variables, in levels
        self.scale = 1.0  # from the objective's units of loss to the solver's
        self.evaluations = 0
        self.loss = np.nan
        self.finite = False
        # Not the one that `strips` keeps: SciPy's own BLAS may have been loaded after that was made.
        self.blas = threadpoolctl.ThreadpoolController().select(user_api="blas")
        self._blas_threads = {library["prefix"]: library["num_threads"] for library in self.blas.info()}
        self._gradient = None  # shaped as the picture, in the objective's units
        self._start_is_used = False  # the solver begins with the start, from which the units were taken
        self._x = np.empty(np.prod(shape))
        self._began = time.perf_counter()

    def evaluate(self, x):
        """Compute the loss and return its gradient, shaped as the picture, in the objective's units."""
        pixels = self.objective.network.to_device(x.reshape(self.shape))
        with np.errstate(over="ignore", invalid="ignore"):  # noticed below, and said in one sentence
            self.loss, gradient = self.objective(pixels)
        self._gradient = arrays.to_host(gradient)
        self.finite = bool(np.isfinite(self.loss) and np.isfinite(self._gradient).all())
        self.evaluations += 1
        return self._gradient

    def scaled_loss(self, z):
        """Return the loss in the solver's units, or stop the solver where loss or gradient are not finite."""
        if self._start_is_used:
            with self.blas.limit(limits=self._blas_threads):
                self.evaluate(np.multiply(z, self.unit, out=self._x))
        self._start_is_used = True
        if not self.finite:
            raise _NotFiniteError
        return self.loss * self.scale

    def scaled_gradient(self, z):
        """Return the gradient that belongs to the latest loss, flat, in the solver's units.

        SciPy asks for it right after the loss of the same z.
        """
        return np.multiply(self._gradient, self.scale * self.unit, dtype=np.float64).ravel()

    def step(self, iteration):
        """Describe the latest evaluation, which is that of the iterate just accepted."""
        seconds = time.perf_counter() - self._began
        return Step(iteration, self.evaluations, self.loss, dict(self.objective.terms), seconds)
