"""The two tests of a gradient, tested: on functions whose gradients are known, and on wrong gradients."""

import numpy as np
import pytest

from ministyle.checks.gradients import Check
from ministyle.checks.measures import (
    SPACING,
    adjoint_error,
    directional_error,
    linear_region_step,
    roomiest_direction,
)
from ministyle.errors import MinistyleError
from ministyle.weights.load import load_network


def test_a_change_of_one_part_in_a_million_is_caught(random):
    x = random.normal(size=(5, 5))
    directions = [random.normal(size=(5, 5))]

    def cubic(factor):
        return lambda x: ((x**3).sum(), factor * 3 * x**2)

    assert directional_error(cubic(1), x, directions, [SPACING]) < 1e-12
    assert directional_error(cubic(1 + 1e-6), x, directions, [SPACING]) == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("wrong", [17.0, 0.0, -2.0, 2.000001, np.inf, np.nan])
def test_a_checker_must_not_accept_17_where_2_is_right(wrong):
    """A published checker computed its error once, before its loop, and so accepted anything."""
    x = np.array([1.0])
    error = directional_error(lambda x: (float(x[0] ** 2), np.array([wrong])), x, [np.ones(1)], [SPACING])
    assert not Check("square", "direction", error, 1e-7).passed


def test_the_worst_direction_counts(random):
    """The gradient is right in the first direction only."""
    x = random.normal(size=2)
    directions = [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([1.0, 0.0])]
    error = directional_error(lambda x: ((x**2).sum(), 2 * x * [1, 2]), x, directions, [SPACING] * 3)
    assert error == pytest.approx(0.5)


def test_the_stencil_is_exact_for_degree_four(random):
    coefficients = random.normal(size=5)
    polynomial = np.polynomial.Polynomial(coefficients)
    x = np.array([0.7])

    def function(x):
        return polynomial(x).sum(), polynomial.deriv()(x)

    assert directional_error(function, x, [np.ones(1)], [0.5]) < 1e-13


def test_adjoint_error_of_a_matrix_and_of_a_wrong_transpose(random):
    A, B = random.normal(size=(2, 4, 6))
    u, v = random.normal(size=4), random.normal(size=6)
    assert adjoint_error(lambda v: A @ v, lambda u: A.T @ u, u, v) < 1e-13
    assert adjoint_error(lambda v: A @ v, lambda u: B.T @ u, u, v) > 1e-3


@pytest.fixture
def masks(network64):
    """Return a function of pixels that tells which units of the network are on, as far as conv3_1."""

    def masks(pixels):
        _, tape = network64.forward(pixels, ["conv3_1"])
        return np.concatenate([features.ravel() > 0 for features in features_of(tape, pixels)])

    def features_of(tape, x):
        for operation, _ in tape:
            x, _ = operation.forward(x)
            if operation.kind == "relu":
                yield x

    return masks


def test_the_step_stays_inside_the_linear_region(network64, random, masks):
    """No unit may switch between the stencil's ends; just outside of twice the step some unit does."""
    pixels = random.uniform(-40, 295, (16, 16, 3))
    here = masks(pixels)
    for direction in random.uniform(-1, 1, (6, 16, 16, 3)):
        step = linear_region_step(network64, pixels, direction, ["conv3_1"])
        assert all((masks(pixels + t * step * direction) == here).all() for t in np.linspace(-2, 2, 9))
        assert step == SPACING or any((masks(pixels + t * step * direction) != here).any() for t in (-4, 4))


def test_the_roomiest_direction_is_the_one_with_the_longest_step(network64, random):
    pixels = random.uniform(-40, 295, (16, 16, 3))
    directions = random.uniform(-1, 1, (6, 16, 16, 3))
    steps = [linear_region_step(network64, pixels, direction, ["conv3_1"]) for direction in directions]
    best = int(np.argmax(steps))
    assert max(steps) > min(steps)
    for place in (0, 2, 5):  # of the best one among them
        in_order = list(np.roll(directions, place - best, axis=0))
        roomiest, step = roomiest_direction(network64, pixels, in_order, ["conv3_1"])
        assert step == max(steps)
        np.testing.assert_array_equal(roomiest, directions[best])


def test_a_kink_in_the_deepest_layer_counts_as_well(weights, random):
    """The step that is short enough for the first layers may be too long for the last one."""
    network = load_network(weights, dtype="float64", device="cpu")
    pixels = random.uniform(-40, 295, (16, 16, 3))
    directions = random.uniform(-1, 1, (8, 16, 16, 3))
    steps = [
        [linear_region_step(network, pixels, direction, [layer]) for layer in ("conv1_1", "conv3_1", "conv5_1")]
        for direction in directions
    ]
    for direction, (_, _, deep) in zip(directions, steps, strict=True):
        assert linear_region_step(network, pixels, direction, ["conv1_1", "conv5_1"]) == deep
    assert all(shallow >= middle >= deep for shallow, middle, deep in steps)
    assert any(shallow > middle for shallow, middle, _ in steps) and any(middle > deep for _, middle, deep in steps)


@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_a_maximum_that_changes_its_winner_is_a_kink_too(weights, convolution):
    """In flat grey all four of a block are equal, and the first one wins; the least change lets another one win."""
    network = load_network(weights, dtype="float64", device="cpu", convolution=convolution, pooling="max")
    pixels = np.full((16, 16, 3), 128.0)
    direction = np.zeros((16, 16, 3))
    direction[7::2, 7::2] = 1
    with pytest.raises(MinistyleError, match="kink"):
        linear_region_step(network, pixels, direction, ["conv2_1"])
    average = load_network(weights, dtype="float64", device="cpu", convolution=convolution)
    assert linear_region_step(average, pixels, direction, ["conv2_1"]) > 1e-6
