"""Tests of what guards ONNX."""

import numpy as np
import pytest
from format_files import arrays_in, field, file_bytes, refused, varint

ROW = np.arange(6, dtype="<f4")
BYTES = ROW.tobytes()
RAW, FLOATS, DOUBLES = 9, 4, 10


def tensor(name="w", shape=(2, 3), kind=1, data=BYTES, place=RAW, more=b""):
    lengths = b"".join(field(1, length) for length in shape)
    return field(5, lengths + field(2, kind) + field(8, name) + field(place, data) + more)


def node(*inputs, kind="Conv"):
    return field(1, b"".join(field(1, name) for name in inputs) + field(2, "out") + field(4, kind))


def model(*parts):
    return field(1, 8) + field(2, "tests") + field(7, b"".join(parts) + field(2, "graph"))


def test_tensors_are_called_after_the_nodes_in_their_order():
    parts = [tensor(name, (1,), data=np.float32(place).tobytes()) for place, name in enumerate("abcdefghi")]
    nodes = [
        node("x", "b", "a"),
        node("x", "c", "d", "e", "f", kind="BatchNormalization"),
        node("x", kind="Relu"),
        node("x", "b"),
        node("x", "h", "g", kind="Gemm"),
    ]
    assert {name: array.item() for name, array in arrays_in(model(*parts, *nodes)).items()} == {
        "conv00.weight": 1,
        "conv00.bias": 0,
        "batchnorm00.weight": 2,
        "batchnorm00.bias": 3,
        "batchnorm00.running_mean": 4,
        "batchnorm00.running_var": 5,
        "conv01.weight": 1,
        "gemm00.weight": 7,
        "gemm00.bias": 6,
        "initializer.i": 8,
    }


@pytest.mark.parametrize(
    ("kind", "dtype", "place"),
    [(1, "f4", RAW), (1, "f4", FLOATS), (11, "f8", RAW), (11, "f8", DOUBLES), (10, "f2", RAW)],
)
def test_numbers_are_read_from_all_places(kind, dtype, place):
    numbers = ROW.astype(dtype)
    array = arrays_in(model(tensor(kind=kind, data=numbers.tobytes(), place=place)))["initializer.w"]
    assert array.dtype == dtype
    np.testing.assert_array_equal(array, numbers.reshape(2, 3))


def test_bfloat16_is_read():
    upper = (ROW.view("<u4") >> 16).astype("<u2")
    array = arrays_in(model(tensor(kind=16, data=upper.tobytes())))["initializer.w"]
    np.testing.assert_array_equal(array, ROW.reshape(2, 3))


def test_lengths_may_be_packed():
    lengths = field(1, varint(2) + varint(3))
    data = field(5, lengths + field(2, 1) + field(8, "w") + field(RAW, ROW.tobytes()))
    assert arrays_in(model(data))["initializer.w"].shape == (2, 3)


def test_integers_are_left_out():
    assert arrays_in(model(tensor(kind=7, data=bytes(8), shape=(1,)))) == {}


def test_numbers_in_another_file_are_refused():
    assert "another file" in refused(file_bytes("external.onnx"))
    place = field(13, field(1, "location") + field(2, "/etc/passwd"))
    for more in (place, field(14, 1), place + field(14, 1)):
        assert "another file" in refused(model(tensor(more=more)))
    assert list(arrays_in(model(tensor(more=field(14, 0))))) == ["initializer.w"]


@pytest.mark.parametrize(
    ("parts", "reason"),
    [
        ([tensor(shape=(2, 4))], "claims to have 32"),
        ([tensor(shape=(2, 2))], "other numbers"),
        ([tensor(shape=(2**40, 2**40))], "claims"),
        ([tensor(shape=(-2, -3))], "claims"),
        ([tensor(kind=11)], "claims to have 48"),
        ([tensor(kind=10)], "other numbers"),
        ([tensor(kind=11, data=bytes(48), place=FLOATS)], "other numbers"),
        ([tensor(kind=10, data=bytes(12), place=FLOATS)], "other numbers"),
        ([tensor(more=field(FLOATS, ROW.tobytes()))], "other numbers"),
        ([tensor(data=BYTES[:8], more=field(FLOATS, BYTES[8:]))], "other numbers"),
        ([tensor(data=5)], "claims to have 24"),
        ([tensor(), tensor()], "two tensors"),
        ([node("x", "w"), tensor("v")], "'w' of a node of the kind Conv is computed"),
        ([node("x", "w", "b"), tensor()], "'b' of a node of the kind Conv is computed"),
        ([tensor("a" * 2000)], "name"),
    ],
)
def test_a_model_that_lies_is_refused(parts, reason):
    assert reason in refused(model(*parts))


def test_a_model_without_a_graph_or_with_two_is_refused():
    assert "several" in refused(model(tensor()) + field(7, tensor("v")))
    assert "unknown format" in refused(field(1, 8) + field(2, "tests"))
    assert "unknown format" in refused(field(1, 0) + field(7, tensor()))


@pytest.mark.parametrize("data", [field(1, 8) + field(9, 1) + field(7, b""), field(7, tensor()), field(1, 8) * 2])
def test_what_only_looks_similar_is_not_taken_for_a_model(data):
    assert "unknown format" in refused(data)
