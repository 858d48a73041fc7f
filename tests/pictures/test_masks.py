"""Masks: grey ones, colour-coded ones, and those that are refused."""

import numpy as np
import pytest
from conftest import sentence
from PIL import Image

from ministyle.pictures.masks import GREY, check_proportions, corresponding, read_mask, resize_mask

RED, BLUE = (255, 0, 0), (0, 0, 255)


def two_colours(first=RED, second=BLUE):
    pixels = np.empty((20, 30, 3), np.uint8)
    pixels[:, :12], pixels[:, 12:] = first, second
    return pixels


def test_a_grey_mask_has_one_region_with_soft_edges(tmp_path):
    ramp = np.tile(np.arange(0, 256, 5, dtype=np.uint8), (8, 1))
    Image.fromarray(ramp).save(tmp_path / "mask.png")
    for source in (tmp_path / "mask.png", ramp, ramp / 255.0):
        (region,) = read_mask(source).values()
        np.testing.assert_allclose(region, ramp / 255, atol=1e-6)
    assert set(read_mask(ramp > 100)[GREY].ravel()) == {0, 1}


def test_a_colour_coded_mask_has_a_region_for_each_colour():
    regions = read_mask(two_colours())
    assert set(regions) == {"#ff0000", "#0000ff"}
    expected = np.zeros((20, 30))
    expected[:, :12] = 1
    assert (regions["#ff0000"] == expected).all() and (regions["#0000ff"] == 1 - expected).all()


def test_a_jpeg_file_of_such_a_mask_has_the_same_regions(tmp_path):
    large = two_colours().repeat(8, axis=0).repeat(8, axis=1)
    Image.fromarray(large).save(tmp_path / "mask.jpg", quality=70)
    regions = read_mask(tmp_path / "mask.jpg")
    assert len(regions) == 2
    red = corresponding(regions, "#ff0000")
    assert np.abs(red - (large[:, :, 0] > 128)).mean() < 0.02
    assert corresponding(regions, "#00ff00") is None


def test_black_and_white_are_colours_beside_a_colour():
    pixels = two_colours((0, 0, 0), (255, 255, 255))
    pixels[:, 20:] = RED
    assert set(read_mask(pixels)) == {"#000000", "#ffffff", "#ff0000"}


def test_a_black_mask_is_refused():
    assert "content mask is black everywhere" in sentence(read_mask, np.zeros((9, 9), np.uint8), "content mask")
    assert "there is no picture 'missing.png'" in sentence(read_mask, "missing.png")


@pytest.mark.parametrize("size", [(300, 450), (20, 30), (19, 29), (33, 50)])
def test_masks_of_the_pictures_proportions_are_taken(size):
    check_proportions(np.ones((200, 300)), size, "mask")


@pytest.mark.parametrize("size", [(300, 400), (30, 20), (30, 30)])
def test_masks_of_other_proportions_are_refused(size):
    refusal = sentence(check_proportions, np.ones((200, 300)), size, "style mask 2")
    assert "style mask 2 is 300 x 200" in refusal and f"{size[1]} x {size[0]}" in refusal


def test_resizing_averages(random):
    region = random.uniform(size=(40, 60)).astype(np.float32)
    np.testing.assert_allclose(resize_mask(region, 20, 30), region.reshape(20, 2, 30, 2).mean(axis=(1, 3)), rtol=1e-5)
    assert resize_mask(region, 40, 60) is region


def test_a_mask_of_noise_in_all_colours_is_refused(random):
    noise = random.integers(0, 256, (90, 90, 3), dtype=np.uint8)
    assert "the content mask has more colours than regions" in sentence(read_mask, noise, "content mask")


def test_every_pixel_goes_to_the_nearest_of_many_colours(random):
    levels = np.array([0, 127, 255])
    colours = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 3)
    chosen = random.integers(0, 27, (60, 60))
    regions = read_mask(
        (colours[chosen] + random.integers(-9, 9, (60, 60, 3))).clip(0, 255).astype(np.uint8) // 30 * 30
    )
    assert sum(regions.values()).tolist() == np.ones((60, 60)).tolist()
    assert len(regions) == 27
