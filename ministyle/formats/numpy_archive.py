"""NumPy's archive of arrays, .npz, without pickles."""

import re
from functools import partial
from math import prod

import numpy as np

from ..errors import MinistyleError
from .archive import checked_member, member_names, open_archive, read_member
from .format import Format, Tensor, check_extent

ENDING = ".npy"
HEADERS = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
SHORT_NAME = re.compile(r"(.*)_([Wb])")  # conv1_1_W, as in the much copied vgg16_weights.npz
LONG_ENDINGS = {"W": "weight", "b": "bias"}


def looks_like_npz(file):
    """Say whether a file is a zip archive of arrays and nothing else."""
    names = member_names(file)
    return bool(names) and all(name.endswith(ENDING) for name in names)


def tensors(file):
    """Return all arrays; see `format.Format`. The name "conv1_1_W" becomes "conv1_1.weight", and _b ".bias"."""
    archive = open_archive(file)
    found = {}
    for member in archive.namelist():
        name = _tensor_name(member.removesuffix(ENDING))
        if name in found:
            raise MinistyleError(f"two arrays have the name {name!r}")
        found[name] = _tensor(archive, member, name)
    return found


def _tensor_name(name):
    """Return the name of an array as other formats would have it."""
    match = SHORT_NAME.fullmatch(name)
    return f"{match[1]}.{LONG_ENDINGS[match[2]]}" if match else name


def _tensor(archive, member, name):
    """Return one member as a `Tensor`, having read its header alone."""
    size = checked_member(archive, member).file_size
    with archive.open(member) as opened:
        version = np.lib.format.read_magic(opened)
        if version not in HEADERS:
            raise MinistyleError(f"array {name!r} is of the version {version} of NumPy's format, which no numbers need")
        shape, columns_first, dtype = HEADERS[version](opened)
        start = opened.tell()
    if dtype.kind not in "fiub":
        raise MinistyleError(f"array {name!r} holds {dtype}, not numbers; objects are not read, since they run code")
    check_extent(name, shape, dtype.itemsize, size - start)
    if prod(shape) * dtype.itemsize != size - start:
        raise MinistyleError(f"array {name!r} of the shape {shape} has {size - start} bytes")
    order = "F" if columns_first else "C"
    return Tensor(shape, dtype.newbyteorder("="), partial(_read, archive, member, start, shape, dtype, order))


def _read(archive, member, start, shape, dtype, order):
    """Return the numbers of an array."""
    row = np.frombuffer(read_member(archive, member), dtype, offset=start)
    return row.reshape(shape, order=order).astype(dtype.newbyteorder("="))


NPZ = Format(
    name="NumPy",
    description="arrays of NumPy (.npz)",
    recognises=looks_like_npz,
    tensors=tensors,
)
