"""Numbers under stress: pictures without contrast, without width, without weight; every solver."""

import math

import numpy as np
import pytest

import ministyle
from ministyle.jobs.job import Job
from ministyle.settings import Settings
from ministyle.solvers import SOLVERS

RANDOM = np.random.default_rng(0)
NOISE = RANDOM.integers(0, 256, (36, 40, 3), dtype=np.uint8)
NETWORKS = {}
SMALL = {"image_size": 32, "iterations": 3, "device": "cpu"}


def one(level, height=36, width=40):
    return np.full((height, width, 3), level, np.uint8)


PICTURES = {
    "black": one(0),
    "white": one(255),
    "grey": one(128),
    "saturated": np.where(NOISE < 128, 0, 255).astype(np.uint8),
    "one colour": one((255, 0, 0)),
    "noise": NOISE,
    "denormal": np.full((36, 40, 3), 1e-40, np.float32) + np.float32(2) * (NOISE == 0),
    "one pixel": one(77, 1, 1),
}
CASES = {
    **{f"{name} on noise": (picture, NOISE, {}) for name, picture in PICTURES.items()},
    **{f"noise in {name}": (NOISE, picture, {}) for name, picture in PICTURES.items()},
    **{f"{name} in itself": (picture, picture, {}) for name, picture in PICTURES.items()},
    "no content": (NOISE, NOISE[::-1], {"content_weight": 0}),
    "no style": (NOISE, NOISE[::-1], {"style_weight": 0}),
    "neither": (NOISE, NOISE[::-1], {"content_weight": 0, "style_weight": 0, "tv_weight": 0}),
    "strength 0": (NOISE, NOISE[::-1], {"strength": 0}),
    "strength 1": (NOISE, NOISE[::-1], {"strength": 1}),
    "the least weight": (NOISE, NOISE[::-1], {"style_weight": 5e-324, "content_weight": 1e-310}),
    "mean losses": (one(0), one(255), {"convention": "mean"}),
    "literal losses": (one(0), one(255), {"convention": "literal"}),
    "other statistics": (one(0), one(255), {"covariance_weight": 1.0, "mean_weight": 1.0}),
    "luminance": (one(0), NOISE, {"colours": "photo-luminance"}),
    "colours matched": (one(9), one(77), {"colours": "photo-match"}),
    "colours afterwards": (one(9), NOISE, {"colours_after": "photo-match"}),
    "float64": (one(0), NOISE, {"dtype": "float64"}),
    "free pixels": (one(255), NOISE, {"bounds": False}),
}


def run(content, style, settings):
    """Do what `transfer` does, with a network that is read once."""
    job = Job.of(Settings(**settings), content, style)
    options = tuple(job.network_options.items())
    job.lend(NETWORKS.setdefault(options, None) or job.network)
    NETWORKS[options] = job.network
    return job.run()


def check(result, size):
    assert result.image.shape == (*size, 3) and result.image.dtype == np.uint8
    assert result.completed
    assert np.isfinite(result.pixels).all() and result.pixels.min() >= 0 and result.pixels.max() <= 255
    assert all(math.isfinite(step.loss) and all(map(math.isfinite, step.terms.values())) for step in result.history)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", SOLVERS)
@pytest.mark.parametrize("case", CASES)
def test_a_picture_without_a_number_that_is_none(case, optimizer):
    content, style, changes = CASES[case]
    result = run(content, style, {**SMALL, "optimizer": optimizer, **changes})
    size = (32, 32) if content.shape[0] == 1 else (29, 32)
    check(result, size)


@pytest.mark.parametrize("shape", [(5000, 1), (1, 5000), (120, 2)])
@pytest.mark.parametrize("optimizer", SOLVERS)
def test_a_picture_of_hardly_any_width_is_made_or_refused_with_a_sentence(shape, optimizer):
    thin = RANDOM.integers(0, 256, (*shape, 3), dtype=np.uint8)
    settings = {**SMALL, "image_size": max(shape), "style_size": 32, "optimizer": optimizer, "border": "zero"}
    check(run(thin, NOISE, {**settings, "content_layers": "conv1_1", "style_layers": "conv1_1"}), shape)
    with pytest.raises(ministyle.MinistyleError, match="too small"):
        run(thin, NOISE, settings)
