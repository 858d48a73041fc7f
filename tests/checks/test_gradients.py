"""The checker checked: it must pass what is right and catch what is wrong.

The mistakes that are planted here are those that the gradient laboratory does not have; `test_breaks` plants its own.
"""

import math
from dataclasses import replace
from itertools import product

import numpy as np
import pytest

from ministyle import layers, losses, network, objective, terms
from ministyle.checks.gradients import check_gradients
from ministyle.errors import MinistyleError
from ministyle.fast import winograd
from ministyle.fast.pooling import Pooling

WAY = "pixels to loss"
CHEAPEST = {"size": 16, "directions": 1}


def first_failure(weights, convolution="direct"):
    """Return the first check that fails, or None."""
    checks = check_gradients(weights, convolution=convolution, **CHEAPEST)
    return next((check for check in checks if not check.passed), None)


def failures(weights, convolution="direct"):
    """Return all checks that fail, and all that pass."""
    checks = list(check_gradients(weights, convolution=convolution, **CHEAPEST))
    return [check for check in checks if not check.passed], [check for check in checks if check.passed]


@pytest.mark.slow
def test_the_packages_own_gradients_pass(weights):
    checks = list(check_gradients(weights, size=17, directions=2, seed=5))
    assert [check for check in checks if not check.passed] == []
    assert len({(check.name, check.method, check.convolution) for check in checks}) == len(checks) == 54
    assert all(check.tolerance <= 1e-7 for check in checks)
    assert {check.tolerance for check in checks if check.method == "adjoint"} == {1e-8}


def names(checks):
    return [(check.name, check.method, check.convolution, check.tolerance) for check in checks]


@pytest.mark.parametrize("options", [{"convolution": "direct"}, {"quick": True}])
def test_what_will_be_checked_is_known_beforehand(weights, options):
    checks = check_gradients(weights, **CHEAPEST, **options)
    planned = names(checks.planned)
    assert all(math.isnan(check.error) and not check.passed for check in checks.planned)
    assert names(checks) == planned == names(checks.planned)


def test_a_quick_check_has_every_operation_and_loss_and_one_network_for_each_backend(weights):
    quick, full = (check_gradients(weights, **CHEAPEST, quick=quick).planned for quick in (True, False))
    assert names(check for check in quick if not check.name.startswith(WAY)) == names(
        check for check in full if not check.name.startswith(WAY)
    )
    whole = [check for check in quick if check.name.startswith(WAY)]
    assert [(check.name, check.convolution) for check in whole] == [
        (f"{WAY}, normalised, average pooling, {what}", convolution)
        for convolution in ("winograd", "direct")
        for what in ("mean", "guided")
    ]
    assert set(names(whole)) < set(names(full))


@pytest.mark.slow
def test_by_default_every_backend_of_the_device_is_checked_and_every_check_says_which(weights):
    checks = list(check_gradients(weights, **CHEAPEST))
    way = {
        f"{WAY}, {filters}, {pooling} pooling, {convention}"
        for filters, pooling, convention in product(("raw", "normalised"), ("average", "max"), ("mean", "literal"))
    } | {f"{WAY}, normalised, average pooling, guided"}
    for convolution in ("direct", "winograd"):
        of_this = [check.name for check in checks if check.convolution == convolution]
        assert {name for name in of_this if name.startswith(WAY)} == way
        assert {"average pooling", "max pooling"} <= set(of_this)
        assert any(name.startswith("convolution") and "periodic border" in name for name in of_this)
    assert {check.name for check in checks if not check.convolution} == {
        "mirror image",
        "preprocessing",
        "Gram matrix",
        "gram, guided",
        *(f"{statistic}{guided}" for statistic in ("covariance", "mean") for guided in ("", ", guided")),
        "total variation",
        "total variation, sparing edges",
        *(f"{kind} loss, {convention}" for kind in ("content", "style") for convention in ("mean", "literal")),
    }
    assert {check.convolution for check in checks} == {"", "direct", "winograd"}


@pytest.mark.parametrize(
    ("convolution", "name"), [("direct", "direct"), ("winograd", "winograd"), ("auto", "winograd")]
)
def test_one_backend_alone_can_be_checked(weights, convolution, name):
    checks = list(check_gradients(weights, convolution=convolution, **CHEAPEST))
    assert {check.convolution for check in checks} == {"", name}
    assert len(checks) == {"direct": 34, "winograd": 35}[name]


def test_it_runs_on_the_device(xp, device, weights):
    checks = list(check_gradients(weights, device=device, **CHEAPEST))
    assert [check for check in checks if not check.passed] == []
    assert any(WAY in check.name for check in checks)
    assert {check.convolution for check in checks} == ({"", "direct", "winograd"} if xp is np else {"", "direct"})


@pytest.mark.slow
def test_a_backend_that_is_registered_later_is_checked_too(weights, monkeypatch):
    class Backend(network.PlainBackend):
        devices = ("cpu",)

        def convolution(self, name, kernel, bias, border):
            convolution, relu = super().convolution(name, kernel, bias, border)
            yield replace(convolution, backward=lambda dy, cache: 1.001 * layers.convolution_backward(dy, cache))
            yield relu

    monkeypatch.setitem(network.BACKENDS, "new", Backend)
    wrong, right = failures(weights, "all")
    assert {check.convolution for check in wrong} == {"new"}
    assert {check.convolution for check in right} == {"", "direct", "winograd", "new"}


# Mistakes, each as (object, attribute, wrong version). A wrong version may call the right one, bound here.

right_style_loss = losses.style_loss
right_gram_backward = losses.gram_backward
right_content_loss = losses.content_loss
right_total_variation = losses.total_variation_loss
right_convolution_backward = layers.convolution_backward
right_average_pool_backward = layers.average_pool_backward
right_backward = network.Network.backward
right_call = objective.Objective.__call__
right_compare = terms.StyleTerm.compare
right_variation_term = terms.TotalVariationTerm.value_and_gradient
right_fast_backward = winograd.Convolution.backward
right_fast_pooling = Pooling.backward


def content_gradient_masked_in_the_loss(F, P, convention="mean"):
    """Masked once here and once more by the ReLU."""
    loss, gradient = right_content_loss(F, P, convention)
    return loss, gradient * (F > 0)


def style_gradient_masked_wrongly(dG, F):
    return right_gram_backward(dG, F) * (F < F.mean())


def style_gradient_of_one_triangle(G, A, convention="mean"):
    loss, gradient = right_style_loss(G, A, convention)
    return loss, np.triu(gradient)


def relu_never_masked(dy, cache):
    return dy


def relu_in_place(x):
    mask = x > 0
    x *= mask
    return x, mask


def kernel_turned_in_one_direction_only(dy, cache):
    kernel, _ = cache
    return layers.convolution_forward(dy, kernel[::-1].swapaxes(2, 3))[0]


def border_forgotten_on_the_way_back(dy, cache):
    kernel, _ = cache
    return right_convolution_backward(dy, (kernel, "zero"))


def max_gradient_shared_by_all(dy, cache):
    shape, _ = cache
    return right_average_pool_backward(dy, shape)


def preprocessing_scale_forgotten(dy, cache):
    order, _ = cache
    return dy[:, :, order] / 255


def variation_without_its_right_neighbours(pixels, edge=math.inf):
    loss, _ = right_total_variation(pixels, edge)
    down = pixels[1:] - pixels[:-1]
    gradient = np.zeros_like(pixels)
    gradient[1:] += down
    gradient[:-1] -= down
    return loss, gradient * (2 / pixels.size)


def variation_whose_gradient_is_that_of_squares(pixels, edge=math.inf):
    loss, _ = right_total_variation(pixels, edge)
    return loss, right_total_variation(pixels)[1]


def total_without_the_content_term(self, pixels):
    evaluation = right_call(self, pixels)
    content = sum(value for name, value in evaluation.terms.items() if name.startswith("content"))
    return replace(evaluation, loss=evaluation.loss - content)


def only_the_deepest_taps_gradient(self, tape, gradients, release=False):
    deepest = max(gradients)
    return right_backward(self, tape, {deepest: gradients[deepest]}, release)


def style_weight_forgotten_in_the_gradient(self, total, shape):
    value, derivative = right_compare(self, total, shape)
    dS, *rest = derivative
    return value, (dS / self.weight, *rest)


def variation_weight_forgotten_in_the_gradient(self, F, over_rows):
    value, gradient = right_variation_term(self, F, over_rows)
    return value, gradient / self.weight


def fast_gradient_a_little_too_large(self, dy, positive):
    return right_fast_backward(self, dy, positive) * (1 + 1e-5)


def fast_gradient_not_masked(self, dy, positive):
    return right_fast_backward(self, dy, np.ones_like(positive))


def fast_gradient_with_a_border_of_zeros(self, dy, positive):
    return right_fast_backward(winograd.Convolution(self.kernel, self.bias, self.workers, "zero"), dy, positive)


def fast_pooling_gradient_not_divided(self, dy, cache):
    return 4 * right_fast_pooling(self, dy, cache)


PLAIN_MISTAKES = [
    (layers, "relu_forward", relu_in_place),
    (layers, "relu_backward", relu_never_masked),
    (layers, "convolution_backward", kernel_turned_in_one_direction_only),
    (layers, "convolution_backward", border_forgotten_on_the_way_back),
    (layers, "max_pool_backward", max_gradient_shared_by_all),
]
FAST_MISTAKES = [
    (winograd.Convolution, "backward", fast_gradient_a_little_too_large),
    (winograd.Convolution, "backward", fast_gradient_not_masked),
    (winograd.Convolution, "backward", fast_gradient_with_a_border_of_zeros),
    (Pooling, "backward", fast_pooling_gradient_not_divided),
]
OTHER_MISTAKES = [
    (losses, "gram_backward", style_gradient_masked_wrongly),
    (losses, "style_loss", style_gradient_of_one_triangle),
    (losses, "content_loss", content_gradient_masked_in_the_loss),
    (losses, "total_variation_loss", variation_without_its_right_neighbours),
    (losses, "total_variation_loss", variation_whose_gradient_is_that_of_squares),
    (network, "preprocess_backward", preprocessing_scale_forgotten),
    (network.Network, "backward", only_the_deepest_taps_gradient),
    (objective.Objective, "__call__", total_without_the_content_term),
    (terms.StyleTerm, "compare", style_weight_forgotten_in_the_gradient),
    (terms.TotalVariationTerm, "value_and_gradient", variation_weight_forgotten_in_the_gradient),
]


@pytest.mark.parametrize(
    ("place", "name", "mistake", "convolution"),
    [
        *((*mistake, "direct") for mistake in (*PLAIN_MISTAKES, *OTHER_MISTAKES)),
        *((*mistake, "winograd") for mistake in FAST_MISTAKES),
    ],
    ids=[mistake.__name__ for *_, mistake in (*PLAIN_MISTAKES, *OTHER_MISTAKES, *FAST_MISTAKES)],
)
def test_a_planted_mistake_is_caught(weights, monkeypatch, place, name, mistake, convolution):
    monkeypatch.setattr(place, name, mistake)
    assert first_failure(weights, convolution) is not None


@pytest.mark.parametrize("kind", ["average", "max"])
def test_a_mistake_in_the_networks_own_pooling_is_caught(weights, monkeypatch, kind):
    """The network has its own table of pooling functions: the whole-network lines must see into it."""
    forward, backward = network.POOLING[kind]
    monkeypatch.setitem(network.POOLING, kind, (forward, lambda dy, cache: 0.999 * backward(dy, cache)))
    failure = first_failure(weights)
    assert kind in failure.name


def scaled(function):
    """Return a function whose gradient is too large by one part in 1000; it returns that alone or last."""

    def wrong(*arguments, **options):
        result = function(*arguments, **options)
        if isinstance(result, tuple):
            return (*result[:-1], result[-1] * 1.001)
        return result * 1.001

    return wrong


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "name", "convolution", "other"),
    [
        (winograd.Convolution, "backward", "winograd", "direct"),
        (layers, "convolution_backward", "direct", "winograd"),
    ],
)
def test_a_mistake_in_one_convolution_fails_its_lines_and_no_others(
    weights, monkeypatch, place, name, convolution, other
):
    monkeypatch.setattr(place, name, scaled(getattr(place, name)))
    wrong, right = failures(weights, "all")
    assert {check.convolution for check in wrong} == {convolution}
    assert {check.convolution for check in right} == {"", other, convolution}
    assert sum(check.name.startswith(WAY) for check in wrong) == 9
    assert any(check.name.startswith("convolution") for check in wrong)
    assert {check.name for check in right if check.convolution == convolution} <= {
        "average pooling",
        "max pooling",
        "ReLU",
    }


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "lines"),
    [
        ("total_variation_loss", {"total variation", "total variation, sparing edges"}),
        ("content_loss", {"content loss, mean", "content loss, literal"}),
        ("style_loss", {"style loss, mean", "style loss, literal"}),
        ("gram_backward", {"Gram matrix", "gram, guided", "covariance", "covariance, guided"}),
    ],
)
def test_a_mistake_in_a_loss_fails_its_own_lines_and_the_way_from_pixels_to_loss(weights, monkeypatch, name, lines):
    monkeypatch.setattr(losses, name, scaled(getattr(losses, name)))
    wrong, _ = failures(weights, "all")
    assert {check.name for check in wrong if not check.name.startswith(WAY)} == lines
    assert sum(check.name.startswith(WAY) for check in wrong) == 18


def whole_and_before(weights, convolution="direct"):
    """Return the lines of the whole network in a quick check, and what failed before."""
    checks = list(check_gradients(weights, **CHEAPEST, quick=True, convolution=convolution))
    whole = [check for check in checks if check.name.startswith(WAY)]
    return whole, {check.name for check in checks[: -len(whole)] if not check.passed}


def opposite(function):
    """Return a function whose gradient, returned last, has the wrong sign."""

    def wrong(*arguments):
        value, gradient = function(*arguments)
        return value, -gradient

    return wrong


@pytest.mark.parametrize(
    ("name", "lines", "kind"),
    [
        ("total_variation_loss", {"total variation", "total variation, sparing edges"}, "total variation"),
        ("content_loss", {"content loss, mean", "content loss, literal"}, "content"),
        ("style_loss", {"style loss, mean", "style loss, literal"}, "style"),
    ],
)
def test_a_sign_in_a_loss_fails_its_own_lines_first_and_the_others_say_that_it_is_the_only_cause(
    weights, monkeypatch, name, lines, kind
):
    monkeypatch.setattr(losses, name, opposite(getattr(losses, name)))
    whole, before = whole_and_before(weights)
    assert before == lines
    assert {check.verdict for check in whole} == {f"WRONG, because of {kind} alone"}


def test_a_mistake_in_a_term_itself_is_told_apart_though_no_loss_is_wrong(weights, monkeypatch):
    monkeypatch.setattr(terms.StyleTerm, "compare", style_weight_forgotten_in_the_gradient)
    whole, before = whole_and_before(weights)
    assert not before and {check.verdict for check in whole} == {"WRONG, because of style alone"}


def test_two_mistakes_are_not_blamed_on_one(weights, monkeypatch):
    for name in ("total_variation_loss", "content_loss"):
        monkeypatch.setattr(losses, name, opposite(getattr(losses, name)))
    whole, before = whole_and_before(weights)
    assert len(before) == 4 and {check.verdict for check in whole} == {"WRONG"}


def test_a_mistake_in_the_sum_of_the_terms_is_blamed_on_none(weights, monkeypatch):
    monkeypatch.setattr(objective.Objective, "__call__", lambda self, x: replace(right_call(self, x), loss=x.sum()))
    whole, before = whole_and_before(weights)
    assert not before and {check.verdict for check in whole} == {"WRONG"}


@pytest.mark.parametrize(
    ("place", "name", "convolution", "operation"),
    [
        (layers, "relu_backward", "direct", "ReLU"),
        (layers, "average_pool_backward", "direct", "average pooling"),
        (winograd.Convolution, "backward", "winograd", "convolution with ReLU"),
        (network, "preprocess_backward", "direct", "preprocessing"),
    ],
)
def test_a_wrong_operation_is_named_where_the_network_goes_through_it(
    weights, monkeypatch, place, name, convolution, operation
):
    right = getattr(place, name)
    wrong = scaled(right)
    monkeypatch.setattr(place, name, wrong)
    monkeypatch.setattr(  # the network has its own table of pooling functions
        network,
        "POOLING",
        {
            kind: (forward, wrong if backward is right else backward)
            for kind, (forward, backward) in network.POOLING.items()
        },
    )
    monkeypatch.setattr(losses, "total_variation_loss", opposite(losses.total_variation_loss))
    whole, before = whole_and_before(weights, convolution)
    assert {name.split(", ")[0] for name in before} == {operation, "total variation"}
    assert {check.verdict for check in whole} == {f"WRONG, through {operation}"}


def test_operations_that_the_network_does_not_go_through_are_not_named(weights, monkeypatch):
    monkeypatch.setattr(layers, "max_pool_backward", scaled(layers.max_pool_backward))
    monkeypatch.setattr(network, "surround_backward", scaled(network.surround_backward))
    monkeypatch.setattr(losses, "total_variation_loss", opposite(losses.total_variation_loss))
    whole, before = whole_and_before(weights)
    assert {"max pooling", "mirror image"} < before
    assert {check.verdict for check in whole} == {"WRONG, because of total variation alone"}


@pytest.mark.parametrize("settings", [{"size": 15}, {"directions": 0}, {"seed": -1}])
def test_impossible_checks_are_refused(weights, settings):
    with pytest.raises(MinistyleError, match=r"must be (at least|from)"):
        check_gradients(weights, **settings)


def test_a_backend_that_the_device_or_the_package_does_not_have_is_refused(weights, xp, device):
    with pytest.raises(MinistyleError, match="convolution"):
        check_gradients(weights, convolution="fft", device=device)
    if xp is not np:
        with pytest.raises(MinistyleError, match="cannot run on device 'cuda'"):
            check_gradients(weights, convolution="winograd", device=device)
