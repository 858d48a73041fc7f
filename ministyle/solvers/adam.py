"""Adam by hand (Kingma and Ba 2015, arXiv:1412.6980), to compare L-BFGS with.

Adam knows nothing of curvature. It divides each variable's gradient by the size that it has had lately, both smoothed.
"""

import numpy as np

from ..arrays import array_module
from .device import minimise_on_device
from .problem import inside
from .registry import Solver

BETA_1, BETA_2 = 0.9, 0.999  # as in the paper


class Adam:
    """Minimise a function of an array by Adam, step by step; each step takes one evaluation.

    Parameters
    ----------
    evaluate, start, bounds, scale : see `lbfgs.LBFGS`
    learning_rate : float, about how far every variable goes in one step

    Attributes
    ----------
    point : Point, the current iterate
    """

    def __init__(self, evaluate, start, *, bounds=None, scale=1.0, learning_rate=1.0):
        xp = array_module(start.x)
        self.evaluate = evaluate
        self.point = start
        self.bounds = bounds
        self.scale = scale
        self.learning_rate = learning_rate
        self.steps = 0
        self.mean, self.mean_square = xp.zeros_like(start.x), xp.zeros_like(start.x)

    def step(self):
        """Go to the next iterate, which may be worse; return False if its loss or gradient is not finite."""
        x, g = self.point.x, self.point.gradient
        xp = array_module(x)
        steps = self.steps + 1
        mean = BETA_1 * self.mean + (1 - BETA_1) * g
        mean_square = BETA_2 * self.mean_square + (1 - BETA_2) * g * g
        # Both averages began with 0. Dividing by the sum of the weights so far removes that bias.
        size = xp.sqrt(mean_square / (1 - BETA_2**steps))
        # The paper adds 1e-8 to the size. How much that is depends on the loss's units, so we add next to nothing.
        move = mean / (1 - BETA_1**steps) / (size + xp.finfo(g.dtype).tiny)
        point = self.evaluate(inside(x - self.learning_rate * move, self.bounds), None)
        if not point.finite:
            return False
        self.point, self.mean, self.mean_square, self.steps = point, mean, mean_square, steps
        return True

    def state(self):
        """Return all that the solver knows; see `lbfgs.LBFGS.state`."""
        numbers = {"steps": np.float64(self.steps), "scale": np.float64(self.scale)}
        return {"mean": self.mean, "mean_square": self.mean_square, **numbers}

    def restore(self, state):
        """Take over what another solver knew; see `lbfgs.LBFGS.restore`."""
        self.mean, self.mean_square, self.steps = state["mean"], state["mean_square"], int(state["steps"])


def minimise(problem, start, options):
    """Minimise by Adam, and return why it stopped; see `registry.Solver`."""
    return minimise_on_device(problem, Adam, start, options, learning_rate=options.learning_rate)


SOLVER = Solver(
    "Adam",
    minimise,
    numbers=lambda history_size: 3 * 7,
    seconds=lambda history_size: 0.5e-8,
    evaluations=lambda iterations: iterations + 1,
)
