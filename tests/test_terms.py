"""The terms of the loss, one by one."""

from types import SimpleNamespace

import numpy as np
import pytest
from conftest import relative_error, sentence

from ministyle import losses
from ministyle.arrays import array_module, to_device
from ministyle.errors import MinistyleError
from ministyle.objective import Objective
from ministyle.terms import (
    BALANCE,
    LEAST_SHARE,
    AdditiveTerm,
    ContentTerm,
    GradientByRows,
    Scene,
    StyleTerm,
    Term,
    TotalVariationTerm,
    alpha_and_beta,
    content_terms,
    style_statistics,
    style_terms,
    total_variation_terms,
)
from ministyle.weights.load import load_network

SHAPE = (11, 4, 3)


def all_at_once(function, array):
    return [function(slice(None))]


def row_by_row(function, array):
    return [function(slice(row, row + 1)) for row in range(len(array))]


def options(**changes):
    """What the makers of terms look at, such as settings have it."""
    standard = {
        "content_layers": ("conv2_1",),
        "style_layers": ("conv1_1", "conv2_1"),
        "content_weight": 1.0,
        "style_weight": 1.0,
        "content_layer_weights": "equal",
        "style_layer_weights": "equal",
        "covariance_weight": 0.0,
        "mean_weight": 0.0,
        "tv_weight": 0.0,
        "tv_edge": 20.0,
        "convention": "mean",
        "strength": 0.5,
    }
    return SimpleNamespace(**(standard | changes))


@pytest.fixture
def pictures(random):
    return [random.uniform(0, 255, (16, 19, 3)) for _ in range(3)]


@pytest.fixture(params=losses.CONVENTIONS)
def convention(request):
    return request.param


@pytest.fixture(params=["content", "style"])
def term(request, convention, random):
    if request.param == "content":
        return ContentTerm("conv1_1", 2.5, random.normal(size=SHAPE).clip(0), convention)
    return StyleTerm("conv1_1", 2.5, random.normal(size=(3, 3)), convention)


# A term in pieces ------------------------------------------------------------------------------------


def test_pieces_of_an_additive_term_make_up_the_whole(term, random):
    """Sums over some rows, compared together, and the gradient of some rows: that is all there is to it."""
    F = random.normal(size=SHAPE).clip(0)
    value, gradient = term.value_and_gradient(F, all_at_once)
    pieces = [slice(0, 4), slice(4, 5), slice(5, 11)]
    total = sum(term.partial_sum(F[rows], rows) for rows in pieces)
    in_pieces, derivative = term.compare(total, F.shape)
    assert in_pieces == pytest.approx(value, rel=1e-14)
    whole = gradient[slice(None)]
    for rows in pieces:
        part = term.gradient(F[rows], rows, derivative)
        assert np.abs(part - whole[rows]).max() < 1e-14 * np.abs(whole).max()


def test_the_gradient_is_the_values_derivative(term, random):
    F, direction = random.normal(size=(2, *SHAPE))
    _, gradient = term.value_and_gradient(F, row_by_row)
    ahead, behind = (term.value_and_gradient(F + side * 1e-5 * direction, row_by_row)[0] for side in (1, -1))
    assert (gradient[:] * direction).sum() == pytest.approx((ahead - behind) / 2e-5, rel=1e-7)


def test_a_gradient_that_needs_the_total_says_so(term, random):
    """Of a term that says no, the gradient is the same whatever `compare` was given."""
    F = random.normal(size=SHAPE)
    derivatives = [term.compare(factor * term.partial_sum(F, slice(None)), SHAPE)[1] for factor in (1, 5)]
    first, second = (term.gradient(F, slice(None), derivative) for derivative in derivatives)
    assert term.needs_total == (not np.array_equal(first, second))


def test_content_and_style_are_the_papers_formulas_times_the_weight(convention, random):
    F, P = random.normal(size=(2, *SHAPE))
    A = random.normal(size=(3, 3))
    content, _ = ContentTerm("conv1_1", 2.5, P, convention).value_and_gradient(F, row_by_row)
    style, _ = StyleTerm("conv1_1", 2.5, A, convention).value_and_gradient(F, row_by_row)
    G = sum(np.outer(F[h, w], F[h, w]) for h in range(11) for w in range(4))
    N, M = 3, 44
    content_factor, style_factor = (1 / 2, 1 / (4 * N**2)) if convention == "literal" else (1 / (N * M), 1 / N**2)
    assert content == pytest.approx(2.5 * content_factor * ((F - P) ** 2).sum(), rel=1e-13)
    assert style == pytest.approx(2.5 * style_factor * ((G / M - A) ** 2).sum(), rel=1e-13)


def test_terms_leave_activations_and_targets_alone(term, random):
    F = random.normal(size=SHAPE)
    copies = F.copy(), term.target.copy()
    _, gradient = term.value_and_gradient(F, row_by_row)
    gradient[:]
    np.testing.assert_array_equal(F, copies[0])
    np.testing.assert_array_equal(term.target, copies[1])


def test_the_value_is_a_float64_on_the_device_even_of_float32_activations(xp, device, random):
    F = to_device(random.normal(size=SHAPE), device, "float32")
    for term in (
        ContentTerm("conv1_1", 2.0, F + 1),
        StyleTerm("conv1_1", 2.0, losses.gram_matrix(F) / 4),
        TotalVariationTerm(2.0),
    ):
        value, gradient = term.value_and_gradient(F, all_at_once)
        assert array_module(value) is xp
        assert value.dtype == np.float64 and value.shape == ()
        assert gradient[:].dtype == np.float32


def test_total_variation_is_the_formula_times_the_weight(random):
    pixels = random.normal(size=(4, 5, 3))
    value, gradient = TotalVariationTerm(2.5).value_and_gradient(pixels, all_at_once)
    expected, expected_gradient = losses.total_variation_loss(pixels)
    assert value == pytest.approx(2.5 * expected, rel=1e-14)
    assert relative_error(gradient, 2.5 * expected_gradient) < 1e-14


def test_content_of_another_size_is_refused(random):
    term = ContentTerm("conv4_2", 1.0, np.zeros((4, 5, 3)))
    for shape in ((4, 6, 3), (5, 5, 3)):
        assert "differ in size" in sentence(term.check, shape)
        with pytest.raises(MinistyleError, match="conv4_2 has shape"):
            term.value_and_gradient(np.zeros(shape), all_at_once)
    term.check((4, 5, 3))


def test_a_gradient_by_rows_adds_arrays_and_functions_of_rows(random):
    F, G = random.normal(size=(2, *SHAPE))
    gradient = GradientByRows([F, lambda rows: 2 * G[rows]], SHAPE)
    assert gradient.shape == SHAPE
    np.testing.assert_allclose(gradient[2:5], F[2:5] + 2 * G[2:5], rtol=1e-15)


# Making terms ----------------------------------------------------------------------------------------


def test_without_its_picture_or_weight_a_term_is_left_out(network64, pictures):
    content, style, _ = pictures
    scene = Scene(network64, content)
    assert [term.name for term in content_terms(scene, options())] == ["content conv2_1"]
    assert style_terms(scene, options()) == []
    scene = Scene(network64, style=style)
    assert content_terms(scene, options()) == []
    assert [term.name for term in style_terms(scene, options())] == ["style conv1_1", "style conv2_1"]
    assert total_variation_terms(scene, options()) == []
    (term,) = total_variation_terms(scene, options(tv_weight=3.0, tv_edge=5.0))
    assert (term.weight, term.edge) == (3.0, 5.0)


@pytest.mark.parametrize("kind", ["content", "style"])
@pytest.mark.parametrize("names", [("conv1_1", "conv1_1"), ("conv1_1", "relu1_1")])
def test_a_layer_named_twice_is_an_error(network64, pictures, kind, names):
    """It would share its weight with a term that is not there."""
    make = {"content": content_terms, "style": style_terms}[kind]
    scene = Scene(network64, *pictures[:2])
    assert "conv1_1 is named twice" in sentence(make, scene, options(**{f"{kind}_layers": names}))
    assert "conv1_1 is named twice" in sentence(
        Objective, network64, content=pictures[0], style=pictures[1], **{f"{kind}_layers": names}
    )


def test_the_ways_to_compute_targets_can_be_replaced(network64, pictures):
    content, style, _ = pictures
    asked = []

    def zeros(network, picture, layers, statistic=None, margin=0, guides=None):
        asked.append((picture is content, tuple(layers), margin))
        return {name: np.zeros((2, 2)) for name in layers}

    scene = Scene(network64, content, style, style_margin=16, activations=zeros, style_statistics=zeros)
    made = [*content_terms(scene, options()), *style_terms(scene, options())]
    assert asked == [(True, ("conv2_1",), 0), (False, ("conv1_1", "conv2_1"), 16)]
    assert all(not term.target.any() for term in made)


def test_style_layer_weights(network64, pictures):
    pixels, _, style = pictures
    layers = ["conv1_1", "conv2_1"]  # 64 and 128 filters

    def terms(weights):
        objective = Objective(network64, style=style, style_layers=layers, style_layer_weights=weights, style_weight=2)
        return np.array(list(objective(pixels).terms.values()))

    plain = terms([1.0, 1.0])
    np.testing.assert_allclose(terms("equal"), plain / 2)
    np.testing.assert_allclose(terms("geometric"), plain * [0.6, 0.4])
    np.testing.assert_allclose(terms("inverse-square"), plain / [64**2, 128**2])
    np.testing.assert_allclose(terms([0.25, 3.0]), plain * [0.25, 3.0])
    layers.reverse()  # the geometric weights go by depth, whatever the order of the names
    np.testing.assert_allclose(terms("geometric"), plain[::-1] * [0.4, 0.6])


def test_several_content_layers_share_the_weight(network64, pictures):
    pixels, content, _ = pictures
    both = Objective(network64, content=content, content_layers=["conv1_1", "conv2_2"], content_weight=6)(pixels)
    for name in ("conv1_1", "conv2_2"):
        alone = Objective(network64, content=content, content_layers=[name], content_weight=3)(pixels)
        assert both.terms[f"content {name}"] == pytest.approx(alone.terms[f"content {name}"], rel=1e-12)


def test_literal_and_mean_conventions_differ_by_their_factors(network64, pictures):
    pixels, content, style = pictures
    terms = {
        convention: Objective(network64, content=content, style=style, convention=convention)(pixels).terms
        for convention in losses.CONVENTIONS
    }
    elements = 2 * 2 * 512  # of conv4_2, for a picture of 16 x 19
    for name, literal in terms["literal"].items():
        factor = 2 / elements if name.startswith("content") else 4
        assert terms["mean"][name] == pytest.approx(factor * literal, rel=1e-12)


def test_a_margin_is_seen_but_not_counted(weights, random):
    """A tile amid copies of itself, as far as the network sees, has the style it has on a torus."""
    tile = random.uniform(0, 255, (32, 48, 3))
    surrounded = np.pad(tile, ((128, 128), (128, 128), (0, 0)), "wrap")
    layers = ["conv1_1", "conv3_2", "conv5_1"]
    plain = style_statistics(load_network(weights, dtype="float64", device="cpu"), surrounded, layers, margin=128)
    torus = style_statistics(load_network(weights, dtype="float64", device="cpu", border="periodic"), tile, layers)
    for layer in layers:
        assert relative_error(plain[layer], torus[layer]) < 1e-12


def test_style_targets_are_gram_matrices_per_position(network64, pictures):
    _, style, _ = pictures
    matrices = style_statistics(network64, style, ["conv1_1", "conv2_1"])
    for name, F in network64.features(style, ["conv1_1", "conv2_1"]).items():
        columns = F.reshape(-1, F.shape[2])
        assert relative_error(matrices[name], np.einsum("ki,kj->ij", columns, columns) / len(columns)) < 1e-12


# The relative convention -------------------------------------------------------------------------------


def relative(**changes):
    return options(**({"convention": "relative", "style_weight": 0.7, "content_weight": 1.5} | changes))


@pytest.fixture
def scene(network64):
    """A photograph, smooth and bluish, and a painting of strong stripes: far apart in every layer."""
    y, x = np.mgrid[:32, :40]
    photo = np.stack([60 + x, 80 + y, 140 + 30 * np.sin(x / 7)], axis=2)
    stripes = 255.0 * ((x[:24, :36] + y[:24, :36]) // 3 % 2)
    return Scene(network64, photo, np.stack([stripes, 0.5 * stripes, 255 - stripes], axis=2))


def value_at(term, picture, network):
    """Return a term's value for a picture."""
    return float(term.value_and_gradient(network.features(picture, [term.layer])[term.layer], all_at_once)[0])


def test_relative_content_is_0_at_the_photograph_and_1_where_every_filter_is_at_its_mean(network64, scene):
    """With a strength of a half, each of two layers has half of the weight."""
    layers = ("conv2_1", "conv3_1")
    for term in content_terms(scene, relative(content_layers=layers)):
        P = network64.features(scene.content, [term.layer])[term.layer]
        flat = np.broadcast_to(P.mean(axis=(0, 1)), P.shape)
        assert value_at(term, scene.content, network64) == 0
        assert term.value_and_gradient(flat, row_by_row)[0] == pytest.approx(1.5 / 2, rel=1e-12)


def test_relative_style_is_1_at_the_photograph_in_every_layer(network64, scene):
    """Equal shares of 2 s times the balance and the weight; 0 is the painting."""
    for strength in (0.2, 0.5, 1.0):
        made = style_terms(scene, relative(strength=strength))
        values = [value_at(term, scene.content, network64) for term in made]
        assert values == pytest.approx([2 * strength * BALANCE * 0.7 / 2] * 2, rel=1e-12)
        assert sum(value_at(term, scene.style, network64) for term in made) < 1e-20


def test_without_a_photograph_relative_style_is_1_for_a_blank(network64, scene):
    for term in style_terms(Scene(network64, style=scene.style), relative(style_weight=1.0)):
        assert term.compare(np.zeros_like(term.target), (5, 6, len(term.target)))[0] == pytest.approx(BALANCE / 2)


def test_shares_and_weights_of_style_layers_count_as_in_the_other_conventions(network64, scene):
    mean, ours = (
        {
            weights: [value_at(term, scene.content, network64) for term in style_terms(scene, asked)]
            for weights in ("equal", (3.0, 0.25))
            for asked in [options(convention=convention, style_layer_weights=weights)]
        }
        for convention in ("mean", "relative")
    )
    ratios = [[a / b for a, b in zip(found[(3.0, 0.25)], found["equal"], strict=True)] for found in (mean, ours)]
    assert ratios == [pytest.approx([6.0, 0.5])] * 2


@pytest.mark.parametrize("strength", [0.0, 0.3, 1.0])
def test_strength_goes_from_content_alone_to_style_alone(scene, strength):
    """Both halves are twice as heavy or gone at the ends, and as heavy as asked for in the middle."""
    content, style = (
        [term.weight for term in make(scene, relative(strength=strength))] for make in (content_terms, style_terms)
    )
    middle_content, middle_style = (
        [t.weight for t in make(scene, relative())] for make in (content_terms, style_terms)
    )
    assert content == pytest.approx([2 * (1 - strength) * weight for weight in middle_content])
    assert style == pytest.approx([2 * strength * weight for weight in middle_style])


@pytest.mark.parametrize("convention", losses.CONVENTIONS)
def test_strength_does_not_count_in_the_other_conventions(scene, convention):
    weights = [
        [term.weight for make in (content_terms, style_terms) for term in make(scene, asked)]
        for asked in (options(convention=convention, strength=strength) for strength in (0.0, 0.5, 1.0))
    ]
    assert weights[0] == weights[1] == weights[2]
    assert [alpha_and_beta(options(convention=convention, strength=s)) for s in (0.0, 1.0)] == [(1.0, 1.0)] * 2


@pytest.mark.parametrize(
    "case", ["the painting is the photograph", "a blank photograph", "a black painting", "all black"]
)
def test_relative_losses_are_finite_whatever_the_pictures(network64, scene, random, case):
    """Where a loss is 0 from the beginning, it is divided by a share of its target's square, or by 1."""
    black, pixels = np.zeros_like(scene.content), random.uniform(0, 255, scene.content.shape)
    content, style = {
        "the painting is the photograph": (scene.content, scene.content),
        "a blank photograph": (black + np.array([200.0, 30.0, 90.0]), scene.style),
        "a black painting": (scene.content, black),
        "all black": (black, black),
    }[case]
    layers = {"content_layers": ("conv2_1", "conv4_2"), "style_layers": ("conv1_1", "conv3_1", "conv5_1")}
    objective = Objective(network64, content=content, style=style, convention="relative", **layers)
    evaluation = objective(pixels)
    assert all(np.isfinite(value) for value in evaluation.terms.values())
    assert np.isfinite(evaluation.gradient).all() and evaluation.gradient.any()
    # From the photograph the style is 1 away at most, not a rounding error over a rounding error.
    assert max(value for name, value in objective(content).terms.items() if name.startswith("style")) < 1.01 * BALANCE


def test_a_loss_that_is_hardly_there_is_divided_by_a_share_of_its_targets_square(network64, scene, random):
    """So a painting that is all but the photograph, or a photograph that is all but blank, does not drown the rest."""
    nearly = Scene(network64, scene.content, scene.content + random.normal(0, 1e-3, scene.content.shape))
    for term in style_terms(nearly, relative(style_weight=1 / BALANCE)):
        assert term.weight * LEAST_SHARE * (term.target**2).mean() == pytest.approx(1 / 2)
    tiles = np.tile(random.uniform(0, 1e-3, (1, 1, 4)) + 1, (5, 6, 1)) + random.uniform(0, 1e-3, (5, 6, 4))
    blank = Scene(network64, scene.content, activations=lambda *_: {"conv2_1": tiles})
    (term,) = content_terms(blank, relative(content_weight=1.0))
    assert term.weight * LEAST_SHARE * (tiles**2).mean() == pytest.approx(1)


def test_targets_of_nothing_at_all_leave_finite_weights(network64):
    def zeros(*shape):
        return lambda network, picture, layers, *_, **__: {name: np.zeros(shape) for name in layers}

    empty = Scene(network64, "content", "style", activations=zeros(4, 4, 3), style_statistics=zeros(3, 3))
    made = [*content_terms(empty, relative()), *style_terms(empty, relative())]
    assert all(np.isfinite(term.weight) and term.weight > 0 for term in made)


class Louder:
    """A network whose activations are so many times as large."""

    def __init__(self, network, factor):
        self.network, self.factor = network, factor
        self.architecture, self.backend = network.architecture, network.backend

    def features(self, picture, layers):
        return {name: self.factor * F for name, F in self.network.features(picture, layers).items()}


def test_relative_losses_do_not_depend_on_the_network_s_loudness(network64, scene, random):
    pixels = random.uniform(0, 255, scene.content.shape)

    def values(network, convention):
        there = Scene(network, scene.content, scene.style)
        asked = options(convention=convention, content_layers=("conv3_1",))
        made = [*content_terms(there, asked), *style_terms(there, asked)]
        return [value_at(term, pixels, network) for term in made]

    assert values(Louder(network64, 7.0), "relative") == pytest.approx(values(network64, "relative"), rel=1e-12)
    assert values(Louder(network64, 7.0), "mean")[0] == pytest.approx(49 * values(network64, "mean")[0])


def test_alpha_and_beta_are_what_terms_are_weighted_with(scene):
    """The loss that is left when they are taken out is that of weights of 1."""
    asked = relative(strength=0.2)
    alpha, beta = alpha_and_beta(asked)
    assert (alpha, beta) == pytest.approx((1.5 * 2 * 0.8, 0.7 * 2 * 0.2 * BALANCE))
    plain = relative(content_weight=1.0, style_weight=1 / BALANCE)
    for make, weight in ((content_terms, alpha), (style_terms, beta)):
        ours, theirs = ([term.weight for term in make(scene, given)] for given in (asked, plain))
        assert [one / weight for one in ours] == pytest.approx(theirs)


# A term of one's own ---------------------------------------------------------------------------------


class Brightest(Term):
    """The largest activation of each filter: no function of a sum, and so not additive."""

    def value_and_gradient(self, F, over_rows):
        gradient = np.zeros_like(F)
        winners = F.reshape(-1, F.shape[2]).argmax(axis=0)
        gradient.reshape(-1, F.shape[2])[winners, np.arange(F.shape[2])] = self.weight
        return self.weight * F.max(axis=(0, 1)).sum(), gradient


class Mean(AdditiveTerm):
    """The square of each filter's mean activation."""

    def partial_sum(self, F, rows):
        return F.sum(axis=(0, 1))

    def compare(self, total, shape):
        positions = shape[0] * shape[1]
        return self.weight * (total**2).sum() / positions**2, 2 * self.weight * total / positions**2

    def gradient(self, F, rows, derivative):
        return np.broadcast_to(derivative, F.shape)


@pytest.mark.parametrize("made", [Brightest("brightest", "conv2_1", 2.0), Mean("mean", "conv1_2", 3.0)])
def test_a_term_of_ones_own_is_minimised_with_the_others(network64, pictures, random, made):
    pixels, content, _ = pictures
    scene = Scene(network64, content)
    objective = Objective(network64, [*content_terms(scene, options()), made])
    evaluation = objective(pixels)
    assert list(evaluation.terms) == ["content conv2_1", made.name]
    direction = random.normal(size=pixels.shape)
    ahead, behind = (objective(pixels + side * 1e-4 * direction).loss for side in (1, -1))
    assert (evaluation.gradient * direction).sum() == pytest.approx((ahead - behind) / 2e-4, rel=1e-5)
