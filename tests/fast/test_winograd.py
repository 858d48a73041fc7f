"""The fast convolution against the plain one, which test_layers.py holds against SciPy."""

import gc
import weakref

import numpy as np
import pytest
from conftest import relative_error
from convolutions import SIZES, plain, sample
from tolerances import WINOGRAD

from ministyle.fast.winograd import Convolution, rotated, transforms
from ministyle.fast.workers import Workers
from ministyle.weights.load import load_network

# Every pair of channels in VGG-19 but the first, which test_im2col.py has, on sizes that are whole tiles, odd, and
# smaller than a tile. On the first size each thread has strips of its own. On the others the kernel is larger than the
# tiles, and all threads work on one strip.
CHANNELS = [(64, 64), (64, 128), (128, 128), (128, 256), (256, 256), (256, 512), (512, 512)]


@pytest.fixture(scope="module")
def workers():
    return Workers(2)


@pytest.mark.parametrize("outputs", [2, 4])
def test_transforms_correlate(random, outputs):
    A_T, G, B_T = transforms(outputs)
    d, g = random.normal(size=outputs + 2), random.normal(size=3)
    np.testing.assert_allclose(A_T @ ((G @ g) * (B_T @ d)), np.correlate(d, g), atol=1e-12)


@pytest.mark.parametrize("outputs", [2, 4])
def test_rotated_transforms_correlate_with_the_rotated_kernel(random, outputs):
    _, G, _ = transforms(outputs)
    A_T, B_T = rotated(outputs)
    d, g = random.normal(size=outputs + 2), random.normal(size=3)
    np.testing.assert_allclose(A_T @ ((G @ g) * (B_T @ d)), np.correlate(d, g[::-1]), atol=1e-12)


def test_with_lavin_and_grays_points_the_output_transforms_are_theirs():
    A_T, _, _ = transforms(4, (0, 1, -1, 2, -2))
    assert A_T.tolist() == [[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]]
    A_T, _, _ = transforms(2)
    assert A_T.tolist() == [[1, 1, 1, 0], [0, 1, -1, 1]]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(
    ("channels", "border"),
    [
        *((channels, "zero") for channels in CHANNELS),
        *((channels, border) for channels in CHANNELS[:2] for border in ("replicate", "periodic")),
    ],
)
def test_it_agrees_with_the_plain_convolution(random, workers, channels, border, dtype):
    for height, width in SIZES if max(channels) < 256 else SIZES[:4]:
        arrays = sample(random, height, width, *channels, dtype)
        x, kernel, bias, dy = arrays
        expected_y, positive, expected_dx = plain(*(array.astype("float64") for array in arrays), border)
        convolution = Convolution(kernel, bias, workers, border)
        y, mask = convolution.forward(x)
        assert y.dtype == dtype
        assert relative_error(y, expected_y) < WINOGRAD[dtype], (height, width)
        np.testing.assert_array_equal(mask, y > 0)
        dx = convolution.backward(dy, positive)
        assert dx.dtype == dtype
        assert relative_error(dx, expected_dx) < WINOGRAD[dtype], (height, width)


def test_not_a_bit_depends_on_the_number_of_threads(random):
    x, kernel, bias, dy = sample(random, 70, 50, 64, 64, "float32")
    results = []
    for threads in (1, 2, 3, 7):
        convolution = Convolution(kernel, bias, Workers(threads))
        y, positive = convolution.forward(x)
        results.append((y.tobytes(), convolution.backward(dy, positive).tobytes()))
    assert len(set(results)) == 1


def test_scratch_memory_of_one_layer_does_not_leak_into_the_next(random):
    """A small picture after a large one, in the same memory."""
    workers = Workers(1)
    x, kernel, bias, _ = sample(random, 9, 6, 16, 16, "float32")
    fresh, _ = Convolution(kernel, bias, Workers(1)).forward(x)
    Convolution(kernel, bias, workers).forward(np.full((40, 40, 16), np.nan, "float32"))
    used, _ = Convolution(kernel, bias, workers).forward(x)
    np.testing.assert_array_equal(used, fresh)


def test_memory_is_free_as_soon_as_nobody_uses_it(random):
    """Without waiting for the garbage collector: at 512 pixels it would hold hundreds of MB."""
    x, kernel, bias, dy = sample(random, 40, 40, 16, 16, "float32")
    convolution = Convolution(kernel, bias, Workers(2))
    _, positive = convolution.forward(x)
    convolution.backward(dy, positive)
    gone = [weakref.ref(convolution), weakref.ref(convolution.workers)]
    gc.disable()
    try:
        del convolution, positive
        assert [reference() for reference in gone] == [None, None]
    finally:
        gc.enable()


def test_arguments_are_left_alone(random, workers):
    arrays = sample(random, 9, 6, 16, 16, "float32")
    copies = [array.copy() for array in arrays]
    x, kernel, bias, dy = arrays
    convolution = Convolution(kernel, bias, workers)
    _, positive = convolution.forward(x)
    convolution.backward(dy, positive)
    for array, copy in zip(arrays, copies, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_features_keep_their_values_when_the_network_goes_on(weights, random):
    network = load_network(weights, device="cpu")
    x, other = random.uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    features = network.features(x, ["conv1_1", "conv2_1"])
    copies = {name: array.copy() for name, array in features.items()}
    network.features(other, ["conv1_1", "conv2_1"])
    for name, copy in copies.items():
        np.testing.assert_array_equal(features[name], copy)
