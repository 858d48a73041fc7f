"""Memory for large arrays, used again.

The operating system hands out memory in pages of 4096 bytes, and clears each page when it is first written to. At 512
pixels that takes longer than all of the arithmetic in conv1_1. A `BufferPool` therefore keeps the memory of arrays that
are gone, and puts new arrays there.
"""

import contextlib
import math
import mmap
import threading
import weakref

import numpy as np

ALIGNMENT = 64  # bytes, a cache line and a vector register
SMALLEST_ARENA = 2**20  # bytes


class BufferPool:
    """Memory for large arrays; an array's room is free again when nobody refers to the array any more.

    Arrays lie one behind the other in a few long blocks of memory, the arenas. Each array goes into the first gap that
    is long enough. If there is none, the arenas that hold no array are given back to the operating system, and one new
    arena takes their place. It is as long as they were together, or as the array if that is longer. So the arenas
    together are hardly larger than what they held at the busiest moment.
    """

    def __init__(self):
        self._arenas = []
        self.renew_lock()

    def renew_lock(self):
        """Replace the lock; a forked process does so, as a thread that it does not have may hold the old one."""
        self._lock = threading.Lock()

    def empty(self, shape, dtype):
        """Return an array with whatever its memory held before.

        Raises
        ------
        MemoryError
            There is no room, and the operating system gives no more.
        """
        count = math.prod(shape)
        size = -(-max(1, count * np.dtype(dtype).itemsize) // ALIGNMENT) * ALIGNMENT
        with self._lock:
            arena, start = self._find_gap(size) or (self._add_arena(size), 0)
            return arena.take(start, size, count, dtype).reshape(shape)

    def release(self):
        """Give the arenas that hold no array back to the operating system now."""
        with self._lock:
            self._arenas = [arena for arena in self._arenas if arena.living_bytes()]

    def living_bytes(self):
        """Return how many bytes the arrays in use take."""
        return sum(arena.living_bytes() for arena in self._arenas)

    def reserved_bytes(self):
        """Return how many bytes the arenas take."""
        return sum(arena.size for arena in self._arenas)

    def _find_gap(self, size):
        for arena in self._arenas:
            start = arena.first_gap(size)
            if start is not None:
                return arena, start
        return None

    def _add_arena(self, size):
        kept = [arena for arena in self._arenas if arena.living_bytes()]
        free = self.reserved_bytes() - sum(arena.size for arena in kept)
        self._arenas = kept  # first, so that the new arena can lie where the free ones were
        arena = _Arena(max(size, free, SMALLEST_ARENA))
        self._arenas.append(arena)
        return arena


class _Arena:
    """A long block of bytes, parts of which are taken."""

    def __init__(self, size):
        self.size = size
        self._bytes = memoryview(_pages(size))
        self._taken = {}  # start -> end of what is taken

    def living_bytes(self):
        """Return how many bytes are taken."""
        return sum(end - start for start, end in self._taken.copy().items())  # a copy, as an array may go at any moment

    def first_gap(self, size):
        """Return where the first gap of at least `size` bytes begins, or None."""
        gap = 0
        for start, end in sorted(self._taken.copy().items()):
            if start - gap >= size:
                return gap
            gap = end
        return gap if self.size - gap >= size else None

    def take(self, start, size, count, dtype):
        """Return an array at `start`; its room is free again once the array and all views of it are gone."""
        array = np.frombuffer(self._bytes[start : start + size], dtype, count)
        self._taken[start] = start + size
        # NumPy lets every view of an array refer to the array itself, so this one lives as long as any of them.
        weakref.finalize(array, self._taken.pop, start)
        return array


def _pages(size):
    """Return bytes from the operating system, which gets them back as soon as nobody refers to them.

    `np.empty` would not do: the C library keeps blocks of up to 32 MB for itself when they are freed.
    """
    try:
        if not hasattr(mmap, "MAP_PRIVATE"):  # Windows, where there is no fork that could share them
            return mmap.mmap(-1, size)
        pages = mmap.mmap(-1, size, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    except OSError as error:
        raise MemoryError(f"no room for an array of {size} bytes") from error
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel without them
            pages.madvise(mmap.MADV_HUGEPAGE)  # pages of 2 MB, as NumPy asks for
    return pages
