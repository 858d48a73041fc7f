"""Tests of loading a network: the backend, and what is refused."""

import sys

import cupy_standin
import numpy as np
import pytest
from conftest import sentence

from ministyle.network import BACKENDS, PlainBackend
from ministyle.settings import Settings
from ministyle.weights.load import choose_backend, load_network


class Noted(PlainBackend):
    """The plain backend, which notes what it is given."""

    devices = ("cpu",)

    def __init__(self, **options):
        super().__init__(**options)
        self.options = options


class NotedOnGpus(Noted):
    devices = ("cuda",)


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", cupy_standin.make_module())


def test_a_backend_is_found_by_the_name_under_which_it_is_registered(weights, monkeypatch, random):
    monkeypatch.setitem(BACKENDS, "noted", Noted)
    network = load_network(weights, device="cpu", convolution="noted", threads=3, dtype="float64")
    assert type(network.backend) is Noted
    assert network.backend.options == {"threads": 3}
    pixels = random.uniform(0, 255, (16, 16, 3))
    plain = load_network(weights, device="cpu", convolution="direct", dtype="float64")
    np.testing.assert_array_equal(
        network.features(pixels, ["conv1_2"])["conv1_2"], plain.features(pixels, ["conv1_2"])["conv1_2"]
    )


def test_the_backend_registered_last_is_the_one_that_auto_takes_on_its_device(weights, monkeypatch, gpu):
    before = {device: choose_backend("auto", device) for device in ("cpu", "cuda")}
    monkeypatch.setitem(BACKENDS, "noted", Noted)
    assert type(load_network(weights, device="cpu").backend) is Noted
    assert choose_backend("auto", "cuda") is before["cuda"]
    monkeypatch.setitem(BACKENDS, "noted on GPUs", NotedOnGpus)
    assert type(load_network(weights, device="cuda").backend) is NotedOnGpus
    assert type(load_network(weights, device="cpu").backend) is Noted


def test_a_registered_backend_is_a_setting(monkeypatch):
    assert "'noted'" in sentence(Settings, convolution="noted")
    monkeypatch.setitem(BACKENDS, "noted", Noted)
    assert Settings(convolution="noted").convolution == "noted"


def test_a_backend_on_a_device_that_it_does_not_know_is_refused(weights, monkeypatch, gpu):
    monkeypatch.setitem(BACKENDS, "noted", Noted)
    refusal = sentence(load_network, weights, device="cuda", convolution="noted")
    assert "'noted'" in refusal and "'cuda'" in refusal


def test_an_unknown_backend_is_shown_with_those_there_are(weights):
    refusal = sentence(load_network, weights, device="cpu", convolution="fastest")
    assert "'fastest'" in refusal
    assert all(name in refusal for name in ("auto", *BACKENDS))


@pytest.mark.parametrize(
    "setting", [{"pooling": "median"}, {"dtype": "float16"}, {"device": "tpu"}, {"border": "reflect"}]
)
def test_unknown_settings_are_refused_by_showing_them(weights, setting):
    (value,) = setting.values()
    assert repr(value) in sentence(load_network, weights, **setting)
