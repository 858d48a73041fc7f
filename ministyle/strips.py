"""Work on large arrays in strips of rows, on all cores of a CPU, in memory that is used again.

A feature map of 512 x 512 pixels and 64 channels takes 67 MB. Who works on it as a whole, operation by operation, reads
and writes it from main memory each time. Here it is cut into strips of a few rows, small enough to stay in a core's
cache from the first operation to the last, and strips are spread over threads. NumPy lets go of the interpreter's
lock in copies, arithmetic and matrix products, so threads do run side by side. BLAS is held to one thread meanwhile:
its own threads would get in the way of ours.

How rows are cut into strips does not depend on the number of threads, so neither does any bit of a result.
"""

import math
import os
import threading
import weakref
from concurrent.futures import ThreadPoolExecutor, wait
from contextvars import copy_context
from functools import cache
from itertools import pairwise

import numpy as np


class ThreadPool:
    """Threads, the caller's among them, that work on parts of one task, each with arrays of its own that it keeps.

    Parameters
    ----------
    threads : int, optional
        By default one for each core.
    """

    def __init__(self, threads=None):
        self.threads = threads or available_cores()
        self.memory = Memory()
        self._executor = ThreadPoolExecutor(max(1, self.threads - 1), thread_name_prefix="ministyle")
        self._local = threading.local()

    def run(self, task, parts):
        """Call `task` with every part on all threads, BLAS held to one thread, and return the results in order."""
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
        with _one_at_a_time, _blas().limit(limits=1):
            # Each helper takes a copy of the caller's context along, and in it the caller's np.errstate.
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

        Arrays of one name share their memory, from call to call.
        """
        arrays = self._local.__dict__
        size = math.prod(shape)
        array = arrays.get(name)
        if array is None or array.size < size or array.dtype != dtype:
            array = arrays[name] = np.empty(size, dtype)
        return array[:size].reshape(shape)


class Memory:
    """Memory for large arrays, in which room is used again as soon as nobody refers to what was there.

    Memory fresh from the operating system costs a page fault for every 4096 bytes when it is first written to: at 512
    pixels more than all of the arithmetic in conv1_1. So here arrays are laid one behind the other into a few long
    arenas, each into the first gap that is long enough. An arena's far end, if it is never reached, takes part of the
    address space but no memory.
    """

    def __init__(self):
        self._arenas = []
        self._lock = threading.Lock()

    def empty(self, shape, dtype):
        """Return an array with whatever its memory held before."""
        count = math.prod(shape)
        size = -(-count * np.dtype(dtype).itemsize // ALIGNMENT) * ALIGNMENT
        with self._lock:
            for arena in self._arenas:
                start = arena.first_gap(size)
                if start is not None:
                    break
            else:
                arena, start = _Arena(max(ARENA * size, 2**20)), 0
                self._arenas.append(arena)
            return arena.take(start, size, count, dtype).reshape(shape)


ALIGNMENT = 64  # bytes, a cache line and a vector register
ARENA = 8  # how many times as long a new arena is as the array for which there was no room


class _Arena:
    """A long array of bytes, parts of which are taken."""

    def __init__(self, size):
        room = np.empty(size + ALIGNMENT, np.uint8)
        offset = -room.ctypes.data % ALIGNMENT
        self._bytes = memoryview(room)[offset : offset + size]
        self._taken = {}  # start -> end of what is taken

    def first_gap(self, size):
        """Return where the first gap of at least `size` bytes begins, or None."""
        gap = 0
        for start, end in sorted(self._taken.copy().items()):  # a copy, as an array may go at any moment
            if start - gap >= size:
                return gap
            gap = end
        return gap if len(self._bytes) - gap >= size else None

    def take(self, start, size, count, dtype):
        """Return an array at `start`; its room is free again once the array and all views of it are gone."""
        array = np.frombuffer(self._bytes[start : start + size], dtype, count)
        self._taken[start] = start + size
        # NumPy lets every view of an array refer to the array itself, so this one lives as long as any of them.
        weakref.finalize(array, self._taken.pop, start)
        return array


class Pooling:
    """A pooling layer of `layers`, on all cores: its functions are called for a few rows at a time.

    Parameters
    ----------
    forward, backward : functions such as `layers.average_pool_forward` and `layers.average_pool_backward`
    pool : ThreadPool
    """

    def __init__(self, forward, backward, pool):
        self._forward = forward
        self._backward = backward
        self.pool = pool

    def forward(self, x):  # (H, W, C) -> (H // 2, W // 2, C)
        """Return the pooled array and a cache: the input's shape, the strips, and the cache of every strip."""
        height, width, channels = x.shape[0] // 2, x.shape[1] // 2, x.shape[2]
        y = self.pool.memory.empty((height, width, channels), x.dtype)
        strips = cut(height, width)

        def pool_strip(strip):
            first, last = strip
            bottom = x.shape[0] if last == height else 2 * last  # the last strip has the odd row, if there is one
            y[first:last], cache = self._forward(x[2 * first : bottom])
            return cache

        return y, (x.shape, strips, self.pool.run(pool_strip, strips))

    def backward(self, dy, cache):  # (H // 2, W // 2, C) -> (H, W, C)
        """Propagate a gradient back."""
        shape, strips, caches = cache
        dx = self.pool.memory.empty(shape, dy.dtype)

        def pool_strip(part):
            (first, last), cache = part
            bottom = shape[0] if last == len(dy) else 2 * last
            dx[2 * first : bottom] = self._backward(dy[first:last], cache)

        self.pool.run(pool_strip, list(zip(strips, caches, strict=True)))
        return dx


def available_cores():
    """Return how many cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def cut(rows, positions_per_row, positions=2048):
    """Cut rows into strips of about so many positions; return (first, last + 1) of each.

    Strips are of equal height, give or take one row. There are at least two, and an even number, so that two threads
    have the same to do.
    """
    rows_per_strip = -(-positions // positions_per_row)
    count = min(rows, 2 * max(1, rows // (2 * rows_per_strip)))
    edges = [rows * i // count for i in range(count + 1)]
    return list(pairwise(edges))


_one_at_a_time = threading.Lock()  # as the number of BLAS threads is one for the whole process


@cache
def _blas():
    import threadpoolctl  # here, because looking for the libraries takes a while

    return threadpoolctl.ThreadpoolController().select(user_api="blas")
