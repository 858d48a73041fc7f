"""The numbers by which pictures are judged move as the eye would say."""

import numpy as np
import pytest
from scipy import ndimage

import ministyle
from benchmarks.pictures import numbers
from benchmarks.pictures.pairs import flat_shapes, pencil, print_dots, waves
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture


@pytest.fixture(scope="module")
def cat():
    return read_picture(shipped_path("docs/examples/chelsea.png"), 160)


@pytest.fixture(scope="module")
def painting():
    return read_picture(shipped_path("docs/examples/painting.jpg"), 160)


@pytest.fixture(scope="module")
def network():
    return ministyle.load_network(normalised=True, device="cpu")


def test_a_picture_has_its_own_style_and_content(network, cat, painting):
    assert numbers.style_distance(network, cat, cat) == 0
    assert numbers.content_kept(network, cat, cat) == pytest.approx(1)
    assert numbers.style_distance(network, cat, painting) > 0.3
    assert numbers.content_kept(network, painting, np.roll(painting, 50, axis=1)) < 0.5


def test_blurring_loses_edges_where_the_photograph_has_them(cat):
    blurred = ndimage.gaussian_filter(cat, (6, 6, 0))
    assert numbers.edges_kept(cat, cat) > numbers.edges_kept(blurred, cat) > numbers.edges_kept(cat[::-1], cat)


def test_coloured_noise_is_speckle_in_colour_and_grey_noise_in_luminance(random, cat, painting):
    height, width, _ = cat.shape
    grey = random.normal(0, 20, (height, width, 1))
    red_and_green = random.normal(0, 20, (height, width, 1)) * [0.587, -0.299, 0]  # of equal luminance
    clean, with_grey, with_colour = (numbers.speckle(cat + noise, painting) for noise in (0, grey, 3 * red_and_green))
    assert with_grey[0] > 3 * clean[0] and with_grey[1] == pytest.approx(clean[1], rel=0.05)
    assert with_colour[1] > 3 * clean[1] and with_colour[0] == pytest.approx(clean[0], rel=0.05)


def test_a_frame_is_noticed(cat):
    framed = cat.copy()
    for side in (framed[:3], framed[-3:], framed[:, :3], framed[:, -3:]):
        side *= 0.6
    assert numbers.frame(cat, cat) == 0
    assert numbers.frame(framed, cat) > 10


@pytest.mark.parametrize("draw", [flat_shapes, waves, pencil, print_dots])
def test_paintings_are_drawn_the_same_each_time(draw):
    first, second = draw(), draw()
    assert first.shape == (540, 720, 3) and first.dtype == np.uint8
    np.testing.assert_array_equal(first, second)
    assert first.std() > 20
