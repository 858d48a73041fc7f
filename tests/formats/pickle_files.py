"""Files of PyTorch made by hand, from operations of pickles."""

import pickle

from format_files import zipped

BEGIN, END = b"\x80\x02", b"."
MAGIC = bytes.fromhex("8a0a6cfc9c46f9206aa85019")  # LONG1, as torch.serialization writes it


def plain(value):
    """Return the operations that push a plain value."""
    return pickle.dumps(value, 2)[2:-1]


def named(name):
    """Return the operation that looks a name up."""
    module, _, last = name.rpartition(".")
    return b"c" + f"{module}\n{last}\n".encode()


def called(name, *arguments):
    """Return the operations that call a function by name with arguments that are operations themselves."""
    return named(name) + b"(" + b"".join(arguments) + b"tR"


def tensor(shape, strides, offset=0, *, key="0", length=6, kind="FloatStorage", part=()):
    """Return the operations that push a tensor."""
    identifier = plain("storage") + named(f"torch.{kind}") + plain(key) + plain("cpu") + plain(length)
    storage = b"(" + identifier + b"".join(plain(some) for some in part) + b"tQ"
    arguments = storage, plain(offset), plain(shape), plain(strides), plain(False), plain(None)
    return called("torch._utils._rebuild_tensor_v2", *arguments)


def one(operations, name="w"):
    """Return a pickle of a dictionary with one item."""
    return BEGIN + b"}" + plain(name) + operations + b"s" + END


def archive(pickled, storages=None, **options):
    """Return a file of the layout that is a zip archive."""
    members = {f"archive/data/{key}": data for key, data in (storages or {}).items()}
    extra = {f"archive/{name}": data for name, data in options.items() if name != "compression"}
    return zipped({"archive/data.pkl": pickled} | extra | members, options.get("compression", 0))


def legacy(pickled, storages=(), little_endian=True):
    """Return a file of the layout before; storages are (key, length, data)."""
    head = [BEGIN + MAGIC + END, pickle.dumps(1001, 2), pickle.dumps({"little_endian": little_endian}, 2), pickled]
    keys = pickle.dumps([key for key, _, _ in storages], 2)
    return b"".join([*head, keys, *(length.to_bytes(8, "little") + data for _, length, data in storages)])
