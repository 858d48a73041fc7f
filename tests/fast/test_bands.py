"""In bands everything comes out as it does at once, edges of the picture included."""

import numpy as np
import pytest
from conftest import relative_error, sentence
from made_up_weights import make_up_weights

from ministyle import algorithm, terms
from ministyle.architecture import ARCHITECTURES, VGG19, Architecture
from ministyle.arrays import to_device, to_host
from ministyle.errors import MinistyleError
from ministyle.fast import bands
from ministyle.fast.bands import BandedObjective, margin, split_into_bands
from ministyle.network import make_network
from ministyle.objective import Objective
from ministyle.settings import Settings
from ministyle.styles import Style
from ministyle.terms import AdditiveTerm, Scene, StyleTerm, Term, style_terms
from ministyle.weights.load import load_network

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
    assert_same(banded(pixels), whole(pixels))


def assert_same(banded, whole):
    assert banded.loss == pytest.approx(whole.loss, rel=1e-13)
    assert list(banded.terms) == list(whole.terms)
    assert banded.terms == pytest.approx(whole.terms, rel=1e-13)
    assert relative_error(banded.gradient, whole.gradient) < 1e-12


@pytest.mark.parametrize("height", [203, 96, 97, 47])  # with a mirror image, 96 rows are one band, and 97 two
@pytest.mark.parametrize("border", ["replicate", "mirror"])
def test_with_other_borders_too(weights, random, border, height):
    network = load_network(weights, dtype="float64", device="cpu", border=border)
    pixels, picture = random.uniform(0, 255, (2, height, 40, 3))
    whole, banded = (make(network, content=picture, style=picture) for make in (Objective, banded_by_64))
    assert_same(banded(pixels), whole(pixels))


@pytest.mark.parametrize("halves", ["content", "style"])
def test_reconstructions_too(network64, random, halves):
    pixels, picture = random.uniform(0, 255, (2, 150, 40, 3))
    whole, banded = (make(network64, **{halves: picture}) for make in (Objective, banded_by_64))
    assert_same(banded(pixels), whole(pixels))


def test_one_evaluation_after_the_other_says_the_same(network64, random):
    pixels, picture = random.uniform(0, 255, (2, 150, 40, 3))
    banded = banded_by_64(network64, content=picture, style=picture)
    before = dict(vars(banded))
    first = banded(pixels)
    banded(picture)
    again = banded(pixels)
    assert (again.loss, again.terms) == (first.loss, first.terms)
    np.testing.assert_array_equal(again.gradient, first.gradient)
    assert vars(banded).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(banded).items())


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
def test_the_margin_is_how_far_an_activation_sees(network64, random, layer):
    """What lies beyond it changes nothing; 64 rows less would be too few."""
    far = margin(VGG19, [layer])
    x = random.uniform(0, 255, (2 * far + 64, 16, 3))

    def middle_row(x):
        return network64.features(x, [layer])[layer][far >> VGG19.layers[layer].halvings]

    before = middle_row(x)
    beyond, within = x.copy(), x.copy()
    beyond[far + 16 + far :] = 0
    within[64] += 100  # far - 64 rows above the middle
    np.testing.assert_allclose(middle_row(beyond), before, rtol=0, atol=1e-12 * np.abs(before).max())
    assert np.abs(middle_row(within) - before).max() > 1e-6 * np.abs(before).max()


def test_the_margin_never_falls_from_layer_to_layer():
    margins = [margin(VGG19, [layer]) for layer in VGG19.convolutions]
    assert margins == sorted(margins) and margins[0] == 64
    assert margin(VGG19, ["conv5_1", "conv1_1"]) == 128


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


# Terms of one's own ----------------------------------------------------------------------------------


class Mean(AdditiveTerm):
    """The distance of each filter's mean activation, weighted by a profile of the rows, from 1."""

    def __init__(self, layer, weight, height):
        super().__init__(f"mean {layer}", layer, weight)
        self.profile = np.linspace(0, 2, height)[:, np.newaxis, np.newaxis]

    def partial_sum(self, F, rows):
        return (self.profile[rows] * F).sum(axis=(0, 1))

    def compare(self, total, shape):
        difference = total / (shape[0] * shape[1]) - 1
        return self.weight * (difference**2).sum(), 2 * self.weight * difference / (shape[0] * shape[1])

    def gradient(self, F, rows, derivative):
        return self.profile[rows] * np.broadcast_to(derivative, F.shape)


class Energy(AdditiveTerm):
    """The sum of all squares; its gradient does not depend on the total."""

    needs_total = False

    def partial_sum(self, F, rows):
        return self.weight * (F * F).sum()

    def compare(self, total, shape):
        return total, None

    def gradient(self, F, rows, derivative):
        return 2 * self.weight * F


class Largest(Term):
    """The largest activation, which is no sum over positions."""

    def value_and_gradient(self, F, over_rows):
        return self.weight * F.max(), self.weight * (F == F.max())


@pytest.mark.parametrize(("height", "rows"), [(267, 64), (161, 128), (64, 128)])
def test_an_additive_term_of_ones_own_works_in_bands(network64, random, height, rows):
    """Beside other terms of the same layer, and of others."""
    pixels, style = random.uniform(0, 255, (2, height, 40, 3))
    made = [
        Mean("conv2_1", 3.0, height // 2),
        Energy("energy", "conv2_1", 1e-9),
        Mean("conv4_2", 2.0, height // 8),
        *style_terms(Scene(network64, style=style), Settings(style_layers=("conv2_1", "conv3_1"))),
    ]
    assert_same(BandedObjective(network64, made, rows=rows)(pixels), Objective(network64, made)(pixels))


def test_a_term_that_is_not_additive_is_refused_in_one_sentence(network64):
    refusal = sentence(BandedObjective, network64, [Largest("largest", "conv1_1", 1.0)], rows=64)
    assert "'largest'" in refusal and "bands" in refusal and "--max-memory" in refusal


def test_a_term_that_looks_at_the_pixels_need_not_be_additive(network64, random):
    class Brightness(Term):
        def value_and_gradient(self, F, over_rows):
            return self.weight * F.max(), self.weight * (F == F.max())

    pixels = random.uniform(0, 255, (130, 40, 3))
    made = [StyleTerm("conv1_1", 1.0, np.eye(64)), Brightness("brightness", None, 2.0)]
    assert_same(BandedObjective(network64, made, rows=64)(pixels), Objective(network64, made)(pixels))


# Targets ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("size", "rows"), [((267, 40), 64), ((161, 48), 128), ((70, 33), 128)])
def test_gram_matrices_summed_over_bands_are_those_of_the_whole_picture(network64, random, size, rows):
    style, layers = random.uniform(0, 255, (*size, 3)), ("conv1_1", "conv3_2", "conv5_1")
    banded = bands.style_statistics(network64, style, layers, rows=rows)
    whole = terms.style_statistics(network64, style, layers)
    assert list(banded) == list(layers)
    for name in layers:
        assert relative_error(banded[name], whole[name]) < 1e-12


def test_activations_put_together_from_bands_are_those_of_the_whole_picture(network64, random):
    content, layers = random.uniform(0, 255, (267, 40, 3)), ("conv1_2", "conv4_2")
    banded = bands.activations(network64, content, layers, rows=64)
    for name, F in network64.features(content, layers).items():
        assert relative_error(banded[name], F) < 1e-12


def test_a_painting_with_a_margin_is_refused(network64):
    with pytest.raises(MinistyleError, match="margin"):
        bands.style_statistics(network64, np.zeros((192, 64, 3)), ("conv1_1",), margin=64, rows=64)


@pytest.mark.parametrize("border", ["zero", "mirror"])
@pytest.mark.parametrize("convention", ["mean", "relative"])
@pytest.mark.parametrize(("rows", "style_rows"), [(None, None), (64, None), (None, 64), (64, 128)])
def test_an_objective_composed_in_bands_says_what_the_plain_one_says(
    weights, random, monkeypatch, rows, style_rows, convention, border
):
    network = load_network(weights, dtype="float64", device="cpu", border=border)
    pixels, content = random.uniform(0, 255, (2, 150, 40, 3))
    style = np.sqrt(random.uniform(0, 255**2, (200, 30, 3)))
    settings = Settings(tv_weight=0.5, content_layers=("conv3_1",), convention=convention, border=border)
    whole = algorithm.compose_objective(network, settings, content, style)(pixels)
    banded = bands.compose_banded_objective(network, settings, content, style, rows=rows, style_rows=style_rows)
    assert isinstance(banded, BandedObjective) == (rows is not None)
    heights = []
    run = type(network)._run
    monkeypatch.setattr(type(network), "_run", lambda self, x, taps: (heights.append(len(x)), run(self, x, taps))[1])
    assert_same(banded(pixels), whole)
    assert len(heights) == (1 if rows is None else 2 * 2)  # two bands, twice each


@pytest.mark.parametrize("border", ["zero", "mirror"])
@pytest.mark.parametrize("convention", ["mean", "relative"])
def test_guided_statistics_of_two_paintings_work_in_bands(weights, random, convention, border):
    network = load_network(weights, dtype="float64", device="cpu", border=border)
    pixels, content = random.uniform(0, 255, (2, 150, 40, 3))
    a, b = (np.sqrt(random.uniform(0, 255**2, (height, 30, 3))) for height in (200, 90))
    mask, region = random.uniform(size=(200, 30)), random.uniform(size=(150, 40))
    styles = [Style(a, 2.0, mask=mask, region=region), Style(b, region=1 - region)]
    weights_of = {"covariance_weight": 1.0, "mean_weight": 1.0}
    settings = Settings(content_layers=("conv3_1",), convention=convention, border=border, **weights_of)
    whole = algorithm.compose_objective(network, settings, content, styles)(pixels)
    banded = bands.compose_banded_objective(network, settings, content, styles, rows=64, style_rows=64)(pixels)
    assert len(whole.terms) == 1 + 3 * 2 * 5 + 1
    assert_same(banded, whole)


def test_another_architecture_works_in_bands_too(monkeypatch, random):
    """With one pooling layer more than VGG-19, and as far a view."""
    deep = Architecture("deep", tuple((3 + block, (f"conv{block}_1",)) for block in range(1, 7)))
    monkeypatch.setitem(ARCHITECTURES, deep.name, deep)
    network = make_network(make_up_weights(deep, lambda shape: random.normal(size=shape) / 3), dtype="float64")
    pixels, content, style = random.uniform(0, 255, (3, 267, 40, 3))
    assert margin(deep, ["conv6_1"]) == 128
    options = {
        "content": content,
        "style": style,
        "content_layers": ["conv5_1"],
        "style_layers": ["conv2_1", "conv6_1"],
    }
    assert_same(BandedObjective(network, rows=64, **options)(pixels), Objective(network, **options)(pixels))
