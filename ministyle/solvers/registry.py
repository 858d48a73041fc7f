"""What a solver is to the rest of the package: a function, and what it says about its own cost."""

from collections.abc import Callable
from dataclasses import dataclass

FIRST_STEP = 0.3  # grey levels, about, by which the first trial moves an average pixel; twice that is often too far


@dataclass(frozen=True)
class Options:
    """What a solver is told besides the problem; see `minimise` for each."""

    iterations: int  # in all, those of an earlier run included
    history_size: int
    learning_rate: float
    first_step: float
    state: dict | None


def _evaluations(iterations):
    """Return how many evaluations L-BFGS takes: more for the first step, and now and then two for a line search."""
    return 1.05 * iterations + 4


@dataclass(frozen=True)
class Solver:
    """A solver that `minimise` can call.

    Attributes
    ----------
    title : str, as shown to users
    minimise : function (Problem, start (H, W, 3) of float64 on the host, Options) -> str
        It evaluates and records points of the problem, and returns why it stopped.
    numbers : function history_size -> how many numbers a pixel the solver keeps
    seconds : function history_size -> seconds a pixel and iteration without bounds, evaluations apart, measured on a
        CPU
    evaluations : function iterations -> about how many evaluations they take
    itemsize : int or None, bytes of a number; None stands for those of the picture
    fixed_bytes : float, what loading the solver takes, whatever the picture
    bounds_numbers : int, how many numbers a pixel the solver keeps more where there are bounds
    bounds_seconds : function history_size -> seconds a pixel and iteration that it takes longer where there are bounds
    bounds_start : float, seconds a pixel that it takes longer before the first iteration where there are bounds
    """

    title: str
    minimise: Callable
    numbers: Callable
    seconds: Callable
    evaluations: Callable = _evaluations
    itemsize: int | None = None
    fixed_bytes: float = 0.0
    bounds_numbers: int = 0
    bounds_seconds: Callable = lambda history_size: 0.0
    bounds_start: float = 0.0

    def picture_bytes(self, history_size, itemsize, bounds=False):
        """Return how many bytes a pixel the solver keeps, for pictures of numbers of so many bytes."""
        numbers = self.numbers(history_size) + (self.bounds_numbers if bounds else 0)
        return numbers * (self.itemsize or itemsize)

    def picture_seconds(self, history_size, iterations, bounds=False):
        """Return how many seconds a pixel so many iterations take, evaluations apart."""
        seconds = iterations * self.seconds(history_size)
        if bounds:
            seconds += iterations * self.bounds_seconds(history_size) + self.bounds_start
        return seconds
