"""Protocol Buffers, as much of them as a network takes.

A message is a sequence of fields. A field is a number, which the format gives a meaning, and a value: an integer, four
or eight bytes, or a length and that many bytes, which may be a message again. Nothing here copies a value that has a
length; it is a `Span` of the file, which may be half a gigabyte.
"""

from typing import NamedTuple

from ..errors import MinistyleError
from .raw import numbers, read_at, size_of

INTEGER, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5  # the wire types; groups, 3 and 4, died before these formats
LONGEST_INTEGER = 10  # bytes
MOST_FIELDS = 100_000  # in one message; a network's have some hundreds
LONGEST_TEXT = 1000  # bytes


class Span(NamedTuple):
    """A piece of a file, from byte `start` to before `end`."""

    start: int
    end: int

    @property
    def size(self):
        """How many bytes it has."""
        return self.end - self.start


ENDLESS = Span(0, 1 << 62)  # for a look at the beginning of a file that may be broken off


def whole(file):
    """Return the span of an entire file."""
    return Span(0, size_of(file))


def fields(file, span):
    """Yield the fields of a message.

    Yields
    ------
    number : int, of the field
    value : int, or a `Span` for a value with a length

    Raises
    ------
    MinistyleError
        The message is damaged: a value ends outside of it, or there is none.
    """
    position = span.start
    for _ in range(MOST_FIELDS):
        if position == span.end:
            return
        tag, position = _integer(file, position, span.end)
        number, wire_type = tag >> 3, tag & 7
        if number == 0:
            raise MinistyleError(f"there is no field at byte {position}")
        if wire_type == INTEGER:
            value, position = _integer(file, position, span.end)
        elif wire_type == LENGTH:
            length, start = _integer(file, position, span.end)
            position = start + length
            value = Span(start, position)
        elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
            start, position = position, position + (8 if wire_type == EIGHT_BYTES else 4)
            value = Span(start, position)
        else:
            raise MinistyleError(f"there is no field at byte {position}")
        if position > span.end:
            raise MinistyleError(f"the field before byte {position} ends outside of what it is part of")
        yield number, value
    raise MinistyleError(f"a message has more than {MOST_FIELDS} fields")


def _integer(file, position, end):
    """Read an integer: seven bits a byte, the lowest first, and a bit that says whether more follow."""
    file.seek(position)
    value = 0
    for place, byte in enumerate(file.read(min(LONGEST_INTEGER, end - position))):
        value |= (byte & 0x7F) << 7 * place
        if byte < 0x80:
            return value & 0xFFFF_FFFF_FFFF_FFFF, position + place + 1
    raise MinistyleError(f"there is no integer at byte {position}")


def signed(value):
    """Return an integer of 64 bits with its sign."""
    return value - (1 << 64) if value >= 1 << 63 else value


def integers(file, value):
    """Return the integers, with their signs, that one field holds: one, or many packed into a span."""
    if isinstance(value, int):
        return [signed(value)]
    found, position = [], value.start
    while position < value.end:
        if len(found) > MOST_FIELDS:
            raise MinistyleError(f"a field has more than {MOST_FIELDS} integers")
        number, position = _integer(file, position, value.end)
        found.append(signed(number))
    return found


def text(file, value):
    """Return the text in a span."""
    if not isinstance(value, Span) or value.size > LONGEST_TEXT:
        raise MinistyleError("a name is none, or longer than names are")
    return read_at(file, *_start_and_size(value)).decode("utf-8", "replace")


def array(file, spans, kind, shape):
    """Return the numbers that lie in some spans, one behind the other, as an array; see `raw.numbers`."""
    data = b"".join(read_at(file, *_start_and_size(span)) for span in spans)
    return numbers(data, kind).reshape(shape)


def _start_and_size(span):
    return span.start, span.size
