"""PyTorch: what `torch.save` writes, read without PyTorch.

There are two layouts. Since 2020 the file is a zip archive: a pickle that describes the tensors, and one member for the
numbers of each storage. Before, pickles and numbers followed each other. In both, a tensor is a view of a storage, with
an offset and strides. The layout before 2017, a tar archive, is refused.
"""

import io
from dataclasses import dataclass
from functools import partial

import numpy as np

from ..errors import MinistyleError
from .archive import checked_member, member_names, open_archive, read_member
from .format import Format, Tensor, check_extent, check_name
from .pickles import checked_key, read_pickle
from .raw import BFLOAT16, dtype_of, item_size, numbers, read_at, size_of

STORAGE_KINDS = {
    "Float": "float32",
    "Double": "float64",
    "Half": "float16",
    "BFloat16": BFLOAT16,
    "Byte": "uint8",
    "Char": "int8",
    "Short": "int16",
    "Int": "int32",
    "Long": "int64",
    "Bool": "bool",
}
PICKLE = "/data.pkl"  # the end of the pickle's name in the archive
MAGIC = 0x1950A86A20F9469CFC6C  # of the second layout; `torch.serialization.MAGIC_NUMBER`
PROTOCOL = 1001
LENGTH_BYTES = 8  # before the numbers of each storage
FIRST_PICKLES = tuple(b"\x80" + bytes([protocol]) for protocol in range(2, 6))  # how pickles begin
TAR_SIGNATURE, TAR_PLACE = b"ustar", 257
WRAPPERS = ("state_dict", "model_state_dict", "model", "params")  # what a checkpoint calls its network
DEEPEST, MOST_ITEMS = 20, 10_000  # of containers within containers, and of what they hold


@dataclass(frozen=True)
class Storage:
    """Numbers in one row, of which tensors are views.

    Attributes
    ----------
    key : str, its name in the file
    kind : str, see `raw.item_size`
    length : int, how many numbers
    start : int, where it begins in the row of this key, in numbers
    """

    key: str
    kind: str
    length: int
    start: int = 0


@dataclass(frozen=True)
class View:
    """A tensor as the pickle describes it; offset and strides count numbers."""

    storage: Storage
    offset: int
    shape: tuple
    strides: tuple


def looks_like_pytorch(file):
    """Say whether a file is an archive with a pickle, or begins as a pickle or a tar archive does."""
    if any(name.endswith(PICKLE) for name in member_names(file)):
        return True
    file.seek(0)
    start = file.read(TAR_PLACE + len(TAR_SIGNATURE))
    return start.startswith(FIRST_PICKLES) or start[TAR_PLACE:] == TAR_SIGNATURE


def tensors(file):
    """Return all tensors, such as "features.0.weight"; see `format.Format`.

    In a checkpoint, which holds a network among other things, they are the network's.
    """
    file.seek(0)
    start = file.read(2)
    if start in FIRST_PICKLES:
        return _of_pickles(file)
    if start == b"PK":
        return _of_archive(file)
    raise MinistyleError("it is of PyTorch's oldest layout, a tar archive; load it with PyTorch and save it again")


# The pickle ------------------------------------------------------------------------------------------


def _view(storage, offset, shape, strides, *_):
    """Stand for `torch._utils._rebuild_tensor_v2`; what follows the strides is for gradients."""
    shape, strides = tuple(shape), tuple(strides)
    whole_numbers = all(type(number) is int and number >= 0 for number in (offset, *shape, *strides))
    if not isinstance(storage, Storage) or not whole_numbers or len(shape) != len(strides):
        raise MinistyleError("it has a tensor whose offset, shape or strides are none")
    return View(storage, offset, shape, strides)


def _parameter(view, *_):
    """Stand for `torch._utils._rebuild_parameter`."""
    return view


def _dictionary(pairs=()):
    """Stand for `collections.OrderedDict`."""
    return {checked_key(key): value for key, value in pairs}


@dataclass(frozen=True)
class _StorageClass:
    """Stands for a class such as torch.FloatStorage."""

    kind: str


NAMES = {
    "collections.OrderedDict": _dictionary,
    "torch._utils._rebuild_tensor": _view,
    "torch._utils._rebuild_tensor_v2": _view,
    "torch._utils._rebuild_parameter": _parameter,
    **{f"torch.{name}Storage": _StorageClass(kind) for name, kind in STORAGE_KINDS.items()},
}


def _storage(identifier):
    """Return the `Storage` that a pickle means by an id: ("storage", class, key, device, length, part)."""
    if not isinstance(identifier, tuple) or not 5 <= len(identifier) <= 6 or identifier[0] != "storage":
        raise MinistyleError("it is a pickle that refers to what is no storage")
    _, storage_class, key, _, length, *part = identifier
    is_named = isinstance(key, str | int)
    if not isinstance(storage_class, _StorageClass) or not is_named or type(length) is not int or length < 0:
        raise MinistyleError("it is a pickle with a storage that is none")
    check_name(str(key))
    start = 0
    if part and part[0] is not None:  # the storage is a part of another: (its own key, where it begins, its length)
        _, start, part_length = part[0]
        if type(start) is not int or type(part_length) is not int or start < 0 or part_length < 0:
            raise MinistyleError("it is a pickle with a part of a storage that is none")
        length = part_length
    return Storage(str(key), storage_class.kind, length, start)


def _views(contents):
    """Return the tensors in nested containers, name -> `View`."""
    if isinstance(contents, dict):
        contents = next((contents[name] for name in WRAPPERS if isinstance(contents.get(name), dict)), contents)
    found = {}
    _collect(contents, (), found, [0])
    return found


def _collect(value, path, found, count):
    """Add the tensors in a value to those found; `count` holds how many values were met."""
    count[0] += 1
    if len(path) > DEEPEST or count[0] > MOST_ITEMS:
        raise MinistyleError("it has more in it, or containers within containers, than a network")
    if isinstance(value, View):
        name = ".".join(path)
        check_name(name)
        found[name] = value
    elif isinstance(value, dict | list | tuple):
        for name, inner in value.items() if isinstance(value, dict) else enumerate(value):
            _collect(inner, (*path, str(name)), found, count)


def _tensors(views, read_storage):
    """Return tensors for views; `read_storage(storage)` returns a storage's bytes, from its key's first on."""
    return {name: _tensor(name, view, read_storage) for name, view in views.items()}


def _tensor(name, view, read_storage):
    """Return a view as a `Tensor`, having checked that it does not reach beyond its storage."""
    size = item_size(view.storage.kind)
    check_extent(name, view.shape, size, size * view.storage.length)
    last = view.offset + sum((length - 1) * stride for length, stride in zip(view.shape, view.strides, strict=True))
    if 0 not in view.shape and last >= view.storage.length:
        raise MinistyleError(f"tensor {name!r} reaches beyond its storage")
    return Tensor(view.shape, dtype_of(view.storage.kind), partial(_read, view, read_storage))


def _read(view, read_storage):
    """Return the numbers of a view."""
    row = numbers(read_storage(view.storage), view.storage.kind)[view.storage.start + view.offset :]
    if 0 in view.shape:
        return np.zeros(view.shape, row.dtype)
    strides = [stride * row.itemsize for stride in view.strides]
    return np.lib.stride_tricks.as_strided(row, view.shape, strides).copy()


# The archive -----------------------------------------------------------------------------------------


def _of_archive(file):
    """Return the tensors of an archive."""
    archive = open_archive(file)
    pickles = [name for name in archive.namelist() if name.endswith(PICKLE)]
    if len(pickles) != 1:
        raise MinistyleError("the archive has no pickle, or several")
    folder = pickles[0].removesuffix(PICKLE)
    order = f"{folder}/byteorder"
    if order in archive.namelist() and read_member(archive, order) != b"little":
        raise MinistyleError("its numbers begin with the highest byte; load it with PyTorch and save it again")
    views = _views(read_pickle(io.BytesIO(read_member(archive, pickles[0])), NAMES, _storage))
    for view in views.values():
        _check_storage(view.storage, checked_member(archive, _place(folder, view.storage)).file_size)
    return _tensors(views, lambda storage: read_member(archive, _place(folder, storage)))


def _place(folder, storage):
    """Return the name of the member with the numbers of a storage."""
    return f"{folder}/data/{storage.key}"


def _check_storage(storage, size):
    """Refuse a storage that claims more numbers than there are bytes for."""
    if (storage.start + storage.length) * item_size(storage.kind) > size:
        raise MinistyleError(f"storage {storage.key!r} claims {storage.length} numbers, and has {size} bytes")


# Pickles and numbers, one behind the other -----------------------------------------------------------


def _of_pickles(file):
    """Return the tensors of the second layout: magic, protocol, machine, tensors, keys; then the storages."""
    file.seek(0)
    if _plain(file) != MAGIC or _plain(file) != PROTOCOL:
        raise MinistyleError("it is a pickle, and none of torch.save; a pickle can run any code, so it is not read")
    if not _plain(file).get("little_endian"):
        raise MinistyleError("its numbers begin with the highest byte; load it with PyTorch and save it again")
    kinds = {}
    views = _views(read_pickle(file, NAMES, partial(_storage_of_one_kind, kinds)))
    keys = _plain(file)
    if not isinstance(keys, list) or not all(isinstance(key, str | int) for key in keys):
        raise MinistyleError("its list of storages is none")
    places = _places(file, list(map(str, keys)), kinds)
    for view in views.values():
        if view.storage.key not in places:
            raise MinistyleError(f"storage {view.storage.key!r} is missing")
        _check_storage(view.storage, places[view.storage.key][1])
    return _tensors(views, lambda storage: read_at(file, *places[storage.key]))


def _storage_of_one_kind(kinds, identifier):
    """Return `_storage(identifier)`, and note in `kinds`, key -> kind, what numbers it has."""
    storage = _storage(identifier)
    if kinds.setdefault(storage.key, storage.kind) != storage.kind:
        raise MinistyleError(f"storage {storage.key!r} has numbers of two kinds")
    return storage


def _places(file, keys, kinds):
    """Return where the storages are, key -> (first byte, bytes). The file is right before them."""
    places, position, end = {}, file.tell(), size_of(file)
    for key in keys:
        if key not in kinds:
            raise MinistyleError(f"storage {key!r} belongs to no tensor, so its size is unknown")
        length = int.from_bytes(read_at(file, position, LENGTH_BYTES), "little")
        places[key] = position + LENGTH_BYTES, length * item_size(kinds[key])
        position = sum(places[key])
        if position > end:
            raise MinistyleError(f"it ends before byte {position}")
    return places


def _plain(file):
    """Read a pickle that names nothing."""
    return read_pickle(file, {}, _storage)


PYTORCH = Format(
    name="PyTorch",
    description="what torch.save writes, tensors alone (.pth, .pt)",
    recognises=looks_like_pytorch,
    tensors=tensors,
)
