"""The fast backend: where it is taken, and that it shares out every row once."""

import sys

import cupy_standin
import numpy as np
import pytest

from ministyle.errors import MinistyleError
from ministyle.fast import FastBackend
from ministyle.network import PlainBackend
from ministyle.weights.load import load_network


def test_the_network_takes_the_fast_convolution_on_the_cpu_only(weights, monkeypatch):
    assert isinstance(load_network(weights, device="cpu").backend, FastBackend)
    assert isinstance(load_network(weights, device="cpu", convolution="direct").backend, PlainBackend)
    monkeypatch.setitem(sys.modules, "cupy", cupy_standin.make_module())
    assert isinstance(load_network(weights, device="cuda").backend, PlainBackend)
    with pytest.raises(MinistyleError, match="'winograd' cannot run on device 'cuda'"):
        load_network(weights, device="cuda", convolution="winograd")


def test_the_network_computes_on_as_many_threads_as_asked_for(weights):
    assert load_network(weights, device="cpu", threads=3).backend.workers.threads == 3


@pytest.mark.parametrize("shape", [(1, 1, 2), (2, 5000, 1), (37, 20, 3), (300, 64, 1)])
def test_all_rows_are_handed_out_once_and_in_order(shape):
    array = np.zeros(shape)
    results = FastBackend(threads=2).over_rows(lambda rows: list(range(shape[0]))[rows], array)
    assert [row for rows in results for row in rows] == list(range(shape[0]))
