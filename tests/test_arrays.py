"""NumPy or CuPy, and the way between host and device."""

import itertools
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

import cupy_standin
import numpy as np
import pytest
import threadpoolctl

from ministyle import arrays
from ministyle.errors import MinistyleError


def test_array_module_is_the_one_the_array_belongs_to(xp):
    assert arrays.array_module(xp.ones(3)) is xp


def test_array_module_refuses_what_is_no_array():
    with pytest.raises(TypeError, match="got list"):
        arrays.array_module([1.0, 2.0])


def test_there_and_back_gives_the_same_numbers(xp, device):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    there = arrays.to_device(host, device)
    assert arrays.array_module(there) is xp
    assert there.dtype == host.dtype
    np.testing.assert_array_equal(arrays.to_host(there), host)


def test_to_device_converts_the_data_type(xp, device):
    assert arrays.to_device(np.ones(2), device, "float32").dtype == np.float32


def test_auto_takes_a_gpu_where_there_is_one(xp, device, monkeypatch):
    if device == "cpu":
        monkeypatch.setitem(sys.modules, "cupy", None)  # importing it fails
    assert arrays.choose_device("auto") == device


def test_the_gpu_is_named(xp, device):
    if device == "cuda":
        assert "GiB" in arrays.describe_gpu()


def test_gpus_are_counted_and_their_free_memory_read(xp, device):
    if device == "cuda":
        assert arrays.gpu_problem() is None
        assert arrays.gpu_count() >= 1
        assert arrays.free_gpu_memory() > 2**20


def test_a_thread_can_choose_its_gpu(monkeypatch):
    module = cupy_standin.make_module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    chosen = []

    def choose(number):
        arrays.use_gpu(number)
        chosen.append(module.cuda.runtime.getDevice())

    for number in (3, 1):
        thread = threading.Thread(target=choose, args=(number,))
        thread.start()
        thread.join()
    assert chosen == [3, 1]


def test_cuda_without_cupy_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MinistyleError, match="cuda12"):
        arrays.choose_device("cuda")


@pytest.mark.parametrize("fails", [True, False])
def test_cupy_without_a_gpu_is_noticed(monkeypatch, fails):
    module = cupy_standin.make_module()

    def count():
        if fails:
            raise module.cuda.runtime.CUDARuntimeError("no driver")
        return 0

    monkeypatch.setattr(module.cuda.runtime, "getDeviceCount", count)
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert arrays.choose_device("auto") == "cpu"
    with pytest.raises(MinistyleError, match="no GPU"):
        arrays.choose_device("cuda")


def test_unknown_device_is_refused():
    with pytest.raises(MinistyleError, match="tpu"):
        arrays.choose_device("tpu")


# Numbers ---------------------------------------------------------------------------------------------


def test_scalars_come_back_as_floats_in_their_order(xp, device):
    on_device = [arrays.to_device(np.array(value), device, "float32") for value in (0.5, 3.0)]
    switch = arrays.to_device(np.array(True), device)
    scalars = [1.25, on_device[0], np.float64(2.0), switch, on_device[1], np.float32(7)]
    read = arrays.read_scalars(scalars)
    assert read == [1.25, 0.5, 2.0, 1.0, 3.0, 7.0]
    assert {type(number) for number in read} == {float}
    assert arrays.read_scalars([2.0]) == [2.0]
    assert arrays.read_scalars([]) == []


def test_all_scalars_come_from_the_device_in_one_transfer(monkeypatch):
    module = cupy_standin.make_module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    scalars = [module.ones(()), 5.0, module.zeros((), dtype="float32")]
    with cupy_standin.watched() as traffic:
        assert arrays.read_scalars(scalars) == [1.0, 5.0, 0.0]
    assert traffic.to_host == [2]


# BLAS ------------------------------------------------------------------------------------------------


def blas_threads():
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}


def test_blas_has_one_thread_but_for_a_while_and_gets_its_threads_back():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        one = arrays.OneBlasThread()
        with one:
            assert blas_threads() == {1}
            with one.released():
                assert blas_threads() == {2}
            assert blas_threads() == {1}
        assert blas_threads() == {2}
        with pytest.raises(ZeroDivisionError), one:
            1 / 0  # noqa: B018
        assert blas_threads() == {2}


def test_what_is_said_about_blas_is_about_nothing_else():
    assert {library["user_api"] for library in arrays.blas_libraries()} == {"blas"}


@pytest.fixture
def two_blas_threads():
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        yield


class Steps:
    """Threads that do one step after the other, each when it is told to, so that their steps interleave as written."""

    def __init__(self, *generators):
        self.queues = [queue.Queue() for _ in generators]
        self.done = threading.Barrier(2, timeout=60)
        self.threads = [
            threading.Thread(target=self._work, args=pair, daemon=True)
            for pair in zip(generators, self.queues, strict=True)
        ]
        for thread in self.threads:
            thread.start()

    def _work(self, generator, orders):
        for _ in iter(orders.get, None):
            next(generator, None)
            self.done.wait()

    def step(self, number):
        """Let one of the threads do its next step, and wait until it is done."""
        self.queues[number].put("go on")
        self.done.wait()

    def end(self):
        for orders, thread in zip(self.queues, self.threads, strict=True):
            orders.put(None)
            thread.join(60)


def one_after_another():
    """Enter, release, take back, leave: a step of this each time."""
    one = arrays.OneBlasThread()
    with one:
        yield
        with one.released():
            yield
        yield
    yield


ORDERS = sorted(set(itertools.permutations([0] * 4 + [1] * 4)))


@pytest.mark.usefixtures("two_blas_threads")
def test_blas_has_one_thread_as_long_as_any_thread_needs_that_and_then_as_many_as_before():
    """Two threads, in all 70 orders in which their steps may follow each other."""
    for order in ORDERS:
        steps, at = Steps(one_after_another(), one_after_another()), [0, 0]
        for number in order:
            steps.step(number)
            at[number] += 1
            needed = any(step in (1, 3) for step in at)  # 1: inside, 2: released, 3: inside again, 4: outside
            assert blas_threads() == ({1} if needed else {2}), (order, at)
        steps.end()


@pytest.mark.usefixtures("two_blas_threads")
def test_a_context_within_another_is_not_given_up_when_the_inner_one_is():
    """A panel has one thread of BLAS all the time, whatever its solver gives back."""
    with arrays.OneBlasThread(), arrays.OneBlasThread() as inner, inner.released():
        assert blas_threads() == {1}
    assert blas_threads() == {2}


def test_the_blas_of_scipy_is_held_as_well_although_it_comes_later():
    script = """
import itertools
import os
import queue
import subprocess
import sys
import threadpoolctl
from ministyle import arrays

def threads():
    return [library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]

threadpoolctl.threadpool_limits(2, user_api="blas")
one = arrays.OneBlasThread()
with one:
    pass
assert not any(name.startswith("scipy") for name in sys.modules)
import scipy.linalg
threadpoolctl.threadpool_limits(2, user_api="blas")
before = threads()
with one:
    print(threads())
    with arrays.OneBlasThread():
        print(threads())
print(threads() == before, max(before))
"""
    first, second, last = in_a_process(script).splitlines()
    assert set(first) <= set("[1, ]") and first == second
    assert last == "True 2"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="Windows does not fork")
def test_a_forked_process_has_neither_the_lock_nor_the_contexts_of_threads_that_it_lacks():
    script = """
import os, sys, threading
import numpy, threadpoolctl
from ministyle import arrays

def threads():
    return {library["num_threads"] for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"}

threadpoolctl.threadpool_limits(2, user_api="blas")
ready, end = threading.Event(), threading.Event()

def work():
    with arrays.OneBlasThread():
        with arrays._blas_limit._lock:
            ready.set()
            end.wait(60)

thread = threading.Thread(target=work)
thread.start()
ready.wait(60)
child = os.fork()
if child == 0:
    assert threads() == {2}, threads()
    with arrays.OneBlasThread() as one:
        assert threads() == {1}
        with one.released():
            assert threads() == {2}
    assert threads() == {2}
    os._exit(0)
_, status = os.waitpid(child, 0)
end.set()
thread.join()
assert threads() == {2}
print(status)
"""
    assert in_a_process(script) == "0\n"


def in_a_process(script):
    """Run a script in a process of its own, and return what it prints."""
    environment = {**os.environ, "PYTHONPATH": str(Path(arrays.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
