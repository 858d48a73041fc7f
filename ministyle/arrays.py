"""NumPy or CuPy: to which module an array belongs, and the way between host and device.

The rest of the package is written once for both. A function starts with `xp = array_module(x)` and then uses `xp`
where a NumPy program has `np`. Only this file imports CuPy, and only when it is needed. A machine without a GPU may
have CuPy all the same, so `gpu_problem` asks for both.
"""

import functools
import os
import sys
import threading
from collections import Counter
from contextlib import contextmanager

import numpy as np

from .errors import MinistyleError, check_choice

DEVICES = ("auto", "cpu", "cuda")


def array_module(x):
    """Return the module, `numpy` or `cupy`, that `x` is an array of.

    Raises
    ------
    TypeError
        `x` is no array of either module (a list, say).
    """
    if isinstance(x, np.ndarray | np.generic):
        return np
    cupy = _import_cupy()
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy
    raise TypeError(f"expected a NumPy or CuPy array, got {type(x).__name__}")


def choose_device(name="auto"):
    """Turn a device's name into "cpu" or "cuda"; "auto" takes the GPU where there is one.

    Raises
    ------
    MinistyleError
        The name is unknown, or "cuda" is asked for and cannot be had; the sentence says why.
    """
    check_choice("device", name, DEVICES)
    if name == "cpu":
        return "cpu"
    problem = gpu_problem()
    if problem is None:
        return "cuda"
    if name == "auto":
        return "cpu"
    raise MinistyleError(f"device 'cuda' cannot be used: {problem}")


def gpu_problem():
    """Say in one sentence why no GPU can be used, or return None where one can."""
    cupy = _import_cupy()
    if cupy is None:
        return "CuPy is not installed; install ministyle with the extra cuda12 or cuda13"
    try:
        count = cupy.cuda.runtime.getDeviceCount()
    except cupy.cuda.runtime.CUDARuntimeError as error:
        return f"CuPy finds no GPU ({error})"
    return None if count > 0 else "CuPy finds no GPU"


def gpu_count():
    """Return how many GPUs there are; call it only where `gpu_problem()` is None."""
    return _import_cupy().cuda.runtime.getDeviceCount()


def use_gpu(number):
    """Make a GPU, counted from 0, the one that this thread uses; call it only where `gpu_problem()` is None."""
    _import_cupy().cuda.Device(number).use()


def describe_gpu():
    """Return the name and memory of this thread's GPU as text; call it only where `gpu_problem()` is None."""
    runtime = _import_cupy().cuda.runtime
    properties = runtime.getDeviceProperties(runtime.getDevice())
    return f"{properties['name'].decode()}, {properties['totalGlobalMem'] / 2**30:.1f} GiB"


def free_gpu_memory():
    """Return how many bytes of this thread's GPU are free; call it only where `gpu_problem()` is None."""
    free, _ = _import_cupy().cuda.runtime.memGetInfo()
    return free


def allow_tf32(allowed):
    """Let this process's GPU round float32 numbers to TF32, of 10 bits, where it multiplies matrices, or forbid it.

    CuPy's own switch, the variable CUPY_TF32, is read only once; this one, which CuPy does not document, works at any
    time. GPUs before Ampere have no TF32 and go on as they were. Call it only where `gpu_problem()` is None.
    """
    linalg = _import_cupy()._core._routines_linalg
    linalg.set_compute_type(np.float32, linalg.COMPUTE_TYPE_TF32 if allowed else linalg.COMPUTE_TYPE_DEFAULT)


def blas_libraries():
    """Return what threadpoolctl says about each BLAS in use: NumPy's, and SciPy's once that is loaded."""
    import threadpoolctl  # here, because looking for the libraries takes a while

    return [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]


class OneBlasThread:
    """A context in which BLAS, the library that multiplies matrices, uses one thread.

    A solver's vector operations wait for memory. Several threads do not speed them up, and they disturb the threads of
    the next evaluation, since idle BLAS threads keep a core busy for a while.

    The number of BLAS's threads belongs to the whole process, and several of our threads may work at the same time. So
    it is one as long as any of them needs that, and what it was when the last one has left.
    """

    def __enter__(self):
        _blas_limit.add(1)
        return self

    def __exit__(self, *_):
        _blas_limit.add(-1)

    @contextmanager
    def released(self):
        """Leave the context for a while, so that BLAS gets its threads back unless there is another context."""
        _blas_limit.add(-1)
        try:
            yield
        finally:
            _blas_limit.add(1)


class _BlasLimit:
    """Which threads need BLAS to have one thread, and what its numbers of threads were before."""

    def __init__(self):
        self._lock = threading.Lock()
        self._users = Counter()  # a thread's number -> how many contexts of `OneBlasThread` it is in
        self._held = {}  # controller -> its limit, in the order in which they were set

    def add(self, change):
        """Count a context that this thread enters, 1, or leaves, -1."""
        with self._lock:
            self._users[threading.get_ident()] += change
            self._users = +self._users  # without those that are in none
            self._apply()

    def _apply(self):
        """Set the limit if there are users, on SciPy's BLAS too once that is loaded; or else take it away."""
        if not self._users:
            while self._held:
                blas, limit = self._held.popitem()
                _let_any_thread_change(blas)
                limit.restore_original_limits()
                _let_any_thread_change(blas)
            return
        blas = _blas(hasattr(sys.modules.get("scipy.linalg"), "blas"))
        if blas not in self._held:
            _let_any_thread_change(blas)
            self._held[blas] = blas.limit(limits=1)
            _let_any_thread_change(blas)

    def renew_after_fork(self):
        """Forget the threads that a forked process does not have, and the lock that one of them may have held."""
        self._lock = threading.Lock()
        me = threading.get_ident()
        self._users = +Counter({me: self._users[me]})
        self._apply()


def _let_any_thread_change(blas):
    """Undo that newer threadpoolctl lets only one thread change OpenBLAS: the first and the last here may differ."""
    for library in blas.lib_controllers:
        if hasattr(library, "clear_controlling_thread"):
            library.clear_controlling_thread(force=True)


@functools.cache
def _blas(with_scipy):
    """Return a controller of NumPy's BLAS, and of SciPy's if that is loaded; looking for them takes a while."""
    import threadpoolctl

    return threadpoolctl.ThreadpoolController().select(user_api="blas")


_blas_limit = _BlasLimit()
if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_blas_limit.renew_after_fork)


def to_device(x, device, dtype=None):
    """Return `x`, an array of either module or a nested list, as an array on `device`.

    Parameters
    ----------
    x : array
        Host or device array of any shape.
    device : {"cpu", "cuda"}
        Where the result lives.
    dtype : data type, optional
        Type of the result; by default that of `x`.
    """
    if device == "cpu":
        return np.asarray(to_host(x), dtype=dtype)
    return _import_cupy().asarray(x, dtype=dtype)


def to_host(x):
    """Return `x` as a NumPy array, copied from the device if it lives there."""
    cupy = None if isinstance(x, np.ndarray) else _import_cupy()
    if cupy is not None and isinstance(x, cupy.ndarray):
        return cupy.asnumpy(x)
    return np.asarray(x)


def equal(one, other):
    """Say whether two values are equal; arrays, of host or device, are if all their numbers are."""
    if hasattr(one, "ndim") or hasattr(other, "ndim"):
        return np.array_equal(to_host(one), to_host(other))
    return bool(one == other)


def read_scalars(scalars):
    """Return scalars as a list of floats, all fetched from the device in one transfer.

    Reading a number from a GPU waits until all work there is done. So numbers stay there as arrays without dimensions.
    They are read together, when a decision depends on them.

    Parameters
    ----------
    scalars : sequence of 0-d arrays on the device, or of numbers
    """
    on_device = [scalar for scalar in scalars if not isinstance(scalar, float | np.generic)]
    if on_device:
        xp = array_module(on_device[0])
        fetched = iter(to_host(xp.stack([scalar.astype(xp.float64) for scalar in on_device])).tolist())
    return [float(scalar) if isinstance(scalar, float | np.generic) else next(fetched) for scalar in scalars]


def _import_cupy():
    """Return the cupy module, or None where it cannot be imported."""
    try:
        import cupy
    except ImportError:
        return None
    return cupy
