"""L-BFGS by hand: its arrays stay on the device.

SciPy's L-BFGS-B, see `lbfgsb`, is compiled and well tested. It works on the host in float64, so with a GPU every
evaluation sends a picture and fetches a gradient. The solver here keeps everything where the picture is, in its data
type. The host sees only the few numbers of each trial that its next decision depends on.

L-BFGS (Nocedal 1980; Nocedal and Wright, Numerical Optimization, 2006, chapters 3 and 7) models the loss as a quadratic
function. It learns the curvature from its last few steps s = x' - x and from the changes of the gradient y = g' - g
that came with them. Its first guess of the inverse Hessian H is a multiple of the identity. Each pair (s, y) corrects
it by the BFGS formula

    H <- V^T H V + rho s s^T,    V = 1 - rho y s^T,    rho = 1 / (s . y)

after which H y = s, as observed. No matrix is ever formed: `two_loops` computes -H g from the vectors alone. A
line search along this direction finds a step that satisfies the strong Wolfe conditions: the loss falls by some part of
what the slope promises, and the slope becomes flatter. The second condition makes s . y positive; otherwise the formula
would destroy the model instead of improving it.

With bounds, a variable does not take part in a step if it lies at a bound and the gradient pushes it outwards. The
others use the same model, restricted to them. The point that it leads to is projected onto the bounds, and the line
search looks between here and there. (Bertsekas 1982, with L-BFGS in place of Newton's method.)
"""

import math
from collections import deque
from dataclasses import replace

import numpy as np

from ..arrays import array_module, read_scalars
from .device import minimise_on_device
from .line_search import Trial, line_search
from .problem import inside, may_move
from .registry import Solver

LEAST_CURVATURE = 1e-7  # of s . y over |s| |y|: below it rounding errors dominate
GROWTH = 4.0  # of the first trial's step, as long as nothing is known about curvature


class LBFGS:
    """Minimise a function of an array by L-BFGS, step by step.

    Parameters
    ----------
    evaluate : function (x, direction) -> Point
        The point's slope is the scalar product of gradient and direction. It comes with the loss, so that both come to
        the host in one transfer.
    start : Point, its x an array of float32 or float64 within the bounds
    bounds : (float, float), optional, of all variables
    scale : float, of the losses and gradients that `evaluate` returns; a part of the state
    history_size : int, how many pairs are remembered
    first_step : float, the length of the first trial's step, before anything is known about curvature

    Attributes
    ----------
    point : Point, the current iterate; a step replaces it and changes none of its arrays
    pairs : deque of (s, y, s . y as a float), the latest last
    """

    def __init__(self, evaluate, start, *, bounds=None, scale=1.0, history_size=10, first_step=1.0):
        self.evaluate = evaluate
        self.point = start
        self.bounds = bounds
        self.scale = scale
        self.first_step = first_step
        self.pairs = deque(maxlen=history_size)
        self.curvature = 1.0  # along the latest step; the first guess for every direction, which the pairs correct

    def step(self):
        """Go to the next iterate; return False where no lower loss is found, even straight against the gradient."""
        found = self._search()
        if found is None and self.pairs:  # the model is misleading: forget it
            self.pairs.clear()
            found = self._search()
        if found is None:
            return False
        self.learn(found.x - self.point.x, found.gradient - self.point.gradient)
        if not self.pairs:
            # The loss fell faster and faster, as far as the bounds of some variable let the search go. Such a step
            # teaches nothing; without a longer one, the next would not either.
            self.first_step *= GROWTH
        self.point = found
        return True

    def state(self):
        """Return all that the solver knows besides its point, {name: array or number}; see `restore`.

        The arrays are the solver's own. The numbers do not follow from the pairs, bit for bit: the curvature may be
        that of a pair that has been forgotten, and the library that computes s . y may round differently next time.
        """
        numbers = {"scale": self.scale, "curvature": self.curvature, "first_step": self.first_step}
        state = {name: np.float64(number) for name, number in numbers.items()}
        for number, (s, y, sy) in enumerate(self.pairs):
            state |= {f"s{number}": s, f"y{number}": y, f"sy{number}": np.float64(sy)}
        return state

    def restore(self, state):
        """Take over what another solver knew that stood at the same point; `state` is what its `state()` returned."""
        self.curvature, self.first_step = state["curvature"], state["first_step"]
        count = sum(name.startswith("sy") for name in state)
        self.pairs.extend((state[f"s{number}"], state[f"y{number}"], state[f"sy{number}"]) for number in range(count))

    def learn(self, s, y):
        """Remember a step and the change of the gradient, unless the curvature along it is not positive."""
        sy, ss, yy = read_scalars([_dot(s, y), _dot(s, s), _dot(y, y)])
        if sy > LEAST_CURVATURE * math.sqrt(ss * yy):
            self.pairs.append((s, y, sy))
            self.curvature = yy / sy

    def _search(self):
        """Return a `Point` that is better than the current iterate, or None."""
        direction = self._direction()
        x, gradient = self.point.x, self.point.gradient
        slope, square = read_scalars([_dot(gradient, direction), _dot(direction, direction)])
        if not slope < 0:
            return None
        first, longest = 1.0 if self.pairs else self.first_step / math.sqrt(square), math.inf
        if self.bounds is not None:
            # Search up to the projection of this step onto the bounds; all points between are within them. If the
            # step's length was only a guess, the search may go on to the first bound.
            direction = inside(x + first * direction, self.bounds) - x
            slope, share = read_scalars([_dot(gradient, direction), self._share_of_room(direction)])
            if not slope < 0:
                return None
            first, longest = 1.0, 1.0 if self.pairs else 1 / share

        def trial(step):
            return Trial(step, self.evaluate(inside(x + step * direction, self.bounds), direction))

        found = line_search(trial, Trial(0.0, replace(self.point, slope=slope)), first, longest)
        return None if found is None else found.point

    def _direction(self):
        """Return -H g; with bounds, of the variables that may move."""
        free = None if self.bounds is None else may_move(self.point.x, self.point.gradient, self.bounds)
        pairs = [(s, y, self._rho((s, y, sy), free)) for s, y, sy in self.pairs]
        return two_loops(self.point.gradient, pairs, self.curvature, free)

    def _share_of_room(self, direction):
        """Return how much of the way from x to the first bound a direction uses up, a 0-d array."""
        xp = array_module(direction)
        low, high = self.bounds
        room = xp.where(direction > 0, high - self.point.x, self.point.x - low)
        return (abs(direction) / xp.where(direction == 0, 1, room)).max()

    def _rho(self, pair, free):
        """Return 1 / (s . y) among the free variables, or 0, which lets a pair have no effect."""
        s, y, sy = pair
        if free is None:
            return 1 / sy
        s = s * free
        xp, sy, yy = array_module(s), _dot(s, y), _dot(y * free, y)
        positive = sy > LEAST_CURVATURE * (_dot(s, s) * yy) ** 0.5
        return positive / xp.where(positive, sy, xp.ones_like(sy))


def two_loops(gradient, pairs, curvature, free=None):
    """Return -H g, by the two loops of Nocedal and Wright's algorithm 7.4.

    Written out, H g = V^T ... V^T H_0 V ... V g + more. The first loop applies V, beginning with the latest pair. Then
    the first guess H_0 is applied, 1 / curvature. The second loop applies V^T, ending with the latest pair, and adds
    the terms that "more" stands for.

    Parameters
    ----------
    gradient : array, g
    pairs : list of (s, y, rho), arrays shaped as g and 1 / (s . y), the latest pair last
    curvature : float
    free : bool array, optional
        Where it is False, the variable stays where it is, and counts in no scalar product.

    Returns
    -------
    array
    """
    d = -gradient
    if free is not None:
        d *= free
    scratch = array_module(d).empty_like(d)

    def add(factor, vector):
        nonlocal d
        d += array_module(d).multiply(vector, factor, out=scratch)
        if free is not None:
            d *= free

    alphas = []
    for s, y, rho in reversed(pairs):
        alphas.append(rho * _dot(s, d))
        add(-alphas[-1], y)
    d /= curvature
    for s, y, rho in pairs:
        add(alphas.pop() - rho * _dot(y, d), s)
    return d


def _dot(a, b):
    """Return the scalar product of two arrays of one shape as a 0-d array, which stays on the device."""
    return array_module(a).vdot(a, b)


def minimise(problem, start, options):
    """Minimise by L-BFGS, and return why it stopped; see `registry.Solver`."""
    return minimise_on_device(
        problem, LBFGS, start, options, history_size=options.history_size, first_step=options.first_step
    )


SOLVER = Solver(
    "L-BFGS",
    minimise,
    numbers=lambda history_size: 3 * (2 * history_size + 5),
    seconds=lambda history_size: 0.7e-8 * history_size,
)
