"""Tests of what guards safetensors."""

import struct

import numpy as np
import pytest
from format_files import arrays_in, entry, refused, safetensors

ROW = np.arange(6, dtype=np.float32)


def test_tensors_are_read_in_any_order_of_the_header():
    data = safetensors({"b": entry((2,), 16, 24), "__metadata__": {"format": "pt"}, "a": entry((2, 2), 0, 16)})
    arrays = arrays_in(data)
    np.testing.assert_array_equal(arrays["a"], [[0, 1], [2, 3]])
    np.testing.assert_array_equal(arrays["b"], [4, 5])


def test_bfloat16_is_the_upper_half_of_float32():
    numbers = np.array([1.0, -2.5, 3e38, 0.0, np.inf], np.float32)
    upper = (numbers.view(np.uint32) >> 16).astype("<u2")
    read = arrays_in(safetensors({"a": entry((5,), 0, 10, "BF16")}, upper.tobytes()))["a"]
    np.testing.assert_array_equal(read, (upper.astype(np.uint32) << 16).view(np.float32))
    assert read[1] == -2.5


@pytest.mark.parametrize(("dtype", "numpy"), [("F64", "f8"), ("F16", "f2"), ("I64", "i8"), ("U8", "u1"), ("BOOL", "?")])
def test_numbers_of_other_kinds_keep_their_type(dtype, numpy):
    numbers = np.array([1, 0, 1], numpy)
    read = arrays_in(safetensors({"a": entry((3,), 0, numbers.nbytes, dtype)}, numbers.tobytes()))["a"]
    assert read.dtype == numbers.dtype
    np.testing.assert_array_equal(read, numbers)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"a": entry(end=28)}, "claims|has 28|take 28"),
        ({"a": entry((7,))}, "claims to have 28"),
        ({"a": entry((5,))}, "has 24 bytes"),
        ({"a": entry(dtype="F64")}, "claims to have 48"),
        ({"a": entry(dtype="F8_E4M3")}, "'F8_E4M3'"),
        ({"a": entry((2**40, 2**40))}, "claims"),
        ({"a": entry((-6,))}, "claims"),
        ({"a": entry((6.0,))}, "shape"),
        ({"a": entry((True, 6))}, "shape"),
        ({"a": entry(begin=-24, end=0)}, "nowhere"),
        ({"a": entry(begin=24, end=0)}, "nowhere"),
        ({"a": entry(begin=0.0)}, "nowhere"),
        ({"a": {**entry(), "data_offsets": [0, 24, 24]}}, "nowhere"),
        ({"a": {**entry(), "data_offsets": [0]}}, "nowhere"),
        ({"a": entry(), "b": entry()}, "overlaps"),
        ({"a": entry((4,), 0, 16), "b": entry((4,), 8, 24)}, "overlaps"),
        ({"a": entry((2,), 0, 8), "b": entry((2,), 16, 24)}, "gap"),
        ({"a": entry((4,), 8, 24)}, "gap"),
        ({"a": entry((4,), 0, 16)}, "take 16 bytes"),
        ({}, "take 0 bytes"),
        ('{"a": 1, "a": 2}', "twice"),
        ('{"a": ' + "[" * 100_000, "damaged"),
        ('{"a": 1}', "damaged"),
        ('{"a": {"dtype": "F32"}}', "damaged"),
        ('{"a": nonsense}', "damaged"),
    ],
)
def test_a_header_that_lies_is_refused(header, reason):
    message = refused(safetensors(header))
    assert any(part in message for part in reason.split("|"))


def test_a_header_longer_than_the_file_is_refused():
    data = safetensors({"a": entry()})
    assert "ends before" in refused(struct.pack("<Q", 10_000) + data[8:])
    assert "unknown format" in refused(struct.pack("<Q", 2**63) + data[8:])
