"""Tests of telling whether a network is Oxford's, and which way round its numbers are."""

import numpy as np
import pytest
from weight_files import SHIPPED, stored

from ministyle.weights.oxford import has_the_shipped_numbers, likeness


@pytest.fixture(scope="module")
def kernel():
    return stored(SHIPPED, "kernel")["conv1_1"].astype(np.float32)


# What each wrong way round does to a kernel (3, 3, C_in, C_out), written out with NumPy's own functions.
WRONG = {
    "as it is": lambda kernel: kernel,
    "mirrored from left to right": np.fliplr,
    "mirrored from top to bottom": np.flipud,
    "turned by 180 degrees": lambda kernel: np.rot90(kernel, 2),
    "with rows and columns exchanged": lambda kernel: kernel.transpose(1, 0, 2, 3),
    "turned by 90 degrees": lambda kernel: np.rot90(kernel, 1),
    "turned by 270 degrees": lambda kernel: np.rot90(kernel, 3),
    "both": lambda kernel: np.rot90(kernel, 2).transpose(1, 0, 2, 3),
}


@pytest.mark.parametrize("wrong", WRONG)
@pytest.mark.parametrize("order", ["BGR", "RGB"])
def test_a_kernel_the_wrong_way_round_is_noticed_and_mended(kernel, wrong, order):
    given = WRONG[wrong](kernel)[:, :, :: 1 if order == "BGR" else -1]
    found = likeness(given)
    assert found.channel_order == order
    assert (found.turn == "") == (wrong == "as it is")
    assert not found.rescaled
    np.testing.assert_array_equal(found.mend(given)[:, :, :: 1 if order == "BGR" else -1], kernel)


@pytest.mark.parametrize("wrong", ["mirrored from left to right", "turned by 90 degrees", "turned by 180 degrees"])
def test_the_sentence_says_what_was_done_to_the_filters(kernel, wrong):
    assert likeness(WRONG[wrong](kernel)).turn in (wrong, "turned by 270 degrees")


def test_filters_times_a_number_each_are_oxfords_and_rescaled(kernel, random):
    found = likeness(kernel * random.uniform(0.01, 10, 64).astype(np.float32))
    assert (found.channel_order, found.turn, found.rescaled) == ("BGR", "", True)


def test_another_network_is_like_nothing(kernel, random):
    assert likeness(random.standard_normal((3, 3, 3, 64)).astype(np.float32)) is None
    assert likeness(kernel[..., :32]) is None
    assert likeness(np.zeros_like(kernel)) is None
    noise = random.standard_normal(kernel.shape).astype(np.float32)
    assert likeness(kernel + 0.2 * kernel.std() * noise) is None


def test_the_shipped_numbers_are_known_in_either_order_and_when_rounded(weights):
    numbers = {name: tuple(a.astype(np.float32) for a in pair) for name, pair in weights.layers.items()}
    assert has_the_shipped_numbers(numbers)
    first, bias = numbers["conv1_1"]
    assert has_the_shipped_numbers(numbers | {"conv1_1": (first[:, :, ::-1], bias)})
    assert not has_the_shipped_numbers(numbers | {"conv1_1": (first, bias + 0.1)})
    assert not has_the_shipped_numbers({name: numbers[name] for name in list(numbers)[:5]})
