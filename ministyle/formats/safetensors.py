"""safetensors: a header in JSON, then the numbers.

The file begins with the length of the header in 8 bytes. The header says of every tensor its kind of numbers, its
shape, and where it lies behind the header. The tensors must fill that room without gaps.
"""

import json
from functools import partial
from math import prod

from ..errors import MinistyleError
from .format import Format, Tensor, check_extent
from .raw import BFLOAT16, dtype_of, item_size, numbers, read_at, size_of

LENGTH_BYTES = 8
LONGEST_HEADER = 100_000_000  # bytes; the format's own limit
BEGINNINGS = (b'{"', b"{}", b"{ ", b"{\n")
METADATA = "__metadata__"
KINDS = {
    "F64": "float64",
    "F32": "float32",
    "F16": "float16",
    "BF16": BFLOAT16,
    "I64": "int64",
    "I32": "int32",
    "I16": "int16",
    "I8": "int8",
    "U8": "uint8",
    "BOOL": "bool",
}


def looks_like_safetensors(file):
    """Say whether a file begins with a length and then JSON."""
    file.seek(0)
    length = int.from_bytes(file.read(LENGTH_BYTES), "little")
    return 2 <= length <= LONGEST_HEADER and file.read(2) in BEGINNINGS


def tensors(file):
    """Return all tensors; see `format.Format`."""
    length = int.from_bytes(read_at(file, 0, LENGTH_BYTES), "little")
    header = json.loads(read_at(file, LENGTH_BYTES, length), object_pairs_hook=_without_repetition)
    header.pop(METADATA, None)
    start = LENGTH_BYTES + length
    places = {name: _place(name, entry) for name, entry in header.items()}
    _check_places(places, size_of(file) - start)
    return {name: _tensor(file, name, entry, start + places[name][0]) for name, entry in header.items()}


def _without_repetition(pairs):
    """Return the dictionary of a JSON object in which no name comes twice."""
    found = dict(pairs)
    if len(found) < len(pairs):
        raise MinistyleError("its header has a name twice")
    return found


def _place(name, entry):
    """Return (first byte, end) of a tensor, counted from behind the header."""
    place = entry["data_offsets"]
    if len(place) != 2 or any(type(offset) is not int for offset in place) or not 0 <= place[0] <= place[1]:
        raise MinistyleError(f"tensor {name!r} lies nowhere")
    return tuple(place)


def _check_places(places, room):
    """Refuse tensors that overlap, leave a gap, or do not fill the room behind the header."""
    position = 0
    for name, (first, end) in sorted(places.items(), key=lambda item: item[1]):
        if first != position:
            raise MinistyleError(f"tensor {name!r} overlaps another, or there is a gap before it")
        position = end
    if position != room:
        raise MinistyleError(f"its tensors take {position} bytes, and the file has {room} for them")


def _tensor(file, name, entry, first):
    """Return one entry of the header as a `Tensor`."""
    kind, shape = KINDS.get(entry["dtype"]), tuple(entry["shape"])
    if kind is None:
        raise MinistyleError(f"tensor {name!r} has numbers of the kind {entry['dtype']!r}, not {', '.join(KINDS)}")
    if any(type(length) is not int for length in shape):
        raise MinistyleError(f"tensor {name!r} claims to have the shape {shape}")
    begin, end = entry["data_offsets"]
    check_extent(name, shape, item_size(kind), end - begin)
    if prod(shape) * item_size(kind) != end - begin:
        raise MinistyleError(f"tensor {name!r} of the shape {shape} has {end - begin} bytes")
    return Tensor(shape, dtype_of(kind), partial(_read, file, first, end - begin, kind, shape))


def _read(file, first, length, kind, shape):
    """Return the numbers of a tensor."""
    return numbers(read_at(file, first, length), kind).reshape(shape)


SAFETENSORS = Format(
    name="safetensors",
    description="safetensors (.safetensors)",
    recognises=looks_like_safetensors,
    tensors=tensors,
)
