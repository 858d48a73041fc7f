"""The colour methods. The YIQ colours are those of the standard library's `colorsys`."""

import colorsys

import numpy as np
import pytest
from conftest import sentence

from ministyle.pictures.colours import COLOURS, check_colours, finish
from ministyle.settings import Settings

LUMINANCE, MATCH = COLOURS["photo-luminance"], COLOURS["photo-match"]
# What rounding to float32 leaves of sums of a few terms up to 255, in grey levels.
ROUNDING = 1e-4


def yiq(picture):
    """Return Y, I and Q of a picture, one pixel at a time."""
    colours = [colorsys.rgb_to_yiq(*map(float, pixel)) for pixel in picture.reshape(-1, 3)]
    return np.moveaxis(np.reshape(colours, picture.shape), 2, 0)


def muted(random, shape, low=90, high=160):
    """A picture whose values stay far from 0 and 255."""
    return random.uniform(low, high, (*shape, 3)).astype(np.float32)


@pytest.fixture
def photo(random):
    return muted(random, (5, 7))


@pytest.fixture
def painting(random):
    return muted(random, (6, 4), 0, 255)


def assert_picture(picture, shape):
    assert picture.dtype == np.float32
    assert picture.shape == (*shape, 3)
    assert picture.min() >= 0 and picture.max() <= 255


def test_each_method_is_found_by_its_name_and_has_a_line_of_help():
    assert list(COLOURS) == ["painting", "photo-luminance", "photo-match"]
    for name, method in COLOURS.items():
        assert method.name == name
        assert method.help and "\n" not in method.help


def test_the_paintings_colours_need_nothing_done(photo, painting):
    method = COLOURS["painting"]
    for pair in [(photo, painting), (photo, None), (None, painting)]:
        before = [None if picture is None else picture.copy() for picture in pair]
        for given, returned, copy in zip(pair, method.before(*pair), before, strict=True):
            assert returned is given
            assert np.array_equal(given, copy)
    for content in (photo, None):
        assert method.after(painting, content) is painting


def test_the_photograph_becomes_its_luminance(photo, painting):
    for style in (painting, None):
        grey, _ = LUMINANCE.before(photo, style)
        assert_picture(grey, (5, 7))
        for channel in range(3):
            assert np.abs(grey[:, :, channel] - yiq(photo)[0]).max() < ROUNDING


def test_the_paintings_luminance_gets_the_photographs_mean_and_deviation(photo, painting):
    grey, style = LUMINANCE.before(photo, painting)
    assert_picture(style, (6, 4))
    assert np.array_equal(style, np.repeat(style[:, :, :1], 3, axis=2))
    assert style.mean() == pytest.approx(grey.mean(), abs=ROUNDING)
    assert style.std() == pytest.approx(grey.std(), abs=ROUNDING)
    # A shift and a positive scale: the slope between any two pixels is the same.
    correlation = np.corrcoef(style[:, :, 0].ravel(), yiq(painting)[0].ravel())[0, 1]
    assert correlation == pytest.approx(1, abs=1e-9)


def test_a_reconstruction_of_a_photograph_has_no_painting_to_change(photo):
    assert LUMINANCE.before(photo, None)[1] is None


def test_a_painting_of_one_colour_becomes_the_photographs_mean_luminance(photo):
    _, style = LUMINANCE.before(photo, np.full((3, 4, 3), (200, 10, 30), np.float32))
    assert_picture(style, (3, 4))
    assert np.abs(style - yiq(photo)[0].mean()).max() < 1e-3


def test_a_painting_with_outliers_stays_within_0_to_255():
    photo = np.full((8, 8, 3), 0, np.float32)
    photo[:4] = 255
    painting = np.full((16, 16, 3), 100, np.float32)
    painting[0, 0] = 255
    _, style = LUMINANCE.before(photo, painting)
    assert_picture(style, (16, 16))
    assert style[0, 0, 0] == 255


def test_the_result_has_its_own_luminance_and_the_photographs_chrominance(random, photo):
    picture = muted(random, (5, 7), 100, 150)
    finished = LUMINANCE.after(picture, photo)
    assert_picture(finished, (5, 7))
    assert finished.min() > 0 and finished.max() < 255  # nothing was clipped
    luminance, *chrominance = yiq(finished)
    assert np.abs(luminance - yiq(picture)[0]).max() < ROUNDING
    assert np.abs(chrominance - yiq(photo)[1:]).max() < ROUNDING
    assert np.abs(chrominance - yiq(picture)[1:]).max() > 5  # which were others


def test_a_result_that_is_the_photograph_in_grey_gets_its_colours_back(photo):
    grey, _ = LUMINANCE.before(photo, None)
    assert np.abs(LUMINANCE.after(grey, photo) - photo).max() < ROUNDING


def test_colours_that_do_not_exist_are_clipped():
    photo = np.array([[[255, 0, 0], [0, 0, 255]]], np.float32)
    finished = LUMINANCE.after(np.array([[[255, 255, 255], [0, 0, 0]]], np.float32), photo)
    assert_picture(finished, (1, 2))
    assert finished[0, 0, 0] == 255 and finished[0, 1, 1] == 0


def test_a_smaller_result_gets_the_chrominance_of_the_smaller_photograph(random):
    photo = np.full((8, 12, 3), (150, 100, 120), np.float32)
    picture = muted(random, (4, 6), 100, 150)
    finished = LUMINANCE.after(picture, photo)
    assert_picture(finished, (4, 6))
    _, *chrominance = colorsys.rgb_to_yiq(150, 100, 120)
    assert np.abs(yiq(finished)[1:] - np.reshape(chrominance, (2, 1, 1))).max() < 1e-3
    assert np.abs(yiq(finished)[0] - yiq(picture)[0]).max() < 1e-3


def test_pictures_are_left_as_they_were(photo, painting):
    copies = photo.copy(), painting.copy()
    LUMINANCE.before(photo, painting)[0][:] = 7
    LUMINANCE.after(photo, photo)[:] = 7
    assert np.array_equal(photo, copies[0]) and np.array_equal(painting, copies[1])


def moments(picture):
    colours = picture.reshape(-1, 3).astype(float)
    return colours.mean(axis=0), np.cov(colours, rowvar=False)


def test_matching_changes_the_painting_before_the_run_and_nothing_afterwards(random, photo):
    painting = muted(random, (6, 4), 50, 200)
    content, style = MATCH.before(photo, painting)
    assert content is photo
    assert_picture(style, (6, 4))
    assert moments(style)[0] == pytest.approx(moments(photo)[0], abs=1e-3)
    assert MATCH.after(painting, photo) is painting


def test_by_default_the_finished_picture_keeps_its_colours(photo, painting):
    assert finish(painting, photo, Settings()) is painting
    assert finish(painting, None, Settings()) is painting


def test_the_photographs_chrominance_after_any_run(random, photo):
    picture = muted(random, (5, 7), 100, 150)
    finished = finish(picture, photo, Settings(colours_after="photo-luminance"))
    luminance, *chrominance = yiq(finished)
    assert np.abs(luminance - yiq(picture)[0]).max() < ROUNDING
    assert np.abs(chrominance - yiq(photo)[1:]).max() < ROUNDING


def test_the_photographs_palette_after_any_run(random, photo):
    # As many pixels as the photograph, so that it does not matter whether moments divide by their number or one less.
    picture = muted(random, (7, 5), 100, 150)
    finished = finish(picture, photo, Settings(colours_after="photo-match"))
    assert_picture(finished, (7, 5))
    assert finished.min() > 0 and finished.max() < 255  # nothing was clipped
    for reached, wanted in zip(moments(finished), moments(photo), strict=True):
        np.testing.assert_allclose(reached, wanted, rtol=1e-4, atol=1e-2)


def test_a_run_in_grey_gets_its_colours_back_before_they_are_matched(photo):
    grey, _ = LUMINANCE.before(photo, None)
    settings = Settings(colours="photo-luminance", colours_after="photo-match")
    assert np.abs(finish(grey, photo, settings) - photo).max() < 10 * ROUNDING


def test_without_a_photograph_there_are_no_colours_to_keep(painting):
    for method in (LUMINANCE, MATCH):
        for function, pictures in [(method.before, (None, painting)), (method.after, (painting, None))]:
            refusal = sentence(function, *pictures)
            assert "photograph" in refusal and method.name in refusal


@pytest.mark.parametrize("setting", ["colours", "colours_after"])
@pytest.mark.parametrize("name", ["photo-luminance", "photo-match"])
def test_settings_that_need_a_photograph_are_refused_without_one(setting, name, photo):
    settings = Settings(**{setting: name})
    refusal = sentence(check_colours, settings, None)
    assert "photograph" in refusal and name in refusal
    check_colours(settings, photo)
    check_colours(Settings(), None)
