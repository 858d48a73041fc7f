"""NumPy or CuPy: to which module an array belongs, and the way between host and device.

The rest of the package is written once for both. A function starts with `xp = array_module(x)` and
then uses `xp` where a NumPy program has `np`. This is the only file that imports CuPy, and it does so
late: "CuPy can be imported" and "there is a GPU" are two questions, and CuPy installs and imports on
machines without a GPU.
"""

import numpy as np

from .errors import MinistyleError

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
    if name not in DEVICES:
        raise MinistyleError(f"device (={name!r}) must be one of {', '.join(DEVICES)}")
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


def blas_libraries():
    """Return what threadpoolctl says about each BLAS in use: NumPy's, and SciPy's once that is loaded."""
    import threadpoolctl  # here, because looking for the libraries takes a while

    return [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]


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


def _import_cupy():
    """Return the cupy module, or None where it cannot be imported."""
    try:
        import cupy
    except ImportError:
        return None
    return cupy
