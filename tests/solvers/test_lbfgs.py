"""L-BFGS by hand, against SciPy's, the BFGS formula and functions whose minimum is known."""

import math

import numpy as np
import pytest
from functions import Function, quadratic, rosenbrock
from scipy import optimize

from ministyle.solvers import minimise
from ministyle.solvers.lbfgs import LBFGS
from ministyle.solvers.problem import Point

PROBLEMS = {
    "quadratic, 30, 10": (quadratic(30, 10), np.full((5, 2, 3), 128.0)),
    "quadratic, 60, 100": (quadratic(60, 100), np.full((10, 2, 3), 128.0)),
    "quadratic, 126, 1000": (quadratic(126, 1e3), np.full((6, 7, 3), 128.0)),
    "quadratic, 300, 10000": (quadratic(300, 1e4), np.full((10, 10, 3), 128.0)),
    "Rosenbrock, 2": (rosenbrock, np.array([[[-1.2, 1.0]]])),
    "Rosenbrock, 12": (rosenbrock, np.tile([-1.2, 1.0], 6).reshape(2, 2, 3)),
    "Rosenbrock, 102": (rosenbrock, np.random.default_rng(3).uniform(-2, 2, (2, 17, 3))),
}


@pytest.mark.parametrize("name", PROBLEMS)
def test_scipys_loss_is_reached_in_hardly_more_evaluations(name):
    function, start = PROBLEMS[name]
    theirs, ours = Function(function), Function(function)
    minimise(theirs, start, iterations=60, optimizer="lbfgsb")
    minimise(ours, start, iterations=80, optimizer="lbfgs")
    best = max(min(theirs.losses), 1e-12 * theirs.losses[0])  # below, rounding errors decide
    needed = next(count for count, loss in enumerate(theirs.losses, 1) if loss <= best)
    count = next((count for count, loss in enumerate(ours.losses, 1) if loss <= best), math.inf)
    assert count <= 1.05 * needed + 1


@pytest.mark.parametrize("name", ["quadratic, 30, 10", "quadratic, 60, 100"])
@pytest.mark.parametrize("bounds", [(0, 255), (100, 150)])
def test_with_bounds_the_minimum_is_the_one_that_scipy_finds(name, bounds):
    function, start = PROBLEMS[name]
    expected = optimize.minimize(
        function, start.ravel(), jac=True, bounds=[bounds] * start.size, options={"ftol": 0, "gtol": 1e-9}
    )
    outcome = minimise(Function(function), start, iterations=300, optimizer="lbfgs", bounds=bounds)
    np.testing.assert_allclose(outcome.pixels.ravel(), expected.x, atol=1e-4)
    assert np.isin(outcome.pixels, bounds).any()


def test_where_the_loss_curves_downwards_steps_grow_though_bounds_are_near():
    """Half of the variables are in a valley whose slopes flatten outwards; the others arrive at a bound one by one."""

    def valley(x):
        away = (x[:60] - 100) / 30
        depth = np.exp(-(away**2) / 2)
        return -depth.sum() - 0.01 * x[60:].sum(), np.concatenate([depth * away / 30, np.full(60, -0.01)])

    start = np.full((4, 10, 3), 160.0)  # two widths away, where the second derivative is negative
    start.ravel()[60:] = 255 - 0.3 * np.arange(1, 61)
    outcome = minimise(Function(valley), start, iterations=25, optimizer="lbfgs", bounds=(0, 255))
    np.testing.assert_allclose(outcome.pixels.ravel()[:60], 100, atol=0.1)


# Directions ------------------------------------------------------------------------------------------


def first_trial(x, gradient, steps, changes, bounds=None):
    """Return where L-BFGS goes from x, with the gradient there, after it has seen such steps and changes."""
    tried = []

    def evaluate(x, direction):
        tried.append(x)
        return Point(x, -1e9, np.zeros_like(x))

    solver = LBFGS(evaluate, Point(x, 0.0, gradient, largest=abs(gradient).max()), bounds=bounds)
    for s, y in zip(steps, changes, strict=True):
        solver.learn(s, y)
    assert len(solver.pairs) == len(steps)
    assert solver.step()
    return tried[0]


def bfgs_matrix(steps, changes):
    """Return the inverse Hessian by the BFGS formula, with matrices; its first guess comes from the latest pair."""
    s, y = steps[-1], changes[-1]
    H = np.eye(len(s)) * (s @ y) / (y @ y)
    for s, y in zip(steps, changes, strict=True):
        rho = 1 / (s @ y)
        V = np.eye(len(s)) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    return H


def test_the_direction_is_that_of_the_bfgs_formula_written_out_as_matrices(random):
    x, gradient, steps = random.normal(size=7), random.normal(size=7), random.normal(size=(4, 7))
    A = random.normal(size=(7, 7))
    changes = steps @ (A @ A.T + np.eye(7))
    H = bfgs_matrix(steps, changes)
    np.testing.assert_allclose(H @ changes[-1], steps[-1], rtol=1e-10)  # it is the formula
    np.testing.assert_allclose(first_trial(x, gradient, steps, changes) - x, -H @ gradient, rtol=1e-9, atol=1e-12)


def test_with_bounds_the_direction_is_that_of_the_free_variables_alone(random):
    """Variables that are pushed against their bound might as well not be there."""
    x, gradient = np.array([0.0, 1, 0.4, 0.6, 0, 0.5]), np.array([1.0, -1, 2, -3, -1, 1]) / 1000
    free = np.array([2, 3, 4, 5])
    steps = random.normal(size=(3, 6))
    changes = steps * [1, 2, 3, 4, 5, 6]
    # The first guess is that of the latest whole pair.
    whole, part = (steps[-1] @ changes[-1]) / (changes[-1] @ changes[-1]), (steps[-1, free] @ changes[-1, free])
    H = bfgs_matrix(steps[:, free], changes[:, free])
    guess = part / (changes[-1, free] @ changes[-1, free])
    product = np.eye(4)
    for s, y in zip(steps[:, free], changes[:, free], strict=True):
        product = product @ (np.eye(4) - np.outer(y, s) / (s @ y))
    H += (whole - guess) * product.T @ product
    trial = first_trial(x, gradient, steps, changes, bounds=(0, 1))
    np.testing.assert_array_equal(trial[[0, 1]], x[[0, 1]])
    np.testing.assert_allclose(trial[free], (x[free] - H @ gradient[free]).clip(0, 1), rtol=1e-10)


def test_a_pair_without_positive_curvature_is_not_learnt():
    steps = np.array([[1.0, 0, 0], [1.0, 0, 0], [1.0, 2, 0]])
    changes = np.array([[-1.0, 0, 0], [0.0, 1, 0], [2.0, 1, 0]])
    solver = LBFGS(None, Point(np.ones(3), 0.0, np.ones(3)))
    for s, y in zip(steps[:2], changes[:2], strict=True):
        solver.learn(s, y)
    assert not solver.pairs
    solver.learn(steps[2], changes[2])
    ((s, y, product),) = solver.pairs
    assert (s.tolist(), y.tolist(), product) == ([1, 2, 0], [2, 1, 0], 4)


def test_what_was_learnt_from_forgotten_pairs_is_handed_on(random):
    """A model that misled is forgotten, but not the curvature along the latest step; and bit for bit."""
    trials = []

    def evaluate(x, direction):
        trials.append(x)
        return Point(x, -1e9, np.zeros_like(x))

    start, step = Point(np.ones(5), 0.0, random.normal(size=5)), random.normal(size=5)
    first, second = (LBFGS(evaluate, start) for _ in range(2))
    first.learn(step, step * 3.7)
    first.pairs.clear()
    second.restore(first.state())
    assert second.curvature == first.curvature != 1
    assert first.step() and second.step()
    assert trials[0].tobytes() == trials[1].tobytes()


def test_no_more_pairs_are_remembered_than_asked_for():
    function, start = PROBLEMS["quadratic, 30, 10"]
    for history_size in (1, 4):
        outcome = minimise(Function(function), start, iterations=8, optimizer="lbfgs", history_size=history_size)
        pairs = {name for name in outcome.snapshot.state if name.startswith(("s", "y"))} - {"scale"}
        assert pairs == {f"{letter}{number}" for letter in ("s", "y", "sy") for number in range(history_size)}


# Line searches ---------------------------------------------------------------------------------------


def test_the_recorded_terms_belong_to_the_recorded_loss_and_cost_no_evaluation():
    """Where a line search ends at an earlier trial, that trial is not evaluated again."""
    searches, recorded = [[]], []

    def first_is_best(x):
        """Fall at the first trial of each line search, rise at the others, and have the same gradient everywhere."""
        loss = 1e6 if searches[-1] else -float(len(recorded))
        searches[-1].append(x.tobytes())
        return np.float64(loss), np.ones_like(x)

    def record(step, pixels):
        recorded.append((step, pixels))
        searches.append([])

    objective = Function(first_is_best)
    minimise(objective, np.zeros((2, 2, 3)), iterations=5, optimizer="lbfgs", on_step=record)
    assert [step.loss for step, _ in recorded] == [0, -1, -2, -3, -4, -5]
    assert [step.evaluations for step, _ in recorded] == np.cumsum([len(search) for search in searches[:-1]]).tolist()
    assert min(len(search) for search in searches[1:-1]) > 1
    for (step, pixels), search in zip(recorded, searches, strict=False):
        assert pixels.tobytes() == search[0]
        assert len(search) == len(set(search))
        assert step.loss == step.terms["all"]
