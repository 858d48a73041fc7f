"""Work in strips: every row once, on all threads, in memory that nobody else looks at."""

import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

from ministyle import strips
from ministyle.network import POOLING, load_network
from ministyle.objective import Objective


@pytest.fixture(scope="module")
def pool():
    return strips.ThreadPool(2)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_a_pool_does_every_part_once_and_returns_the_results_in_order(threads):
    pool = strips.ThreadPool(threads)
    done = []
    results = pool.run(lambda part: done.append(part) or part**2, range(40))
    assert results == [part**2 for part in range(40)]
    assert sorted(done) == list(range(40))


def test_a_pool_works_on_as_many_threads_as_asked_for():
    barrier = threading.Barrier(3)
    strips.ThreadPool(3).run(lambda part: barrier.wait(timeout=10), range(3))  # breaks unless all three meet


def test_several_callers_at_once_get_their_own_results_and_leave_blas_as_it_was(weights, random):
    """One network, four threads of the user's."""
    network = load_network(weights, device="cpu")
    pictures = random.uniform(0, 255, (4, 40, 32, 3)).astype("float32")
    expected = [network.features(picture, ["conv3_1"])["conv3_1"].copy() for picture in pictures]
    before = threadpoolctl.threadpool_info()
    with ThreadPoolExecutor(4) as users:
        for _ in range(5):
            results = users.map(lambda picture: network.features(picture, ["conv3_1"])["conv3_1"].copy(), pictures)
            for result, right in zip(results, expected, strict=True):
                np.testing.assert_array_equal(result, right)
    assert threadpoolctl.threadpool_info() == before


def test_the_callers_error_state_holds_in_every_thread():
    pool = strips.ThreadPool(3)
    barrier = threading.Barrier(3)

    def overflow(part):
        barrier.wait(timeout=10)
        return np.float32(3e38) * np.float32(10)

    with np.errstate(over="ignore"):
        assert pool.run(overflow, range(3)) == [np.inf] * 3
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        pool.run(overflow, range(3))


@pytest.mark.parametrize("name", ["average", "max"])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (16, 12), (37, 20), (5, 90)])
def test_pooling_in_strips_is_pooling(random, pool, name, size):
    forward, backward = POOLING[name]
    x = random.normal(size=(*size, 5)).astype("float32")
    expected, expected_cache = forward(x)
    layer = strips.Pooling(forward, backward, pool)
    y, cache = layer.forward(x)
    np.testing.assert_array_equal(y, expected)
    dy = random.normal(size=y.shape).astype("float32")
    np.testing.assert_array_equal(layer.backward(dy, cache), backward(dy, expected_cache))


def test_blas_gets_its_threads_back(pool):
    def blas_threads():
        return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

    inside = []
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        pool.run(lambda part: inside.append(blas_threads()), range(4))
        with pytest.raises(ZeroDivisionError):
            pool.run(lambda part: 1 / 0, range(4))
        assert blas_threads() == before
    assert len(inside) == 4
    assert {count for counts in inside for count in counts} == {1}


def address(array):
    return array.__array_interface__["data"][0]


def test_memory_is_used_again_once_nobody_refers_to_it():
    memory = strips.Memory()
    first = memory.empty((10, 20), "float32")
    second = memory.empty((10, 20), "float32")
    assert not np.shares_memory(first, second)
    where = address(first)
    del first
    assert address(memory.empty((20, 9), "float32")) == where


def test_memory_is_not_used_again_while_a_view_of_it_lives():
    memory = strips.Memory()
    array = memory.empty((10, 20), "float32")
    view = array.reshape(-1)[5:].view(np.uint8)[::2]
    del array
    assert not np.shares_memory(view, memory.empty((10, 20), "float32"))


def test_memory_fills_gaps_and_joins_neighbouring_ones():
    memory = strips.Memory()
    arrays = [memory.empty((1024,), "float32") for _ in range(4)]
    where = [address(array) for array in arrays]
    del arrays[1:3]
    small = memory.empty((10,), "float64")
    assert address(small) == where[1]
    del small
    assert address(memory.empty((2048,), "float32")) == where[1]
    assert address(memory.empty((2049,), "float32")) > where[3]


def test_arrays_that_live_together_do_not_overlap(random):
    """Arrays of all sizes come and go; each keeps what was written to it."""
    memory = strips.Memory()
    living = []
    for number in range(500):
        array = memory.empty((int(random.integers(1, 3000)),), random.choice(["float32", "float64", "bool"]))
        assert address(array) % 64 == 0
        array[...] = number % 2
        living.append((array, number % 2))
        if len(living) > 20:
            del living[int(random.integers(len(living)))]
        assert all((array == value).all() for array, value in living)


def test_one_evaluation_after_the_other_takes_no_more_memory(weights, random):
    network = load_network(weights, device="cpu")
    pixels = random.uniform(0, 255, (64, 48, 3)).astype("float32")
    objective = Objective(network, content=pixels, style=pixels)

    def room_taken():
        objective(pixels + 1)
        return [end for arena in network.pool.memory._arenas for end in arena._taken.values()]

    assert room_taken() == room_taken()
    assert len(room_taken()) == 1  # the content picture's activations


@pytest.mark.parametrize(("rows", "rows_per_strip"), [(1, 1), (2, 5), (18, 4), (128, 1), (7, 2)])
def test_strips_cover_every_row_once(rows, rows_per_strip):
    pieces = strips.cut(rows, 1, rows_per_strip)
    assert [row for first, last in pieces for row in range(first, last)] == list(range(rows))
    heights = [last - first for first, last in pieces]
    assert max(heights) - min(heights) <= 1
    assert rows == 1 or len(pieces) % 2 == 0 or len(pieces) == rows
