"""All solvers on objectives whose minimum is known."""

import itertools

import numpy as np
import pytest
from conftest import sentence
from functions import NOT_FINITE, START, Quadratic, with_loss

from ministyle.arrays import array_module, to_device
from ministyle.objective import Evaluation
from ministyle.solvers import SOLVERS, minimise


@pytest.fixture(params=SOLVERS)
def optimizer(request):
    return request.param


line_searching = pytest.mark.parametrize("optimizer", ["lbfgsb", "lbfgs"])


def test_bounds_are_kept_by_every_picture_on_the_way(optimizer):
    seen = []
    objective = Quadratic()
    minimise(
        objective,
        START,
        iterations=20,
        bounds=(0, 255),
        optimizer=optimizer,
        learning_rate=30,
        on_step=lambda step, x: seen.append((x.min(), x.max())),
    )
    assert min(low for low, _ in seen) == 0
    assert max(high for _, high in seen) == 255


@line_searching
def test_without_bounds_pixels_are_free(optimizer):
    outcome = minimise(Quadratic(), START, iterations=300, optimizer=optimizer)
    assert outcome.pixels.min() < 0
    assert outcome.pixels.max() > 255


def test_a_start_outside_the_bounds_is_brought_inside(optimizer):
    outcome = minimise(Quadratic(), START + 1000, iterations=1, bounds=(0, 255), optimizer=optimizer)
    assert outcome.pixels.max() <= 255


# The record ------------------------------------------------------------------------------------------


def test_the_history_tells_of_every_iteration(optimizer):
    objective = Quadratic()
    pictures = []
    outcome = minimise(
        objective, START, iterations=12, optimizer=optimizer, on_step=lambda step, x: pictures.append((step, x))
    )
    assert [step.iteration for step in outcome.history] == list(range(13))
    assert [step for step, _ in pictures] == outcome.history
    assert outcome.history[-1].evaluations == objective.calls
    for step, x in pictures:
        expected = Quadratic()(x)
        assert step.loss == expected.loss
        assert step.terms == expected.terms
        assert step.size == (6, 7)
    losses = [step.loss for step in outcome.history]
    assert optimizer == "adam" or losses == sorted(losses, reverse=True)
    assert all(a.seconds <= b.seconds for a, b in zip(outcome.history, outcome.history[1:], strict=False))
    np.testing.assert_array_equal(outcome.pixels, pictures[-1][1])


def test_pictures_handed_to_on_step_are_the_callers_to_keep(optimizer):
    pictures, copies = [], []

    def keep(step, pixels):
        pictures.append(pixels)
        copies.append(pixels.copy())

    minimise(Quadratic(), START, iterations=8, bounds=(0, 255), optimizer=optimizer, on_step=keep)
    for picture, copy in zip(pictures, copies, strict=True):
        np.testing.assert_array_equal(picture, copy)


def test_the_start_is_left_alone(optimizer):
    start = START + 200
    minimise(Quadratic(), start, iterations=4, bounds=(0, 255), optimizer=optimizer)
    np.testing.assert_array_equal(start, START + 200)


def test_the_solvers_message_is_passed_on():
    assert "L-BFGS-B: STOP: TOTAL NO. OF ITERATIONS" in minimise(Quadratic(), START, iterations=3).message
    assert "L-BFGS: 3 iterations" in minimise(Quadratic(), START, iterations=3, optimizer="lbfgs").message
    assert "Adam: 3 iterations" in minimise(Quadratic(), START, iterations=3, optimizer="adam").message


# When to stop ----------------------------------------------------------------------------------------


@line_searching
@pytest.mark.parametrize("scale", [1e-12, 1e-6, 1.0, 1e12])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_gtol_ends_a_run_when_no_free_component_of_the_gradient_exceeds_it(optimizer, scale, bounds):
    options = {"iterations": 300, "optimizer": optimizer, "bounds": bounds, "gtol": scale}
    pictures = []
    outcome = minimise(Quadratic(scale=scale), START, on_step=lambda step, x: pictures.append(x), **options)
    assert "gtol" in outcome.message
    sizes = []
    for pixels in pictures:
        _, gradient = Quadratic(scale=scale)(pixels)
        if bounds is not None:
            gradient[((pixels == 0) & (gradient > 0)) | ((pixels == 255) & (gradient < 0))] = 0
        sizes.append(abs(gradient).max() / scale)
    assert sizes[-1] <= 1 < min(sizes[:-1])


@line_searching
@pytest.mark.parametrize("scale", [1e-6, 1.0])
def test_ftol_ends_a_run_when_the_loss_falls_by_no_more_than_that_share(optimizer, scale):
    outcome = minimise(Quadratic(scale=scale), START, iterations=300, optimizer=optimizer, bounds=(0, 255), ftol=0.02)
    assert "ftol" in outcome.message
    falls = [1 - after.loss / before.loss for before, after in itertools.pairwise(outcome.history)]
    assert falls[-1] <= 0.02 < min(falls[:-1])


def test_by_default_it_goes_on_until_the_count_is_reached(optimizer):
    """SciPy's own tolerances stop a loss in small units at once: picture unchanged."""
    outcome = minimise(Quadratic(scale=1e-12), START, iterations=10, optimizer=optimizer)
    assert outcome.history[-1].iteration == 10
    assert outcome.completed and not outcome.stopped and not outcome.interrupted


@pytest.mark.parametrize("last", [0, 1, 4])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_on_step_can_stop_the_run_and_the_picture_is_the_one_it_was_shown(optimizer, bounds, last):
    pictures, objective = [], Quadratic()

    def stop(step, pixels):
        pictures.append(pixels)
        return step.iteration == last

    outcome = minimise(objective, START, iterations=30, optimizer=optimizer, bounds=bounds, on_step=stop)
    assert outcome.stopped and outcome.completed and not outcome.interrupted
    assert "on_step" in outcome.message
    assert [step.iteration for step in outcome.history] == list(range(last + 1))
    assert len(pictures) == last + 1
    np.testing.assert_array_equal(outcome.pixels, pictures[-1])
    assert outcome.history[-1].evaluations == objective.calls


def test_numpys_true_stops_a_run_as_well(optimizer):
    outcome = minimise(Quadratic(), START, iterations=9, optimizer=optimizer, on_step=lambda step, x: x.max() > 0)
    assert outcome.stopped and len(outcome.history) == 1


@pytest.mark.parametrize("answer", [None, False, np.False_, 1, "yes"])
def test_what_is_not_true_lets_a_run_go_on(optimizer, answer):
    outcome = minimise(Quadratic(), START, iterations=3, optimizer=optimizer, on_step=lambda step, x: answer)
    assert not outcome.stopped and outcome.history[-1].iteration == 3


@pytest.mark.parametrize("last", [0, 1, 4, 6])
@pytest.mark.parametrize("error", [ValueError, StopIteration])  # SciPy would take the latter for an order to stop
def test_what_on_step_raises_ends_the_run_and_reaches_the_caller(optimizer, last, error):
    seen, snapshots, raised = [], [], error("mine")

    def fail(step, pixels):
        seen.append(step.iteration)
        if step.iteration == last:
            raise raised

    with pytest.raises(error) as caught:
        minimise(Quadratic(), START, iterations=6, optimizer=optimizer, on_step=fail, on_snapshot=snapshots.append)
    assert caught.value is raised and "fail" in [entry.name for entry in caught.traceback]
    assert seen == list(range(last + 1)) == [len(snapshot.history) - 1 for snapshot in snapshots]


def test_scipy_s_solver_goes_on_from_the_picture_with_an_empty_memory():
    options = {"iterations": 12, "optimizer": "lbfgsb", "bounds": (0, 255)}
    snapshots, rest, fresh = [], [], []
    minimise(Quadratic(), START, on_snapshot=snapshots.append, **options)
    done = snapshots[5]
    outcome = minimise(Quadratic(), START, snapshot=done, on_step=lambda *step: rest.append(step), **options)
    assert outcome.history[:6] == done.history
    assert [step.iteration for step in outcome.history] == list(range(13))
    options["iterations"] = 7
    minimise(Quadratic(), done.pixels, on_step=lambda *step: fresh.append(step), **options)
    for (step, pixels), (expected, picture) in zip(rest, fresh[1:], strict=True):
        assert step.loss == expected.loss and step.evaluations == 5 + expected.evaluations
        np.testing.assert_array_equal(pixels, picture)


def test_scipy_s_solver_makes_no_step_where_all_are_made():
    options = {"iterations": 4, "optimizer": "lbfgsb"}
    whole = minimise(Quadratic(), START, **options)
    again = minimise(Quadratic(), START, snapshot=whole.snapshot, **options)
    np.testing.assert_array_equal(again.pixels, whole.pixels)
    assert again.history == whole.history and "4 iterations done" in again.message


def test_an_interrupted_run_keeps_its_picture(optimizer):
    pictures = []

    def interrupt(step, x):
        pictures.append(x)
        if step.iteration == 4:
            raise KeyboardInterrupt

    outcome = minimise(Quadratic(), START, iterations=30, on_step=interrupt, optimizer=optimizer)
    assert not outcome.completed
    assert outcome.interrupted and not outcome.stopped
    assert "interrupted" in outcome.message
    np.testing.assert_array_equal(outcome.pixels, pictures[-1])


def test_an_interruption_before_the_first_picture_is_passed_on(optimizer):
    class Interrupted(Quadratic):
        def __call__(self, pixels):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        minimise(Interrupted(), START, iterations=3, optimizer=optimizer)


# What is not finite ----------------------------------------------------------------------------------


@line_searching
@pytest.mark.parametrize("bounds", [None, (0, 255)])
@pytest.mark.parametrize("number", [2, 3, 8, 9])
@pytest.mark.parametrize("kind", NOT_FINITE)
def test_one_trial_that_is_not_finite_shortens_the_step_instead_of_ending_the_run(optimizer, bounds, number, kind):
    tried, pictures = [], []

    class Watched(Quadratic):
        def __call__(self, pixels):
            tried.append(pixels.copy())
            return super().__call__(pixels)

    objective = Watched(spoilt={number}, spoil=NOT_FINITE[kind])
    options = {"iterations": 250, "optimizer": optimizer, "bounds": bounds}
    outcome = minimise(objective, START, on_step=lambda *step: pictures.append(step), **options)
    assert outcome.completed
    expected = objective.target if bounds is None else objective.target.clip(0, 255)
    np.testing.assert_allclose(outcome.pixels, expected, atol=1e-3)
    before = [pixels for step, pixels in pictures if step.evaluations < number][-1]
    too_long, shorter = (np.linalg.norm(tried[index] - before) for index in (number - 1, number))
    assert 0 < shorter < 0.7 * too_long
    losses = [step.loss for step in outcome.history]
    assert losses == sorted(losses, reverse=True)


@line_searching
def test_a_run_comes_close_to_a_wall_behind_which_nothing_is_finite(optimizer):
    class Walled(Quadratic):
        def __call__(self, pixels):
            evaluation = super().__call__(pixels)
            return with_loss(np.inf)(evaluation) if pixels.max() > 250 else evaluation

    outcome = minimise(Walled(), START, iterations=60, optimizer=optimizer)
    assert 240 < outcome.pixels.max() <= 250
    assert outcome.history[-1].loss < 0.5 * outcome.history[0].loss
    assert np.isfinite([step.loss for step in outcome.history]).all()


@pytest.mark.parametrize("kind", NOT_FINITE)
@pytest.mark.parametrize("good", [1, 7])
def test_where_no_trial_is_finite_any_more_the_run_stops_and_keeps_the_last_good_picture(optimizer, kind, good):
    objective = Quadratic(spoilt=range(good + 1, 10**6), spoil=NOT_FINITE[kind])
    pictures = []
    outcome = minimise(objective, START, iterations=30, optimizer=optimizer, on_step=lambda step, x: pictures.append(x))
    assert not outcome.completed and not outcome.interrupted and not outcome.stopped
    assert "not finite; this is the picture before that" in outcome.message
    if kind.startswith("loss"):
        assert f"={kind[5:]}" in outcome.message
    assert outcome.history[-1].evaluations <= good < objective.calls <= good + 70
    np.testing.assert_array_equal(outcome.pixels, pictures[-1])
    assert np.isfinite(outcome.history[-1].loss)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_where_nothing_but_the_start_is_finite_the_start_is_kept_and_the_run_not_complete(optimizer, bounds, dtype):
    class Point(Quadratic):
        def __call__(self, pixels):
            evaluation = super().__call__(pixels)
            return evaluation if (pixels == 128).all() else with_loss(np.nan)(evaluation)

    outcome = minimise(Point(dtype=dtype), START, iterations=30, optimizer=optimizer, bounds=bounds)
    assert not outcome.completed
    np.testing.assert_allclose(outcome.pixels, START, atol=1e-9)  # SciPy's may differ where float32 does not


@pytest.mark.parametrize("kind", NOT_FINITE)
def test_a_start_that_is_not_finite_is_refused(optimizer, kind):
    objective = Quadratic(spoilt={1}, spoil=NOT_FINITE[kind])
    refusal = sentence(minimise, objective, START, iterations=3, optimizer=optimizer)
    assert "starting picture" in refusal and "weights" in refusal
    assert objective.calls == 1


def test_overflow_on_the_way_is_no_warning(optimizer):
    def overflow(evaluation):
        infinite = np.float32(3e38) * np.float32(evaluation.loss)
        return Evaluation(infinite - infinite, evaluation.gradient, evaluation.terms)

    outcome = minimise(Quadratic(spoilt={3}, spoil=overflow), START, iterations=5, optimizer=optimizer)
    assert outcome.completed == (optimizer != "adam")


# Starts and devices ----------------------------------------------------------------------------------


def test_a_start_at_the_minimum_stays_there(optimizer):
    objective = Quadratic(target=START)
    outcome = minimise(objective, START, iterations=5, bounds=(0, 255), optimizer=optimizer)
    np.testing.assert_array_equal(outcome.pixels, START)


def test_the_objective_sees_arrays_of_its_own_device_and_the_caller_numpys(xp, device, optimizer):
    modules = set()

    class Watched(Quadratic):
        def __call__(self, pixels):
            modules.add(array_module(pixels))
            return super().__call__(pixels)

    outcome = minimise(Watched(device), to_device(START, device), iterations=5, optimizer=optimizer)
    assert type(outcome.pixels) is np.ndarray
    assert outcome.pixels.dtype == np.float64
    assert modules == {xp}


def test_terms_of_any_number_are_recorded(optimizer):
    class Many(Quadratic):
        def __call__(self, pixels):
            loss, gradient = super().__call__(pixels)
            return Evaluation(loss, gradient, {str(number): loss / 40 for number in range(40)})

    outcome = minimise(Many(), START, iterations=2, optimizer=optimizer)
    assert all(sum(step.terms.values()) == pytest.approx(step.loss) for step in outcome.history)


def test_an_unknown_optimizer_is_refused():
    assert "optimizer (='newton') must be one of lbfgsb, lbfgs, adam" in sentence(
        minimise, Quadratic(), START, iterations=5, optimizer="newton"
    )
