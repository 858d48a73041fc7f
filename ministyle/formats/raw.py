"""Bytes of a file, and the numbers that they are."""

import numpy as np

from ..errors import MinistyleError

BFLOAT16 = "bfloat16"  # the upper half of a float32; NumPy does not have it


def size_of(file):
    """Return how many bytes an open file has."""
    return file.seek(0, 2)


def read_at(file, start, length):
    """Return the bytes from `start` on.

    Raises
    ------
    MinistyleError
        The file ends before.
    """
    if not 0 <= start <= start + length <= size_of(file):
        raise MinistyleError(f"it ends before byte {start + length}")
    file.seek(start)
    return file.read(length)


def item_size(kind):
    """Return how many bytes a number of one kind has, "bfloat16" or the name of a NumPy data type."""
    return 2 if kind == BFLOAT16 else np.dtype(kind).itemsize


def dtype_of(kind):
    """Return the NumPy data type that holds numbers of one kind; bfloat16 becomes float32, exactly."""
    return np.dtype(np.float32 if kind == BFLOAT16 else kind)


def numbers(data, kind):
    """Return bytes as a vector of numbers, of type `dtype_of(kind)`. In the file the lowest byte comes first."""
    if kind == BFLOAT16:
        return (np.frombuffer(data, "<u2").astype(np.uint32) << 16).view(np.float32)
    return np.frombuffer(data, np.dtype(kind).newbyteorder("<")).astype(kind)
