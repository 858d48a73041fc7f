"""The line search on functions of one variable."""

import math

import numpy as np
import pytest

from ministyle.solvers.line_search import Trial, line_search
from ministyle.solvers.problem import Point


def along(function):
    """Return a function step -> Trial that keeps all of its trials in the attribute `made`."""

    def trial(step):
        loss, slope = function(step)
        trial.made.append(Trial(step, Point(x=step, loss=loss, gradient=None, slope=slope)))
        return trial.made[-1]

    trial.made = []
    return trial


ALONG_A_LINE = {
    "a parabola": lambda t: ((t - 3) ** 2, 2 * (t - 3)),
    "far away": lambda t: ((t / 500 - 1) ** 2, (t / 500 - 1) / 250),
    "close by": lambda t: ((t * 500 - 1) ** 2, (t * 500 - 1) * 1000),
    "wavy": lambda t: (np.sin(3 * t) / 3 - 1.2 * t + t * t / 9, np.cos(3 * t) - 1.2 + t * 2 / 9),
    "a wall": lambda t: (-t + max(0.0, t - 0.3) ** 4 * 1e4, -1 + 4e4 * max(0.0, t - 0.3) ** 3),
    "no curvature at first": lambda t: (-t + 1e-3 * t**4, -1 + 4e-3 * t**3),
}


@pytest.mark.parametrize("name", ALONG_A_LINE)
@pytest.mark.parametrize("first", [0.01, 1.0, 30.0])
def test_the_line_search_ends_where_the_strong_wolfe_conditions_hold(name, first):
    trial = along(ALONG_A_LINE[name])
    start = trial(0.0)
    found = line_search(trial, start, first)
    assert found.loss <= start.loss + 1e-3 * found.step * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_the_line_search_goes_no_farther_than_it_may():
    trial = along(lambda t: (-t, -1.0))
    assert line_search(trial, trial(0.0), 1.0, longest=7.5).step == 7.5
    assert max(new.step for new in trial.made) == 7.5


def test_a_line_search_in_vain_ends():
    trial = along(lambda t: (1.0 if t else 0.0, -1.0))
    assert line_search(trial, trial(0.0), 1.0) is None
    assert len(trial.made) <= 21


def test_what_is_found_is_one_of_the_trials_and_no_step_is_tried_twice():
    """Where no trial satisfies both conditions, the best one is found, even if it was not the last."""
    trial = along(lambda t: (-t, -1.0) if t in (0.0, 0.5) else (1.0, 1.0))
    found = line_search(trial, trial(0.0), 0.5)
    assert found is trial.made[1]
    assert len(trial.made) > 5
    steps = [new.step for new in trial.made]
    assert len(steps) == len(set(steps)) <= 21


@pytest.mark.parametrize(
    "beyond", [(math.inf, 1.0), (math.nan, 1.0), (-math.inf, 1.0), (1.0, math.nan), (-5.0, -math.inf), (-9.0, math.inf)]
)
@pytest.mark.parametrize("name", ALONG_A_LINE)
def test_a_trial_that_is_not_finite_only_shows_that_its_step_is_too_long(name, beyond):
    """Beyond a third of the way to the minimum nothing is finite; a lower loss is found all the same."""
    function = ALONG_A_LINE[name]
    end = next(t for t in np.geomspace(1e-4, 1e4, 4000) if function(t)[1] >= -0.5 * abs(function(0.0)[1])) / 3
    trial = along(lambda t: function(t) if t <= end else beyond)
    start = trial(0.0)
    found = line_search(trial, start, 30 * end)
    assert found.point.finite
    assert 0 < found.step <= end
    assert found.loss <= start.loss + 1e-3 * found.step * start.slope


def test_after_a_trial_that_is_not_finite_no_step_is_as_long():
    trial = along(lambda t: (-t, -1.0) if t < 2 else (math.nan, math.nan))
    line_search(trial, trial(0.0), 5.0)
    too_long = [number for number, new in enumerate(trial.made) if new.step >= 2]
    assert too_long[0] == 1  # the first trial
    steps = [new.step for new in trial.made]
    for number in too_long:
        assert max(steps[number + 1 :], default=0.0) < steps[number]


def test_where_no_trial_is_finite_nothing_is_found():
    trial = along(lambda t: (math.nan, math.nan) if t else (0.0, -1.0))
    assert line_search(trial, trial(0.0), 1.0) is None
    assert len(trial.made) <= 21
