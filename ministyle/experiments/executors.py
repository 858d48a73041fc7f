"""Where panels are made: in this process, on several GPUs, or on a cluster.

Each of the three is a `concurrent.futures.Executor`. One picture keeps all cores of a CPU busy, or a whole GPU. So
pictures are made one after the other, unless there are several devices.
"""

import threading
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager

from .. import arrays
from ..errors import MinistyleError

PATIENCE = 60  # seconds to wait for a cluster's scheduler and for its first worker


class InThisProcess(Executor):
    """Run everything where it is submitted: `submit` returns when the work is done."""

    def submit(self, function, /, *arguments, **options):
        """Call a function and return its future, which is done. A keyboard interrupt is raised here and now."""
        future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


class OnGpus(ThreadPoolExecutor):
    """Run one function at a time on each of several GPUs. Each GPU has a thread of its own.

    The functions take an argument `on_step`, as `jobs.job.Job.run` does. They call it now and then, and stop if it
    returns True.

    Parameters
    ----------
    gpus : int, how many
    """

    def __init__(self, gpus):
        free = iter(range(gpus))  # every thread has a current GPU of its own
        super().__init__(gpus, initializer=lambda: arrays.use_gpu(next(free)))
        self._stopping = threading.Event()

    def submit(self, function, /, *arguments, on_step=None, **options):
        """Call a function in a thread, and return its future."""

        def stop_or_report(*step):
            return self._stopping.is_set() or (on_step is not None and on_step(*step))

        return super().submit(function, *arguments, on_step=stop_or_report, **options)

    def stop(self):
        """Let all running functions stop the next time they call `on_step`."""
        self._stopping.set()


@contextmanager
def open_executor(scheduler=None, device="auto"):
    """Yield an executor: the cluster's, one for several GPUs, or else one that works in this process.

    Parameters
    ----------
    scheduler : str, optional
        Address of a Dask scheduler, such as "tcp://10.0.0.1:8786". Its workers need this package in the same version.
        A worker makes as many panels at a time as it has threads, so start it with `dask worker --nthreads 1`.
    device : {"auto", "cpu", "cuda"}
        Without a scheduler, panels are made on all GPUs at the same time, one on each.

    Raises
    ------
    MinistyleError
        Dask is not installed, there is no scheduler at the address, or the cluster has no worker.
    """
    if scheduler is not None:
        with _cluster(scheduler) as executor:
            yield executor
        return
    gpus = arrays.gpu_count() if arrays.choose_device(device) == "cuda" else 1
    if gpus == 1:
        yield InThisProcess()
        return
    with _gpus(gpus) as executor:
        yield executor


@contextmanager
def _gpus(count):
    """Yield an executor for several GPUs.

    Meanwhile BLAS, which SciPy's solver uses, has one thread. The number of its threads belongs to the whole process,
    so panels that are made at the same time would change it for one another.
    """
    from scipy import optimize  # noqa: F401  its BLAS must be loaded before it can be held

    executor = OnGpus(count)
    with arrays.OneBlasThread():
        try:
            yield executor
        finally:
            executor.stop()  # nothing is running any more, unless there was an error
            executor.shutdown(cancel_futures=True)


@contextmanager
def _cluster(address):
    """Yield the executor of a Dask cluster."""
    try:
        from distributed import Client
    except ImportError:
        raise MinistyleError(
            "--scheduler needs Dask, which is not installed; install ministyle with the extra cluster"
        ) from None
    try:
        client = Client(address, timeout=PATIENCE, set_as_default=False)
    except (OSError, ValueError) as error:
        raise MinistyleError(f"there is no Dask scheduler at '{address}': {error}") from None
    try:
        try:
            client.wait_for_workers(1, timeout=PATIENCE)
        except TimeoutError:
            raise MinistyleError(f"the Dask scheduler at '{address}' has no worker") from None
        # pure=True would make Dask hash every number of the pictures, to see whether it has done this before.
        executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)
    finally:
        client.close()
