"""The first layer's convolution against the plain one, which test_layers.py holds against SciPy."""

import numpy as np
import pytest
from conftest import relative_error
from convolutions import SIZES, plain, sample
from tolerances import WINOGRAD

from ministyle.fast.im2col import copy_with_border, rectify
from ministyle.fast.winograd import Convolution
from ministyle.fast.workers import Workers


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("border", ["zero", "replicate", "periodic"])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_it_agrees_with_the_plain_convolution(random, height, width, border, dtype):
    arrays = sample(random, height, width, 3, 64, dtype)
    x, kernel, bias, dy = arrays
    expected_y, positive, expected_dx = plain(*(array.astype("float64") for array in arrays), border)
    convolution = Convolution(kernel, bias, Workers(2), border)
    y, mask = convolution.forward(x)
    assert y.dtype == dtype
    assert relative_error(y, expected_y) < WINOGRAD[dtype]
    np.testing.assert_array_equal(mask, y > 0)
    dx = convolution.backward(dy, positive)
    assert dx.dtype == dtype
    assert relative_error(dx, expected_dx) < WINOGRAD[dtype]


def test_not_a_bit_depends_on_the_number_of_threads(random):
    x, kernel, bias, dy = sample(random, 70, 50, 3, 64, "float32")
    results = set()
    for threads in (1, 2, 3, 7):
        convolution = Convolution(kernel, bias, Workers(threads))
        y, positive = convolution.forward(x)
        results.add((y.tobytes(), convolution.backward(dy, positive).tobytes()))
    assert len(results) == 1


@pytest.mark.parametrize(("border", "mode"), [("zero", "constant"), ("replicate", "edge"), ("periodic", "wrap")])
@pytest.mark.parametrize("masked", [False, True])
def test_a_strip_with_its_border_is_cut_out_of_the_padded_picture(random, border, mode, masked):
    x = random.normal(size=(7, 5, 2))
    mask = random.random(x.shape) < 0.5 if masked else None
    whole = np.pad(x * mask if masked else x, ((1, 1), (1, 1), (0, 0)), mode=mode)
    for first in range(-1, 7):
        for rows in range(2, 9 - first):
            padded = np.full((rows, 7, 2), np.nan)
            copy_with_border(x, mask, first, padded, border)
            np.testing.assert_array_equal(padded, whole[first + 1 : first + 1 + rows])


def test_what_sticks_out_of_a_picture_with_a_zero_border_is_zero(random):
    padded = np.full((9, 11, 2), np.nan)
    copy_with_border(random.normal(size=(4, 5, 2)), None, 2, padded, "zero")
    assert not padded[2:].any() and not padded[:, 6:].any() and not padded[:, 0].any()


def test_rectify_adds_the_bias_and_cuts_off_at_zero():
    rows = np.array([[1.0, -3.0], [-1.0, 2.0]])
    rectify(rows, np.array([0.5, 1.5]))
    assert rows.tolist() == [[1.5, 0.0], [0.0, 3.5]]
