"""The default picture keeps its subject, and has neither speckle nor a frame, as pictures of earlier defaults had.

Every test makes pictures both ways, small ones, and a bound between the two. The bounds were found by looking at
numbers for several photographs and paintings; see `benchmarks.pictures.numbers`.
"""

import numpy as np
import pytest

import ministyle
from benchmarks.pictures import numbers
from benchmarks.pictures.__main__ import BEFORE
from benchmarks.pictures.pairs import flat_shapes, pencil, print_dots, waves
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture

pytestmark = pytest.mark.slow

STEPS = {"iterations": 40, "device": "cpu"}
FEW = {"iterations": 12, "device": "cpu"}


@pytest.fixture(scope="module")
def cat():
    return read_picture(shipped_path("docs/examples/chelsea.png"), 320)


@pytest.fixture(scope="module")
def network():
    return ministyle.load_network(normalised=True, device="cpu")


def small(picture):
    return read_picture(picture, 128)


@pytest.mark.parametrize("draw", [flat_shapes, waves])
def test_the_subject_is_not_lost(network, cat, draw):
    """Activations of the cat and of its picture correlate; with the weights of before, bold paintings left little."""
    photo, painting = small(cat), small(draw())
    kept = [
        numbers.content_kept(
            network, ministyle.transfer(photo, painting, image_size=128, **changes, **STEPS).image, photo
        )
        for changes in (BEFORE, {})
    ]
    assert kept[0] < 0.5 < kept[1]


def test_there_is_no_speckle_in_colour(cat):
    """A pencil drawing has no colours, and the cat's are smooth: fine colour is speckle, 2 % of the cat's at most."""
    photo, painting = small(cat), small(pencil())
    before, without, now = (
        fine_colour(ministyle.transfer(photo, painting, image_size=128, **changes, **STEPS).image, photo)
        for changes in (BEFORE, {"tv_weight": 0.0, "bounds": False}, {})
    )
    assert now < 0.025 < min(before, without)


@pytest.mark.parametrize("layer", ["conv2_1", "conv4_1", "conv5_1"])
def test_no_layer_leaves_the_grain_of_the_noise_in_its_reconstruction(cat, layer):
    """The cat itself has 4 % of its colour at the highest frequencies; the noise that is the start has half there."""
    changes = {"image_size": 96, "iterations": 80, "device": "cpu"}
    now, without = (
        fine_colour(picture, picture)
        for more in ({}, {"tv_weight": 0.0})
        for picture in [ministyle.reconstruct_content(cat, layer, **changes, **more).image]
    )
    assert now < 0.04 < 0.4 < without


def fine_colour(picture, unit):
    """Return the variance of colour at frequencies above half the highest, over that of a picture at all frequencies.

    Where colours disappear, as with a pencil drawing, the unit is the photograph: of no colour, a little is much.
    """
    power = colour_power(picture)
    down, across = (np.abs(np.fft.fftfreq(side)) for side in power.shape[:2])
    return power[np.maximum(down[:, None], across) > 0.25].sum() / colour_power(unit).sum()


def colour_power(picture):  # (H, W, 3) -> (H, W, 2)
    """Return the power spectrum of a picture's colours, faded out towards the edges."""
    colour = numbers.chrominance(picture.astype(float))
    window = np.hanning(len(colour))[:, None, None] * np.hanning(len(colour[0]))[:, None]
    return np.abs(np.fft.fft2((colour - colour.mean(axis=(0, 1))) * window, axes=(0, 1))) ** 2


def test_there_is_no_frame(cat):
    """The outermost pixels are as those further in, in the mean of four sides of several pictures of two paintings."""
    photos = [cat[y : y + 112, x : x + 112] for y, x in ((0, 0), (45, 95), (90, 190))]
    frames = {}
    for border in ("zero", "mirror"):
        changes = [
            profile(ministyle.transfer(photo, painting[:112, :112], image_size=112, border=border, **FEW).image)
            - profile(photo)
            for painting in (read_picture(draw(), 160) for draw in (flat_shapes, print_dots))
            for photo in photos
        ]
        depth = np.mean(changes, axis=0)
        frames[border] = np.abs(depth[:2].mean(axis=0) - depth[6:].mean(axis=0)).max()
    assert frames["mirror"] < 10 < frames["zero"]


def profile(picture, depth=10):  # (H, W, 3) -> (depth, 3)
    """Return the mean colour of the outermost pixels, of those inside them, and so on, over all four sides."""
    turned = picture, picture[::-1], picture.swapaxes(0, 1), picture.swapaxes(0, 1)[::-1]
    return np.mean([side[:depth, depth:-depth].mean(axis=1) for side in map(np.float64, turned)], axis=0)
