"""What our own solvers have in common: snapshots, the data type, and units of the loss that float32 cannot square."""

import itertools
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from conftest import sentence
from functions import START, Function, Quadratic, rosenbrock

from ministyle.arrays import to_host
from ministyle.solvers import SOLVERS, Snapshot, minimise
from ministyle.solvers.lbfgs import LBFGS
from ministyle.solvers.problem import Problem

FACTORS = [2.0**66, 2.0**-80, 1e20, 1e-24]


@pytest.fixture(params=["lbfgs", "adam"])
def optimizer(request):
    return request.param


@pytest.fixture(params=[None, (0, 255)], ids=["free", "bounded"])
def bounds(request):
    return request.param


def saved(snapshot, path):
    """Return a snapshot that has been in a file meanwhile."""
    np.savez(path, pixels=to_host(snapshot.pixels), **{name: to_host(it) for name, it in snapshot.state.items()})
    with np.load(path) as file:
        state = dict(file)
    return Snapshot(state.pop("pixels"), snapshot.history, state)


def assert_the_same(run, expected):
    """Check that two runs ended with the same picture, after the same steps; only the seconds may differ."""
    np.testing.assert_array_equal(run.pixels, expected.pixels)
    assert [replace(step, seconds=0) for step in run.history] == [replace(step, seconds=0) for step in expected.history]
    assert run.message == expected.message


@pytest.mark.parametrize("done", [0, 1, 12, 25])
def test_a_run_goes_on_from_a_saved_snapshot_as_if_it_had_not_stopped(optimizer, bounds, done, tmp_path, xp, device):
    options = {"iterations": 25, "optimizer": optimizer, "bounds": bounds}
    snapshots = []
    whole = minimise(Quadratic(device), START, on_snapshot=snapshots.append, **options)
    assert len(snapshots) == 26
    snapshot, seen, objective = saved(snapshots[done], tmp_path / "state.npz"), [], Quadratic(device)
    rest = minimise(objective, START, snapshot=snapshot, on_step=lambda step, x: seen.append(step.iteration), **options)
    assert_the_same(rest, whole)
    assert seen == list(range(done + 1, 26))  # nothing is told twice
    assert objective.calls == whole.history[-1].evaluations - whole.history[done].evaluations + 1  # or done twice


@pytest.mark.parametrize("tolerance", [{"gtol": 3.0}, {"ftol": 0.1}])
def test_a_run_that_had_converged_does_not_go_on(bounds, tolerance):
    options = {"iterations": 300, "optimizer": "lbfgs", "bounds": bounds, **tolerance}
    whole = minimise(Quadratic(), START, **options)
    assert "converged" in whole.message
    assert_the_same(minimise(Quadratic(), START, snapshot=whole.snapshot, **options), whole)


@pytest.mark.parametrize("where", [(LBFGS, "learn"), (Problem, "_take"), (Problem, "_report")])
def test_a_run_goes_on_wherever_it_was_interrupted(bounds, where, monkeypatch):
    """Ctrl-C may come at any line: also when the solver has learnt from a step, and has not yet made it."""
    options = {"iterations": 25, "optimizer": "lbfgs", "bounds": bounds, "on_step": lambda *_: None}
    whole, calls = minimise(Quadratic(), START, **options), []
    kind, name = where
    right = getattr(kind, name)

    def interrupted(*arguments):
        right(*arguments)
        calls.append(name)
        if len(calls) == 7:
            raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(kind, name, interrupted)
        half = minimise(Quadratic(), START, **options)
    assert half.interrupted and 5 < len(half.history) < 9
    assert_the_same(minimise(Quadratic(), START, snapshot=half.snapshot, **options), whole)


def test_snapshots_stay_as_they_are(optimizer, bounds):
    snapshots, copies = [], []

    def keep(snapshot):
        snapshots.append(snapshot)
        copies.append(deepcopy(snapshot))

    minimise(Quadratic(), START, iterations=25, optimizer=optimizer, bounds=bounds, on_snapshot=keep)
    for snapshot, copy in zip(snapshots, copies, strict=True):
        assert snapshot.history == copy.history and list(snapshot.state) == list(copy.state)
        np.testing.assert_array_equal(snapshot.pixels, copy.pixels)
        for name, value in copy.state.items():
            np.testing.assert_array_equal(snapshot.state[name], value)


def test_all_arrays_keep_the_objectives_data_type(optimizer, bounds, xp, device):
    for dtype in ("float32", "float64"):
        seen = set()

        def function(x, seen=seen):
            seen.add(x.dtype.name)
            return (x * x).sum() / 2, x

        objective = Function(function, device, dtype)
        outcome = minimise(objective, np.full((2, 2, 3), 9.0), iterations=4, optimizer=optimizer, bounds=bounds)
        assert seen == {dtype}
        arrays = [outcome.snapshot.pixels, *(it for it in outcome.snapshot.state.values() if it.ndim)]
        assert len(arrays) > 2
        assert {array.dtype.name for array in arrays} == {dtype}


def test_a_snapshot_of_another_optimizer_is_refused():
    function, start = Function(rosenbrock), np.ones((1, 1, 3))
    for before, now in itertools.permutations(SOLVERS, 2):
        snapshot = minimise(function, start, iterations=1, optimizer=before).snapshot
        refusal = sentence(minimise, function, start, iterations=1, optimizer=now, snapshot=snapshot)
        assert "another optimizer" in refusal


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
def test_a_run_in_such_units_goes_on_from_a_saved_snapshot_too(optimizer, bounds, tmp_path, factor, xp, device):
    def objective():
        return Quadratic(device, scale=factor, dtype="float32")

    options = {"optimizer": optimizer, "bounds": bounds}
    whole = minimise(objective(), START, iterations=25, **options)
    half = minimise(objective(), START, iterations=12, **options)
    rest = minimise(objective(), START, iterations=25, snapshot=saved(half.snapshot, tmp_path / "state.npz"), **options)
    assert_the_same(rest, whole)


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
