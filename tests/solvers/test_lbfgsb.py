"""SciPy's L-BFGS-B: what it is given, and what becomes of it."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import pytest
import scipy.optimize
import threadpoolctl
from functions import START, Function, Quadratic, rosenbrock

from ministyle.arrays import to_device, to_host
from ministyle.solvers import SOLVERS, minimise


@pytest.mark.parametrize("bounds", [None, (0, 255), (np.float32(0), np.float32(255))])
def test_the_path_is_scipys_own(bounds):
    """Reports, counting and conversions must not disturb the solver: same picture after the same iterations."""
    objective = Quadratic()
    unit = 4.0  # the power of two nearest to 0.3 levels for each of 126 values, in root mean square
    scale = 0.3 / unit**2 / np.abs(objective(START).gradient).mean()

    def flat(z):
        loss, gradient = objective(z.reshape(START.shape) * unit)
        return loss * scale, gradient.ravel() * (scale * unit)

    options = {"maxiter": 15, "maxcor": 5, "ftol": 0, "gtol": 0}
    pairs = None if bounds is None else [(0.0, 255 / unit)] * START.size
    z = START.ravel() / unit
    expected = scipy.optimize.minimize(flat, z, jac=True, method="L-BFGS-B", bounds=pairs, options=options)
    outcome = minimise(objective, START, iterations=15, history_size=5, bounds=bounds, on_step=lambda step, x: None)
    np.testing.assert_array_equal(outcome.pixels.ravel(), expected.x * unit)
    assert np.isin(outcome.pixels, (0, 255)).any() == (bounds is not None)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_the_minimum_is_found_whatever_the_units_of_the_loss(scale, bounds):
    objective = Quadratic(scale=scale)
    outcome = minimise(objective, START, iterations=300, bounds=bounds)
    expected = objective.target if bounds is None else objective.target.clip(0, 255)
    np.testing.assert_allclose(outcome.pixels, expected, atol=1e-3)


@pytest.mark.parametrize("bounds", [None, (-1e6, 1e6)])
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_first_trial_moves_an_average_pixel_by_a_fraction_of_a_level(scale, bounds):
    objective = Quadratic(scale=scale)
    tried = []
    original = objective.to_device
    objective.to_device = lambda x: tried.append(x.copy()) or original(x)
    minimise(objective, START, iterations=1, bounds=bounds)
    assert 0.1 < np.abs(tried[1] - START).mean() < 1


def test_nothing_is_computed_twice():
    objective = Quadratic()
    seen = []
    original = objective.to_device
    objective.to_device = lambda x: seen.append(x.tobytes()) or original(x)
    minimise(objective, START, iterations=10)
    assert len(seen) == len(set(seen))


def test_scipy_works_with_one_blas_thread_and_the_objective_with_all():
    def blas_threads():
        return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}

    class Watched(Quadratic):
        def __call__(self, pixels):
            inside.append(blas_threads())
            return super().__call__(pixels)

    inside, outside = [], []
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        minimise(Watched(), START, iterations=5, on_step=lambda step, x: outside.append(blas_threads()))
        assert blas_threads() == {2}
    assert inside == [{2}] * len(inside) and len(inside) > 5
    assert outside == [{1}] * 6


def test_bounds_take_about_as_much_memory_as_the_solver_says():
    """The pairs that SciPy makes of them share two numbers. If each pair had its own, they would take far more."""
    start = np.full((100, 120, 3), 128.0)
    stiffness = np.geomspace(1, 1000, start.size)

    def held(bounds):
        most = []

        def bowl(x):
            most.append(tracemalloc.get_traced_memory()[0])
            return x @ (stiffness * x) / 2, stiffness * x

        tracemalloc.start()
        try:
            minimise(Function(bowl), start, iterations=5, bounds=bounds)
        finally:
            tracemalloc.stop()
        return max(most)

    held(None)  # imports
    said = 8 * SOLVERS["lbfgsb"].bounds_numbers * 100 * 120
    assert 0.6 * said < held((0, 255)) - held(None) < said


def test_scipys_solver_has_no_state():
    assert minimise(Function(rosenbrock), np.ones((1, 1, 3)), iterations=1).snapshot.state is None


# The order in which SciPy asks -----------------------------------------------------------------------


@pytest.fixture
def asked(monkeypatch):
    """Put a list of calls in SciPy's place: ("loss" or "gradient", point); return them with their answers.

    All points come in the same array. The first of them becomes an iterate in the end.
    """
    calls, answers = [], []

    def minimize(loss, x0, *, jac, callback, **options):
        z = x0.copy()
        for kind, move in calls:
            z[...] = x0 + move
            answers.append((kind, z.copy(), np.copy({"loss": loss, "gradient": jac}[kind](z))))
        z[...] = answers[0][1]
        callback(SimpleNamespace(x=z))
        return SimpleNamespace(message="asked")

    monkeypatch.setattr(scipy.optimize, "minimize", minimize)
    return calls, answers


@pytest.mark.parametrize(
    "calls",
    [
        [("loss", 0), ("gradient", 0), ("loss", 1), ("gradient", 1)],
        [("gradient", 0), ("loss", 0)],
        [("gradient", 1), ("loss", 1), ("gradient", 1)],
        [("loss", 1), ("gradient", 2), ("loss", 1), ("gradient", 1)],
        [("loss", 1), ("loss", 2), ("gradient", 1), ("gradient", 2), ("gradient", 0)],
    ],
)
def test_loss_and_gradient_are_those_of_the_point_asked_for_in_any_order(asked, calls):
    asked[0].extend(calls)
    outcome = minimise(Quadratic(), START, iterations=3)
    objective = Quadratic()
    unit = 4.0
    scale = 0.3 / unit**2 / np.abs(objective(START).gradient).mean()
    assert len(asked[1]) == len(calls)
    for kind, z, answer in asked[1]:
        loss, gradient = objective(z.reshape(START.shape) * unit)
        expected = loss * scale if kind == "loss" else gradient.ravel() * scale * unit
        np.testing.assert_allclose(answer, expected, rtol=1e-12)
    assert outcome.history[-1].loss == objective(asked[1][0][1].reshape(START.shape) * unit).loss


def test_a_step_is_recorded_with_the_loss_of_its_own_picture(asked):
    """Even where another point has been evaluated since."""
    asked[0].extend([("loss", 1), ("gradient", 1), ("loss", 2)])
    outcome = minimise(Quadratic(), START, iterations=3)
    assert outcome.history[-1].loss == Quadratic()(outcome.pixels).loss
    assert sum(outcome.history[-1].terms.values()) == outcome.history[-1].loss
    np.testing.assert_array_equal(outcome.pixels, START + 4)


# On a device -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_tolerances_can_be_used_with_any_device(xp, device, bounds):
    outcome = minimise(
        Quadratic(device, dtype="float32"),
        to_device(START, device),
        iterations=300,
        bounds=bounds,
        gtol=20.0,
        ftol=1e-9,
    )
    assert "tol" in outcome.message
    expected = minimise(Quadratic(dtype="float32"), START, iterations=300, bounds=bounds, gtol=20.0, ftol=1e-9)
    np.testing.assert_array_equal(to_host(outcome.pixels), expected.pixels)
