"""MATLAB's files, of the versions 5 to 7.2.

SciPy reads them too, but it does not survive files with a wrong byte: it reads memory that is not its own. So this
reads them, as much as a network takes: numbers, texts, cells and structures.

A file is a header and then elements. An element has a tag, its type and its length in bytes, or both in half the room
for one of up to four bytes. An array is an element that consists of elements: flags, lengths, a name, and then what is
in it. A variable may be packed with deflate as a whole. Arrays lie in memory column by column.
"""

import io
import zlib
from dataclasses import dataclass
from math import prod

import numpy as np

from ..errors import MinistyleError
from .archive import COMPRESSION, UNSUSPICIOUS
from .format import check_extent
from .raw import Span, numbers, read_at, size_of

HEADER, ORDER_PLACE, LITTLE = 128, 126, b"IM"
TAG = 8  # bytes; a short element has half of them, and its content in the other half
ARRAY, PACKED = 14, 15  # types of elements
KINDS = {1: "int8", 2: "uint8", 3: "int16", 4: "uint16", 5: "int32", 6: "uint32", 7: "float32", 9: "float64"}
KINDS |= {12: "int64", 13: "uint64"}
TEXTS = {1: "utf-8", 2: "utf-8", 4: "utf-16-le", 16: "utf-8", 17: "utf-16-le", 18: "utf-32-le"}
CELLS, STRUCTURE, TEXT = 1, 2, 4  # classes of arrays; those of numbers:
CLASSES = {6: "float64", 7: "float32", 8: "int8", 9: "uint8", 10: "int16", 11: "uint16", 12: "int32", 13: "uint32"}
CLASSES |= {14: "int64", 15: "uint64"}
COMPLEX = 0x800  # a flag
NAME_END = 200  # bytes of a packed variable within which its name ends
PIECE = 1 << 20  # bytes that are unpacked at a time
DEEPEST, MOST_ARRAYS = 8, 10_000  # of arrays within arrays
LONGEST_TEXT = 1000  # bytes
MOST_INTEGERS = 64  # bytes of lengths, which are eight numbers or fewer, and of flags


@dataclass(frozen=True)
class Numbers:
    """An array of numbers that are not read yet.

    Attributes
    ----------
    file : the file with them, or what was unpacked from it
    span : Span
    kind : str, the NumPy data type that the file has them in
    dtype : NumPy data type that MATLAB has them in
    shape : tuple of int
    """

    file: object
    span: Span
    kind: str
    dtype: np.dtype
    shape: tuple

    def read(self):
        """Return the array."""
        row = numbers(read_at(self.file, self.span.start, self.span.size), self.kind)
        return row.reshape(self.shape, order="F").astype(self.dtype)


def variable(file, names):
    """Return the first variable that has one of some names.

    Returns
    -------
    `Numbers`, a text, a list for cells, a list of dictionaries for a structure, None for any other kind of array
        Lists are in MATLAB's order, column by column.

    Raises
    ------
    MinistyleError
        There is none, or the file is damaged.
    """
    if read_at(file, ORDER_PLACE, len(LITTLE)) != LITTLE:
        raise MinistyleError("its numbers begin with the highest byte; save it again on another machine")
    found = None
    for kind, span in _elements(file, Span(HEADER, size_of(file)), padded=False):
        if found is None and kind in (ARRAY, PACKED):
            found = _variable(file, kind, span, names)
    if found is None:
        raise MinistyleError(f"it is a MATLAB file without a variable {' or '.join(map(repr, names))}")
    return _value(*found, 0, [0])


def _variable(file, kind, span, names):
    """Return (file, span) of the array in an element, or None if it has another name."""
    if kind == ARRAY:
        return (file, span) if _name(file, span) in names else None
    beginning = _unpacked(file, span, NAME_END)
    _, inner = _tag(beginning, 0)
    if _name(beginning, Span(inner.start, NAME_END)) not in names:
        return None
    unpacked = _unpacked(file, span, max(UNSUSPICIOUS, COMPRESSION * span.size))
    [(kind, inner)] = _elements(unpacked, Span(0, size_of(unpacked)))
    if kind != ARRAY:
        raise MinistyleError("it has a variable that is no array")
    return unpacked, inner


def _unpacked(file, span, limit):
    """Return the first `limit` bytes that a span unpacks to, as a file; refuse more than any numbers pack to."""
    unpacker, unpacked = zlib.decompressobj(), io.BytesIO()
    for start in range(span.start, span.end, PIECE):
        data = read_at(file, start, min(PIECE, span.end - start))
        unpacked.write(unpacker.decompress(data, limit + 1 - unpacked.tell()))
        if unpacked.tell() > limit:
            break
    if limit == NAME_END:
        unpacked.truncate(limit)
    elif not unpacker.eof:
        raise MinistyleError(f"a variable of {span.size} bytes does not unpack, or to more than numbers do")
    return unpacked


# Elements --------------------------------------------------------------------------------------------


def _tag(file, position):
    """Return (type, span of the content) of the element at a position."""
    first, second = np.frombuffer(read_at(file, position, TAG), "<u4").tolist()
    if first >> 16:
        return first & 0xFFFF, Span(position + TAG // 2, position + TAG // 2 + (first >> 16))
    return first, Span(position + TAG, position + TAG + second)


def _elements(file, span, padded=True):
    """Yield (type, span of the content) of the elements in a span. Within arrays they are padded to eight bytes."""
    position = span.start
    while position < span.end:
        kind, content = _tag(file, position)
        if content.start - position < TAG and content.size > TAG // 2:
            raise MinistyleError(f"the element at byte {position} is longer than it can be")
        if content.end > span.end:
            raise MinistyleError(f"the element at byte {position} ends outside of what it is part of")
        yield kind, content
        position = max(content.end, position + TAG)
        if padded:
            position += -(position - span.start) % TAG


def _array(file, span):
    """Return (class, flags, shape, name, rest) of an array; the rest yields the elements of what is in it."""
    elements = _elements(file, span)
    try:
        flags = _integers(file, *next(elements))[0]
        shape = tuple(_integers(file, *next(elements)))
        _, name = next(elements)
    except (StopIteration, IndexError):
        raise MinistyleError(f"the array at byte {span.start} is not whole") from None
    return flags & 0xFF, flags, shape, _text(file, "utf-8", name), elements


def _name(file, span):
    """Return the name of an array, or None for an empty one."""
    return _array(file, span)[3] if span.size else None


def _integers(file, kind, span):
    """Return the integers in an element."""
    if "int" not in KINDS.get(kind, "") or span.size > MOST_INTEGERS:
        raise MinistyleError(f"the element at byte {span.start} does not hold integers")
    return numbers(read_at(file, span.start, span.size), KINDS[kind]).tolist()


def _text(file, encoding, span):
    """Return the text in a span."""
    if span.size > LONGEST_TEXT:
        raise MinistyleError(f"the text at byte {span.start} is longer than names are")
    return read_at(file, span.start, span.size).decode(encoding, "replace").rstrip("\0")


# Values ----------------------------------------------------------------------------------------------


def _value(file, span, depth, count):
    """Return what an array holds, see `variable`; `count` holds how many arrays were met."""
    count[0] += 1
    if depth > DEEPEST or count[0] > MOST_ARRAYS:
        raise MinistyleError("it has more arrays, or arrays within arrays, than a network")
    if not span.size:
        return None
    kind, flags, shape, name, elements = _array(file, span)
    if kind in CLASSES and not flags & COMPLEX:
        return _numbers(file, name, shape, CLASSES[kind], elements)
    if kind == TEXT:
        return _characters(file, elements)
    if kind == CELLS:
        return _cells(file, shape, elements, depth, count)
    if kind == STRUCTURE:
        return _structure(file, shape, elements, depth, count)
    return None


def _numbers(file, name, shape, dtype, elements):
    """Return an array of numbers."""
    kind, span = next(elements, (None, None))
    if kind not in KINDS:
        raise MinistyleError("it has an array of numbers that holds none")
    kind = KINDS[kind]
    check_extent(name, shape, np.dtype(kind).itemsize, span.size)
    if prod(shape) * np.dtype(kind).itemsize != span.size:
        raise MinistyleError(f"it has an array of the shape {shape} and {span.size} bytes of numbers for it")
    return Numbers(file, span, kind, np.dtype(dtype), shape)


def _characters(file, elements):
    """Return a text; one that is longer than any name, such as a description, is cut to nothing."""
    kind, span = next(elements, (None, Span(0, 0)))
    return _text(file, TEXTS[kind], span) if kind in TEXTS and span.size <= LONGEST_TEXT else ""


def _cells(file, shape, elements, depth, count):
    """Return the values of cells."""
    found = [_inner(file, element, depth, count) for element in elements]
    if len(found) != prod(shape):
        raise MinistyleError(f"it has {len(found)} cells where it claims the shape {shape}")
    return found


def _structure(file, shape, elements, depth, count):
    """Return a structure as a list of dictionaries, one for each of its elements."""
    nothing = None, Span(0, 0)
    (kind, length), (_, names) = next(elements, nothing), next(elements, nothing)
    [length] = _integers(file, kind, length)
    if length <= 0 or names.size % length or names.size > MOST_ARRAYS:
        raise MinistyleError("it has a structure without names")
    places = range(names.start, names.end, length)
    names = [_text(file, "utf-8", Span(start, start + length)).partition("\0")[0] for start in places]
    values = [_inner(file, element, depth, count) for element in elements]
    if len(values) != prod(shape) * len(names):
        raise MinistyleError(f"it has {len(values)} values where it claims a structure of the shape {shape}")
    rows = range(0, len(values), max(1, len(names)))
    return [dict(zip(names, values[start : start + len(names)], strict=True)) for start in rows]


def _inner(file, element, depth, count):
    """Return the value of an element that must be an array."""
    kind, span = element
    if kind != ARRAY:
        raise MinistyleError(f"the element at byte {span.start} is no array")
    return _value(file, span, depth + 1, count)
