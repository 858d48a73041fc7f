"""The checker checked: it must pass what is right and catch what is wrong.

Most of the mistakes planted here were found in published implementations.
"""

import numpy as np
import pytest

from ministyle import gradcheck, layers, losses, network, objective
from ministyle.checks.gradients import STEP, Check, adjoint_error, check_gradients, directional_error
from ministyle.errors import MinistyleError


def first_failure(weights):
    """Return the first check that fails, or None. Size and directions are the cheapest there are."""
    return next((check for check in check_gradients(weights, size=16, directions=1) if not check.passed), None)


@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_the_packages_own_gradients_pass(weights, convolution):
    checks = list(check_gradients(weights, size=17, directions=2, seed=5, convolution=convolution))
    assert [check for check in checks if not check.passed] == []
    assert len({(check.name, check.method) for check in checks}) == len(checks) == 24
    assert all(check.tolerance <= 1e-7 for check in checks)
    assert {check.tolerance for check in checks if check.method == "adjoint"} == {1e-8}


def test_it_runs_on_the_device(xp, device, weights):
    checks = check_gradients(weights, size=16, directions=1, device=device)
    names = [check.name for check in checks if check.passed]
    assert any("pixels to loss" in name for name in names)
    assert len(names) == 24


# Mistakes, each as (object, attribute, wrong version). A wrong version may call the right one, bound here.

right_style_loss = losses.style_loss
right_gram_backward = losses.gram_backward
right_content_loss = losses.content_loss
right_total_variation = losses.total_variation_loss
right_relu_forward = layers.relu_forward
right_max_pool_backward = layers.max_pool_backward
right_forward = network.Network.forward
right_call = objective.Objective.__call__


def gram_gradient_from_another_pictures_features(dG, F):
    """In the published mistake the other picture is the painting; any other shows the same."""
    return right_gram_backward(dG, np.roll(F, 1, axis=0))


def gram_gradient_half(dG, F):
    return right_gram_backward(dG, F) / 2


def gram_gradient_normalised_by_three(dG, F):
    return right_gram_backward(dG, F) * F.shape[2] / 3


def content_gradient_masked_in_the_loss(F, P, convention="mean"):
    """Masked once here and once more by the ReLU."""
    loss, gradient = right_content_loss(F, P, convention)
    return loss, gradient * (F > 0)


def style_gradient_masked_wrongly(dG, F):
    return right_gram_backward(dG, F) * (F < F.mean())


def style_gradient_of_one_triangle(G, A, convention="mean"):
    loss, gradient = right_style_loss(G, A, convention)
    return loss, np.triu(gradient)


def relu_mask_at_least_zero(x):
    y = np.maximum(x, 0)
    return y, y >= 0


def relu_never_masked(dy, cache):
    return dy


def relu_in_place(x):
    mask = x > 0
    x *= mask
    return x, mask


def kernel_not_turned(dy, cache):
    kernel, _ = cache
    return layers.convolution_forward(dy, kernel.swapaxes(2, 3))[0]


def kernel_turned_in_one_direction_only(dy, cache):
    kernel, _ = cache
    return layers.convolution_forward(dy, kernel[::-1].swapaxes(2, 3))[0]


def average_gradient_not_divided(dy, cache):
    return 4 * right_average_pool_backward(dy, cache)


right_average_pool_backward = layers.average_pool_backward


def max_gradient_shared_by_all(dy, cache):
    shape, _ = cache
    return right_average_pool_backward(dy, shape)


def preprocessing_channels_not_turned_back(dy, cache):
    _, scale = cache
    return dy / scale


def preprocessing_scale_forgotten(dy, cache):
    order, _ = cache
    return dy[:, :, order] / 255


def variation_without_its_right_neighbours(pixels):
    loss, _ = right_total_variation(pixels)
    down = pixels[1:] - pixels[:-1]
    gradient = np.zeros_like(pixels)
    gradient[1:] += down
    gradient[:-1] -= down
    return loss, gradient * (2 / pixels.size)


def pixels_clamped_inside_the_objective(self, pixels, taps):
    return right_forward(self, pixels.clip(0, 255), taps)


def total_without_the_content_term(self, pixels):
    loss, gradient = right_call(self, pixels)
    return loss - sum(value for name, value in self.terms.items() if name.startswith("content")), gradient


def total_without_total_variation(self, pixels):
    loss, gradient = right_call(self, pixels)
    return loss - self.terms.get("total variation", 0.0), gradient


def only_the_deepest_taps_gradient(self, tape, gradients):
    deepest = max(gradients)
    return right_backward(self, tape, {deepest: gradients[deepest]})


right_backward = network.Network.backward


MISTAKES = [
    (losses, "gram_backward", gram_gradient_from_another_pictures_features),
    (losses, "gram_backward", gram_gradient_half),
    (losses, "gram_backward", gram_gradient_normalised_by_three),
    (losses, "gram_backward", style_gradient_masked_wrongly),
    (losses, "style_loss", style_gradient_of_one_triangle),
    (losses, "content_loss", content_gradient_masked_in_the_loss),
    (losses, "total_variation_loss", variation_without_its_right_neighbours),
    (layers, "relu_forward", relu_mask_at_least_zero),
    (layers, "relu_forward", relu_in_place),
    (layers, "relu_backward", relu_never_masked),
    (layers, "convolution_backward", kernel_not_turned),
    (layers, "convolution_backward", kernel_turned_in_one_direction_only),
    (layers, "average_pool_backward", average_gradient_not_divided),
    (layers, "max_pool_backward", max_gradient_shared_by_all),
    (gradcheck, "preprocess_backward", preprocessing_channels_not_turned_back),
    (gradcheck, "preprocess_backward", preprocessing_scale_forgotten),
    (network, "preprocess_backward", preprocessing_channels_not_turned_back),
    (network.Network, "forward", pixels_clamped_inside_the_objective),
    (network.Network, "backward", only_the_deepest_taps_gradient),
    (objective.Objective, "__call__", total_without_the_content_term),
    (objective.Objective, "__call__", total_without_total_variation),
]


@pytest.mark.parametrize(("place", "name", "mistake"), MISTAKES, ids=[mistake.__name__ for *_, mistake in MISTAKES])
def test_a_planted_mistake_is_caught(weights, monkeypatch, place, name, mistake):
    monkeypatch.setattr(place, name, mistake)
    assert first_failure(weights) is not None


@pytest.mark.parametrize("kind", ["average", "max"])
def test_a_mistake_in_the_networks_own_pooling_is_caught(weights, monkeypatch, kind):
    """The network has its own table of pooling functions: the whole-network lines must see into it."""
    forward, backward = network.POOLING[kind]
    monkeypatch.setitem(network.POOLING, kind, (forward, lambda dy, cache: 0.999 * backward(dy, cache)))
    failure = first_failure(weights)
    assert kind in failure.name


def test_a_change_of_one_part_in_a_million_is_caught(random):
    x = random.normal(size=(5, 5))
    directions = [random.normal(size=(5, 5))]

    def cubic(factor):
        return lambda x: ((x**3).sum(), factor * 3 * x**2)

    assert directional_error(cubic(1), x, directions, [STEP]) < 1e-12
    assert directional_error(cubic(1 + 1e-6), x, directions, [STEP]) == pytest.approx(1e-6, rel=1e-3)


@pytest.mark.parametrize("wrong", [17.0, 0.0, -2.0, 2.000001, np.inf, np.nan])
def test_a_checker_must_not_accept_17_where_2_is_right(wrong):
    """A published checker computed its error once, before its loop, and so accepted anything."""
    x = np.array([1.0])
    error = directional_error(lambda x: (float(x[0] ** 2), np.array([wrong])), x, [np.ones(1)], [STEP])
    assert not Check("square", "direction", error, 1e-7).passed


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


def test_the_step_stays_inside_the_linear_region(network64, random):
    """No unit may switch between the stencil's ends; just outside of twice the step some unit does."""
    pixels = random.uniform(-40, 295, (16, 16, 3))
    direction = random.uniform(-1, 1, (16, 16, 3))
    taps = ["conv3_1"]
    step = gradcheck.linear_region_step(network64, pixels, direction, taps)

    def masks(t):
        _, tape = network64.forward(pixels + t * step * direction, taps)
        return np.concatenate([cache.ravel() for operation, _, _, cache in tape if operation == "relu"])

    here = masks(0)
    assert all((masks(t) == here).all() for t in np.linspace(-2, 2, 9))
    assert step == STEP or any((masks(t) != here).any() for t in (-4, 4))


def test_the_roomiest_direction_is_the_one_with_the_longest_step(network64, random):
    pixels = random.uniform(-40, 295, (16, 16, 3))
    directions = random.uniform(-1, 1, (6, 16, 16, 3))
    steps = [gradcheck.linear_region_step(network64, pixels, direction, ["conv3_1"]) for direction in directions]
    roomiest, step = gradcheck.roomiest_direction(network64, pixels, list(directions), ["conv3_1"])
    assert step == max(steps) > min(steps)
    np.testing.assert_array_equal(roomiest, directions[int(np.argmax(steps))])


@pytest.mark.parametrize("settings", [{"size": 15}, {"directions": 0}, {"seed": -1}])
def test_impossible_checks_are_refused(weights, settings):
    with pytest.raises(MinistyleError, match="must be at least"):
        check_gradients(weights, **settings)
