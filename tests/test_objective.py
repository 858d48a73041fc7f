"""Equation 7 and its parts. Values against PyTorch's are in test_network.py."""

import numpy as np
import pytest
import threadpoolctl
from conftest import relative_error, sentence

from ministyle import losses
from ministyle.arrays import array_module, to_device
from ministyle.errors import MinistyleError
from ministyle.objective import Objective
from ministyle.terms import STYLE_LAYERS, StyleTerm, TotalVariationTerm
from ministyle.weights.load import load_network


@pytest.fixture
def pictures(random):
    return [random.uniform(0, 255, (16, 19, 3)) for _ in range(3)]


def test_the_loss_is_the_sum_of_all_its_terms(network64, pictures):
    pixels, content, style = pictures
    evaluation = Objective(network64, content=content, style=style, tv_weight=2.0)(pixels)
    assert list(evaluation.terms) == [
        "content conv4_2",
        *(f"style {name}" for name in STYLE_LAYERS),
        "total variation",
    ]
    assert all(value > 0 for value in evaluation.terms.values())
    assert evaluation.loss == pytest.approx(sum(evaluation.terms.values()), rel=1e-15)


def test_an_evaluation_unpacks_as_loss_and_gradient(network64, pictures):
    pixels, content, _ = pictures
    evaluation = Objective(network64, content=content)(pixels)
    loss, gradient = evaluation
    assert loss is evaluation.loss and gradient is evaluation.gradient
    assert gradient.shape == pixels.shape


def test_an_objective_remembers_nothing_of_an_evaluation(network64, pictures):
    """What one evaluation returned stays as it is, and the next one is what it would have been."""
    pixels, content, style = pictures
    objective = Objective(network64, content=content, style=style, tv_weight=2.0)
    before = dict(vars(objective))
    first = objective(pixels)
    kept = first.loss, first.gradient.copy(), dict(first.terms)
    objective(content)
    assert (first.loss, first.terms) == (kept[0], kept[2])
    np.testing.assert_array_equal(first.gradient, kept[1])
    assert vars(objective).keys() == before.keys()
    assert all(value is before[name] for name, value in vars(objective).items())
    again = objective(pixels)
    assert (again.loss, again.terms) == (first.loss, first.terms)
    np.testing.assert_array_equal(again.gradient, first.gradient)


def test_an_evaluation_leaves_the_picture_alone(network64, pictures):
    pixels, content, style = pictures
    copy = pixels.copy()
    Objective(network64, content=content, style=style, tv_weight=2.0)(pixels)
    np.testing.assert_array_equal(pixels, copy)


def test_weights_multiply_their_terms_and_gradients(network64, pictures):
    pixels, content, style = pictures

    def evaluate(content_weight, style_weight, tv_weight):
        objective = Objective(
            network64,
            content=content,
            style=style,
            content_weight=content_weight,
            style_weight=style_weight,
            tv_weight=tv_weight,
        )
        return objective(pixels)

    (c, dc), (s, ds), (t, dt) = (evaluate(*weights) for weights in [(1, 0, 0), (0, 1, 0), (0, 0, 1)])
    loss, gradient = evaluate(2.0, 3.0, 5.0)
    assert loss == pytest.approx(2 * c + 3 * s + 5 * t, rel=1e-12)
    assert relative_error(gradient, 2 * dc + 3 * ds + 5 * dt) < 1e-12


def test_the_gradient_is_that_of_the_sum_of_all_terms(network64, pictures, random):
    pixels, content, style = pictures
    options = {"content_layers": ["conv2_1"], "style_layers": ["conv1_1", "conv2_1"], "tv_weight": 10.0}
    objective = Objective(network64, content=content, style=style, style_weight=1e-3, **options)
    direction = random.normal(size=pixels.shape)
    slope = (objective(pixels).gradient * direction).sum()
    ahead, behind = (objective(pixels + side * 1e-4 * direction) for side in (1, -1))
    assert slope == pytest.approx((ahead.loss - behind.loss) / 2e-4, rel=1e-6)
    for name in ahead.terms:  # each of them has a part in it
        assert abs(ahead.terms[name] - behind.terms[name]) / 2e-4 > 1e-4 * abs(slope), name


def test_at_the_content_picture_the_content_loss_vanishes(network64, pictures):
    _, content, _ = pictures
    loss, gradient = Objective(network64, content=content)(content)
    assert loss == 0
    assert not gradient.any()


def test_at_the_style_picture_the_style_loss_vanishes(network64, pictures):
    _, content, style = pictures
    objective = Objective(network64, style=style)
    away, _ = objective(content)
    there, _ = objective(style)
    assert there < 1e-20 * away


def test_a_layer_can_serve_content_and_style_at_once(network64, pictures):
    pixels, content, style = pictures
    settings = {"content_layers": ["conv2_1"], "style_layers": ["conv2_1"]}
    both, gradient = Objective(network64, content=content, style=style, **settings)(pixels)
    c, dc = Objective(network64, content=content, **settings)(pixels)
    s, ds = Objective(network64, style=style, **settings)(pixels)
    assert both == pytest.approx(c + s, rel=1e-12)
    assert relative_error(gradient, dc + ds) < 1e-12


def test_everything_stays_on_the_device(xp, device, weights, pictures):
    pixels, content, style = pictures
    network = load_network(weights, device=device)
    objective = Objective(network, content=content, style=style, tv_weight=1.0)
    evaluation = objective(to_device(pixels, device, "float32"))
    loss, gradient = evaluation
    assert array_module(loss) is array_module(gradient) is xp
    assert all(array_module(term) is xp for term in evaluation.terms.values())
    assert loss.dtype == np.float64 and loss.shape == ()
    assert gradient.dtype == np.float32
    assert gradient.shape == pixels.shape


def test_not_a_bit_depends_on_the_number_of_threads(weights, random):
    """Tiles of both sizes, strips of each thread's own and strips shared by all, pooling, losses: everything."""
    pixels, content, style = random.uniform(0, 255, (3, 72, 60, 3)).astype("float32")
    results = set()
    for threads in (1, 2, 3, 7):
        network = load_network(weights, device="cpu", threads=threads)
        loss, gradient = Objective(network, content=content, style=style)(pixels)
        results.add((loss, gradient.tobytes()))
    assert len(results) == 1


def test_blas_has_one_thread_in_all_products_of_an_evaluation(weights, random, monkeypatch):
    """BLAS's own threads would go on waiting busily after a product, and take a core from ours."""
    right, seen = {name: getattr(losses, name) for name in ("gram_matrix", "gram_backward")}, {}

    def watched(name):
        def call(*arguments):
            info = threadpoolctl.threadpool_info()
            seen.setdefault(name, set()).update(lib["num_threads"] for lib in info if lib["user_api"] == "blas")
            return right[name](*arguments)

        return call

    pixels, style = random.uniform(0, 255, (2, 32, 32, 3)).astype("float32")
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        objective = Objective(load_network(weights, device="cpu"), style=style)
        for name in right:
            monkeypatch.setattr(losses, name, watched(name))
        objective(pixels)
    assert seen == {"gram_matrix": {1}, "gram_backward": {1}}


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({}, "content picture, a style picture or both"),
        ({"style": 1, "convention": "sum"}, "'sum'"),
        ({"style": 1, "style_layers": []}, "at least one style layer"),
        ({"content": 1, "content_layers": []}, "at least one content layer"),
        ({"style": 1, "style_layer_weights": [1.0]}, "5 numbers"),
        ({"style": 1, "style_layer_weights": "square"}, "'square'"),
        ({"style": 1, "style_layers": ["conv9_1"]}, "conv9_1"),
    ],
)
def test_impossible_objectives_are_refused(network64, pictures, settings, sentence):
    settings = {name: pictures[0] if value == 1 else value for name, value in settings.items()}
    with pytest.raises(MinistyleError, match=sentence):
        Objective(network64, **settings)


def test_terms_of_the_pixels_alone_are_no_objective(network64):
    assert "content picture, a style picture or both" in sentence(Objective, network64, [TotalVariationTerm(1.0)])


def test_two_terms_of_one_name_are_refused(network64):
    """Only one of them would be in the loss, and both in the gradient."""
    terms = [StyleTerm("conv1_1", weight, np.eye(64)) for weight in (1.0, 2.0)]
    assert "'style conv1_1'" in sentence(Objective, network64, terms)


def test_a_picture_of_another_size_than_the_content_is_refused(network64, random):
    objective = Objective(network64, content=random.uniform(0, 255, (32, 32, 3)))
    with pytest.raises(MinistyleError, match="differ in size"):
        objective(random.uniform(0, 255, (32, 48, 3)))
