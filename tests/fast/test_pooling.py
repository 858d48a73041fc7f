"""Pooling on all cores against the plain one, which test_layers.py holds against sums."""

import numpy as np
import pytest

from ministyle.fast.pooling import Pooling
from ministyle.fast.workers import Workers
from ministyle.network import POOLING


@pytest.fixture(scope="module")
def workers():
    return Workers(2)


@pytest.mark.parametrize("name", ["average", "max"])
@pytest.mark.parametrize("size", [(2, 2), (3, 5), (16, 12), (37, 20), (5, 90)])
def test_pooling_in_strips_is_pooling(random, workers, name, size):
    forward, backward = POOLING[name]
    x = random.normal(size=(*size, 5)).astype("float32")
    expected, expected_cache = forward(x)
    layer = Pooling(forward, backward, workers)
    y, cache = layer.forward(x)
    np.testing.assert_array_equal(y, expected)
    dy = random.normal(size=y.shape).astype("float32")
    np.testing.assert_array_equal(layer.backward(dy, cache), backward(dy, expected_cache))
