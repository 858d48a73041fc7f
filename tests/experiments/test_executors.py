"""In this process, on several GPUs, on a cluster; `test_stimuli.py` shows that a cluster makes the same pictures."""

import sys
import threading

import cupy_standin
import pytest

from ministyle.errors import MinistyleError
from ministyle.experiments.executors import InThisProcess, OnGpus, open_executor


def test_in_this_process_everything_is_done_at_once_by_the_caller():
    future = InThisProcess().submit(lambda a, *, b: (a, b, threading.current_thread()), 1, b=2)
    assert future.done()
    assert future.result() == (1, 2, threading.current_thread())


def test_in_this_process_errors_go_into_the_future_and_interruptions_through():
    def interrupt():
        raise KeyboardInterrupt

    future = InThisProcess().submit(lambda: 1 / 0)
    assert isinstance(future.exception(), ZeroDivisionError)
    with pytest.raises(KeyboardInterrupt):
        InThisProcess().submit(interrupt)


@pytest.fixture
def gpus(monkeypatch):
    """Return a function that makes the stand-in for CuPy have so many GPUs."""

    def have(count):
        cupy = cupy_standin.make_module()
        cupy.cuda.runtime.getDeviceCount = lambda: count
        monkeypatch.setitem(sys.modules, "cupy", cupy)
        return cupy

    return have


@pytest.mark.parametrize(("device", "count"), [("cpu", 3), ("auto", 1)])
def test_one_device_needs_no_threads(device, count, gpus):
    gpus(count)
    with open_executor(device=device) as executor:
        assert isinstance(executor, InThisProcess)


def test_each_gpu_has_a_thread_of_its_own(gpus):
    runtime = gpus(3).cuda.runtime
    together = threading.Barrier(3, timeout=30)  # passed only by three threads at a time

    def which(on_step):
        together.wait()
        return runtime.getDevice()

    with open_executor() as executor:
        futures = [executor.submit(which) for _ in range(6)]
        assert sorted(future.result() for future in futures) == [0, 0, 1, 1, 2, 2]


def test_on_gpus_a_call_is_told_to_stop_only_once_stop_is_called(gpus):
    gpus(2)
    seen = []

    def until_stopped(on_step):
        while not on_step("step", "pixels"):
            if len(seen) == 3:
                executor.stop()
        return "stopped"

    with open_executor() as executor:
        assert isinstance(executor, OnGpus)
        future = executor.submit(until_stopped, on_step=lambda *step: seen.append(step))
        assert future.result(timeout=60) == "stopped"
        assert seen == [("step", "pixels")] * 3
        assert executor.submit(until_stopped).result(timeout=60) == "stopped"


def test_on_gpus_a_call_stops_when_its_own_function_says_so(gpus):
    gpus(2)
    with open_executor() as executor:
        assert executor.submit(lambda on_step: on_step(1), on_step=lambda step: step == 1).result() is True
        assert not executor.submit(lambda on_step: on_step(2), on_step=lambda step: step == 1).result()


def test_a_cluster_without_dask_is_refused(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(MinistyleError, match="extra cluster"), open_executor("tcp://127.0.0.1:1"):
        pass
