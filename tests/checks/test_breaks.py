"""Every planted mistake is caught by the lines that it should be caught by, and by no others."""

import numpy as np
import pytest
from conftest import sentence

from ministyle import layers, losses, network
from ministyle.checks.breaks import BREAKS, planted, surprise
from ministyle.checks.gradients import check_gradients
from ministyle.network import BACKENDS, POOLING
from ministyle.objective import Objective

WHOLE = "pixels to loss"
EVERYWHERE = {WHOLE}
# What the names of the lines begin with that fail, whatever the backend; "plain:" and "fast:" are those of one of them.
CAUGHT_BY = {
    "mask-or-equal": {"plain:ReLU", "fast:convolution with ReLU", WHOLE},
    "mask-twice": set(),
    "kernel-not-rotated": {"plain:convolution", "fast:convolution with ReLU", WHOLE},
    "pool-whole": {"average pooling", f"{WHOLE}, raw, average", f"{WHOLE}, normalised, average"},
    "pool-stretched": {"average pooling", f"{WHOLE}, raw, average", f"{WHOLE}, normalised, average"},
    "max-pool-first": {"max pooling", f"{WHOLE}, raw, max", f"{WHOLE}, normalised, max"},
    "gram-of-another-picture": {"Gram matrix", "gram, guided", "covariance", WHOLE},
    "gram-half": {"Gram matrix", "gram, guided", "covariance", WHOLE},
    "gram-by-three": {"style loss", WHOLE},
    "content-literal": {"content loss, mean", f"{WHOLE}:mean", f"{WHOLE}:guided"},
    "variation-one-neighbour": {"total variation", WHOLE},
    "variation-sign": {"total variation", WHOLE},
    "channels-as-they-come": {"preprocessing", WHOLE},
    "term-left-out": {WHOLE},
    "clamped-inside": {WHOLE},
}


def expected(check, prefixes):
    """Say whether a line is one of those that should fail."""
    for prefix in prefixes:
        backend, _, rest = prefix.partition(":")
        if backend in ("plain", "fast"):
            if {"plain": "direct", "fast": "winograd"}[backend] == check.convolution and check.name.startswith(rest):
                return True
        elif check.name.startswith(backend) and (not rest or check.name.endswith(rest)):
            return True
    return False


def test_every_mistake_is_listed_here():
    assert set(CAUGHT_BY) == set(BREAKS)
    assert {name for name, lines in CAUGHT_BY.items() if not lines} == {
        name for name, one in BREAKS.items() if one.redundant
    }


@pytest.mark.slow
@pytest.mark.parametrize("convolution", ["direct", "winograd"])
@pytest.mark.parametrize("name", CAUGHT_BY)
def test_a_mistake_is_caught_by_the_lines_that_go_through_it(weights, name, convolution):
    with planted(name) as mistake:
        checks = list(check_gradients(weights, size=17, directions=1, convolution=convolution))
    assert mistake is BREAKS[name]
    failed = {check.name for check in checks if not check.passed}
    should = {check.name for check in checks if expected(check, CAUGHT_BY[name])}
    assert failed <= should
    # A convolution whose units all happen to be on does not notice a missing mask, and one method may miss what
    # another sees; but each kind of line must be among those that fail.
    for prefix in CAUGHT_BY[name]:
        kind = [check for check in checks if expected(check, [prefix])]
        assert not kind or any(not check.passed for check in kind), prefix
    whole = {name for name in should if name.startswith(WHOLE)}
    assert whole <= failed


@pytest.mark.parametrize("name", BREAKS)
def test_afterwards_everything_is_as_before(name):
    def places():
        modules = [vars(module).copy() for module in (layers, losses, network)]
        return modules, [vars(backend).copy() for backend in BACKENDS.values()], vars(Objective).copy(), dict(POOLING)

    before = places()
    with pytest.raises(KeyError), planted(name):
        assert places() != before
        raise KeyError
    assert places() == before


def test_a_mistake_that_is_not_there_is_answered_with_those_that_are():
    refusal = sentence(lambda: planted("typing").__enter__())
    assert "'typing'" in refusal and all(name in refusal for name in BREAKS)


def test_a_surprise_depends_on_the_seed_alone_and_is_never_harmless():
    drawn = {surprise(seed) for seed in range(300)}
    assert drawn == {name for name, one in BREAKS.items() if not one.redundant}
    assert [surprise(seed) for seed in range(9)] == [surprise(seed) for seed in range(9)]


def test_masking_twice_is_masking_once(random):
    dy, x = random.normal(size=(2, 5, 6, 3))
    _, mask = layers.relu_forward(x)
    with planted("mask-twice"):
        np.testing.assert_array_equal(layers.relu_backward(dy, mask), dy * (x > 0))
