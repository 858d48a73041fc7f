"""Read a weight file from a stranger in a process of its own, with limits on time and memory.

The library that reads HDF5 is large and written in C. A damaged file can make it crash or hang, and a forged one might
do worse. So a file that we do not know is read by a child process. What it may do is limited: seconds, memory, no new
files, no new processes. It sends back a list of arrays and the arrays. We compare the list with the architecture before
we take memory for an array, because the child may no longer be what we started.

This costs the start of a Python, about a third of a second. The file that comes with the project is known by its
checksum, and is read directly.
"""

import contextlib
import importlib
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass

import numpy as np

from ..errors import MinistyleError, as_damaged
from ..files import PACKAGE
from ..formats.formats import format_of
from .layout import find_convolutions, read_convolution
from .own import check_layers, read_own

LONGEST_LIST = 1 << 20  # bytes of the list of arrays, in JSON
MOST_RESULT = 256 << 20  # bytes of all that is sent back; VGG-19 has 80 MB
# What the child runs. It gets our own places to look for modules, as a child of `multiprocessing` does.
START = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); from ministyle.weights import isolated; isolated.main()"
)


@dataclass(frozen=True)
class Limits:
    """What reading a file may take.

    Attributes
    ----------
    seconds : float
    bytes : int, of the process's memory
    """

    seconds: float
    bytes: int

    @classmethod
    def for_file(cls, size):
        """Return the limits for a file of a size in bytes: those of a small one, and more for a large one."""
        return cls(seconds=10 + size / 20e6, bytes=(700 << 20) + 3 * size)


# In the parent -----------------------------------------------------------------------------------------


def read_isolated(task, file):
    """Read a weight file in a child process.

    Parameters
    ----------
    task : one of `TASKS`
    file : regular file, open for bytes

    Returns
    -------
    about : dict, what the file says beside its arrays
    arrays : dict, name such as "conv1_1/kernel" -> array, finite numbers, checked by `own.check_layers`

    Raises
    ------
    MinistyleError
        The file is damaged, or takes more time or memory than it should. The sentence begins with "it".
    """
    limits = Limits.for_file(os.fstat(file.fileno()).st_size)
    with _anonymous_file() as result:
        _run(task, file, result, limits)
        return received(result)


def _run(task, file, result, limits):
    """Run the child until it has written its result."""
    if not sys.executable:
        raise MinistyleError("it must be read by a Python of its own, and this one does not know its program")
    path = json.dumps([str(PACKAGE.parent), *sys.path])
    command = [sys.executable, "-I", "-c", START, path, task, str(limits.seconds), str(limits.bytes)]
    file.seek(0)
    process = subprocess.Popen(
        command,
        stdin=file,
        stdout=result,
        stderr=subprocess.DEVNULL,
        env=os.environ | {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        start_new_session=True,  # Ctrl-C is for us; we end the child
    )
    try:
        status = process.wait(limits.seconds)
    except subprocess.TimeoutExpired:
        raise MinistyleError(f"it takes longer than {limits.seconds:.0f} s to read, so it is damaged") from None
    finally:
        process.kill()
        process.wait()
    if status != 0:
        raise MinistyleError(f"it is damaged: reading it ended with status {status}")


def received(result):
    """Return what a child wrote to a file; see `read_isolated`. Nothing in it is believed."""
    size = result.seek(0, os.SEEK_END)
    result.seek(0)
    length = int.from_bytes(result.read(8), "little")
    if length > min(LONGEST_LIST, size):
        raise MinistyleError("it is damaged: reading it gave no list of arrays")
    with as_damaged("it"):
        content = json.loads(result.read(length))
        if "error" in content:
            raise MinistyleError(" ".join(str(content["error"]).split()))
        about = dict(content["about"])
        listed = [(str(name), tuple(map(int, shape)), str(dtype)) for name, shape, dtype in content["arrays"]]
    check_layers(
        {name: shape for name, shape, _ in listed}, {name: dtype for name, _, dtype in listed}, about.get("network")
    )
    arrays = {name: _receive(result, name, shape, dtype) for name, shape, dtype in listed}
    return about, arrays


def _receive(result, name, shape, dtype):
    """Read one array of a child's result."""
    array = np.empty(shape, dtype)
    if result.readinto(memoryview(array).cast("B")) != array.nbytes:
        raise MinistyleError(f"it is damaged: reading {name} gave too few numbers")
    return array


def _anonymous_file():
    """Open a file without a name, in memory where the system has such files, for a child to write to."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("ministyle"), "w+b")
    return tempfile.TemporaryFile()


# In the child ------------------------------------------------------------------------------------------


def main():
    """Do what the parent asks for: read standard input, write standard output."""
    _, _, task, seconds, limit = sys.argv
    with open(0, "rb", closefd=False) as file, open(1, "wb", closefd=False) as result:
        serve(task, file, result, Limits(float(seconds), int(limit)))


def serve(task, file, result, limits=None):
    """Read an open file and write what it holds, or the sentence that says why not.

    Parameters
    ----------
    task : one of `TASKS`
    file, result : open files, in bytes
    limits : Limits, optional
        They hold for this process from now on.
    """
    for module in MODULES[task]:  # now, because soon no file can be opened
        importlib.import_module(module)
    if limits is not None:
        limit_process(limits)
    arrays = {}
    try:
        about, arrays = TASKS[task](file)
        listed = [(name, array.shape, array.dtype.name) for name, array in arrays.items()]
        message = {"about": about, "arrays": listed}
    except MinistyleError as error:
        message = {"error": str(error)}
    header = json.dumps(message).encode()
    result.write(len(header).to_bytes(8, "little") + header)
    for array in arrays.values():
        result.write(np.ascontiguousarray(array).data)
    result.flush()


def limit_process(limits):
    """Limit what this process may do from now on, where the system can: Windows cannot."""
    try:
        import resource
    except ImportError:
        return
    most = {
        "RLIMIT_AS": limits.bytes,
        "RLIMIT_CPU": int(limits.seconds) + 1,
        "RLIMIT_FSIZE": MOST_RESULT,
        "RLIMIT_CORE": 0,
        "RLIMIT_NOFILE": 3,  # standard input, output and error, which are open: no other file can be
        "RLIMIT_NPROC": 0,
    }
    for name, value in most.items():
        with contextlib.suppress(AttributeError, ValueError, OSError):  # not every system has, or allows, each of them
            resource.setrlimit(getattr(resource, name), (value, value))


def _read_published(file):
    """Read the convolutions of a file in one of the formats that others use."""
    with as_damaged("it"):
        known = format_of(file)
        architecture, convolutions = find_convolutions(known.tensors(file))
        arrays = {}
        for name, pair in convolutions.items():
            kernel, bias = read_convolution(*pair)
            arrays[f"{name}/kernel"], arrays[f"{name}/bias"] = kernel.astype(np.float32), bias.astype(np.float32)
    return {"format": known.name, "network": architecture.name}, arrays


TASKS = {"own": read_own, "published": _read_published}
MODULES = {"own": ("h5py",), "published": ("h5py", "encodings.cp437")}  # what readers load late
