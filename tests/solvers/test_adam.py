"""Adam against the paper's algorithm, written out."""

import math

import numpy as np
from functions import START, Quadratic

from ministyle.solvers import minimise
from ministyle.solvers.adam import Adam
from ministyle.solvers.problem import Point


def test_adams_steps_are_those_of_the_paper():
    """Algorithm 1 of arXiv:1412.6980, for one variable."""
    gradients = [3.0, -1.0, 2.0, 5.0]
    handed_out = iter([*gradients, 0.0])

    def evaluate(x, direction):
        return Point(x, 0.0, np.array([next(handed_out)]))

    solver = Adam(evaluate, evaluate(np.zeros(1), None), learning_rate=0.5)
    m = v = x = 0.0
    for t, g in enumerate(gradients, 1):
        assert solver.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x -= 0.5 * (m / (1 - 0.9**t)) / math.sqrt(v / (1 - 0.999**t))
        np.testing.assert_allclose(solver.point.x, x, rtol=1e-12)


def test_a_step_that_is_not_finite_is_not_taken():
    losses = iter([0.0, math.nan])
    solver = Adam(lambda x, direction: Point(x, next(losses), np.ones(1)), Point(np.zeros(1), 0.0, np.ones(1)))
    assert solver.step()
    point, state = solver.point, {name: array.copy() for name, array in solver.state().items()}
    assert not solver.step()
    assert solver.point is point
    for name, array in state.items():
        np.testing.assert_array_equal(solver.state()[name], array)


def test_the_learning_rate_is_how_far_a_pixel_goes_at_first():
    for rate in (0.5, 8.0):
        outcome = minimise(Quadratic(), START, iterations=1, optimizer="adam", learning_rate=rate)
        np.testing.assert_allclose(abs(outcome.pixels - START), rate, rtol=1e-12)
