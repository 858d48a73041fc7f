"""The algorithm from the pictures to the picture: its start, its objective, and the solver with its settings."""

import dataclasses

import numpy as np
import pytest
from conftest import bare_settings, relative_error, sentence

from ministyle import algorithm
from ministyle.algorithm import compose_objective, repaint, white_noise
from ministyle.objective import Objective
from ministyle.solvers import LEARNING_RATE, minimise

FEW = bare_settings(content_layers=("conv2_1",), style_layers=("conv1_1", "conv2_1"), style_weight=30, iterations=6)


@pytest.fixture
def pictures(random):
    return random.uniform(0, 255, (2, 16, 18, 3)).astype("float32")


@pytest.fixture
def objective(network64, pictures):
    return compose_objective(network64, FEW, *pictures)


# White noise -----------------------------------------------------------------------------------------


def test_white_noise_has_the_mean_and_the_deviation_asked_for():
    noise = white_noise((200, 150), std=20.0)
    assert noise.shape == (200, 150, 3)
    assert noise.dtype == np.float32
    assert noise.mean() == pytest.approx(127.5, abs=0.3)
    assert noise.std() == pytest.approx(20, rel=0.01)
    neighbours = np.corrcoef(noise[:-1].ravel(), noise[1:].ravel())[0, 1]
    channels = np.corrcoef(noise[:, :, 0].ravel(), noise[:, :, 1].ravel())[0, 1]
    assert abs(neighbours) < 0.02 and abs(channels) < 0.02


def test_white_noise_is_clipped_to_what_a_pixel_can_be():
    noise = white_noise((100, 100), std=100.0)
    assert noise.min() == 0 and noise.max() == 255
    assert 0.05 < (noise == 0).mean() < 0.15  # more than 1.275 standard deviations below the mean: 10 %


def test_a_seed_gives_the_same_noise_and_another_seed_another():
    np.testing.assert_array_equal(white_noise((20, 30), seed=3), white_noise((20, 30), seed=3))
    assert (white_noise((20, 30), seed=3) != white_noise((20, 30), seed=4)).mean() > 0.99


def test_without_deviation_there_is_no_noise():
    assert (white_noise((5, 6), std=0.0) == 127.5).all()


# The objective ---------------------------------------------------------------------------------------


def test_what_is_minimised_is_equation_7_as_the_settings_have_it(network64, pictures, random):
    content, style = pictures
    pixels = random.uniform(0, 255, content.shape)
    changes = {"convention": "literal", "tv_weight": 0.5, "tv_edge": 30.0, "style_layer_weights": "inverse-square"}
    settings = dataclasses.replace(FEW, **changes)
    composed = compose_objective(network64, settings, content, style)(pixels)
    expected = Objective(
        network64,
        content=content,
        style=style,
        convention="literal",
        content_weight=1.0,
        style_weight=30,
        content_layers=FEW.content_layers,
        style_layers=FEW.style_layers,
        style_layer_weights="inverse-square",
        tv_weight=0.5,
        tv_edge=30.0,
    )(pixels)
    assert composed.terms == pytest.approx(expected.terms, rel=1e-14)
    assert relative_error(composed.gradient, expected.gradient) < 1e-14


def test_one_picture_alone_makes_a_reconstruction(network64, pictures):
    content, style = pictures
    assert [term.name for term in compose_objective(network64, FEW, content, None).terms] == ["content conv2_1"]
    names = [term.name for term in compose_objective(network64, FEW, None, style).terms]
    assert names == ["style conv1_1", "style conv2_1"]
    assert "content picture, a style picture or both" in sentence(compose_objective, network64, FEW, None, None)


def test_a_margin_around_the_painting_is_not_counted(network64, random):
    """conv1_1 sees one pixel to each side, so a margin of 16 leaves nothing of the surroundings."""
    style = random.uniform(0, 255, (48, 64, 3))
    settings = dataclasses.replace(FEW, style_layers=("conv1_1",))
    (term,) = compose_objective(network64, settings, None, style, style_margin=16).terms
    F = network64.features(style, ["conv1_1"])["conv1_1"][16:-16, 16:-16].reshape(-1, 64)
    assert relative_error(term.target, F.T @ F / len(F)) < 1e-12


# The solver ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["auto", "lbfgsb", "lbfgs", "adam"])
def test_repainting_is_what_the_solver_does_with_the_settings(objective, pictures, optimizer):
    settings = dataclasses.replace(FEW, optimizer=optimizer, bounds=True, history_size=3, learning_rate=4)
    outcome = repaint(objective, settings, pictures[0] + 90)
    expected = minimise(
        objective,
        pictures[0] + 90,
        iterations=6,
        optimizer="lbfgsb" if optimizer == "auto" else optimizer,
        bounds=(0, 255),
        history_size=3,
        learning_rate=4.0,
    )
    np.testing.assert_array_equal(outcome.pixels, expected.pixels)
    assert [step.loss for step in outcome.history] == [step.loss for step in expected.history]


@pytest.mark.parametrize(
    ("changes", "handed_on"),
    [
        ({}, {"iterations": 6, "optimizer": "lbfgsb", "bounds": None, "learning_rate": LEARNING_RATE}),
        ({"bounds": True}, {"bounds": (0.0, 255.0)}),
        ({"optimizer": "adam", "learning_rate": 3.0}, {"optimizer": "adam", "learning_rate": 3.0}),
        ({"history_size": 7, "ftol": 0.1, "gtol": 0.2}, {"history_size": 7, "ftol": 0.1, "gtol": 0.2}),
    ],
)
def test_every_setting_of_the_solver_is_handed_on(objective, pictures, monkeypatch, changes, handed_on):
    asked = []

    def note(objective, start, **options):
        asked.append(options)
        return minimise(objective, start, **options)

    monkeypatch.setattr(algorithm, "minimise", note)
    repaint(objective, dataclasses.replace(FEW, **changes), pictures[0])
    assert handed_on.items() <= asked[0].items()


def test_on_a_gpu_auto_is_our_own_lbfgs(network64, objective, pictures, monkeypatch):
    asked = []
    monkeypatch.setattr(algorithm, "minimise", lambda objective, start, **options: asked.append(options["optimizer"]))
    monkeypatch.setattr(objective, "network", dataclasses.replace(network64, device="cuda"))
    repaint(objective, dataclasses.replace(FEW, bounds=True), pictures[0])  # which leaves nothing to cut off
    assert asked == ["lbfgs"]


def test_iterations_can_differ_from_the_settings(objective, pictures):
    assert repaint(objective, FEW, pictures[0], iterations=2).history[-1].iteration == 2
    assert repaint(objective, FEW, pictures[0]).history[-1].iteration == 6


def test_the_loss_falls_and_on_step_can_stop_the_run(objective, pictures):
    outcome = repaint(objective, FEW, pictures[0], on_step=lambda step, pixels: step.iteration == 3)
    losses = [step.loss for step in outcome.history]
    assert losses == sorted(losses, reverse=True) and len(set(losses)) == 4
    assert outcome.stopped and outcome.completed


# The cut ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("optimizer", ["lbfgsb", "lbfgs", "adam"])
def test_without_bounds_pixels_are_cut_and_the_last_loss_is_that_of_the_cut_picture(objective, pictures, optimizer):
    """A start that is nearly black and white leads far beyond both."""
    start = np.where(pictures[0] > 127, 254.0, 1.0).astype("float32")
    settings = dataclasses.replace(FEW, optimizer=optimizer, learning_rate=30)
    seen = []
    outcome = repaint(objective, settings, start, on_step=lambda step, pixels: seen.append((step, pixels)))
    step, uncut = seen[-1]
    assert uncut.min() < -1 and uncut.max() > 256
    np.testing.assert_array_equal(outcome.pixels, uncut.clip(0, 255))
    cut, last = objective(outcome.pixels), outcome.history[-1]
    assert last.loss == pytest.approx(float(cut.loss), rel=1e-6) and last.terms == pytest.approx(cut.terms, rel=1e-6)
    assert last.loss != pytest.approx(step.loss, rel=0.01)  # which was that of pixels nobody gets to see
    assert outcome.history[:-1] == [step for step, _ in seen[:-1]]
    assert dataclasses.replace(last, loss=step.loss, terms=step.terms) == step


def test_with_bounds_there_is_nothing_to_cut(objective, pictures, monkeypatch):
    settings = dataclasses.replace(FEW, bounds=True)
    evaluations = []
    monkeypatch.setattr(type(objective), "__call__", counted(type(objective).__call__, evaluations))
    outcome = repaint(objective, settings, pictures[0])
    assert outcome.pixels.min() >= 0 and outcome.pixels.max() <= 255
    assert len(evaluations) == outcome.history[-1].evaluations
    assert outcome.history[-1].loss == pytest.approx(float(objective(outcome.pixels).loss), rel=1e-6)


def counted(function, calls):
    """Return a method that notes each call before it does the work."""

    def call(self, *arguments):
        calls.append(arguments)
        return function(self, *arguments)

    return call


def test_an_interrupt_while_the_cut_picture_is_measured_keeps_it(objective, pictures):
    def interrupted(pixels):
        if seen and pixels.max() <= 255 and seen[-1].iteration == FEW.iterations:
            raise KeyboardInterrupt
        return objective(pixels)

    interrupted.network, seen = objective.network, []
    outcome = repaint(interrupted, FEW, 255 * (pictures[0] > 127), on_step=lambda step, pixels: seen.append(step))
    assert outcome.interrupted and not outcome.completed and "interrupted" in outcome.message
    assert outcome.pixels.min() >= 0 and outcome.pixels.max() <= 255
    assert outcome.history == seen
