"""Style statistics, guides and shares, against NumPy's own statistics and loops that follow the formulas."""

import numpy as np
import pytest
from conftest import relative_error, sentence
from scipy.optimize import approx_fprime
from tolerances import EXACT

from ministyle import styles
from ministyle.arrays import to_host
from ministyle.objective import Objective
from ministyle.styles import COVARIANCE, GRAM, MEAN, Style, as_styles, count, guides, shares

STATISTICS = {"gram": GRAM, "covariance": COVARIANCE, "mean": MEAN}


def by_formula(F, T, name):
    """Return a statistic of activations, position by position."""
    N = F.shape[2]
    weights = np.ones(F.shape[:2]) if T is None else T[:, :, 0] ** 2
    M, mean = weights.sum(), np.zeros(N)
    for k in np.ndindex(*F.shape[:2]):
        mean += weights[k] * F[k] / M
    if name == "mean":
        return mean
    S = np.zeros((N, N))
    for k in np.ndindex(*F.shape[:2]):
        x = F[k] - mean if name == "covariance" else F[k]
        S += weights[k] * np.outer(x, x) / M
    return S


def statistic_of(F, T, statistic):
    return statistic.of(statistic.total(F, T), count(T, F.shape))


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("with_guide", [False, True])
def test_statistics_follow_the_formulas(xp, random, name, with_guide):
    F = random.normal(size=(4, 6, 3))
    T = random.uniform(size=(4, 6, 1)) if with_guide else None
    found = statistic_of(xp.asarray(F), None if T is None else xp.asarray(T), STATISTICS[name])
    assert relative_error(to_host(found), by_formula(F, T, name)) < EXACT["float64"]


def test_covariance_is_numpys(random):
    F, T = random.uniform(size=(5, 7, 4)), random.uniform(size=(5, 7, 1))
    expected = np.cov(F.reshape(-1, 4).T, ddof=0, aweights=T.ravel() ** 2)
    assert relative_error(statistic_of(F, T, COVARIANCE), expected) < 1e-12


@pytest.mark.parametrize("name", STATISTICS)
@pytest.mark.parametrize("with_guide", [False, True])
def test_backward_is_the_derivative(random, name, with_guide):
    statistic, F = STATISTICS[name], random.normal(size=(3, 4, 2))
    T = random.uniform(0.2, 1, size=(3, 4, 1)) if with_guide else None
    dS = random.normal(size=statistic_of(F, T, statistic).shape)
    expected = approx_fprime(F.ravel(), lambda x: (dS * statistic_of(x.reshape(F.shape), T, statistic)).sum(), 1e-7)
    M = count(T, F.shape)
    found = statistic.backward(dS / M, F, T, statistic.total(F, T), M)
    assert relative_error(found, expected.reshape(F.shape)) < 1e-5


def test_a_guide_of_ones_changes_nothing_and_one_of_halves_neither(random):
    F = random.normal(size=(4, 6, 3))
    for statistic in STATISTICS.values():
        for T in (np.ones((4, 6, 1)), np.full((4, 6, 1), 0.5)):
            assert relative_error(statistic_of(F, T, statistic), statistic_of(F, None, statistic)) < 1e-13


def test_where_a_guide_is_0_activations_do_not_count_and_get_no_gradient(random):
    F, T = random.normal(size=(4, 6, 3)), np.zeros((4, 6, 1))
    T[:, 4:] = 1
    for statistic in STATISTICS.values():
        S = statistic_of(F, T, statistic)
        assert relative_error(S, statistic_of(F[:, 4:], None, statistic)) < 1e-13
        gradient = statistic.backward(np.ones_like(S), F, T, statistic.total(F, T), 8.0)
        assert not gradient[:, :4].any() and gradient[:, 4:].any()


def test_guides_are_means_over_the_pixels_below_a_position(network64, random):
    mask = random.uniform(size=(37, 50))
    found = guides(mask, network64, ("conv1_1", "conv3_2", "conv5_1"))
    assert (found["conv1_1"][:, :, 0] == mask).all()
    for name, side in (("conv3_2", 4), ("conv5_1", 16)):
        height, width = 37 // side, 50 // side
        blocks = mask[: height * side, : width * side].reshape(height, side, width, side)
        np.testing.assert_allclose(found[name][:, :, 0], blocks.mean(axis=(1, 3)), rtol=1e-13)
    assert guides(None, network64, ("conv1_1",)) == {"conv1_1": None}


def test_a_mask_of_which_nothing_is_left_is_refused(network64):
    mask = np.zeros((37, 50))
    mask[36, 49] = 1  # in the rows and columns that pooling drops
    assert guides(mask, network64, ("conv1_1",))["conv1_1"].sum() == 1
    assert "nothing of it is left at conv3_1" in sentence(guides, mask, network64, ("conv1_1", "conv3_1"))


def test_shares_keep_the_balance_of_style_and_content_at_every_position():
    quarter, rest = np.zeros((4, 4)), np.ones((4, 4))
    quarter[:2, :2] = 1
    rest[:2, :2] = 0
    assert shares([Style("a")]) == [1.0]
    assert shares([Style("a", 2), Style("b", 1)]) == pytest.approx([2 / 3, 1 / 3])
    assert shares([Style("a", region=quarter), Style("b", region=rest)]) == pytest.approx([0.25, 0.75])
    assert shares([Style("a", region=quarter)]) == [0.25]  # where no style goes, none is spent
    assert shares([Style("a", 3, region=quarter), Style("b", 1, region=rest)]) == pytest.approx([0.5, 0.5])


def test_a_painting_a_style_and_lists_of_either_are_styles():
    style = Style("b", weight=2)
    assert as_styles(None) == ()
    assert [one.picture for one in as_styles("a")] == ["a"]
    assert as_styles(style) == (style,)
    assert [one.picture for one in as_styles(["a", style])] == ["a", "b"]


def test_the_loss_of_two_paintings_is_their_weighted_sum(network64, random):
    pixels, a, b = random.uniform(0, 255, (3, 16, 19, 3))
    options = {"style_layers": ["conv1_1", "conv2_1"]}
    alone = [Objective(network64, style=one, **options)(pixels) for one in (a, b)]
    both = Objective(network64, style=[Style(a, 2), Style(b, 1)], **options)(pixels)
    assert list(both.terms)[:2] == ["style 1 conv1_1", "style 1 conv2_1"]
    assert both.loss == pytest.approx((2 * alone[0].loss + alone[1].loss) / 3, rel=1e-12)
    assert relative_error(both.gradient, (2 * alone[0].gradient + alone[1].gradient) / 3) < 1e-12


def test_a_region_of_another_size_than_the_picture_is_refused(network64, random):
    pixels, painting = random.uniform(0, 255, (2, 16, 19, 3))
    objective = Objective(network64, style=Style(painting, region=np.ones((32, 19))), style_layers=["conv1_1"])
    assert "its mask differ in size" in sentence(objective, pixels)


def test_every_statistic_says_what_it_is():
    assert [one.name for one in STATISTICS.values()] == list(STATISTICS)
    assert all(name in styles.__doc__ for name in ("GRAM", "COVARIANCE", "MEAN"))
