"""Tests of NumPy's archives and what guards them."""

import io
import os

import numpy as np
import pytest
from format_files import arrays_in, refused, zipped


def npz(**arrays):
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def npy(descr="'<f4'", shape="(2, 3)", order="False", data=bytes(24), version=b"\1\0"):
    """Return an array file with a header of one's own."""
    header = f"{{'descr': {descr}, 'fortran_order': {order}, 'shape': {shape}}}".ljust(117) + "\n"
    return b"\x93NUMPY" + version + len(header).to_bytes(2, "little") + header.encode() + data


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("conv1_1_W", "conv1_1.weight"),
        ("conv1_1_b", "conv1_1.bias"),
        ("fc6_W", "fc6.weight"),
        ("conv1_1/kernel", "conv1_1/kernel"),
        ("conv1_1.weight", "conv1_1.weight"),
        ("features.0.weight", "features.0.weight"),
    ],
)
def test_short_names_are_spelt_out(name, read):
    assert list(arrays_in(npz(**{name: np.zeros(2)}))) == [read]


def test_two_arrays_of_one_name_are_refused():
    assert "'a.weight'" in refused(npz(**{"a_W": np.zeros(2), "a.weight": np.zeros(2)}))


@pytest.mark.parametrize("dtype", ["<f4", ">f4", "<f8", "<f2", "<i8", "|u1", "|b1"])
@pytest.mark.parametrize("order", "CF")
def test_numbers_are_read_whatever_their_order(dtype, order):
    array = np.asarray(np.arange(24).reshape(2, 3, 4), dtype=dtype, order=order)
    read = arrays_in(npz(a=array))["a"]
    assert read.dtype.isnative
    np.testing.assert_array_equal(read, array)


class Touch:
    def __reduce__(self):
        return os.system, ("touch marker",)


@pytest.mark.parametrize("value", [np.array([Touch(), 1], object), np.array(["text"]), np.zeros(2, [("a", "f4")])])
def test_what_is_not_numbers_is_refused_and_nothing_runs(value, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert "not numbers" in refused(npz(conv1_1_W=value))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        ({"shape": "(2, 4)"}, "claims to have 32 bytes"),
        ({"shape": "(2, 2)"}, "24 bytes"),
        ({"shape": "(1099511627776, 1099511627776)"}, "claims"),
        ({"shape": "(-2, -3)"}, "claims"),
        ({"shape": "(True, 6.0)"}, "shape"),
        ({"descr": "'|O'"}, "objects"),
        ({"descr": "__import__('os').system('touch marker')"}, "damaged"),
        ({"version": b"\3\0"}, "version"),
        ({"version": b"\x09\0"}, "version"),
        ({"data": b""}, "claims"),
    ],
)
def test_a_header_that_lies_is_refused(header, reason):
    assert len(arrays_in(zipped({"a.npy": npy()}))["a"]) == 2
    assert reason in refused(zipped({"a.npy": npy(**header)}))
