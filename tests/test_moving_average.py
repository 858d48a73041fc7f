"""The candidate that follows another program: its formulas, and a small run."""

from types import SimpleNamespace

import numpy as np
import pytest
import scipy.linalg
from conftest import relative_error
from made_up_weights import make_up_weights, thin

from benchmarks.pictures import __main__ as benchmark
from benchmarks.pictures import moving_average, wasserstein
from benchmarks.pictures.pairs import Pair
from benchmarks.pictures.wasserstein import SmoothnessTerm, WassersteinTerm
from ministyle import layers
from ministyle.architecture import ARCHITECTURES, VGG19
from ministyle.network import make_network


def two_parts(function, array):
    return [function(slice(0, 2)), function(slice(2, None))]


def against_finite_differences(term, F, random):
    direction = random.normal(size=F.shape)
    _, gradient = term.value_and_gradient(F, two_parts)
    ahead, behind = (term.value_and_gradient(F + side * 1e-5 * direction, two_parts)[0] for side in (1, -1))
    assert (gradient[:] * direction).sum() == pytest.approx((ahead - behind) / 2e-5, rel=1e-6)


# The terms -------------------------------------------------------------------------------------------


def test_the_wasserstein_term_is_the_formula_times_the_weight(random):
    painted = random.normal(size=(9, 7, 4))
    F = 2 + random.normal(size=(6, 8, 4)) @ (np.eye(4) + 0.2 * random.normal(size=(4, 4)))
    value, _ = WassersteinTerm("conv1_1", 2.5, painted).value_and_gradient(F, two_parts)
    (a, A), (m, C) = ((x.mean(axis=0), np.cov(x.T, bias=True)) for x in (y.reshape(-1, 4) for y in (painted, F)))
    A, C = (matrix + 1e-4 * np.eye(4) for matrix in (A, C))
    S = scipy.linalg.sqrtm(A)
    distance = ((m - a) ** 2).sum() + np.trace(A + C - 2 * scipy.linalg.sqrtm(S @ C @ S))
    assert value == pytest.approx(2.5 * distance / 4, rel=1e-6)
    assert WassersteinTerm("conv1_1", 2.5, F).value_and_gradient(F, two_parts)[0] == pytest.approx(0, abs=1e-9)


def test_the_gradients_are_the_values_derivatives(random):
    painted, F = random.normal(size=(2, 9, 7, 4))
    against_finite_differences(WassersteinTerm("conv1_1", 2.5, painted), F + 1, random)
    against_finite_differences(SmoothnessTerm(2.5), 255 * random.uniform(size=(5, 6, 3)), random)


def test_roots_are_those_of_the_iteration_on_matrices(random):
    """Also where there are fewer positions than filters, and no root or inverse would be exact."""
    X = random.normal(size=(4, 6))
    A = X.T @ X + 1e-9 * np.eye(6)
    values, vectors = np.linalg.eigh(A)
    norm = np.linalg.norm(A)
    Y, Z = A / norm, np.eye(6)
    for _ in range(12):
        T = (3 * np.eye(6) - Z @ Y) / 2
        Y, Z = Y @ T, T @ Z
    roots = wasserstein.root(values)
    assert relative_error(vectors * roots @ vectors.T, Y * np.sqrt(norm)) < 1e-9
    inverse = wasserstein.inverse_of_root(roots)
    np.testing.assert_allclose(inverse[2:], 1 / roots[2:], rtol=1e-6)
    np.testing.assert_allclose(inverse[:2], 1.5**12 / np.linalg.norm(roots), rtol=0.01)


def test_smoothness_is_a_mean_over_pairs_of_neighbours(random):
    pixels = 255 * random.uniform(size=(4, 5, 3))
    x = np.pad(pixels / 255, ((1, 1), (1, 1), (0, 0)), "edge")
    sides = [(x[h, w] - x[h + i, w + j]) ** 2 for i, j in ((0, 1), (1, 0)) for h in range(1, 5) for w in range(1, 6)]
    corners = [(x[h, w] - x[h + 1, w + 1]) ** 2 for h in range(5) for w in range(6)]
    corners += [(x[h + 1, w] - x[h, w + 1]) ** 2 for h in range(5) for w in range(6)]
    value, _ = SmoothnessTerm(3.0).value_and_gradient(pixels, two_parts)
    assert value == pytest.approx(3 * (2 / 3 * 2 * np.mean(sides) + 1 / 6 * 2 * np.mean(corners)), rel=1e-12)


# The run ---------------------------------------------------------------------------------------------


def test_scales_grow_by_the_square_root_of_two():
    assert moving_average.sides(512) == [128, 181, 256, 362, 512]
    assert moving_average.sides(300) == [150, 212, 300]
    assert moving_average.sides(100) == [100]


def test_the_average_weighs_pictures_by_their_age_and_the_weights_sum_to_one(random):
    pictures = random.normal(size=(7, 2, 3, 3))
    average = moving_average.MovingAverage(pictures[0])
    np.testing.assert_allclose(average.value(), pictures[0], rtol=1e-12)
    for picture in pictures[1:]:
        average.add(picture)
    assert relative_error(average.value(), np.average(pictures, axis=0, weights=0.99 ** np.arange(7)[::-1])) < 1e-12


def test_adam_is_the_papers_and_lives_on_in_a_larger_picture(random):
    gradients = random.normal(size=(3, 4, 5, 3))
    adam = moving_average.Adam.at_rest(gradients[0])
    moves = [adam.move(gradient) for gradient in gradients]
    mean, square = (np.average(x, axis=0, weights=beta ** np.array([2, 1, 0])) for x, beta in
                    ((gradients, 0.9), (gradients**2, 0.99)))  # fmt: skip
    assert relative_error(moves[-1], 5.1 * mean / np.sqrt(square)) < 1e-6
    np.testing.assert_allclose(np.abs(moves[0]), 5.1, rtol=1e-6)
    larger = moving_average.Adam(gradients[0] * 0 - 2.0, gradients[1] ** 2, 3).resized((6, 8))
    assert larger.steps == 3
    np.testing.assert_allclose(larger.mean, np.full((6, 8, 3), -2.0), rtol=1e-6)
    assert larger.mean_square.shape == (6, 8, 3) and larger.mean_square.min() >= 0


def test_only_the_first_convolution_has_a_replicated_border(weights, random):
    found = moving_average.peers_network().features(
        pixels := random.uniform(0, 255, (12, 14, 3)), ["conv1_1", "conv1_2"]
    )
    x = (pixels[:, :, ::-1] - np.asarray(weights.pixel_mean)) / np.asarray(weights.pixel_scale)
    for name, border in (("conv1_1", "replicate"), ("conv1_2", "zero")):
        x = layers.convolution_forward(x, *weights.layers[name], border=border)[0].clip(0)
        assert relative_error(found[name], x) < 1e-5


@pytest.fixture
def small_network(monkeypatch, random):
    monkeypatch.setitem(ARCHITECTURES, VGG19.name, thin(VGG19))
    return make_network(make_up_weights(thin(VGG19), lambda shape: random.normal(0, 0.3, shape)), pooling="max")


def test_a_small_run_brings_the_painting_nearer(small_network, random):
    photograph, painting = random.uniform(0, 255, (30, 40, 3)), random.uniform(0, 255, (50, 30, 3)) * [1, 0.5, 0]
    picture = moving_average.repaint(photograph, painting, size=181, iterations=10, network=small_network)
    assert picture.shape == (136, 181, 3) and picture.dtype == np.uint8
    start = moving_average.resized(photograph, (136, 181)).clip(0, 255)
    objective = moving_average.objective_at(small_network, start, painting)
    before, after = (objective(small_network.to_device(x)).loss for x in (start, picture))
    assert after < before / 2


def test_every_scale_begins_with_the_average_and_the_first_has_twice_the_steps(small_network, random, monkeypatch):
    seen, steps, move = [], [], moving_average.Adam.move

    def counted(adam, gradient):
        steps.append(adam.steps)
        return move(adam, gradient)

    class Average(moving_average.MovingAverage):
        def __init__(self, picture):
            seen.append([picture])
            super().__init__(picture)

        def add(self, picture):
            seen[-1].append(picture)
            super().add(picture)

        def value(self):
            return super().value() * 0 + 50  # whatever it was

    monkeypatch.setattr(moving_average, "MovingAverage", Average)
    monkeypatch.setattr(moving_average.Adam, "move", counted)
    moving_average.repaint(
        random.uniform(0, 255, (30, 40, 3)), random.uniform(0, 255, (9, 9, 3)).repeat(4, 0).repeat(4, 1),
        size=256, iterations=3, network=small_network
    )  # fmt: skip
    assert [len(pictures) - 2 for pictures in seen] == [6, 3, 3]  # the start is there twice
    assert [pictures[0].shape for pictures in seen] == [(96, 128, 3), (136, 181, 3), (192, 256, 3)]
    assert steps == list(range(12))  # Adam lives on
    for pictures in seen[1:]:
        np.testing.assert_allclose(pictures[0], 50, rtol=1e-5)
    assert all(0 <= x.min() and x.max() <= 255 for pictures in seen for x in pictures)


# In the benchmark ------------------------------------------------------------------------------------


def test_a_function_gets_the_iterations_that_the_time_allows(monkeypatch):
    clock, asked = [0.0], []

    def repaint(content, style, *, size, iterations):
        asked.append((content, style, size, iterations))
        clock[0] += 2 + 0.5 * iterations
        return "picture"

    monkeypatch.setattr(benchmark.time, "perf_counter", lambda: clock[0])
    options = SimpleNamespace(size=64, seconds=30, iterations=None)
    assert benchmark.make(Pair("name", "photo", "painting"), repaint, options) == (
        "picture",
        {"seconds": 30.0, "iterations": 56},
    )
    assert asked[-1] == ("photo", "painting", 64, 56)
    options.iterations = 7
    assert benchmark.make(Pair("name", "photo", "painting"), repaint, options)[1]["iterations"] == 7


def test_settings_get_the_iterations_that_are_asked_for(random):
    pair = Pair("name", *random.integers(0, 256, (2, 24, 32, 3), dtype=np.uint8))
    picture, seen = benchmark.make(pair, {"device": "cpu"}, SimpleNamespace(size=32, seconds=None, iterations=2))
    assert picture.shape == (24, 32, 3) and seen["iterations"] == 2
