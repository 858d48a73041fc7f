"""The losses against the paper's formulas, written as sums over single indices, and against finite differences."""

import math

import numpy as np
import pytest
from conftest import relative_error
from tolerances import EXACT

from ministyle import losses
from ministyle.arrays import to_device, to_host

DTYPES = ["float32", "float64"]


def paper_gram(F):
    """Equation 3 with the paper's indices; F is the paper's (N, M)."""
    N, M = F.shape
    G = np.zeros((N, N))
    for i in range(N):
        for j in range(N):
            for k in range(M):
                G[i, j] += F[i, k] * F[j, k]
    return G


def paper_layout(features):  # (H, W, N) -> (N, M)
    return features.reshape(-1, features.shape[2]).T


@pytest.fixture
def activations(random):
    """Three maps as a ReLU leaves them, many of them 0: the picture's, the photograph's, the painting's."""
    return [random.normal(size=(4, 5, 3)).clip(0) for _ in range(3)]


def numerical_gradient(function, x, step=1e-6):
    gradient = np.zeros_like(x)
    for index in np.ndindex(x.shape):
        ahead, behind = x.copy(), x.copy()
        ahead[index] += step
        behind[index] -= step
        gradient[index] = (float(function(ahead)) - float(function(behind))) / (2 * step)
    return gradient


@pytest.mark.parametrize("dtype", DTYPES)
def test_gram_matrix_is_equation_3(device, activations, dtype):
    F = activations[0]
    G = losses.gram_matrix(to_device(F, device, dtype))
    assert G.dtype == dtype
    assert relative_error(G, paper_gram(paper_layout(F))) < EXACT[dtype]


@pytest.mark.parametrize("dtype", DTYPES)
def test_literal_content_loss_is_equations_1_and_2(device, activations, dtype):
    F, P, _ = activations
    loss, gradient = losses.content_loss(to_device(F, device, dtype), to_device(P, device, dtype), "literal")
    assert relative_error(loss, np.array(0.5 * np.sum((F - P) ** 2))) < EXACT[dtype]
    assert gradient.dtype == dtype
    # Equation 2 is 0 where F is 0: that is the ReLU's business, which comes next on the way back.
    np.testing.assert_allclose(to_host(gradient)[F > 0], (F - P)[F > 0], rtol=1e-6)


def style_term(F, A, convention):
    """A layer's style loss and its gradient with respect to F, as the objective composes them."""
    M = F.shape[0] * F.shape[1]
    loss, gradient = losses.style_loss(losses.gram_matrix(F) / M, A, convention)
    return loss, losses.gram_backward(gradient / M, F)


@pytest.mark.parametrize("dtype", DTYPES)
def test_literal_style_loss_is_equations_4_and_6(device, activations, dtype):
    F, _, S = activations
    N, M = 3, 20
    G, A = paper_gram(paper_layout(F)), paper_gram(paper_layout(S))
    loss, gradient = style_term(to_device(F, device, dtype), to_device(A / M, device, dtype), "literal")
    assert relative_error(loss, np.array(np.sum((G - A) ** 2) / (4 * N**2 * M**2))) < EXACT[dtype]
    equation_6 = (paper_layout(F).T @ (G - A)).T / (N**2 * M**2)
    assert gradient.dtype == dtype
    assert relative_error(paper_layout(to_host(gradient)), equation_6) < 10 * EXACT[dtype]


def test_gram_backward_is_the_derivative_for_any_gradient_even_one_that_is_not_symmetric(activations, random):
    F = activations[0]
    dG = random.normal(size=(3, 3))
    numerical = numerical_gradient(lambda x: (dG * losses.gram_matrix(x)).sum(), F)
    assert relative_error(losses.gram_backward(dG, F), numerical) < 1e-7


def test_mean_convention_differs_by_the_documented_factors(device, activations):
    F, P, S = (to_device(array, device) for array in activations)
    A = losses.gram_matrix(S) / 20
    for loss, target, factor in [(losses.content_loss, P, 2 / 60), (style_term, A, 4)]:
        (literal, literal_gradient), (mean, mean_gradient) = (loss(F, target, c) for c in ("literal", "mean"))
        assert float(mean) == pytest.approx(factor * float(literal), rel=1e-12)
        np.testing.assert_allclose(to_host(mean_gradient), factor * to_host(literal_gradient), rtol=1e-12)


@pytest.mark.parametrize("convention", losses.CONVENTIONS)
def test_gradients_are_the_losses_derivatives(activations, convention):
    F, P, S = activations
    A = losses.gram_matrix(S[:3]) / 15  # a painting of another size
    for loss, target in [(losses.content_loss, P), (style_term, A)]:
        numerical = numerical_gradient(lambda x: loss(x, target, convention)[0], F)  # noqa: B023
        assert relative_error(loss(F, target, convention)[1], numerical) < 1e-7
    G = losses.gram_matrix(F) / 20
    numerical = numerical_gradient(lambda x: losses.style_loss(x, A, convention)[0], G)
    assert relative_error(losses.style_loss(G, A, convention)[1], numerical) < 1e-7


def test_total_variation_and_its_gradient(device, random):
    pixels = random.normal(size=(4, 5, 3))
    expected = 0.0
    for h, w, c in np.ndindex(pixels.shape):
        expected += (pixels[h + 1, w, c] - pixels[h, w, c]) ** 2 if h < 3 else 0
        expected += (pixels[h, w + 1, c] - pixels[h, w, c]) ** 2 if w < 4 else 0
    loss, gradient = losses.total_variation_loss(to_device(pixels, device))
    assert float(loss) == pytest.approx(expected / 60, rel=1e-12)
    numerical = numerical_gradient(lambda x: losses.total_variation_loss(x)[0], pixels)
    assert relative_error(gradient, numerical) < 1e-7


def variation_by_pixels(pixels, edge):
    """The formula in the docstring, one pixel after the other."""
    height, width, channels = pixels.shape
    total = 0.0
    for h, w in np.ndindex(height, width):
        below = pixels[h + 1, w] - pixels[h, w] if h < height - 1 else np.zeros(channels)
        beside = pixels[h, w + 1] - pixels[h, w] if w < width - 1 else np.zeros(channels)
        square = sum(d**2 for d in [*below, *beside])
        total += 2 * edge * (np.sqrt(square + edge**2) - edge)
    return total / pixels.size


@pytest.mark.parametrize("edge", [0.5, 8.0, 300.0])
@pytest.mark.parametrize("size", [(4, 5), (5, 1), (1, 4), (1, 1)])
def test_total_variation_with_an_edge_is_its_formula_with_its_gradient(device, random, size, edge):
    pixels = random.uniform(0, 40, (*size, 3))
    loss, gradient = losses.total_variation_loss(to_device(pixels, device), edge)
    assert float(loss) == pytest.approx(variation_by_pixels(pixels, edge), rel=1e-11, abs=1e-30)
    numerical = numerical_gradient(lambda x: losses.total_variation_loss(x, edge)[0], pixels, 1e-4)
    np.testing.assert_allclose(to_host(gradient), numerical, rtol=0, atol=1e-8 * max(np.abs(numerical).max(), 1))


@pytest.mark.parametrize("edge", [8.0, math.inf])
def test_periodic_total_variation_is_that_of_copies_side_by_side(device, random, edge):
    """Of three by three copies, the one in the middle has its right share, and its gradient."""
    pixels = random.uniform(0, 40, (4, 5, 3))
    loss, gradient = losses.total_variation_loss(to_device(pixels, device), edge, periodic=True)
    below, beside = np.roll(pixels, -1, axis=0) - pixels, np.roll(pixels, -1, axis=1) - pixels
    squares = (below**2 + beside**2).sum(axis=2)
    costs = squares if math.isinf(edge) else 2 * edge * (np.sqrt(squares + edge**2) - edge)
    assert float(loss) == pytest.approx(costs.sum() / pixels.size, rel=1e-12)
    tiled = to_device(np.tile(pixels, (3, 3, 1)), device)
    _, tiled_gradient = losses.total_variation_loss(tiled, edge)
    np.testing.assert_allclose(to_host(gradient), 9 * to_host(tiled_gradient)[4:8, 5:10], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("edge", [20.0, math.inf])
def test_total_variation_keeps_the_data_type(device, random, edge):
    pixels = random.uniform(0, 255, (4, 5, 3))
    loss, gradient = losses.total_variation_loss(to_device(pixels, device, "float32"), edge)
    assert loss.dtype == gradient.dtype == "float32" and loss.shape == ()
    expected, expected_gradient = losses.total_variation_loss(pixels, edge)
    assert float(loss) == pytest.approx(expected, rel=1e-5)
    assert relative_error(gradient, expected_gradient) < 1e-5


@pytest.mark.parametrize("dtype", DTYPES)
def test_with_a_large_edge_total_variation_is_that_of_squares(device, random, dtype):
    """The largest edge that a setting can have, in single precision too: there is no difference of large numbers."""
    pixels = to_device(random.uniform(0, 255, (6, 7, 3)), device, dtype)
    (large, large_gradient), (squares, gradient) = (losses.total_variation_loss(pixels, e) for e in (1e9, math.inf))
    assert float(large) == pytest.approx(float(squares), rel=1e-6)
    assert relative_error(large_gradient, gradient) < 1e-6


def test_total_variation_with_an_edge_spares_an_outline_and_not_speckle(random):
    outline = np.zeros((20, 20, 3))
    outline[:, 10:] = 200.0
    speckle = 128 + random.normal(0, 0.5, (20, 20, 3))
    (sparing, squares), (calming, as_before) = (
        [float(losses.total_variation_loss(pixels, edge)[0]) for edge in (20.0, math.inf)]
        for pixels in (outline, speckle)
    )
    assert sparing < squares / 5
    assert calming == pytest.approx(as_before, rel=0.01)
    # Spreading the same step over ten pixels pays with squares, a tenth is left; here more than half is.
    ramp = np.broadcast_to(
        np.linspace(0, 200, 11).repeat([5, *[1] * 9, 6])[:, np.newaxis], (20, 20, 3)
    )  # along each row
    spread = [float(losses.total_variation_loss(ramp, edge)[0]) for edge in (20.0, math.inf)]
    assert spread[1] == pytest.approx(squares / 10) and spread[0] > 0.5 * sparing


@pytest.mark.parametrize("convention", losses.CONVENTIONS)
def test_a_painting_of_repeated_tiles_has_the_same_style_at_any_size(device, activations, convention):
    tile = activations[0]
    wide = to_device(np.tile(tile, (2, 3, 1)), device)
    target = losses.gram_matrix(to_device(tile, device)) / 20
    loss, gradient = style_term(wide, target, convention)
    assert float(loss) < 1e-25
    assert float(abs(gradient).max()) < 1e-12


def test_losses_leave_their_arguments_alone(device, activations):
    F, P, S = (to_device(array, device) for array in activations)
    A = losses.gram_matrix(S) / 20
    losses.content_loss(F, P)
    G = losses.gram_matrix(F)
    kept = to_host(G).copy()
    losses.style_loss(G, A)
    losses.gram_backward(G, F)
    np.testing.assert_array_equal(to_host(G), kept)
    losses.total_variation_loss(F)
    losses.total_variation_loss(F, 0.5)
    np.testing.assert_array_equal(to_host(F), activations[0])
    np.testing.assert_array_equal(to_host(P), activations[1])
    np.testing.assert_allclose(to_host(A), activations[2].reshape(20, 3).T @ activations[2].reshape(20, 3) / 20)
