"""What solvers say about themselves, held against what they do."""

import tracemalloc

import numpy as np
import pytest
from functions import Quadratic

from ministyle.arrays import to_device
from ministyle.cost.memory import PICTURES
from ministyle.objective import Evaluation
from ministyle.solvers import SOLVERS, choose_optimizer, minimise


class Bowl:
    """A large picture's objective that needs hardly any memory of its own."""

    def __init__(self, dtype, width=250):
        self.network = self
        self.dtype = dtype
        self.stiffness = np.geomspace(1, 1000, 3 * width).reshape(width, 3).astype(dtype)

    def to_device(self, x):
        return to_device(x, "cpu", self.dtype)

    def __call__(self, pixels):
        gradient = pixels * self.stiffness
        loss = np.vdot(gradient, pixels).astype("float64") / 2
        return Evaluation(loss, gradient, {"all": loss})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", SOLVERS)
def test_during_an_evaluation_a_solver_keeps_about_as_much_memory_as_it_says(name, dtype):
    """Beside what `cost.memory` counts for pictures: the start and its copies."""

    class Watched(Bowl):
        def __call__(self, pixels):
            held.append(tracemalloc.get_traced_memory()[0])
            return super().__call__(pixels)

    start, most = np.full((200, 250, 3), 100.0, dtype), []
    options = {"optimizer": name, "iterations": 12}
    minimise(Bowl(dtype, 4), start[:4, :4], **options)  # imports
    for history_size in (2, 8):
        held = []
        tracemalloc.start()
        try:
            minimise(Watched(dtype), start, history_size=history_size, **options)
        finally:
            tracemalloc.stop()
        said = SOLVERS[name].picture_bytes(history_size, start.itemsize)
        most.append(max(held) / (200 * 250))
        assert 0.95 * said < most[-1] < said + PICTURES
    pairs = SOLVERS[name].picture_bytes(8, start.itemsize) - SOLVERS[name].picture_bytes(2, start.itemsize)
    assert most[1] - most[0] == pytest.approx(pairs, rel=0.2, abs=1)  # some line searches hold a point more


def test_scipys_numbers_are_of_float64_whatever_the_pictures_are():
    for itemsize in (4, 8):
        assert SOLVERS["lbfgsb"].picture_bytes(10, itemsize) == 8 * SOLVERS["lbfgsb"].numbers(10)
        assert SOLVERS["lbfgs"].picture_bytes(10, itemsize) == itemsize * SOLVERS["lbfgs"].numbers(10)


@pytest.mark.parametrize("name", SOLVERS)
def test_memory_and_time_grow_with_the_history_where_there_is_one(name):
    solver = SOLVERS[name]
    (few, some, more) = (solver.numbers(size) for size in (1, 2, 3))
    assert some - few == more - some == (0 if name == "adam" else 2 * 3)  # a pair of arrays (H, W, 3)
    assert solver.seconds(1) > 0
    assert (solver.seconds(20) > solver.seconds(10)) == (name != "adam")


@pytest.mark.parametrize("name", SOLVERS)
def test_the_time_of_a_run_is_that_of_its_iterations(name):
    solver = SOLVERS[name]
    assert solver.picture_seconds(10, 200) == pytest.approx(200 * solver.seconds(10))


def test_bounds_take_scipy_time_before_the_first_iteration_and_in_each():
    solver = SOLVERS["lbfgsb"]

    def added(history_size, iterations):
        free, bound = (solver.picture_seconds(history_size, iterations, bounds) for bounds in (False, True))
        return bound - free

    assert added(10, 0) == solver.bounds_start > 0
    each = added(10, 1) - added(10, 0)
    assert each > 0 and added(10, 200) == pytest.approx(added(10, 0) + 200 * each)
    assert added(20, 1) > added(10, 1)


@pytest.mark.parametrize("name", SOLVERS)
def test_the_number_of_evaluations_is_about_what_was_said(name):
    for iterations in (10, 60):
        outcome = minimise(Quadratic(), np.full((6, 7, 3), 128.0), iterations=iterations, optimizer=name)
        said, done = SOLVERS[name].evaluations(iterations), outcome.history[-1].evaluations
        assert done == said if name == "adam" else iterations < done <= said + 3


@pytest.mark.parametrize("name", SOLVERS)
def test_messages_begin_with_the_solvers_title(name):
    outcome = minimise(Quadratic(), np.full((6, 7, 3), 128.0), iterations=2, optimizer=name)
    assert outcome.message.startswith(f"{SOLVERS[name].title}: ")


def test_only_scipy_takes_memory_for_being_loaded():
    assert {name for name, solver in SOLVERS.items() if solver.fixed_bytes} == {"lbfgsb"}


def test_auto_is_scipys_on_a_cpu_and_our_own_on_a_gpu():
    assert choose_optimizer("auto", "cpu") == "lbfgsb"
    assert choose_optimizer("auto", "cuda") == "lbfgs"
    for name in SOLVERS:
        assert choose_optimizer(name, "cpu") == choose_optimizer(name, "cuda") == name
