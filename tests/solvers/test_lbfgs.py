"""The solvers written by hand, against SciPy's, closed formulas and functions whose minimum is known."""

import math

import numpy as np
import pytest
from scipy import optimize

from ministyle.arrays import to_device, to_host
from ministyle.errors import MinistyleError
from ministyle.solvers import LBFGS, Adam, Trial, line_search, minimise


class Function:
    """A function of a flat vector as an objective over pictures, which counts evaluations and keeps their losses."""

    def __init__(self, function, device="cpu", dtype="float64"):
        self.function = function
        self.network = self
        self.device = device
        self.dtype = dtype
        self.terms = {}
        self.losses = []

    def to_device(self, x):
        return to_device(x, self.device, self.dtype)

    def __call__(self, pixels):
        loss, gradient = self.function(pixels.ravel())
        self.losses.append(float(loss))
        return loss, gradient.reshape(pixels.shape)


def quadratic(size, condition, seed=0):
    """Return 1/2 (x - t) . A (x - t) with curvatures from 1 to `condition` along random axes."""
    generator = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(generator.standard_normal((size, size)))
    A = axes * np.geomspace(1, condition, size) @ axes.T
    target = generator.uniform(-50, 300, size)

    def function(x):
        slope = A @ (x - target)
        return (x - target) @ slope / 2, slope

    return function


def rosenbrock(x):
    return np.float64(optimize.rosen(x)), optimize.rosen_der(x)


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


def test_the_direction_is_that_of_the_bfgs_formula_written_out_as_matrices(random):
    solver = LBFGS(lambda x, direction: (0.0, x, 0.0), random.normal(size=7))
    A = random.normal(size=(7, 7))
    A = A @ A.T + np.eye(7)
    for _ in range(4):
        s = random.normal(size=7)
        solver._learn(s, A @ s)
    H = np.eye(7) / solver.curvature
    for s, y, _ in solver.pairs:
        rho = 1 / (s @ y)
        V = np.eye(7) - rho * np.outer(y, s)
        H = V.T @ H @ V + rho * np.outer(s, s)
    np.testing.assert_allclose(solver._direction(), -H @ solver.gradient, rtol=1e-10)
    np.testing.assert_allclose(H @ y, s, rtol=1e-10)


def test_with_bounds_the_direction_is_that_of_the_free_variables_alone(random):
    """Variables that are pushed against their bound might as well not be there."""
    x, gradient = np.array([0.0, 1, 0.4, 0.6, 0, 0.5]), np.array([1.0, -1, 2, -3, -1, 1])
    free = np.array([2, 3, 4, 5])
    steps = random.normal(size=(3, 6))
    changes = steps * [1, 2, 3, 4, 5, 6]
    solver = LBFGS(lambda x, direction: (0.0, gradient, 0.0), x, bounds=(0, 1))
    smaller = LBFGS(lambda x, direction: (0.0, gradient[free], 0.0), x[free])
    for s, y in zip(steps, changes, strict=True):
        solver._learn(s, y)
        smaller._learn(s[free], y[free])
    smaller.curvature = solver.curvature
    direction = solver._direction()
    np.testing.assert_array_equal(direction[[0, 1]], 0)
    np.testing.assert_allclose(direction[free], smaller._direction(), rtol=1e-12)


def test_a_pair_without_positive_curvature_is_not_learnt():
    solver = LBFGS(lambda x, direction: (0.0, x, 0.0), np.ones(3))
    solver._learn(np.array([1.0, 0, 0]), np.array([-1.0, 0, 0]))
    solver._learn(np.array([1.0, 0, 0]), np.array([0.0, 1, 0]))
    assert not solver.pairs


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
    function = ALONG_A_LINE[name]

    def trial(step):
        loss, slope = function(step)
        return Trial(step, loss, None, slope, None)

    start = trial(0.0)
    found = line_search(trial, start, first)
    assert found.loss <= start.loss + 1e-3 * found.step * start.slope
    assert abs(found.slope) <= 0.9 * abs(start.slope)


def test_the_line_search_goes_no_farther_than_it_may():
    tried = []

    def trial(step):
        tried.append(step)
        return Trial(step, -step, None, -1.0, None)

    assert line_search(trial, trial(0.0), 1.0, longest=7.5).step == 7.5 == max(tried)


def test_a_line_search_in_vain_ends():
    count = 0

    def trial(step):
        nonlocal count
        count += 1
        return Trial(step, 1.0 if step else 0.0, None, -1.0, None)

    assert line_search(trial, trial(0.0), 1.0) is None
    assert count <= 21


def test_adams_steps_are_those_of_the_paper():
    """Algorithm 1 of arXiv:1412.6980, written out for one variable."""
    gradients = [3.0, -1.0, 2.0, 5.0]
    handed_out = iter(gradients)
    solver = Adam(lambda x, direction: (0.0, np.array([next(handed_out, 0.0)]), 0.0), np.zeros(1), learning_rate=0.5)
    m = v = x = 0.0
    for t, g in enumerate(gradients, 1):
        solver.step()
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        x -= 0.5 * (m / (1 - 0.9**t)) / math.sqrt(v / (1 - 0.999**t))
        np.testing.assert_allclose(solver.x, x, rtol=1e-12)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_a_run_goes_on_from_a_saved_state_as_if_it_had_not_stopped(optimizer, bounds, tmp_path, xp, device):
    def objective():
        weights = to_device(np.geomspace(1, 1000, 30).reshape(5, 2, 3), device)
        return Function(lambda x: (((x - 300) ** 2 * weights.ravel()).sum() / 2, (x - 300) * weights.ravel()), device)

    start, options = np.full((5, 2, 3), 128.0), {"optimizer": optimizer, "bounds": bounds}
    whole = minimise(objective(), start, iterations=25, **options)
    half = minimise(objective(), start, iterations=12, **options)
    path = tmp_path / "state.npz"
    np.savez(path, **{name: to_host(array) for name, array in half.solver.state().items()})
    with np.load(path) as state:
        rest = minimise(objective(), start, iterations=13, state=dict(state), **options)
    np.testing.assert_array_equal(rest.pixels, whole.pixels)


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_all_arrays_keep_the_objectives_data_type(optimizer, bounds, dtype, xp, device):
    seen = set()

    def function(x):
        seen.add(x.dtype.name)
        return (x * x).sum() / 2, x

    outcome = minimise(
        Function(function, device, dtype), np.full((2, 2, 3), 9.0), iterations=4, optimizer=optimizer, bounds=bounds
    )
    assert seen == {dtype}
    assert {array.dtype.name for name, array in outcome.solver.state().items() if name != "steps"} == {dtype}


def test_a_state_that_does_not_fit_is_refused():
    function, start = Function(rosenbrock), np.ones((1, 1, 3))
    state = minimise(function, start, iterations=1, optimizer="adam").solver.state()
    for options, sentence in (
        ({"optimizer": "lbfgs", "start": start}, "another optimizer"),
        ({"optimizer": "lbfgsb", "start": start}, "cannot go on from a state"),
        ({"optimizer": "adam", "start": np.ones((1, 2, 3))}, "of shape"),
    ):
        with pytest.raises(MinistyleError, match=sentence):
            minimise(function, iterations=1, state=state, **options)


def test_scipys_solver_has_no_state():
    assert minimise(Function(rosenbrock), np.ones((1, 1, 3)), iterations=1).solver is None
