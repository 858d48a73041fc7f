"""The table of layers: VGG-19, and VGG-16 as a second architecture."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import relative_error, sentence
from made_up_weights import make_up_weights, thin
from scipy import signal

from ministyle.architecture import ARCHITECTURES, VGG16, VGG19, Architecture, known_layer_names
from ministyle.network import make_network
from ministyle.objective import Objective
from ministyle.weights.load import load_network

THIN16 = thin(VGG16)


@pytest.fixture
def vgg16(monkeypatch):
    """Make VGG-16 thin."""
    monkeypatch.setitem(ARCHITECTURES, "VGG-16", THIN16)
    return THIN16


# The table -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("table", "convolutions"), [(VGG19, [2, 2, 4, 4, 4]), (VGG16, [2, 2, 3, 3, 3])])
def test_the_tables_have_16_and_13_convolutions(table, convolutions):
    per_block = [sum(name.startswith(f"conv{block}_") for name in table.convolutions) for block in range(1, 6)]
    assert per_block == convolutions


@pytest.mark.parametrize(("table", "published"), [(VGG19, 20_024_384), (VGG16, 14_714_688)])
def test_the_tables_have_as_many_weights_as_keras_counts_in_its_networks_without_top(table, published):
    weights = make_up_weights(table, lambda shape: np.empty(shape, np.float16))
    assert sum(kernel.size + bias.size for kernel, bias in weights.layers.values()) == published


def test_a_pooling_layer_stands_between_one_block_and_the_next():
    names = list(VGG19.layers)
    assert [name for name in names if name.startswith("pool")] == ["pool1", "pool2", "pool3", "pool4"]
    for block in range(1, 5):
        place = names.index(f"pool{block}")
        assert names[place - 1].startswith(f"conv{block}_")
        assert names[place + 1] == f"conv{block + 1}_1"
    assert [layer.kind for layer in VGG19.layers.values()].count("pool") == 4


@pytest.mark.parametrize(
    ("name", "channels", "size"),
    [
        ("conv1_1", 64, (90, 61)),
        ("pool1", 64, (45, 30)),
        ("conv2_2", 128, (45, 30)),
        ("conv4_2", 512, (11, 7)),
        ("pool4", 512, (5, 3)),
        ("conv5_4", 512, (5, 3)),
    ],
)
def test_a_layer_knows_its_channels_and_the_size_of_its_output(name, channels, size):
    layer = VGG19.layers[name]
    assert layer.name == name
    assert (layer.channels, layer.size(90, 61)) == (channels, size)


def test_the_shipped_weights_have_the_tables_channels(weights):
    for name, (kernel, _) in weights.layers.items():
        assert kernel.shape[3] == VGG19.layers[name].channels


def receptive_field(network, name, side):
    """Return the side of the square of pixels that the gradient of one activation reaches."""
    features, tape = network.forward(np.full((side, side, 3), 200.0), [name])
    F = features[name]
    one = np.zeros_like(F)
    one[F.shape[0] // 2, F.shape[1] // 2, 0] = 1
    gradient = network.backward(tape, {name: one})
    rows, columns = (np.flatnonzero(gradient.any(axis=axes)) for axes in ((1, 2), (0, 2)))
    assert 0 < rows[0] and rows[-1] < side - 1, "the picture is too small to see it"
    assert len(rows) == len(columns) == rows[-1] - rows[0] + 1
    return len(rows)


@pytest.mark.parametrize("table", [VGG19, VGG16], ids=lambda table: table.name)
def test_the_receptive_field_is_as_far_as_a_gradient_reaches(monkeypatch, table):
    """All weights are positive, so nothing that could reach a pixel vanishes on the way."""
    few = thin(table, (1, 2, 1, 2, 1))
    monkeypatch.setitem(ARCHITECTURES, table.name, few)
    network = make_network(make_up_weights(few, lambda shape: np.full(shape, 0.1)), dtype="float64")
    for name, layer in table.layers.items():
        if layer.kind == "convolution":
            assert receptive_field(network, name, 288) == layer.receptive_field, name


@pytest.mark.parametrize("table", [VGG19, VGG16], ids=lambda table: table.name)
def test_a_pooling_layer_sees_one_step_more_than_the_convolution_before_it(table):
    names = list(table.layers)
    for name, layer in table.layers.items():
        if layer.kind == "pool":
            before = table.layers[names[names.index(name) - 1]]
            assert layer.receptive_field == before.receptive_field + 2**before.halvings


def test_the_deepest_layer_is_the_last_one_whatever_their_order():
    assert VGG19.deepest(["conv2_1", "conv5_1", "conv4_4"]).name == "conv5_1"
    assert VGG19.deepest(["conv4_1", "conv4_3", "conv4_2"]).name == "conv4_3"
    assert VGG19.deepest({"conv1_1"}).name == "conv1_1"


# Names -----------------------------------------------------------------------------------------------


def test_relu_names_are_synonyms():
    assert VGG19.layer_name("relu5_4") == "conv5_4"
    assert VGG19.layer_names(["relu1_1", "conv2_2"]) == ("conv1_1", "conv2_2")


@pytest.mark.parametrize("name", ["conv1_3", "conv6_1", "pool1", "fc6", ""])
def test_an_unknown_name_is_shown_with_those_there_are(name):
    refusal = sentence(VGG19.layer_name, name)
    assert f"{name!r}" in refusal and "conv1_1, conv1_2" in refusal and "conv5_4" in refusal


@pytest.mark.parametrize("names", [("conv1_1", "conv1_1"), ("conv1_1", "conv2_1", "relu1_1")])
@pytest.mark.parametrize("check", [VGG19.layer_names, known_layer_names])
def test_a_layer_named_twice_is_an_error(check, names):
    assert "conv1_1 is named twice" in sentence(check, names)


def test_names_of_any_known_architecture_are_known(monkeypatch):
    assert "conv9_1" in sentence(known_layer_names, ["conv9_1"])
    monkeypatch.setitem(ARCHITECTURES, "other", Architecture("other", ((4, ("conv1_1", "conv9_1")),)))
    assert known_layer_names(["relu9_1", "conv1_1"]) == ("conv9_1", "conv1_1")
    assert known_layer_names(["conv5_4"]) == ("conv5_4",)
    refusal = sentence(known_layer_names, ["conv5_4", "conv9_1"])  # no architecture has both
    assert "'conv9_1'" in refusal


# A second architecture -------------------------------------------------------------------------------


def by_scipy(weights, pixels, last):
    """Return the activations at a layer, one channel after the other."""
    x = (pixels - weights.pixel_mean) / weights.pixel_scale
    block = "1"
    for name, (kernel, bias) in weights.layers.items():
        if name[4] != block:  # average pooling
            height, width = x.shape[0] // 2 * 2, x.shape[1] // 2 * 2
            x = sum(x[i:height:2, j:width:2] for i in (0, 1) for j in (0, 1)) / 4
            block = name[4]
        y = np.zeros((*x.shape[:2], len(bias)))
        for k in range(len(bias)):
            for c in range(x.shape[2]):
                y[:, :, k] += signal.correlate(x[:, :, c], kernel[:, :, c, k], mode="same", method="direct")
        x = np.maximum(y + bias, 0)
        if name == last:
            return x
    raise AssertionError(last)


@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_vgg16_runs_forward_and_backward(vgg16, random, convolution):
    weights = make_up_weights(vgg16, lambda shape: random.normal(size=shape) / 3)
    network = load_network(weights, dtype="float64", device="cpu", convolution=convolution)
    assert network.architecture is vgg16
    assert network.layers == VGG16.convolutions
    pixels = random.uniform(0, 255, (35, 32, 3))
    features, tape = network.forward(pixels, ["conv3_3", "conv5_3"])
    for name in ("conv3_3", "conv5_3"):
        assert relative_error(features[name], by_scipy(weights, pixels, name)) < 1e-12
    dy, direction = random.normal(size=features["conv5_3"].shape), random.normal(size=pixels.shape)
    gradient = network.backward(tape, {"conv5_3": dy})
    ahead, behind = (by_scipy(weights, pixels + side * 1e-5 * direction, "conv5_3") for side in (1, -1))
    assert (gradient * direction).sum() == pytest.approx(((ahead - behind) * dy).sum() / 2e-5, rel=1e-6)


def test_vgg16s_own_layers_are_known_and_others_refused(vgg16, random):
    network = make_network(make_up_weights(vgg16, lambda shape: random.normal(size=shape)), dtype="float64")
    pixels = random.uniform(0, 255, (16, 16, 3))
    assert network.features(pixels, ["relu5_3"])["conv5_3"].shape == (1, 1, 8)
    assert "'conv3_4'" in sentence(network.features, pixels, ["conv3_4"])
    assert "'conv5_4'" in sentence(Objective, network, style=pixels, style_layers=["conv5_4"])


def test_with_weights_for_its_first_layers_only_the_missing_ones_are_counted_by_its_own_table(vgg16, random):
    weights = make_up_weights(vgg16, lambda shape: random.normal(size=shape))
    del weights.layers["conv5_3"]
    refusal = sentence(make_network(weights).features, np.zeros((16, 16, 3)), ["conv5_3"])
    assert "ends at conv5_2 and has no conv5_3" in refusal and "all 13 layers" in refusal


def test_style_weights_by_the_number_of_filters_go_by_the_table(vgg16, random):
    network = make_network(make_up_weights(vgg16, lambda shape: random.normal(size=shape)), dtype="float64")
    pixels, style = random.uniform(0, 255, (2, 16, 16, 3))
    layers = ["conv1_1", "conv3_3"]  # 4 and 6 filters
    ones, inverse = (
        Objective(network, style=style, style_layers=layers, style_layer_weights=weights)(pixels)
        for weights in ([1, 1], "inverse-square")
    )
    for name, filters in (("style conv1_1", 4), ("style conv3_3", 6)):
        assert inverse.terms[name] == pytest.approx(ones.terms[name] / filters**2, rel=1e-12)


def test_weights_of_an_unknown_architecture_are_refused(random):
    weights = make_up_weights(VGG16, lambda shape: np.zeros(shape, np.float16))
    refusal = sentence(make_network, replace(weights, architecture="VGG-11"))
    assert "'VGG-11'" in refusal and "VGG-19, VGG-16" in refusal and "made-up.h5" in refusal


def test_weights_with_other_numbers_of_filters_than_the_table_are_refused(random):
    weights = make_up_weights(thin(VGG19), lambda shape: random.normal(size=shape))
    refusal = sentence(make_network, weights)
    assert "made-up.h5" in refusal and "conv1_1" in refusal and "64" in refusal


def test_the_list_of_architectures_goes_by_their_names():
    assert all(name == table.name for name, table in ARCHITECTURES.items())
