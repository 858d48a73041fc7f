"""An objective as a solver wants it, and the record of what comes of it."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np

from .. import arrays
from ..types import Array

INTERRUPTED = "interrupted; this is the latest picture"
STOPPED = "stopped by on_step"


@dataclass(frozen=True)
class Step:
    """Where an optimisation stands after one step of the solver.

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
    terms: dict[str, float] = field(repr=False)
    seconds: float
    size: tuple[int, int]


OnStep: TypeAlias = Callable[[Step, Array], object]  # that it returns True stops the run


@dataclass(frozen=True)
class Snapshot:
    """An optimisation after one of its steps: all that another run needs to go on from there; see `minimise`.

    It refers to the solver's own arrays, which no step changes. So it costs next to nothing.

    Attributes
    ----------
    pixels : array (H, W, 3), the iterate, as the solver has it
    history : list of Step, this one last
    state : dict, name -> array or number
        What the solver knows besides. None where it is SciPy's, which shows nothing of that.
    """

    pixels: Any = field(repr=False)
    history: list = field(repr=False)
    state: dict | None = field(repr=False)


@dataclass(frozen=True)
class Point:
    """A picture and what the objective says about it. The numbers are on the host, the arrays on the device.

    Attributes
    ----------
    x : array (H, W, 3)
    loss : float
    gradient : array (H, W, 3)
    slope : float, the derivative of the loss along the direction in which the solver searches; 0 if there is none
    largest : float, the largest absolute value in the gradient
    terms : dict, term's name -> float
    """

    x: Any
    loss: float
    gradient: Any
    slope: float = 0.0
    largest: float = 0.0
    terms: dict = field(default_factory=dict)

    @property
    def finite(self):
        """True if the loss and all of the gradient are finite."""
        return math.isfinite(self.loss) and math.isfinite(self.largest) and math.isfinite(self.slope)


class NotFiniteError(Exception):
    """The loss or its gradient is infinite or nan, and no step leads away from there."""


class Problem:
    """An objective as a solver on its device wants it, and a record of what comes of it.

    Parameters
    ----------
    objective : called with pixels (H, W, 3) it returns an `Evaluation`; it has a `network`
    bounds : (float, float) or None
    ftol, gtol, on_step, on_snapshot : see `minimise`
    history : list of Step, those of an earlier run that goes on here

    Attributes
    ----------
    scale : float, a power of two by which losses and gradients are multiplied for the solver
    solver : the solver at work, where it is our own
    evaluations : int
    failed : Point or None, one that is not finite, if the loss has not fallen since
    latest : Snapshot of the latest iterate, or None before the first
    reason : str or None, why the solver should stop
    stopped : bool, True if `on_step` asked for it
    raised : Exception or None, what `on_step` raised
    """

    def __init__(self, objective, bounds, ftol, gtol, on_step, on_snapshot=None, history=()):
        self.objective = objective
        self.bounds = bounds
        self.ftol = ftol
        self.gtol = gtol
        self.on_step = on_step
        self.on_snapshot = on_snapshot
        self.scale = 1.0
        self.solver = None
        self.evaluations = 0
        self.failed = None
        self.latest, self.reason, self.stopped, self.raised = None, None, False, None
        self._earlier = list(history)
        self._blas = arrays.OneBlasThread()
        self._began = time.perf_counter() - (history[-1].seconds if history else 0.0)

    @property
    def pixels(self):
        """The latest iterate, as the solver has it, an array (H, W, 3)."""
        return self.latest.pixels

    @property
    def history(self):
        """The steps so far, a list."""
        return self._earlier if self.latest is None else self.latest.history

    def quiet(self):
        """Return a context for the solver's own work; see `arrays.OneBlasThread`."""
        return self._blas

    def evaluate(self, x, direction=None):
        """Evaluate a picture on the device and return a `Point`, in the solver's units.

        The host fetches all numbers that it needs of an evaluation in one transfer.
        """
        with self._blas.released(), np.errstate(over="ignore", invalid="ignore"):
            evaluation = self.objective(x)
        self.evaluations += 1
        gradient = evaluation.gradient if self.scale == 1.0 else evaluation.gradient * self.scale
        slope = 0.0 if direction is None else arrays.array_module(gradient).vdot(gradient, direction)
        terms = evaluation.terms
        loss, *values, largest, slope = arrays.read_scalars(
            [evaluation.loss, *terms.values(), abs(gradient).max(), slope]
        )
        point = Point(x, loss * self.scale, gradient, slope, largest, dict(zip(terms, values, strict=True)))
        if not point.finite:
            self.failed = point
        return point

    def begin(self, point, pixels=None):
        """Record the start; or go on from it, where it is the last iterate that an earlier run has recorded.

        Parameters
        ----------
        point, pixels : see `record`
        """
        if not self._earlier:
            self.record(point, pixels)
            return
        self.evaluations = self._earlier[-1].evaluations  # this one has been counted
        self._take(point, pixels, self._earlier)

    def record(self, point, pixels=None):
        """Record an iterate, and see whether it should be the last.

        Parameters
        ----------
        point : Point
        pixels : array (H, W, 3), optional, the iterate in the solver's own precision
        """
        seconds = time.perf_counter() - self._began
        loss = point.loss / self.scale
        if self.history and loss < self.history[-1].loss:
            self.failed = None
        step = Step(len(self.history), self.evaluations, loss, point.terms, seconds, point.x.shape[:2])
        self._take(point, pixels, [*self.history, step])
        if self.on_snapshot is not None:
            self.on_snapshot(self.latest)
        if self.on_step is not None:
            self._report(step)

    def _take(self, point, pixels, history):
        """Take an iterate as the latest one, all at once, whenever an interruption comes; see if it should be the last.

        The lists of earlier snapshots stay as they are.
        """
        state = None if self.solver is None else self.solver.state()
        self.latest = Snapshot(point.x if pixels is None else pixels, history, state)
        if self.gtol and self._largest_component(point) <= self.gtol:
            self.reason = f"converged, no component of the gradient exceeds gtol (={self.gtol:g})"
        if self.ftol and len(history) > 1:
            before, loss = (step.loss for step in history[-2:])
            if before - loss <= self.ftol * max(abs(before), abs(loss)):
                self.reason = f"converged, the loss fell by no more than ftol (={self.ftol:g}) of itself"

    def _report(self, step):
        """Call `on_step`, and do as it says. `minimise` raises what it raises: SciPy would keep some of that."""
        try:
            stop = self.on_step(step, self.pixels)
        except Exception as error:
            self.reason, self.raised = "on_step raised an exception", error
            return
        if isinstance(stop, bool | np.bool_) and stop:
            self.reason, self.stopped = STOPPED, True

    def _largest_component(self, point):
        """Return the largest component of the gradient, without those that push against a bound."""
        if self.bounds is None:
            return point.largest / self.scale
        free = may_move(self.pixels, point.gradient, self.bounds)
        (largest,) = arrays.read_scalars([abs(point.gradient * free).max()])
        return largest / self.scale


def inside(x, bounds):
    """Return an array projected onto the bounds, if there are any."""
    return x if bounds is None else x.clip(*bounds)


def may_move(x, gradient, bounds):
    """Return which variables are not pushed against a bound by the gradient, a bool array."""
    low, high = bounds
    return ((x > low) | (gradient < 0)) & ((x < high) | (gradient > 0))
