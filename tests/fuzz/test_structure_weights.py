"""Properties of the readers of published weight files; Hypothesis makes the files, with the standard library and NumPy.

The oracles are what was written, and `pickle` itself.
"""

import datetime
import decimal
import io
import json
import operator
import pickle
import struct
import zipfile

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ministyle.errors import MinistyleError, as_damaged
from ministyle.formats.formats import format_of
from ministyle.formats.pickles import read_pickle

often = settings(max_examples=100, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
NAMES = st.text("abcdefg.0123456789", min_size=1, max_size=12)
SHAPES = arrays.array_shapes(min_dims=1, max_dims=4, max_side=4)
FLOATS = arrays.arrays(
    st.sampled_from([np.float32, np.float16, np.float64]), SHAPES, elements=st.floats(-8, 8, width=16)
)
TENSORS = st.dictionaries(NAMES, FLOATS, min_size=1, max_size=4)
KINDS = {"float16": "F16", "float32": "F32", "float64": "F64"}
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda parts: st.lists(parts, max_size=4) | st.dictionaries(st.text(max_size=8), parts, max_size=4),
    max_leaves=12,
)
PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=300),
    lambda parts: (
        st.lists(parts, max_size=4)
        | st.lists(parts, max_size=4).map(tuple)
        | st.dictionaries(st.text(max_size=8) | st.integers(), parts, max_size=4)
    ),
    max_leaves=30,
)


def read(data):
    """Return all tensors of a file, name -> array."""
    file = io.BytesIO(data)
    with as_damaged("the file"):
        return {name: tensor.read() for name, tensor in format_of(file).tensors(file).items()}


def read_or_refused(data):
    """Return all tensors of a file, or None if it is refused in one sentence."""
    try:
        return read(data)
    except MinistyleError as error:
        assert str(error).strip() and len(str(error).splitlines()) == 1
        return None


def assert_same(found, written):
    assert set(found) == set(written)
    for name, array in written.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


# Safetensors ---------------------------------------------------------------------------------------------


def safetensors(header, data):
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def written(tensors, order):
    """Return header and numbers of tensors; they lie in the file in another order than in the header."""
    header, data = {}, b""
    for name in sorted(tensors, key=lambda name: hash_of(name, order)):
        array = tensors[name]
        begin, data = len(data), data + array.astype(array.dtype.newbyteorder("<")).tobytes()
        header[name] = {
            "dtype": KINDS[array.dtype.name],
            "shape": list(array.shape),
            "data_offsets": [begin, len(data)],
        }
    return {name: header[name] for name in tensors}, data


def hash_of(name, order):
    return sum(order * ord(letter) % 97 for letter in name)


@often
@given(TENSORS, st.integers(1, 96), st.booleans())
def test_safetensors_are_read_as_they_were_written(tensors, order, with_metadata):
    header, data = written(tensors, order)
    if with_metadata:
        header["__metadata__"] = {"format": "pt"}
    assert_same(read(safetensors(header, data)), tensors)


@often
@given(TENSORS, JSON, st.sampled_from(["dtype", "shape", "data_offsets", None]))
def test_safetensors_with_any_header_are_read_or_refused(tensors, odd, part):
    header, data = written(tensors, 1)
    name = next(iter(header))
    if part:
        header[name] = {**header[name], part: odd}
    else:
        header[name] = odd
    found = read_or_refused(safetensors(header, data))
    if found is not None and name in found:
        assert found[name].nbytes <= len(data)


# Pickles -------------------------------------------------------------------------------------------------


def unpickled(data, names=None):
    return read_pickle(io.BytesIO(data), names or {}, lambda _: None)


@often
@given(PLAIN, st.integers(0, 5))
def test_a_pickle_of_plain_values_is_what_pickle_says(value, protocol):
    data = pickle.dumps([value, value], protocol)  # the second one is fetched from what was stored
    with as_damaged("the pickle"):
        assert unpickled(data) == pickle.loads(data)


@often
@given(
    st.sampled_from(
        [operator.add, datetime.date(2020, 1, 1), decimal.Decimal(1), {1, 2}, 1j, range(3), bytearray(b"a"), object()]
    ),
    PLAIN,
    st.integers(0, 5),
)
def test_a_pickle_that_would_call_something_is_refused(thing, value, protocol):
    for data in (pickle.dumps(thing, protocol), pickle.dumps({"a": value, "b": [thing]}, protocol)):
        with pytest.raises(MinistyleError) as caught, as_damaged("the pickle"):
            unpickled(data)
        assert len(str(caught.value).splitlines()) == 1


@often
@given(st.binary(max_size=200), st.integers(0, 5))
def test_any_bytes_are_a_pickle_or_refused(data, protocol):
    for pickled in (data, bytes([0x80, protocol]) + data + b"."):
        try:
            with as_damaged("the pickle"):
                unpickled(pickled)
        except MinistyleError as error:
            assert len(str(error).splitlines()) == 1


# NumPy ---------------------------------------------------------------------------------------------------


@often
@given(TENSORS, st.booleans(), st.booleans())
def test_arrays_of_numpy_are_read_as_they_were_written(tensors, packed, fortran):
    file = io.BytesIO()
    arranged = {name: np.asfortranarray(array) if fortran else array for name, array in tensors.items()}
    (np.savez_compressed if packed else np.savez)(file, **{f"conv.{name}": array for name, array in arranged.items()})
    assert_same(read(file.getvalue()), {f"conv.{name}": array for name, array in tensors.items()})


@often
@given(st.binary(max_size=60), st.text(max_size=100))
def test_an_array_of_numpy_with_any_header_is_read_or_refused(rest, header):
    member = b"\x93NUMPY\x01\0" + struct.pack("<H", len(header.encode())) + header.encode() + rest
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("conv1_1.weight.npy", member)
    read_or_refused(file.getvalue())
