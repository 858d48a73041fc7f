"""Every layer against an independent oracle: SciPy, a loop over positions, or numbers worked out by hand."""

import numpy as np
import pytest
from conftest import relative_error
from scipy import ndimage, signal
from tolerances import EXACT

from ministyle import layers
from ministyle.arrays import to_device, to_host

DTYPES = ["float32", "float64"]
SHAPES = [(6, 8), (5, 7), (2, 3), (1, 1), (1, 4)]


def correlate(x, kernel, bias):
    """Convolution with SciPy, one pair of channels at a time."""
    height, width, _ = x.shape
    y = np.zeros((height, width, kernel.shape[3]))
    for k in range(kernel.shape[3]):
        for c in range(kernel.shape[2]):
            y[:, :, k] += signal.correlate(x[:, :, c], kernel[:, :, c, k], mode="same", method="direct")
    return y + bias


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (3, 3), (9, 4)])
def test_convolution_is_scipys_correlation_with_a_border_of_zeros(device, random, shape, dtype):
    x, kernel, bias = random.normal(size=(*shape, 3)), random.normal(size=(3, 3, 3, 5)), random.normal(size=5)
    arrays = [to_device(array, device, dtype) for array in (x, kernel, bias)]
    y, _ = layers.convolution_forward(*arrays)
    assert y.dtype == dtype
    assert relative_error(y, correlate(x, kernel, bias)) < EXACT[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (3, 3), (9, 4)])
def test_with_a_periodic_border_convolution_is_scipys_correlation_on_a_torus(device, random, shape, dtype):
    x, kernel = random.normal(size=(*shape, 3)), random.normal(size=(3, 3, 3, 5))
    y, _ = layers.convolution_forward(to_device(x, device, dtype), to_device(kernel, device, dtype), border="periodic")
    expected = np.zeros((*shape, 5))
    for k in range(5):
        for c in range(3):
            expected[:, :, k] += signal.correlate2d(x[:, :, c], kernel[:, :, c, k], mode="same", boundary="wrap")
    assert y.dtype == dtype
    assert relative_error(y, expected) < EXACT[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (3, 3), (9, 4), (1, 2)])
def test_with_a_replicated_border_convolution_is_scipys_with_the_nearest_pixel(device, random, shape, dtype):
    x, kernel = random.normal(size=(*shape, 3)), random.normal(size=(3, 3, 3, 5))
    y, _ = layers.convolution_forward(to_device(x, device, dtype), to_device(kernel, device, dtype), border="replicate")
    expected = np.zeros((*shape, 5))
    for k in range(5):
        for c in range(3):
            expected[:, :, k] += ndimage.correlate(x[:, :, c], kernel[:, :, c, k], mode="nearest")
    assert y.dtype == dtype
    assert relative_error(y, expected) < EXACT[dtype]


def test_convolution_does_not_flip_its_kernel(device):
    x = np.zeros((3, 3, 1), np.float32)
    x[1, 2] = 1  # right of the middle
    kernel = np.zeros((3, 3, 1, 1), np.float32)
    kernel[1, 2] = 1  # looks to the right
    y, _ = layers.convolution_forward(to_device(x, device), to_device(kernel, device))
    assert to_host(y)[1, 1, 0] == 1
    assert to_host(y).sum() == 1


def test_convolution_of_one_pixel_sees_only_the_middle_of_the_kernel(device, random):
    x, kernel = random.normal(size=(1, 1, 3)), random.normal(size=(3, 3, 3, 2))
    y, _ = layers.convolution_forward(to_device(x, device), to_device(kernel, device))
    np.testing.assert_allclose(to_host(y)[0, 0], x[0, 0] @ kernel[1, 1])


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("border", layers.BORDERS)
def test_convolution_backward_is_its_adjoint(device, random, border, shape, dtype):
    kernel = to_device(random.normal(size=(3, 3, 3, 5)), device, dtype)
    v = to_device(random.normal(size=(*shape, 3)), device, dtype)
    u = to_device(random.normal(size=(*shape, 5)), device, dtype)
    y, cache = layers.convolution_forward(v, kernel, border=border)
    dx = layers.convolution_backward(u, cache)
    assert dx.dtype == dtype
    scale = float(abs(u * y).sum())
    assert abs(float((u * y).sum()) - float((dx * v).sum())) < 10 * EXACT[dtype] * scale


@pytest.mark.parametrize("dtype", DTYPES)
def test_relu_and_its_derivative_at_below_and_above_zero(device, dtype):
    x = to_device(np.array([-2.0, -0.0, 0.0, 3.0]).reshape(1, 4, 1), device, dtype)
    y, cache = layers.relu_forward(x)
    dx = layers.relu_backward(to_device(np.full((1, 4, 1), 7.0), device, dtype), cache)
    assert y.dtype == dx.dtype == dtype
    assert to_host(y).ravel().tolist() == [0, 0, 0, 3]
    assert to_host(dx).ravel().tolist() == [0, 0, 0, 7]


def test_relu_keeps_nan_so_that_it_is_noticed(device):
    y, _ = layers.relu_forward(to_device(np.full((1, 1, 1), np.nan), device))
    assert np.isnan(to_host(y)).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", ["average", "max"])
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (2, 2), (3, 2)])
def test_pooling_block_by_block(device, random, shape, name, dtype):
    x = random.normal(size=(*shape, 4)).astype(dtype)
    forward = {"average": layers.average_pool_forward, "max": layers.max_pool_forward}[name]
    reduce = {"average": np.mean, "max": np.max}[name]
    y, _ = forward(to_device(x, device))
    expected = np.empty((shape[0] // 2, shape[1] // 2, 4))
    for h, w, c in np.ndindex(expected.shape):
        expected[h, w, c] = reduce(x[2 * h : 2 * h + 2, 2 * w : 2 * w + 2, c].astype(np.float64))
    assert y.dtype == dtype
    assert relative_error(y, expected) < EXACT[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("shape", [(6, 8), (5, 7), (2, 2), (3, 2)])
def test_average_pooling_backward_is_its_adjoint(device, random, shape, dtype):
    v = to_device(random.normal(size=(*shape, 4)), device, dtype)
    y, cache = layers.average_pool_forward(v)
    u = to_device(random.normal(size=y.shape), device, dtype)
    dx = layers.average_pool_backward(u, cache)
    assert dx.dtype == dtype
    assert abs(float((u * y).sum()) - float((dx * v).sum())) < 10 * EXACT[dtype] * float(abs(u * y).sum())


@pytest.mark.parametrize("dtype", DTYPES)
def test_max_pooling_sends_the_gradient_to_the_maximum(device, dtype):
    x = np.array([[1, 5, 2, 2, 9], [3, 4, 2, 1, 9], [9, 9, 9, 9, 9]], dtype)[:, :, np.newaxis]
    y, cache = layers.max_pool_forward(to_device(x, device))
    dx = layers.max_pool_backward(to_device(np.array([[[10.0], [20.0]]]), device, dtype), cache)
    assert dx.dtype == dtype
    assert to_host(y).ravel().tolist() == [5, 2]
    # Of three equal ones the first counts; the odd row and column get nothing.
    assert to_host(dx)[:, :, 0].tolist() == [[0, 10, 20, 0, 0], [0, 0, 0, 0, 0], [0, 0, 0, 0, 0]]


@pytest.mark.parametrize("position", range(4))
def test_max_pooling_finds_the_maximum_wherever_it_is(device, position):
    x = np.zeros((2, 2, 1), np.float32)
    x.flat[position] = 1
    _, cache = layers.max_pool_forward(to_device(x, device))
    dx = layers.max_pool_backward(to_device(np.ones((1, 1, 1), np.float32), device), cache)
    np.testing.assert_array_equal(to_host(dx), x)


def test_no_layer_changes_its_input(device, random):
    x = to_device(random.normal(size=(5, 6, 3)), device)
    kernel = to_device(random.normal(size=(3, 3, 3, 3)), device)
    copy = to_host(x).copy()
    operations = [
        (lambda x: layers.convolution_forward(x, kernel), layers.convolution_backward),
        (layers.relu_forward, layers.relu_backward),
        (layers.average_pool_forward, layers.average_pool_backward),
        (layers.max_pool_forward, layers.max_pool_backward),
    ]
    for forward, backward in operations:
        y, cache = forward(x)
        dy = y + 1
        dy_copy = to_host(dy).copy()
        backward(dy, cache)
        np.testing.assert_array_equal(to_host(x), copy)
        np.testing.assert_array_equal(to_host(dy), dy_copy)
