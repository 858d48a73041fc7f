"""How far to go along a direction: the line search of L-BFGS."""

import math
from dataclasses import dataclass

from .problem import Point

DECREASE, FLATTER = 1e-3, 0.9  # the constants of the Wolfe conditions, as in SciPy's L-BFGS-B
TRIALS = 20  # of one line search, likewise
NEAREST, FARTHEST = 1.1, 4.0  # strides from one trial to the next, while none has gone too far
SHORTER = 0.25  # of a stride, after a trial that is not finite


@dataclass
class Trial:
    """A point along a search direction.

    Attributes
    ----------
    step : float, its length in units of the direction
    point : Point
    """

    step: float
    point: Point

    @property
    def loss(self):
        """The loss at the point."""
        return self.point.loss

    @property
    def slope(self):
        """The derivative of the loss with respect to the step."""
        return self.point.slope


def line_search(trial, start, first, longest=math.inf):
    """Find a step that satisfies the strong Wolfe conditions, or comes as close as rounding errors allow.

    `low` is the best step so far. `far` is the other end of an interval that holds a suitable step; while there is no
    such end, steps grow. (Nocedal and Wright, algorithms 3.5 and 3.6, in one loop.) The next step to try follows Moré
    and Thuente (1994). There are two guesses, the minimum of a cubic polynomial and that of a quadratic one. Where the
    loss has risen, the more cautious guess is taken; where it still falls, the bolder one.

    A trial whose loss or gradient is infinite or nan has no polynomial. It only shows that its step is too long.

    Parameters
    ----------
    trial : function step -> Trial
    start : Trial, with step 0 and a negative slope
    first, longest : float, the first step to try, and the longest allowed

    Returns
    -------
    Trial, or None where no lower loss is found
    """
    low, far = start, None
    step = first
    for _ in range(TRIALS):
        new, before = trial(step), low
        if not new.point.finite:
            step = longest = low.step + SHORTER * (step - low.step)
            continue
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
    return None if low is start else low


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
