"""Tests of the reader of Protocol Buffers."""

import io

import numpy as np
import pytest
from conftest import sentence
from format_files import field, varint

from ministyle.formats import protobuf


def read(data):
    file = io.BytesIO(data)
    return list(protobuf.fields(file, protobuf.whole(file)))


@pytest.mark.parametrize("value", [0, 1, 127, 128, 300, 2**32, 2**63 - 1, -1, -(2**63)])
def test_integers_of_up_to_64_bits_are_read(value):
    [(number, read_value)] = read(field(1, value))
    assert (number, protobuf.signed(read_value)) == (1, value)


def test_a_known_message_is_read():
    """The three examples of the documentation of Protocol Buffers."""
    assert read(bytes.fromhex("089601")) == [(1, 150)]
    file = io.BytesIO(bytes.fromhex("120774657374696e67"))
    [(number, value)] = protobuf.fields(file, protobuf.whole(file))
    assert (number, protobuf.text(file, value)) == (2, "testing")
    file = io.BytesIO(bytes.fromhex("3206038e029ea705"))
    [(number, value)] = protobuf.fields(file, protobuf.whole(file))
    assert (number, protobuf.integers(file, value)) == (6, [3, 270, 86942])


def test_what_is_not_asked_for_is_stepped_over():
    data = field(1, 5) + varint(2 << 3 | 1) + bytes(8) + varint(3 << 3 | 5) + bytes(4) + field(100, b"message")
    assert [number for number, _ in read(data)] == [1, 2, 3, 100]


def test_numbers_may_lie_in_several_pieces():
    numbers = np.arange(6, dtype=np.float32)
    file = io.BytesIO(b"??" + numbers[:4].tobytes() + b"?" + numbers[4:].tobytes())
    spans = [protobuf.Span(2, 18), protobuf.Span(19, 27)]
    np.testing.assert_array_equal(protobuf.array(file, spans, "float32", (2, 3)), numbers.reshape(2, 3))


@pytest.mark.parametrize(
    "data",
    [
        b"\x08",  # a tag, and no value
        b"\x80",  # an integer that goes on
        b"\x08" + b"\xff" * 11,  # and does not stop
        b"\x0a\x05abcd",  # a length that is not there
        b"\x0a" + varint(2**63) + b"abc",
        b"\x0a" + varint(-1) + b"abc",
        b"\x09abcdefg",  # eight bytes that are seven
        b"\x0dabc",  # four that are three
        b"\x0b\x0c",  # a group
        b"\x0e\x01",  # wire types that do not exist
        b"\x0f\x01",
        b"\x00\x01",  # field 0
    ],
)
def test_a_damaged_message_is_refused(data):
    sentence(read, data)
    sentence(read, field(1, 1) + data)


def test_a_field_does_not_reach_out_of_its_message():
    inner = b"\x0a\x05abc"  # claims 5 bytes, has 3; two more follow the message
    file = io.BytesIO(field(1, inner) + b"\x08\x01")
    [(_, span), _] = protobuf.fields(file, protobuf.whole(file))
    sentence(lambda: list(protobuf.fields(file, span)))


def test_integers_do_not_reach_out_of_their_span():
    file = io.BytesIO(b"\x01\x80\x01")
    assert protobuf.integers(file, protobuf.Span(0, 3)) == [1, 128]
    sentence(protobuf.integers, file, protobuf.Span(0, 2))


def test_more_fields_than_a_network_has_are_refused(monkeypatch):
    monkeypatch.setattr(protobuf, "MOST_FIELDS", 100)
    assert len(read(field(1, 1) * 99)) == 99
    assert "100 fields" in sentence(read, field(1, 1) * 101)
    file = io.BytesIO(bytes(200))
    assert "100 integers" in sentence(protobuf.integers, file, protobuf.Span(0, 200))


def test_a_name_longer_than_names_are_is_refused():
    file = io.BytesIO(b"a" * 2000)
    assert protobuf.text(file, protobuf.Span(0, 1000)) == "a" * 1000
    assert "name" in sentence(protobuf.text, file, protobuf.Span(0, 1001))
    assert "name" in sentence(protobuf.text, file, 7)
