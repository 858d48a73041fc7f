"""Threads that share the rows of an array.

A feature map of 512 x 512 pixels and 64 channels takes 67 MB. Processing the whole map one operation at a time moves
it through main memory every time. Here the map is split into strips of a few rows. A strip is small enough to stay in
a core's cache from the first operation to the last.

The strips are spread over threads. NumPy releases the interpreter's lock in copies, arithmetic and matrix products, so
the threads run side by side. BLAS is limited to one thread meanwhile, because its own threads would get in the way.

The strips do not depend on the number of threads, so not a bit of a result does either.
"""

import math
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from itertools import pairwise

import numpy as np

from ..arrays import OneBlasThread
from .buffers import BufferPool


class Workers:
    """Threads that work on the parts of one task. The thread that calls is one of them.

    Parameters
    ----------
    threads : int, optional
        By default one for each core.

    Attributes
    ----------
    threads : int
    buffers : BufferPool, for arrays that all threads share
    """

    def __init__(self, threads=None):
        self.threads = threads or available_cores()
        self.buffers = BufferPool()
        self._local = threading.local()
        self._start_executor()
        _living.add(self)

    def run(self, task, parts):
        """Call `task` with every part, on all threads, and return the results in the order of the parts."""
        results = [None] * len(parts)
        numbers = iter(range(len(parts)))
        lock = threading.Lock()

        def work():
            while True:
                with lock:
                    number = next(numbers, None)
                if number is None:
                    return
                results[number] = task(parts[number])

        helpers = min(self.threads, len(parts)) - 1
        with _one_at_a_time, OneBlasThread():
            # Each helper runs in a copy of the caller's context, which holds the caller's np.errstate.
            futures = [self._executor.submit(copy_context().run, work) for _ in range(helpers)]
            try:
                work()
            finally:
                wait(futures)
        for future in futures:
            future.result()  # raises what the thread raised
        return results

    def scratch(self, name, shape, dtype):
        """Return an array of this thread's own, with whatever it held before.

        Arrays of one name share their memory from call to call. `scratch.scratch_bytes` counts what they take.
        """
        arrays = self._local.__dict__
        size = math.prod(shape)
        array = arrays.get(name)
        if array is None or array.size < size or array.dtype != dtype:
            array = arrays[name] = np.empty(size, dtype)
        return array[:size].reshape(shape)

    def renew_after_fork(self):
        """Start threads of this process's own, and replace a lock that another thread may have held."""
        self._start_executor()
        self.buffers.renew_lock()

    def _start_executor(self):
        # It starts a thread when a task first needs one.
        self._executor = ThreadPoolExecutor(max(1, self.threads - 1), thread_name_prefix="ministyle")


def available_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def split(rows, positions_per_row, positions=2048):
    """Split rows into strips of about so many positions; return (first, last + 1) of each.

    Strips are of equal height, give or take one row. There are at least two if there are two rows, and an even number
    if there are enough rows, so that two threads have the same to do.
    """
    count = count_strips(rows, positions_per_row, positions)
    edges = [rows * i // count for i in range(count + 1)]
    return list(pairwise(edges))


def count_strips(rows, positions_per_row, positions=2048):
    """Return how many strips `split` makes."""
    rows_per_strip = -(-positions // positions_per_row)
    return min(rows, 2 * max(1, rows // (2 * rows_per_strip)))


_one_at_a_time = threading.Lock()  # several at a time would have more threads than there are cores
_living = weakref.WeakSet()  # all Workers of the process


def _renew_after_fork():
    """Make a forked process able to work: of all threads it has only the one that forked."""
    global _one_at_a_time
    _one_at_a_time = threading.Lock()
    for workers in tuple(_living):
        workers.renew_after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which does not fork
    os.register_at_fork(after_in_child=_renew_after_fork)
