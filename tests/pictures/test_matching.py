"""Colour matching. Means and covariances are NumPy's, square roots of matrices SciPy's."""

import numpy as np
import pytest
from scipy.linalg import cholesky, sqrtm

from ministyle.pictures.matching import FLAT, match, match_freely, with_photographs_palette


def palette(random, shape, deviation=12.0):
    """A picture far from 0 and 255 whose channels are correlated."""
    mixed = random.normal(size=(*shape, 3)) @ (np.eye(3) + random.uniform(0, 1, (3, 3)))
    return (128 + deviation * mixed / np.abs(mixed).max()).astype(np.float32)


def mean_and_covariance(picture):
    colours = picture.reshape(-1, 3).astype(float)
    return colours.mean(axis=0), np.cov(colours, rowvar=False, bias=True)


@pytest.fixture
def photo(random):
    return palette(random, (9, 7), 60)


@pytest.fixture
def painting(random):
    return palette(random, (12, 11), 90)


def linear_map(painting, matched):
    """Return the linear map that made one picture's colours, less their mean, of the other's."""
    before, after = (x.reshape(-1, 3) - x.reshape(-1, 3).mean(axis=0) for x in (painting.astype(float), matched))
    solution, *_ = np.linalg.lstsq(before, after)
    assert np.abs(before @ solution - after).max() < 1e-4
    return solution.T


def test_the_painting_gets_the_photographs_mean_and_covariance(photo, painting):
    matched = match_freely(painting, photo)
    for reached, wanted, before in zip(*map(mean_and_covariance, (matched, photo, painting)), strict=True):
        np.testing.assert_allclose(reached, wanted, rtol=1e-9, atol=1e-9)
        assert np.abs(before - wanted).max() > 1


def test_the_map_is_symmetric_and_positive_and_changes_colours_less_than_other_maps_do(photo, painting):
    A = linear_map(painting, match_freely(painting, photo))
    np.testing.assert_allclose(A, A.T, atol=1e-7)
    assert np.linalg.eigvalsh(A).min() > 0
    (_, source), (_, wanted) = mean_and_covariance(painting), mean_and_covariance(photo)
    factors = cholesky(wanted, lower=True) @ np.linalg.inv(cholesky(source, lower=True))
    roots = sqrtm(wanted) @ np.linalg.inv(sqrtm(source))
    x = painting.reshape(-1, 3) - painting.reshape(-1, 3).mean(axis=0)
    changes = [((x @ other.T - x) ** 2).mean() for other in (A, factors, roots)]
    for other in (factors, roots):
        np.testing.assert_allclose(other @ source @ other.T, wanted, rtol=1e-6)
    assert changes[0] < min(changes[1:])


def test_no_order_of_the_channels_is_special(photo, painting):
    turned = match_freely(painting[..., ::-1], photo[..., ::-1])
    np.testing.assert_allclose(turned[..., ::-1], match_freely(painting, photo), atol=1e-8)


def test_a_picture_matched_to_itself_stays_as_it_is(photo):
    np.testing.assert_allclose(match(photo, photo), photo, atol=1e-4)


def test_a_painting_in_one_colour_becomes_the_photographs_mean(photo):
    matched = match(np.full((3, 4, 3), (200, 10, 30), np.float32), photo)
    np.testing.assert_allclose(matched, np.broadcast_to(mean_and_covariance(photo)[0], (3, 4, 3)), atol=1e-4)


def test_a_photograph_in_one_colour_gives_the_painting_that_colour(painting):
    matched = match(painting, np.full((3, 4, 3), (200, 10, 30), np.float32))
    np.testing.assert_allclose(matched, np.broadcast_to((200, 10, 30), painting.shape), atol=1e-3)


def test_a_grey_photograph_makes_the_painting_grey(random, painting):
    grey = np.repeat(palette(random, (8, 8), 50)[..., :1], 3, axis=2)
    matched = match(painting, grey)
    assert np.ptp(matched, axis=2).max() < 1e-3
    assert matched[..., 0].mean() == pytest.approx(grey.mean(), rel=1e-5)
    assert matched[..., 0].std() == pytest.approx(grey.std(), rel=1e-4)


@pytest.mark.parametrize("noise", [0, 0.3])
def test_a_grey_painting_varies_along_grey_alone_as_much_as_the_photograph_does(random, photo, noise):
    """Its chrominance is rounding or noise: it is not enlarged into colours."""
    grey = np.repeat(random.normal(128, 20, (10, 9, 1)), 3, axis=2)
    grey += noise * FLAT * random.normal(size=grey.shape)
    matched = match_freely(grey, photo)
    (mean, covariance), (wanted_mean, wanted) = mean_and_covariance(matched), mean_and_covariance(photo)
    np.testing.assert_allclose(mean, wanted_mean, rtol=1e-9)
    axis = np.ones(3) / np.sqrt(3)
    np.testing.assert_allclose(axis @ covariance @ axis, axis @ wanted @ axis, rtol=1e-2)
    np.testing.assert_allclose(covariance, (axis @ wanted @ axis) * np.outer(axis, axis), atol=2e-2 * wanted.max())


def test_a_picture_of_one_pixel_becomes_the_photographs_mean(photo):
    matched = match(np.full((1, 1, 3), 7, np.float32), photo)
    np.testing.assert_allclose(matched[0, 0], mean_and_covariance(photo)[0], rtol=1e-5)


def test_what_leaves_0_to_255_is_clipped():
    photo = np.zeros((8, 8, 3), np.float32)
    photo[:4] = 255
    painting = np.full((16, 16, 3), 100, np.float32)
    painting[0, 0] = 255
    matched = match(painting, photo)
    assert matched.dtype == np.float32 and matched.min() >= 0 and matched[0, 0, 0] == 255
    assert match_freely(painting, photo).max() > 255


def test_the_photograph_is_left_as_it_is_and_a_painting_may_be_missing(photo, painting):
    copies = photo.copy(), painting.copy()
    content, style = with_photographs_palette(photo, painting)
    assert content is photo and style.shape == painting.shape
    assert with_photographs_palette(photo, None) == (photo, None)
    style[:] = 7
    assert np.array_equal(photo, copies[0]) and np.array_equal(painting, copies[1])
