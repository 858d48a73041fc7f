"""Minimise an objective over pictures, step by step.

| file | what it is about |
|---|---|
| `problem` | the objective as a solver wants it, and the record of every step |
| `registry` | what a solver has to offer |
| `line_search` | how far to go along a direction |
| `device` | what our own solvers have in common |
| `lbfgs` | L-BFGS by hand |
| `adam` | Adam by hand, to compare with |
| `lbfgsb` | SciPy's L-BFGS-B, the default on a CPU |
"""

import math
from dataclasses import dataclass, field

import numpy as np

from .. import arrays
from ..errors import MinistyleError, check_choice
from . import adam, lbfgs, lbfgsb
from .problem import INTERRUPTED, NotFiniteError, OnStep, Problem, Snapshot, Step
from .registry import FIRST_STEP, Options

__all__ = [
    "BOUNDS",
    "LEARNING_RATE",
    "SOLVERS",
    "OnStep",
    "Outcome",
    "Snapshot",
    "Step",
    "choose_optimizer",
    "minimise",
]

SOLVERS = {"lbfgsb": lbfgsb.SOLVER, "lbfgs": lbfgs.SOLVER, "adam": adam.SOLVER}
BOUNDS = (0.0, 255.0)
LEARNING_RATE = 10.0


@dataclass(frozen=True)
class Outcome:
    """How an optimisation ended.

    Attributes
    ----------
    pixels : float64 array (H, W, 3), the last picture whose loss was finite
    history : list of Step, the first of them the start
    message : str, the solver's own words on why it stopped, or ours
    completed : bool, False if the loss became infinite or nan, or the user interrupted
    interrupted : bool, True if the user interrupted
    stopped : bool, True if `on_step` asked to stop
    snapshot : Snapshot after the last step, from which another run can go on
    """

    pixels: np.ndarray
    history: list
    message: str
    completed: bool
    interrupted: bool = False
    stopped: bool = False
    snapshot: Snapshot | None = field(default=None, repr=False)


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
    snapshot=None,
    on_step=None,
    on_snapshot=None,
):
    """Minimise an objective, beginning with the picture `start`.

    Parameters
    ----------
    objective : Objective, or what behaves like one
        Called with pixels (H, W, 3) it returns an `Evaluation`, and it has `.network.to_device`.
    start : array (H, W, 3)
    iterations : int
        How many steps to make. With L-BFGS each costs one evaluation of loss and gradient, now and then two or three;
        with Adam one.
    optimizer : {"lbfgsb", "lbfgs", "adam"}
        SciPy's L-BFGS-B, on the host, or one of our own, on the objective's device and in its data type.
    bounds : (float, float), optional
        Keep every pixel value between these. By default they are free, and clipped when the picture is saved.
    history_size : int
        How many pairs of steps and gradient changes L-BFGS remembers; each takes 48 bytes a pixel with SciPy's, and 24
        with ours in float32.
    learning_rate : float
        How many grey levels (0 to 255), about, Adam moves a pixel in one step.
    ftol, gtol : float
        Stop when the loss falls, relative to itself, by no more than `ftol` in one step, or when no component of
        the gradient, in units of the loss per grey level, exceeds `gtol`; at a bound those that push against it do not
        count. Both are 0 by default, because the weights of the terms decide which loss is small.
    snapshot : Snapshot, optional
        Of an earlier run, in place of the start. Its steps count among `iterations`. Our solvers go on as if there had
        been no break, bit for bit. SciPy's begins there with an empty memory.
    on_step : function of (Step, pixels (H, W, 3)), optional
        Called at the start and after each step, with pixels of its own to keep: from SciPy float64 on the host,
        from our solvers an array on the objective's device, which `arrays.to_host` fetches. If it returns True, the run
        stops there. What it raises ends the run.
    on_snapshot : function of Snapshot, optional
        Called before `on_step`, with what another run needs to go on from there.

    Returns
    -------
    Outcome

    Raises
    ------
    MinistyleError
        The loss of the start is not finite, the optimizer is unknown, or the snapshot is one of another optimizer.
    """
    check_choice("optimizer", optimizer, SOLVERS)
    history, state = [], None
    if snapshot is not None:
        start, history, state = snapshot.pixels, snapshot.history, snapshot.state
        if (state is None) != (optimizer == "lbfgsb"):
            raise MinistyleError("the snapshot is one of another optimizer")
    if optimizer == "lbfgsb":
        import scipy.optimize  # noqa: F401  # before `Problem` looks for BLAS libraries, as SciPy brings its own
    solver = SOLVERS[optimizer]
    problem = Problem(objective, bounds, ftol, gtol, on_step, on_snapshot, history)
    start = np.asarray(arrays.to_host(start), dtype=np.float64)
    if bounds is not None:
        start = start.clip(*bounds)
    # The solver knows nothing yet about the size of things; its first trial is a step about this long. It is a power of
    # two, because SciPy's variables are measured in it.
    first_step = 2.0 ** round(math.log2(FIRST_STEP * math.sqrt(start.size)))
    completed = interrupted = False
    try:
        with problem.quiet():
            message = solver.minimise(
                problem, start, Options(iterations, history_size, learning_rate, first_step, state)
            )
        if problem.raised is not None:
            raise problem.raised
        message, completed = f"{solver.title}: {problem.reason or message}", True
    except NotFiniteError:
        loss = problem.failed.loss / problem.scale
        if problem.latest is None:
            raise MinistyleError(
                f"the loss of the starting picture is not finite ({loss}); check the weights of the terms"
            ) from None
        message = f"stopped: loss (={loss:.4g}) or gradient not finite; this is the picture before that"
    except KeyboardInterrupt:
        if problem.latest is None:
            raise
        message, interrupted = INTERRUPTED, True
    finally:
        problem.solver = None  # they refer to each other, and memory would be freed late
    pixels = np.asarray(arrays.to_host(problem.pixels), dtype=np.float64)
    return Outcome(pixels, problem.history, message, completed, interrupted, problem.stopped, problem.latest)
