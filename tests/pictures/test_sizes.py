import numpy as np
import pytest
from conftest import sentence
from PIL import Image

from ministyle.pictures.reading import read_picture
from ministyle.pictures.sizes import check_size, resize, size_to_fit


@pytest.mark.parametrize(
    ("shape", "size", "side", "expected"),
    [
        ((30, 40), 20, "longest", (15, 20)),
        ((40, 30), 20, "longest", (20, 15)),
        ((30, 40), 15, "shortest", (15, 20)),
        ((40, 30), 15, "shortest", (20, 15)),
        ((30, 40), 80, "longest", (60, 80)),
        ((30, 40), 90, "shortest", (90, 120)),
        ((30, 40), 40, "longest", (30, 40)),
        ((1, 1000), 10, "longest", (1, 10)),  # never less than one pixel
        ((7, 7), 3, "shortest", (3, 3)),
    ],
)
def test_the_side_named_gets_the_size_and_proportions_are_kept(shape, size, side, expected):
    assert size_to_fit(shape, size, side) == expected
    assert read_picture(np.zeros((*shape, 3)), size, side).shape == (*expected, 3)


def test_an_unknown_side_is_refused_by_name():
    assert "'width'" in sentence(read_picture, np.zeros((4, 4, 3)), 2, "width")


@pytest.mark.parametrize("size", [0, -5])
def test_a_size_below_one_pixel_is_refused_and_shown(size):
    assert f"size (={size})" in sentence(read_picture, np.zeros((4, 4, 3)), size)


def test_a_side_that_would_be_longer_than_any_file_holds_is_refused():
    """One line of a thousand pixels, as large as its short side is asked to be."""
    assert "becomes 512000 x 512" in sentence(read_picture, np.zeros((1, 1000, 3)), 512, "shortest")
    assert size_to_fit((1, 1000), 65, "shortest") == (65, 65000)


@pytest.mark.parametrize("size", [3.5, "a", True, float("nan"), None])
def test_a_size_that_is_no_whole_number_is_refused(size):
    assert f"size (={size!r})" in sentence(size_to_fit, (4, 4), size)


@pytest.mark.parametrize(
    "size",
    [(5,), (5, 5, 5), 5, "55", None, (0, 5), (5, -1), (5, 65_536), (5.0, 5), (True, 5), (5, "5"), np.array([5, 5])],
)
def test_what_is_no_size_of_a_picture_is_refused(size):
    check_size((1, 65_500))
    assert "must be (height, width)" in sentence(check_size, size)


@pytest.mark.parametrize("height, width", [(5, 7), (40, 36), (20, 3)])
def test_a_constant_picture_stays_constant(height, width):
    picture = resize(np.full((10, 12, 3), 99.5, np.float32), height, width)
    assert picture.shape == (height, width, 3)
    assert np.abs(picture - 99.5).max() < 1e-3


def test_a_picture_of_the_right_size_is_not_touched(pixels):
    picture = read_picture(pixels)
    assert np.array_equal(resize(picture, *picture.shape[:2]), pixels)


@pytest.mark.parametrize("scale", [0.5, 2])
def test_ramps_keep_their_slopes_and_channels_their_places(scale):
    def ramps(height, width, slope):
        y, x = np.mgrid[:height, :width] + 0.5  # pixels' centres
        return np.stack([slope * x, 2 * slope * y, 100 + 0 * x], axis=2)

    height, width = int(40 * scale), int(48 * scale)
    resized = resize(ramps(40, 48, 2.0).astype(np.float32), height, width)
    edge = int(4 * max(scale, 1))  # where the filter's window is cut off, a ramp bends
    inside = np.s_[edge:-edge, edge:-edge]
    # Lanczos's filter bends a ramp by up to 0.08 levels; off by a tenth of a pixel would be 0.1 and more.
    assert np.abs(resized - ramps(height, width, 2.0 / scale))[inside].max() < 0.09


def test_a_filter_that_overshoots_stays_within_0_to_255():
    step = np.zeros((16, 16, 3), np.float32)
    step[:, 8:] = 255
    free = np.asarray(Image.fromarray(step[:, :, 0]).resize((40, 40), Image.Resampling.LANCZOS))
    assert free.min() < -1 and free.max() > 256
    picture = resize(step, 40, 40)
    assert picture.min() == 0 and picture.max() == 255


def test_resizing_does_not_round_to_whole_levels(pixels):
    picture = read_picture(pixels, 5)
    assert np.abs(picture - picture.round()).max() > 0.1
