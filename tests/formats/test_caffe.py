"""Tests of what guards Caffe's networks."""

import io

import numpy as np
import pytest
from format_files import arrays_in, field, refused, varint

from ministyle.formats.caffe import CAFFE

ROW = np.arange(6, dtype="<f4")
BYTES = ROW.tobytes()


def packed(*lengths):
    return b"".join(map(varint, lengths))


def blob(shape=(2, 3), data=BYTES, number=5):
    return field(7, field(1, packed(*shape))) + field(number, data)


def old_blob(*lengths, data=BYTES):
    return b"".join(field(number, length) for number, length in enumerate(lengths, 1)) + field(5, data)


def old(*blobs, name="conv1_1"):
    """Return a network of the older version with one layer."""
    layer = field(2, "data") + field(3, name) + field(4, name) + field(5, 4) + b"".join(field(6, one) for one in blobs)
    return field(1, "VGG") + field(2, layer)


def new(*blobs, name="conv1_1"):
    """Return a network of the newer version with one layer."""
    layer = field(1, name) + field(2, "Convolution") + b"".join(field(7, one) for one in blobs)
    return field(1, "VGG") + field(100, layer)


def test_both_versions_and_both_ways_to_state_a_shape_are_read():
    for data in (new(blob()), old(blob()), new(blob((2, 3), ROW.astype("<f8").tobytes(), 8))):
        np.testing.assert_array_equal(arrays_in(data)["conv1_1.weight"], ROW.reshape(2, 3))
    array = arrays_in(old(old_blob(1, 2, 3, 1), old_blob(1, 1, 1, 6)))
    assert array["conv1_1.weight"].shape == (1, 2, 3, 1)
    assert array["conv1_1.bias"].shape == (6,)


def test_a_shape_that_is_not_packed_and_numbers_in_pieces_are_read():
    shape = field(7, field(1, 2) + field(1, 3))
    data = new(shape + field(5, ROW[:2].tobytes()) + field(5, ROW[2:].tobytes()))
    np.testing.assert_array_equal(arrays_in(data)["conv1_1.weight"], ROW.reshape(2, 3))


def test_more_than_two_arrays_of_a_layer_are_numbered():
    """Caffe's batch normalisation has three."""
    assert list(arrays_in(new(*[blob()] * 4))) == [f"conv1_1.{kind}" for kind in ("weight", "bias", "2", "3")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (new(blob((2, 4))), "claims to have 32 bytes"),
        (new(blob((2, 2))), "24 bytes"),
        (new(blob((2**40, 2**40))), "claims"),
        (new(blob((2**63 - 1,))), "claims"),
        (new(blob((-2, -3))), "claims"),
        (new(blob((1,) * 8 + (6,))), "9 dimensions"),
        (old(old_blob(2**40, 2**40, 3, 3)), "claims"),
        (old(old_blob(-1, -1, 2, 3)), "claims"),
        (old(old_blob(6)), "24 bytes"),
        (new(blob((2, 3), ROW.tobytes() + b"?")), "25 bytes"),
        (new(blob() + field(8, ROW.astype("<f8").tobytes())), "two kinds"),
        (new(field(7, field(1, packed(6))) + (varint(5 << 3 | 5) + bytes(4)) * 6 + field(5, 1)), "damaged"),
        (new(blob()) + new(blob()), "'conv1_1'"),
        (field(2, field(2, "data") + field(1, field(1, "conv"))), "oldest version"),
        (new(blob()) + new(blob(), name="a" * 2000), "longer than names"),
        (new(b"\x3a\x7f"), "ends outside"),
    ],
)
def test_a_network_that_lies_is_refused(data, reason):
    assert reason in refused(data)


def test_numbers_one_by_one_are_read_as_well():
    """Numbers that are not packed are fields of four bytes each; nobody writes them, and they are few enough here."""
    single = b"".join(varint(5 << 3 | 5) + number.tobytes() for number in ROW)
    array = arrays_in(new(field(7, field(1, packed(6))) + single))["conv1_1.weight"]
    np.testing.assert_array_equal(array, ROW)


@pytest.mark.parametrize(
    "data",
    [
        b"\n\nA text that begins with two empty lines.\n",
        field(1, field(1, "node") + field(2, "op")),  # TensorFlow's graphs: field 1 is a node
        field(1, field(1, "node")) + field(2, field(1, "function")),
        field(1, "name") + field(9, 1),
        field(2, b""),
        field(2, field(2, b"\x01\x02")),
        field(1, "name"),
    ],
)
def test_what_only_begins_in_the_same_way_is_not_taken_for_a_network(data):
    assert "unknown format" in refused(data)


def test_a_message_within_a_message_without_end_is_refused():
    data = b""
    for _ in range(3000):
        data = field(100, field(1, "a") + data)
    assert arrays_in(data) == {}  # what is in a layer's field 100 is not looked at
    assert CAFFE.recognises(io.BytesIO(data))
