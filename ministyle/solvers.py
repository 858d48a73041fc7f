"""Solvers written by hand, whose arrays stay on the device: L-BFGS, and Adam to compare it with.

SciPy's L-BFGS-B, see `optimise`, is compiled, well tested, and works on the host in float64: for a GPU that means to
send a picture and to fetch a gradient at each evaluation. The solvers here keep everything where the picture is, in its
own data type, and let the host see only a few numbers of each trial, those it needs to decide what comes next.

**L-BFGS** (Nocedal 1980; Nocedal and Wright, Numerical Optimization, 2006, chapters 3 and 7) takes the loss for a
quadratic, whose curvature it learns from its last few steps s = x' - x and the changes of the gradient y = g' - g that
came with them. Beginning with a rough guess of the inverse Hessian H, a multiple of the identity, each pair (s, y)
corrects it by the BFGS formula

    H <- V^T H V + rho s s^T,    V = 1 - rho y s^T,    rho = 1 / (s . y)

after which H y = s, as it was observed. No matrix is ever formed: `LBFGS._direction` computes -H g from the vectors
alone. Along it a line search looks for a step that satisfies the strong Wolfe conditions: the loss falls by some part
of what the slope promises, and the slope has become flatter. The latter makes s . y positive, without which the
formula would destroy what it is to improve.

**With bounds**, variables that lie at a bound, and that the gradient pushes against it, do not take part in a step. For
the others the same model is used, restricted to them; the point it leads to is projected onto the bounds, and the
line search looks between here and there. (Bertsekas 1982, with L-BFGS in place of Newton's method.)

**Adam** (Kingma and Ba 2015, arXiv:1412.6980) knows nothing of curvature: it divides each variable's gradient by the
size that it has had lately, both smoothed.
"""

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

from .arrays import array_module, read_scalars

DECREASE, FLATTER = 1e-3, 0.9  # the Wolfe conditions' constants, as in SciPy's L-BFGS-B
TRIALS = 20  # of one line search, likewise
NEAREST, FARTHEST = 1.1, 4.0  # strides from one trial to the next, while none has gone too far
LEAST_CURVATURE = 1e-7  # of s . y over |s| |y|: below it rounding errors speak
BETA_1, BETA_2 = 0.9, 0.999  # Adam's, as in the paper


class LBFGS:
    """Minimise a function of an array by L-BFGS, step by step.

    Parameters
    ----------
    evaluate : function (x, direction or None) -> loss (float), gradient (array), slope (float)
        The slope is the scalar product of gradient and direction, 0 where there is none. It is asked for with the loss,
        so that both come to the host in one transfer.
    x : array of float32 or float64, the start, within the bounds
    bounds : (float, float), optional, of all variables
    history_size : int, how many pairs are remembered
    first_step : float, the length of the first trial's step, before anything is known about curvature

    Attributes
    ----------
    x, loss, gradient : the current iterate; a step puts others in their place and changes none of these arrays
    pairs : deque of (s, y, s . y as a float), the latest last
    """

    def __init__(self, evaluate, x, *, bounds=None, history_size=10, first_step=1.0):
        self.evaluate = evaluate
        self.bounds = bounds
        self.first_step = first_step
        self.pairs = deque(maxlen=history_size)
        self.curvature = 1.0  # along the latest step: what is assumed of all directions before pairs correct it
        self.x = x
        self.loss, self.gradient, _ = evaluate(x, None)

    def step(self):
        """Go to the next iterate; return False where even straight against the gradient no lower loss is found."""
        found = self._search()
        if found is None and self.pairs:  # the model misleads: forget it
            self.pairs.clear()
            found = self._search()
        if found is None:
            return False
        self._learn(found.x - self.x, found.gradient - self.gradient)
        self.x, self.loss, self.gradient = found.x, found.loss, found.gradient
        return True

    def state(self):
        """Return all that the solver knows, {name: array}, as `numpy.savez` can save it; see `restore`."""
        xp = array_module(self.x)
        s, y = (xp.empty((len(self.pairs), *self.x.shape), self.x.dtype) for _ in range(2))
        for number, pair in enumerate(self.pairs):
            s[number], y[number], _ = pair
        return {"x": self.x, "s": s, "y": y}

    def restore(self, state):
        """Take over what another solver, whose `state` this is, had learnt when it stood at this solver's x."""
        self.pairs.clear()
        for s, y in zip(state["s"], state["y"], strict=True):
            self._learn(s, y)

    def _learn(self, s, y):
        """Remember a step and the change of the gradient, unless the curvature along it is not positive."""
        sy, ss, yy = read_scalars([_dot(s, y), _dot(s, s), _dot(y, y)])
        if sy > LEAST_CURVATURE * math.sqrt(ss * yy):
            self.pairs.append((s, y, sy))
            self.curvature = yy / sy

    def _search(self):
        """Return a `Trial` that is better than the current iterate, or None."""
        direction = self._direction()
        slope, square = read_scalars([_dot(self.gradient, direction), _dot(direction, direction)])
        if not slope < 0:
            return None
        first, longest = 1.0 if self.pairs else self.first_step / math.sqrt(square), math.inf
        if self.bounds is not None:
            # To where this step leads after its projection; what lies between is within the bounds. And no farther,
            # unless its length was a guess: then as far as the first bound.
            direction = _inside(self.x + first * direction, self.bounds) - self.x
            slope, share = read_scalars([_dot(self.gradient, direction), self._share_of_room(direction)])
            if not slope < 0:
                return None
            first, longest = 1.0, 1.0 if self.pairs else 1 / share

        def trial(step):
            x = _inside(self.x + step * direction, self.bounds)
            return Trial(step, *self.evaluate(x, direction), x)

        return line_search(trial, Trial(0.0, self.loss, self.gradient, slope, self.x), first, longest)

    def _direction(self):
        """Return -H g, by the two loops of Nocedal and Wright's algorithm 7.4.

        Written out, H g = V^T ... V^T H_0 V ... V g + more. The first loop applies V, the latest pair's first; then
        comes the first guess H_0; the second loop applies V^T, the latest pair's last, and adds what "more" stands for.
        """
        xp = array_module(self.x)
        free = self._free()
        d = -self.gradient
        if free is not None:
            d *= free
        scratch = xp.empty_like(d)

        def add(factor, vector):
            nonlocal d
            d += xp.multiply(vector, factor, out=scratch)
            if free is not None:
                d *= free

        rhos = [self._rho(pair, free) for pair in self.pairs]
        alphas = []
        for (s, y, _), rho in zip(reversed(self.pairs), reversed(rhos), strict=True):
            alphas.append(rho * _dot(s, d))
            add(-alphas[-1], y)
        d /= self.curvature
        for (s, y, _), rho in zip(self.pairs, rhos, strict=True):
            add(alphas.pop() - rho * _dot(y, d), s)
        return d

    def _free(self):
        """Return which variables may move, a bool array, or None where all may."""
        if self.bounds is None:
            return None
        low, high = self.bounds
        return ((self.x > low) | (self.gradient < 0)) & ((self.x < high) | (self.gradient > 0))

    def _share_of_room(self, direction):
        """Return how much of the way from x to the first bound a direction uses up, a 0-d array."""
        xp = array_module(direction)
        low, high = self.bounds
        room = xp.where(direction > 0, high - self.x, self.x - low)
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


@dataclass
class Trial:
    """A point along a search direction.

    Attributes
    ----------
    step : float, in units of the direction
    loss : float
    gradient : array
    slope : float, the derivative of the loss with respect to the step
    x : array
    """

    step: float
    loss: float
    gradient: Any
    slope: float
    x: Any


def line_search(trial, start, first, longest=math.inf):
    """Find a step that satisfies the strong Wolfe conditions, or comes as close as rounding errors allow.

    `low` is the best step so far, `far` the other end of an interval that holds a step which will do; as long as there
    is no such end, steps grow. (Nocedal and Wright, algorithms 3.5 and 3.6, in one loop.) Where to try next is said by
    Moré and Thuente (1994): of two guesses, the minimum of a cubic and that of a quadratic polynomial, the more
    cautious one where the loss has risen, and the bolder one where it still falls.

    Parameters
    ----------
    trial : function step -> Trial
    start : Trial, with step 0 and a negative slope
    first, longest : float, the first step to try, and the longest allowed

    Returns
    -------
    Trial or None, where no lower loss was found
    """
    low, far = start, None
    step = first
    for _ in range(TRIALS):
        new, before = trial(step), low
        cubic = _minimum_of_cubic(before, new)
        if new.loss > start.loss + DECREASE * new.step * start.slope or new.loss >= low.loss:  # too far
            far = new
            parabola = _minimum_of_parabola(before, new)
            step = cubic if abs(cubic - low.step) < abs(parabola - low.step) else (cubic + parabola) / 2
        elif abs(new.slope) <= -FLATTER * start.slope or (new.slope < 0 and new.step == longest):
            return new
        else:
            low = new
            secant = _root_of_secant(before, new)
            closer, farther = sorted((cubic, secant), key=lambda guess: abs(guess - new.step))
            if before.slope * new.slope < 0:  # a minimum lies between the last two
                far = before
                step = farther
            elif abs(new.slope) < abs(before.slope):  # it grows flatter
                step = farther if far is None else _clamp(closer, low.step, low.step + 0.66 * (far.step - low.step))
            else:
                step = math.inf if far is None else _minimum_of_cubic(far, new)
        if far is None:
            stride = low.step - before.step
            step = min(_clamp(step, low.step + NEAREST * stride, low.step + FARTHEST * stride), longest)
        else:
            step = _clamp(step, low.step, far.step)
            if step in (low.step, new.step):  # nothing lies between any more
                break
    if low is start:
        return None
    return low if low is new else trial(low.step)  # the latest evaluation is the one whose terms are reported


def _minimum_of_cubic(a, b):
    """Return where the cubic polynomial with two trials' losses and slopes has its minimum."""
    width = b.step - a.step
    d = a.slope + b.slope - 3 * (b.loss - a.loss) / width
    root = math.copysign(math.sqrt(max(0.0, d * d - a.slope * b.slope)), width)
    return b.step - width * _ratio(b.slope + root - d, b.slope - a.slope + 2 * root)


def _minimum_of_parabola(a, b):
    """Return where the quadratic polynomial with two trials' losses and the first one's slope has its minimum."""
    width = b.step - a.step
    return a.step + width * _ratio(a.slope / 2, a.slope - (b.loss - a.loss) / width)


def _root_of_secant(a, b):
    """Return where the slope would be 0, if it went on as between two trials: the minimum of another parabola."""
    return b.step - (b.step - a.step) * _ratio(b.slope, b.slope - a.slope)


def _ratio(a, b):
    """Return a / b, or nan where b is 0."""
    return a / b if b else math.nan


def _clamp(step, a, b):
    """Return a step moved between a and b; nan becomes their middle."""
    if math.isnan(step):
        return (a + b) / 2
    return min(max(step, min(a, b)), max(a, b))


def _inside(x, bounds):
    """Return an array projected onto the bounds, if there are any."""
    return x if bounds is None else x.clip(*bounds)


def _dot(a, b):
    """Return the scalar product of two arrays of one shape as a 0-d array, which stays on the device."""
    return array_module(a).vdot(a, b)


class Adam:
    """Minimise a function of an array by Adam, step by step; each takes one evaluation.

    Parameters
    ----------
    evaluate, x, bounds : see `LBFGS`
    learning_rate : float, about how far every variable goes in one step

    Attributes
    ----------
    x, loss, gradient : the current iterate
    """

    def __init__(self, evaluate, x, *, bounds=None, learning_rate=1.0):
        xp = array_module(x)
        self.evaluate = evaluate
        self.bounds = bounds
        self.learning_rate = learning_rate
        self.steps = 0
        self.mean, self.mean_square = xp.zeros_like(x), xp.zeros_like(x)
        self.x = x
        self.loss, self.gradient, _ = evaluate(x, None)

    def step(self):
        """Go to the next iterate, which may be worse; return True."""
        xp, g = array_module(self.x), self.gradient
        steps = self.steps + 1
        mean = BETA_1 * self.mean + (1 - BETA_1) * g
        mean_square = BETA_2 * self.mean_square + (1 - BETA_2) * g * g
        # Both began with 0, which is taken out again by dividing by what has been added up since.
        size = xp.sqrt(mean_square / (1 - BETA_2**steps))
        # The paper adds 1e-8 to the size, which is little or much depending on the units of the loss.
        move = mean / (1 - BETA_1**steps) / (size + xp.finfo(g.dtype).tiny)
        x = _inside(self.x - self.learning_rate * move, self.bounds)
        self.loss, self.gradient, _ = self.evaluate(x, None)
        self.x, self.mean, self.mean_square, self.steps = x, mean, mean_square, steps
        return True

    def state(self):
        """Return all that the solver knows; see `LBFGS.state`."""
        steps = array_module(self.x).full((), self.steps)
        return {"x": self.x, "mean": self.mean, "mean_square": self.mean_square, "steps": steps}

    def restore(self, state):
        """Take over what another solver knew; see `LBFGS.restore`."""
        self.mean, self.mean_square, self.steps = state["mean"], state["mean_square"], int(state["steps"])
