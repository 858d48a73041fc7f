"""In bands everything comes out as it does at once, edges of the picture included."""

import numpy as np
import pytest
from conftest import relative_error

from ministyle.arrays import to_device, to_host
from ministyle.errors import MinistyleError
from ministyle.fast.bands import BandedObjective, reach, split_into_bands
from ministyle.network import LAYERS, load_network, pools_before
from ministyle.objective import Objective

# Sizes even and odd, bands that divide them and bands that do not, bands higher than the picture; losses of all kinds.
CASES = [
    ((267, 40), 64, {}),
    ((161, 48), 128, {"convention": "literal"}),
    ((129, 50), 64, {"content_layers": ("conv4_1", "conv2_2"), "tv_weight": 2.0}),
    ((400, 40), 192, {"style_layers": ("conv3_1", "conv1_2"), "content_layers": ("conv3_1",)}),
    ((64, 33), 128, {}),
]


@pytest.mark.parametrize(("size", "rows", "options"), CASES)
def test_loss_terms_and_gradient_are_those_of_the_whole_picture(network64, random, size, rows, options):
    pixels, content = random.uniform(0, 255, (2, *size, 3))
    style = random.uniform(0, 255, (90, 70, 3))
    whole = Objective(network64, content=content, style=style, **options)
    banded = BandedObjective(network64, rows=rows, content=content, style=style, **options)
    loss, gradient = whole(pixels)
    banded_loss, banded_gradient = banded(pixels)
    assert banded_loss == pytest.approx(loss, rel=1e-13)
    assert banded.terms == pytest.approx(whole.terms, rel=1e-13)
    assert relative_error(banded_gradient, gradient) < 1e-12


@pytest.mark.parametrize("halves", ["content", "style"])
def test_reconstructions_too(network64, random, halves):
    pixels, picture = random.uniform(0, 255, (2, 150, 40, 3))
    whole, banded = (make(network64, **{halves: picture}) for make in (Objective, banded_by_64))
    (loss, gradient), (banded_loss, banded_gradient) = whole(pixels), banded(pixels)
    assert banded_loss == pytest.approx(loss, rel=1e-13)
    assert relative_error(banded_gradient, gradient) < 1e-12


def banded_by_64(network, **options):
    return BandedObjective(network, rows=64, **options)


def test_it_runs_on_the_device(xp, device, weights, random):
    network = load_network(weights, dtype="float32", device=device)
    pixels, content = random.uniform(0, 255, (2, 192, 32, 3)).astype("float32")
    loss, gradient = BandedObjective(network, rows=64, content=content, style=content[:32])(to_device(pixels, device))
    expected_loss, expected = Objective(network, content=content, style=content[:32])(to_device(pixels, device))
    assert gradient.dtype == np.float32
    assert to_host(loss) == pytest.approx(to_host(expected_loss), rel=1e-5)
    assert relative_error(gradient, expected) < 1e-5


@pytest.mark.parametrize("layer", ["conv1_1", "conv2_2", "conv4_2", "conv5_1"])
def test_reach_is_how_far_an_activation_sees(network64, random, layer):
    """What lies beyond it changes nothing; 64 rows less would be too few."""
    far = reach([layer])
    x = random.uniform(0, 255, (2 * far + 64, 16, 3))

    def middle_row(x):
        return network64.features(x, [layer])[layer][far >> pools_before(layer)]

    before = middle_row(x)
    beyond, within = x.copy(), x.copy()
    beyond[far + 16 + far :] = 0
    within[64] += 100  # far - 64 rows above the middle
    np.testing.assert_allclose(middle_row(beyond), before, rtol=0, atol=1e-12 * np.abs(before).max())
    assert np.abs(middle_row(within) - before).max() > 1e-6 * np.abs(before).max()


def test_reach_never_falls_from_layer_to_layer():
    reaches = [reach([layer]) for layer in LAYERS]
    assert reaches == sorted(reaches) and reaches[0] == 64
    assert reach(["conv5_1", "conv1_1"]) == 128


@pytest.mark.parametrize(("height", "rows"), [(640, 64), (651, 192), (64, 64), (7, 64), (129, 64), (400, 640)])
def test_bands_cover_every_row_once_and_begin_where_pooling_does(height, rows):
    bands = split_into_bands(height, rows, 128)
    assert [row for band in bands for row in range(band.first, band.last)] == list(range(height))
    for band in bands:
        assert band.first % 64 == band.top % 64 == 0
        assert band.last - band.first < rows + 64
        assert band.top == max(0, band.first - 128) and band.bottom == min(height, band.last + 128)


@pytest.mark.parametrize("rows", [0, -64, 16, 96])
def test_bands_of_other_heights_are_refused(network64, rows):
    with pytest.raises(MinistyleError, match=f"rows \\(={rows}\\)"):
        BandedObjective(network64, rows=rows, style=np.zeros((32, 32, 3)))


@pytest.mark.parametrize("height", [192, 640])  # of the latter, the first band's window is as high as the content
def test_pictures_of_different_sizes_are_refused(network64, random, height):
    banded = banded_by_64(network64, content=random.uniform(0, 255, (128, 32, 3)))
    with pytest.raises(MinistyleError, match="differ in size"):
        banded(random.uniform(0, 255, (height, 32, 3)))
