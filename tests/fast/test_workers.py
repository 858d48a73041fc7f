"""Threads do every part once, with BLAS on one thread, and go on working after a fork."""

import os
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import threadpoolctl

from ministyle.fast.workers import Workers, available_cores, split
from ministyle.weights.load import load_network


@pytest.fixture(scope="module")
def workers():
    return Workers(2)


@pytest.mark.parametrize("threads", [1, 2, 5])
def test_workers_do_every_part_once_and_return_the_results_in_order(threads):
    workers = Workers(threads)
    done = []
    results = workers.run(lambda part: done.append(part) or part**2, range(40))
    assert results == [part**2 for part in range(40)]
    assert sorted(done) == list(range(40))


def test_there_are_as_many_threads_as_asked_for():
    barrier = threading.Barrier(3)
    Workers(3).run(lambda part: barrier.wait(timeout=10), range(3))  # breaks unless all three meet


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
    workers = Workers(3)
    barrier = threading.Barrier(3)

    def overflow(part):
        barrier.wait(timeout=10)
        return np.float32(3e38) * np.float32(10)

    with np.errstate(over="ignore"):
        assert workers.run(overflow, range(3)) == [np.inf] * 3
    with np.errstate(over="raise"), pytest.raises(FloatingPointError):
        workers.run(overflow, range(3))


def test_blas_gets_its_threads_back(workers):
    def blas_threads():
        return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

    inside = []
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = blas_threads()
        workers.run(lambda part: inside.append(blas_threads()), range(4))
        with pytest.raises(ZeroDivisionError):
            workers.run(lambda part: 1 / 0, range(4))
        assert blas_threads() == before
    assert len(inside) == 4
    assert {count for counts in inside for count in counts} == {1}


def forked(script):
    """Run a script in a process of its own and return what it prints; both it and its child end after a minute."""
    setting = "import os, signal, sys, threading\nsignal.alarm(60)\n"
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", setting + script]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=True).stdout


needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")


@needs_fork
def test_after_a_fork_the_child_computes_what_its_parent_does_and_leaves_it_alone():
    script = """
import numpy as np
from ministyle.weights.load import load_network
network = load_network(device="cpu", threads=3)
picture, other = np.random.default_rng(0).uniform(0, 255, (2, 64, 48, 3)).astype("float32")
features = network.features(picture, ["conv3_1"])["conv3_1"]
expected = features.copy()
child = os.fork()
if child == 0:
    signal.alarm(60)  # an alarm is not inherited
    again = network.features(picture, ["conv3_1"])["conv3_1"]
    right = np.array_equal(again, expected)
    features[...] = 0
    network.features(other, ["conv3_1"])
    sys.exit(0 if right else 1)  # not os._exit: leaving the interpreter must not hang either
assert os.waitpid(child, 0)[1] == 0
np.testing.assert_array_equal(features, expected)
np.testing.assert_array_equal(network.features(picture, ["conv3_1"])["conv3_1"], expected)
print("same")
"""
    assert forked(script) == "same\n"


@needs_fork
def test_a_fork_while_another_thread_works_leaves_no_lock_taken():
    script = """
import numpy as np
from ministyle.fast.workers import Workers

busy, other = Workers(2), Workers(2)
begun, done = threading.Barrier(3), threading.Event()
frombuffer = np.frombuffer

def wait(*arguments):
    begun.wait()
    done.wait()
    return frombuffer(*arguments)

np.frombuffer = wait  # one thread is in the middle of making an array, and another in the middle of a task
threads = [
    threading.Thread(target=busy.buffers.empty, args=((3,), "float32")),
    threading.Thread(target=busy.run, args=(wait, [b"part"])),
]
for thread in threads:
    thread.start()
begun.wait()
np.frombuffer = frombuffer
child = os.fork()
if child == 0:
    signal.alarm(60)
    busy.buffers.empty((3,), "float32")
    results = [workers.run(lambda part: part + 1, range(4)) for workers in (busy, other)]
    os._exit(0 if results == [[1, 2, 3, 4]] * 2 else 1)
assert os.waitpid(child, 0)[1] == 0
done.set()
for thread in threads:
    thread.join()
print("same")
"""
    assert forked(script) == "same\n"


def test_by_default_there_is_a_thread_for_each_core_that_this_process_may_use():
    assert Workers().threads == available_cores() >= 1


def test_scratch_memory_is_each_threads_own_and_used_again():
    workers, barrier = Workers(2), threading.Barrier(2)

    def use(part):
        barrier.wait(timeout=10)  # both threads take a part
        large, small = (workers.scratch("name", shape, "float32") for shape in [(4, 5), (3, 2)])
        assert np.shares_memory(large, small)
        assert not np.shares_memory(large, workers.scratch("other", (4, 5), "float32"))
        return large

    first, second = workers.run(use, range(2))
    assert first.shape == (4, 5)
    assert not np.shares_memory(first, second)


@pytest.mark.parametrize(("rows", "rows_per_strip"), [(1, 1), (2, 5), (18, 4), (128, 1), (7, 2)])
def test_strips_cover_every_row_once(rows, rows_per_strip):
    pieces = split(rows, 1, rows_per_strip)
    assert [row for first, last in pieces for row in range(first, last)] == list(range(rows))
    heights = [last - first for first, last in pieces]
    assert max(heights) - min(heights) <= 1
    assert rows == 1 or len(pieces) % 2 == 0 or len(pieces) == rows
