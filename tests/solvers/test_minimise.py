"""The optimiser on objectives whose minimum is known."""

import itertools

import numpy as np
import pytest
import threadpoolctl
from scipy import optimize

from ministyle.arrays import array_module, to_device
from ministyle.errors import MinistyleError
from ministyle.solvers import OPTIMIZERS, minimise


class Quadratic:
    """1/2 sum of stiffness * (pixels - target)^2, in units of `scale`; badly conditioned, as style losses are."""

    def __init__(self, device="cpu", scale=1.0, target=None):
        generator = np.random.default_rng(1)
        self.network = self
        self.device = device
        self.scale = scale
        self.target = self.to_device(generator.uniform(-50, 300, (6, 7, 3)) if target is None else target)
        self.stiffness = self.to_device(np.geomspace(1, 1000, 6 * 7 * 3).reshape(6, 7, 3))
        self.terms = {}
        self.calls = 0
        self.fail_at = None

    def to_device(self, x):
        return to_device(x, self.device, "float64")

    def __call__(self, pixels):
        self.calls += 1
        difference = pixels - self.target
        loss = (self.stiffness * difference * difference).sum() / 2 * self.scale
        if self.calls == self.fail_at:
            loss = loss * float("nan")
        self.terms = {"all": loss}
        return loss, self.stiffness * difference * self.scale


START = np.full((6, 7, 3), 128.0)


@pytest.fixture(params=OPTIMIZERS)
def optimizer(request):
    return request.param


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e9])
@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_the_minimum_is_found_whatever_the_units_of_the_loss(scale, bounds):
    objective = Quadratic(scale=scale)
    outcome = minimise(objective, START, iterations=300, bounds=bounds)
    expected = objective.target if bounds is None else objective.target.clip(0, 255)
    np.testing.assert_allclose(outcome.pixels, expected, atol=1e-3)


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


def test_without_bounds_pixels_are_free():
    outcome = minimise(Quadratic(), START, iterations=300)
    assert outcome.pixels.min() < 0
    assert outcome.pixels.max() > 255


def test_a_start_outside_the_bounds_is_brought_inside(optimizer):
    outcome = minimise(Quadratic(), START + 1000, iterations=1, bounds=(0, 255), optimizer=optimizer)
    assert outcome.pixels.max() <= 255


def test_the_path_is_scipys_own():
    """Reports, counting and conversions must not disturb the solver: same picture after the same iterations."""
    objective = Quadratic()
    unit = 4.0  # the power of two nearest to 0.3 levels for each of 126 values, in root mean square
    scale = 0.3 / unit**2 / np.abs(objective(START)[1]).mean()

    def flat(z):
        loss, gradient = objective(z.reshape(START.shape) * unit)
        return loss * scale, gradient.ravel() * (scale * unit)

    options = {"maxiter": 15, "maxcor": 5, "ftol": 0, "gtol": 0}
    expected = optimize.minimize(flat, START.ravel() / unit, jac=True, method="L-BFGS-B", options=options)
    outcome = minimise(objective, START, iterations=15, history_size=5, on_step=lambda step, x: None)
    np.testing.assert_array_equal(outcome.pixels.ravel(), expected.x * unit)


@pytest.mark.parametrize("bounds", [None, (-1e6, 1e6)])
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_the_first_trial_moves_an_average_pixel_by_a_fraction_of_a_level(scale, bounds):
    objective = Quadratic(scale=scale)
    tried = []
    original = objective.to_device
    objective.to_device = lambda x: tried.append(x.copy()) or original(x)
    minimise(objective, START, iterations=1, bounds=bounds)
    assert 0.1 < np.abs(tried[1] - START).mean() < 1


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
        loss, _ = Quadratic()(x)
        assert step.loss == loss == step.terms["all"]
    losses = [step.loss for step in outcome.history]
    assert optimizer == "adam" or losses == sorted(losses, reverse=True)
    assert all(a.seconds <= b.seconds for a, b in zip(outcome.history, outcome.history[1:], strict=False))
    np.testing.assert_array_equal(outcome.pixels, pictures[-1][1])


def test_nothing_is_computed_twice():
    objective = Quadratic()
    seen = []
    original = objective.to_device
    objective.to_device = lambda x: seen.append(x.tobytes()) or original(x)
    minimise(objective, START, iterations=10)
    assert len(seen) == len(set(seen))


def test_the_solvers_message_is_passed_on():
    assert "L-BFGS-B: STOP: TOTAL NO. OF ITERATIONS" in minimise(Quadratic(), START, iterations=3).message
    assert "L-BFGS: 3 iterations" in minimise(Quadratic(), START, iterations=3, optimizer="lbfgs").message
    assert "Adam: 3 iterations" in minimise(Quadratic(), START, iterations=3, optimizer="adam").message


@pytest.mark.parametrize("optimizer", ["lbfgsb", "lbfgs"])
@pytest.mark.parametrize("scale", [1e-6, 1.0])
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


@pytest.mark.parametrize("optimizer", ["lbfgsb", "lbfgs"])
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
    assert outcome.completed


def test_a_loss_that_is_not_finite_stops_and_keeps_the_last_good_picture(optimizer):
    objective = Quadratic()
    objective.fail_at = 8
    pictures = []
    outcome = minimise(objective, START, iterations=30, optimizer=optimizer, on_step=lambda step, x: pictures.append(x))
    assert not outcome.completed
    assert "=nan" in outcome.message
    assert outcome.history[-1].evaluations < 8 == objective.calls
    np.testing.assert_array_equal(outcome.pixels, pictures[-1])
    assert np.isfinite(outcome.history[-1].loss)


def test_a_start_whose_loss_is_not_finite_is_refused(optimizer):
    objective = Quadratic()
    objective.fail_at = 1
    with pytest.raises(MinistyleError, match="starting picture"):
        minimise(objective, START, iterations=3, optimizer=optimizer)


def test_an_interrupted_run_keeps_its_picture(optimizer):
    pictures = []

    def interrupt(step, x):
        pictures.append(x)
        if step.iteration == 4:
            raise KeyboardInterrupt

    outcome = minimise(Quadratic(), START, iterations=30, on_step=interrupt, optimizer=optimizer)
    assert not outcome.completed
    assert "interrupted" in outcome.message
    np.testing.assert_array_equal(outcome.pixels, pictures[-1])


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
    assert outside[1:] == [{1}] * 5  # the first is the start, before the solver begins


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


def test_an_unknown_optimizer_is_refused():
    with pytest.raises(MinistyleError, match=r"optimizer .='newton'. must be one of lbfgsb, lbfgs, adam"):
        minimise(Quadratic(), START, iterations=5, optimizer="newton")
