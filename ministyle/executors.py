"""Where panels are made: in this process, on several GPUs, or on a cluster.

All three are a `concurrent.futures.Executor`, and nobody but this module knows which. On a CPU a picture already keeps
all cores busy, and so does one on a GPU; so pictures are made one after the other, unless there are more devices.
"""

from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager

from . import arrays
from .errors import MinistyleError

PATIENCE = 60  # seconds to wait for a cluster's scheduler and for its first worker


class InThisProcess(Executor):
    """Run everything at once, where it is submitted: the next line is reached when the work is done."""

    def submit(self, function, /, *arguments, **options):
        """Call a function and return a future that is done. A keyboard interrupt goes through to the caller."""
        future = Future()
        try:
            future.set_result(function(*arguments, **options))
        except Exception as error:
            future.set_exception(error)
        return future


@contextmanager
def open_executor(scheduler=None, device="auto"):
    """Yield the executor for these circumstances.

    Parameters
    ----------
    scheduler : str, optional
        Address of a Dask scheduler, such as "tcp://10.0.0.1:8786". Its workers need this package, in the same version,
        and take one panel for each of their threads at a time: start them with `dask worker --nthreads 1`.
    device : {"auto", "cpu", "cuda"}
        Without a scheduler, several GPUs are used side by side, one panel on each.

    Raises
    ------
    MinistyleError
        Dask is not installed, nobody answers at the address, or the cluster has no worker.
    """
    if scheduler is not None:
        with _cluster(scheduler) as executor:
            yield executor
        return
    gpus = arrays.gpu_count() if arrays.choose_device(device) == "cuda" else 1
    if gpus == 1:
        yield InThisProcess()
        return
    with _threads(gpus) as executor:
        yield executor


@contextmanager
def _threads(gpus):
    """Yield an executor with a thread for each GPU.

    BLAS, of which SciPy's solver makes use, is held to one thread all the while: its number of threads is one for the
    whole process, and panels side by side would set it for each other.
    """
    import threadpoolctl
    from scipy import optimize  # noqa: F401  its BLAS has to be there to be held

    free = iter(range(gpus))  # every thread has a current GPU of its own
    executor = ThreadPoolExecutor(gpus, initializer=lambda: arrays.use_gpu(next(free)))
    with threadpoolctl.threadpool_limits(1, user_api="blas"):
        try:
            yield executor
        finally:
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
        # Not pure: Dask would look at every number of the pictures to see whether it has done this before.
        executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)
    finally:
        client.close()
