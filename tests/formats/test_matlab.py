"""Tests of the reader of MATLAB's files, with SciPy as the oracle, and of what guards it."""

import io
import struct
import zlib

import numpy as np
import pytest
from conftest import sentence
from format_files import cells, matlab
from scipy import io as scipy_io
from scipy import sparse

from ministyle.formats.matlab import Numbers, variable


def read(data, *names):
    return variable(io.BytesIO(data), names or ("a",))


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("dtype", ["f8", "f4", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8"])
@pytest.mark.parametrize("shape", [(1, 1), (1, 3), (3, 1), (2, 3, 4), (3, 3, 2, 5), (0, 4)])
def test_numbers_are_read_as_scipy_reads_them(dtype, shape, compressed):
    array = np.random.default_rng(0).integers(0, 100, shape).astype(dtype)
    data = matlab(compressed, before=1.0, a=array, behind="text")
    found = read(data)
    assert isinstance(found, Numbers)
    wanted = scipy_io.loadmat(io.BytesIO(data))["a"]
    assert found.read().dtype == wanted.dtype
    assert found.shape == wanted.shape
    np.testing.assert_array_equal(found.read(), wanted)


def test_numbers_that_are_stored_in_a_smaller_type_get_their_own():
    """MATLAB stores doubles that are small whole numbers in one byte."""
    data = matlab(a=np.array([[1.0, 2.0]]))
    old = struct.pack("<II2d", 9, 16, 1, 2)
    new = struct.pack("<HHBB2x", 2, 2, 1, 2)
    place = data.index(old)
    length = data.rindex(struct.pack("<I", 14), 0, place) + 4
    size = struct.unpack_from("<I", data, length)[0] - len(old) + len(new)
    data = data[:length] + struct.pack("<I", size) + data[length + 4 : place] + new
    np.testing.assert_array_equal(scipy_io.loadmat(io.BytesIO(data))["a"], [[1.0, 2.0]])
    found = read(data)
    np.testing.assert_array_equal(found.read(), [[1.0, 2.0]])
    assert found.read().dtype == found.dtype == np.float64


@pytest.mark.parametrize("compressed", [False, True])
def test_texts_cells_and_structures_are_read(compressed):
    inner = {"name": "conv1_1", "umlaut": "\N{LATIN SMALL LETTER U WITH DIAERESIS}", "row": cells("x", cells("y"))}
    found = read(matlab(compressed, a=inner))
    assert found == [{"name": "conv1_1", "umlaut": inner["umlaut"], "row": ["x", ["y"]]}]
    several = np.zeros((2, 2), [("p", object), ("q", object)])
    for place, name in enumerate(("p00", "p10", "p01", "p11")):  # column by column
        several[place % 2, place // 2] = name, "q"
    assert read(matlab(compressed, a=several)) == [{"p": name, "q": "q"} for name in ("p00", "p10", "p01", "p11")]


def test_other_kinds_of_arrays_are_nothing():
    assert read(matlab(a=cells(np.array([[1 + 2j]]), sparse.eye_array(3).tocsc(), "x"))) == [None, None, "x"]


def test_the_first_of_the_names_is_taken():
    assert read(matlab(b="second", a="first"), "a", "b") == "second"
    assert "'a' or 'c'" in sentence(read, matlab(b="x"), "a", "c")


def test_numbers_with_the_highest_byte_first_are_refused():
    data = bytearray(matlab(a=1.0))
    data[126:128] = b"MI"
    assert "highest byte" in sentence(read, bytes(data))


def test_a_shape_that_is_not_there_is_refused():
    data = matlab(a=np.zeros((37, 41)))
    place = data.index(struct.pack("<ii", 37, 41))
    for rows, columns, reason in ((2**31 - 1, 2**31 - 1, "claims"), (-1, -1, "claims"), (37, 40, "bytes of numbers")):
        lie = data[:place] + struct.pack("<ii", rows, columns) + data[place + 8 :]
        assert reason in sentence(read, lie)


def test_cells_that_are_not_there_are_refused():
    data = matlab(a=cells(*"abcdefg"))
    place = data.index(struct.pack("<ii", 1, 7))
    lie = data[:place] + struct.pack("<ii", 2**31 - 1, 2**31 - 1) + data[place + 8 :]
    assert "7 cells" in sentence(read, lie)


def test_values_that_are_not_there_are_refused():
    data = matlab(a={"p": "x", "q": "y"})
    place = data.index(struct.pack("<ii", 1, 1))
    assert "2 values" in sentence(read, data[:place] + struct.pack("<ii", 2, 2) + data[place + 8 :])


def test_lengths_that_are_no_integers_or_too_many_are_refused():
    data = matlab(a=cells(*"abcdefg"))
    place = data.index(struct.pack("<IIii", 5, 8, 1, 7))
    for tag in (struct.pack("<II", 7, 8), struct.pack("<II", 5, 72), struct.pack("<II", 14, 8)):
        assert "integers" in sentence(read, data[:place] + tag + data[place + 8 :])


def test_a_short_element_is_short():
    data = matlab(a="x")
    place = data.index(struct.pack("<HH4s", 1, 1, b"a"))
    assert "longer than it can be" in sentence(read, data[:place] + struct.pack("<HH", 1, 5) + data[place + 4 :])


def packed(data):
    """Return a MATLAB file whose one variable is packed."""
    content = zlib.compress(data, 9)
    return matlab()[:128] + struct.pack("<II", 15, len(content)) + content


def test_a_variable_that_unpacks_to_more_than_numbers_is_refused():
    whole = matlab(a=np.zeros((1000, 1000)))[128:]
    assert "does not unpack" in sentence(read, packed(whole))
    small = matlab(a=np.zeros((100, 100)))[128:]
    np.testing.assert_array_equal(read(packed(small)).read(), np.zeros((100, 100)))
    cut = packed(small)
    cut = cut[:132] + struct.pack("<I", len(cut) - 136 - 5) + cut[136:-5]
    assert "does not unpack" in sentence(read, cut)


def nested(depth):
    value = "x"
    for _ in range(depth):
        value = cells(value)
    return matlab(a=value)


def test_deep_nesting_and_many_arrays_are_refused(monkeypatch):
    assert read(nested(8)) == [[[[[[[["x"]]]]]]]]
    assert "within arrays" in sentence(read, nested(9))
    monkeypatch.setattr("ministyle.formats.matlab.MOST_ARRAYS", 10)
    assert "more arrays" in sentence(read, matlab(a=cells(*"abcdefghij")))


def test_what_should_be_an_array_and_is_none_is_refused():
    whole = matlab(a=1.0)[128:]
    assert "no array" in sentence(read, packed(struct.pack("<I", 9) + whole[4:]))
    data = matlab(a=cells(1.0))
    place = data.rindex(whole[:4])  # the tag of the array in the cell
    assert "no array" in sentence(read, data[:place] + struct.pack("<I", 9) + data[place + 4 :])


def test_names_of_a_structure_that_cannot_be_are_refused(monkeypatch):
    data = matlab(a={"one": "x", "two": "y"})
    place = data.index(b"one\0") - 8  # the length of a name, and the tag of the names
    length = struct.unpack_from("<I", data, place - 4)[0]
    for wrong in (-length, 0, length + 1):
        assert "without names" in sentence(read, data[: place - 4] + struct.pack("<i", wrong) + data[place:])
    with monkeypatch.context() as patch:
        patch.setattr("ministyle.formats.matlab.MOST_ARRAYS", 2 * length - 1)
        assert "without names" in sentence(read, data)
    monkeypatch.setattr("ministyle.formats.matlab.LONGEST_TEXT", length - 1)
    assert "longer than names" in sentence(read, data)


@pytest.mark.parametrize("word", range(60))
def test_a_wrong_word_in_the_tags_makes_a_sentence_or_another_value(word):
    data = matlab(a={"name": "conv1_1", "weights": cells(np.ones((2, 3), np.float32), np.ones(3))})
    for wrong in (0, 0xFFFFFFFF, 0x7FFFFFFF, 17, 0x0010000E):
        lie = data[: 128 + 4 * word] + struct.pack("<I", wrong) + data[132 + 4 * word :]
        try:
            read(lie)
        except Exception as error:
            assert type(error).__name__ in ("MinistyleError", "ValueError"), error
