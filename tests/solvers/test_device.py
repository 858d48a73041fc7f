"""What our own solvers have in common: the state, the data type, and units of the loss that float32 cannot square."""

import numpy as np
import pytest
from conftest import sentence
from functions import START, Function, Quadratic, rosenbrock

from ministyle.arrays import to_device, to_host
from ministyle.solvers import minimise

FACTORS = [2.0**66, 2.0**-80, 1e20, 1e-24]


@pytest.fixture(params=["lbfgs", "adam"])
def optimizer(request):
    return request.param


@pytest.fixture(params=[None, (0, 255)], ids=["free", "bounded"])
def bounds(request):
    return request.param


def saved(state, path):
    """Return a state that has been in a file meanwhile."""
    np.savez(path, **{name: to_host(array) for name, array in state.items()})
    with np.load(path) as file:
        return dict(file)


def test_a_run_goes_on_from_a_saved_state_as_if_it_had_not_stopped(optimizer, bounds, tmp_path, xp, device):
    def objective():
        weights = to_device(np.geomspace(1, 1000, 30).reshape(5, 2, 3), device)
        return Function(lambda x: (((x - 300) ** 2 * weights.ravel()).sum() / 2, (x - 300) * weights.ravel()), device)

    start, options = np.full((5, 2, 3), 128.0), {"optimizer": optimizer, "bounds": bounds}
    whole = minimise(objective(), start, iterations=25, **options)
    half = minimise(objective(), start, iterations=12, **options)
    state = saved(half.solver.state(), tmp_path / "state.npz")
    rest = minimise(objective(), start, iterations=13, state=state, **options)
    np.testing.assert_array_equal(rest.pixels, whole.pixels)


def test_all_arrays_keep_the_objectives_data_type(optimizer, bounds, xp, device):
    for dtype in ("float32", "float64"):
        seen = set()

        def function(x, seen=seen):
            seen.add(x.dtype.name)
            return (x * x).sum() / 2, x

        objective = Function(function, device, dtype)
        outcome = minimise(objective, np.full((2, 2, 3), 9.0), iterations=4, optimizer=optimizer, bounds=bounds)
        assert seen == {dtype}
        arrays = {name: array for name, array in outcome.solver.state().items() if array.ndim}
        assert {"x"} < set(arrays)
        assert {array.dtype.name for array in arrays.values()} == {dtype}


def test_a_state_that_does_not_fit_is_refused():
    function, start = Function(rosenbrock), np.ones((1, 1, 3))
    state = minimise(function, start, iterations=1, optimizer="adam").solver.state()
    for options, words in (
        ({"optimizer": "lbfgs", "start": start}, "another optimizer"),
        ({"optimizer": "lbfgsb", "start": start}, "cannot continue from a state"),
        ({"optimizer": "adam", "start": np.ones((1, 2, 3))}, "of shape"),
    ):
        assert words in sentence(minimise, function, iterations=1, state=state, **options)


# Units of the loss -----------------------------------------------------------------------------------


@pytest.mark.parametrize("factor", FACTORS)
def test_in_float32_the_picture_does_not_depend_on_the_units_of_the_loss(optimizer, bounds, factor):
    """The squares of such gradients are beyond float32; powers of two round nothing."""
    options = {"iterations": 20, "optimizer": optimizer, "bounds": bounds}
    plain = minimise(Quadratic(dtype="float32"), START, **options)
    scaled = minimise(Quadratic(dtype="float32", scale=factor), START, **options)
    assert scaled.completed and scaled.history[-1].iteration == 20
    if np.log2(factor) % 1 == 0:
        np.testing.assert_array_equal(scaled.pixels, plain.pixels)
    else:
        np.testing.assert_allclose(scaled.pixels, plain.pixels, atol=2e-3)
    for step, expected in zip(scaled.history, plain.history, strict=True):
        assert step.loss == pytest.approx(factor * expected.loss, rel=1e-2)
        assert step.terms["three"] == pytest.approx(0.75 * step.loss, rel=1e-12)


@pytest.mark.parametrize("factor", FACTORS)
def test_in_float32_our_lbfgs_finds_the_minimum_whatever_the_units_of_the_loss(factor):
    objective = Quadratic(dtype="float32", scale=factor)
    outcome = minimise(objective, START, iterations=300, optimizer="lbfgs")
    np.testing.assert_allclose(outcome.pixels, objective.target, atol=1e-3)


@pytest.mark.parametrize("factor", [1e20, 1e-24])
def test_a_run_in_such_units_goes_on_from_a_saved_state_too(optimizer, bounds, tmp_path, factor, xp, device):
    def objective():
        return Quadratic(device, scale=factor, dtype="float32")

    options = {"optimizer": optimizer, "bounds": bounds}
    whole = minimise(objective(), START, iterations=25, **options)
    half = minimise(objective(), START, iterations=12, **options)
    state = saved(half.solver.state(), tmp_path / "state.npz")
    rest = minimise(objective(), START, iterations=13, state=state, **options)
    np.testing.assert_array_equal(rest.pixels, whole.pixels)
    assert [step.loss for step in rest.history] == [step.loss for step in whole.history[12:]]


def test_a_state_without_a_scale_is_one_of_a_run_in_plain_units(optimizer):
    half = minimise(Quadratic(), START, iterations=12, optimizer=optimizer)
    state = {name: array for name, array in half.solver.state().items() if name != "scale"}
    whole = minimise(Quadratic(), START, iterations=20, optimizer=optimizer)
    rest = minimise(Quadratic(), START, iterations=8, optimizer=optimizer, state=state)
    np.testing.assert_array_equal(rest.pixels, whole.pixels)


@pytest.mark.parametrize("factor", [2.0**66, 2.0**-80])
def test_tolerances_are_in_the_objectives_own_units(bounds, factor):
    ends = []
    for scale in (1.0, factor):
        objective = Quadratic(dtype="float32", scale=scale)
        options = {"iterations": 300, "optimizer": "lbfgs", "bounds": bounds}
        ends.append(
            [
                minimise(objective, START, **options, **tolerance).history[-1].iteration
                for tolerance in ({"gtol": 3 * scale}, {"ftol": 0.02})
            ]
        )
    assert ends[0] == ends[1]
    assert max(ends[0]) < 300
