"""Tests of telling which tensors are which convolutions."""

import numpy as np
import pytest
from conftest import sentence
from weight_files import ALL_LAYERS, NUMBERS, VGG16_LAYERS, VGG16_NUMBERS

from ministyle.formats.format import Tensor
from ministyle.weights.layout import find_convolutions, read_convolution

WIDTHS = {"1": 4, "2": 5, "3": 6, "4": 7, "5": 8}  # channels in each block


def even_network(layers):
    """Return made-up numbers with as many channels in all layers of a block, layer name -> (kernel, bias)."""
    random, numbers, before = np.random.default_rng(0), {}, 3
    for name in layers:
        width = WIDTHS[name[4]]
        numbers[name] = random.standard_normal((3, 3, before, width)), random.standard_normal(width)
        before = width
    return numbers


def tensors(arrays):
    return {name: Tensor(array.shape, array.dtype, lambda array=array: array) for name, array in arrays.items()}


def as_torch(numbers):
    """Return a network as torchvision names and lays out its layers; the ReLU and pooling layers count too."""
    arrays, index, block = {}, 0, "1"
    for name, (kernel, bias) in numbers.items():
        index += name[4] != block  # a pooling layer
        block = name[4]
        arrays[f"features.{index}.weight"] = kernel.transpose(3, 2, 0, 1)
        arrays[f"features.{index}.bias"] = bias
        index += 2
    return arrays


def as_keras3(numbers):
    arrays = {}
    for number, (kernel, bias) in enumerate(numbers.values()):
        stem = "layers/conv2d" + (f"_{number}" if number else "")
        arrays[f"{stem}/vars/0"], arrays[f"{stem}/vars/1"] = kernel, bias
    return arrays


def as_keras(numbers):
    arrays = {}
    for name, (kernel, bias) in numbers.items():
        layer = name.replace("conv", "block").replace("_", "_conv")
        arrays[f"model_weights/{layer}/{layer}_b_1:0"], arrays[f"model_weights/{layer}/{layer}_W_1:0"] = bias, kernel
    return arrays


def as_paper(numbers):
    arrays = {}
    for name, (kernel, bias) in numbers.items():
        arrays[f"{name}.weight"], arrays[f"{name}.bias"] = kernel.transpose(3, 2, 0, 1), bias
    return arrays


WAYS = [as_torch, as_keras3, as_keras, as_paper]


def shuffled(arrays):
    names = list(arrays)
    np.random.default_rng(1).shuffle(names)
    return {name: arrays[name] for name in names}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("layers", "network"), [(ALL_LAYERS, "VGG-19"), (VGG16_LAYERS, "VGG-16")])
def test_layers_are_told_by_names_and_shapes_in_any_order_beside_other_tensors(way, layers, network):
    numbers = even_network(layers)
    others = {"classifier.0.weight": np.zeros((9, 9)), "classifier.0.bias": np.zeros(9), "steps": np.zeros(())}
    architecture, found = find_convolutions(tensors(shuffled(way(numbers) | others)))
    assert architecture.name == network
    assert list(found) == layers
    for name, (kernel, bias) in numbers.items():
        read = read_convolution(*found[name])
        np.testing.assert_array_equal(read[0], kernel)
        np.testing.assert_array_equal(read[1], bias)


@pytest.mark.parametrize(("numbers", "network"), [(NUMBERS, "VGG-19"), (VGG16_NUMBERS, "VGG-16")])
def test_names_of_the_papers_decide_whatever_the_channels(numbers, network):
    architecture, found = find_convolutions(tensors(as_paper(numbers)))
    assert architecture.name == network and list(found) == list(numbers)


@pytest.mark.parametrize(
    ("count", "of", "network"),
    [(8, ALL_LAYERS, "VGG-19"), (8, VGG16_LAYERS, "VGG-16"), (3, VGG16_LAYERS, "VGG-19")],
)
def test_the_first_layers_alone_are_enough(count, of, network):
    for way in WAYS:
        architecture, found = find_convolutions(tensors(way(even_network(of[:count]))))
        assert architecture.name == network and list(found) == of[:count]


def without(numbers, *names):
    return {name: arrays for name, arrays in numbers.items() if name not in names}


BAD = {
    "nothing": ({}, "no 3 x 3 convolutions"),
    "a layer is missing": (as_paper(without(even_network(ALL_LAYERS), "conv3_3")), "not those of VGG-19 or VGG-16"),
    "the first is missing": (as_keras(without(even_network(ALL_LAYERS), "conv1_1")), "not those of"),
    "one too many": (as_torch(even_network([*ALL_LAYERS, "conv5_5"])), "17 convolutions"),
    "a layer does not follow": (
        as_paper({**even_network(ALL_LAYERS), "conv2_2": (np.zeros((3, 3, 4, 5)), np.zeros(5))}),
        "conv2_2 takes 4 channels",
    ),
    "too many channels": (
        as_paper({"conv1_1": (np.zeros((3, 3, 3, 65)), np.zeros(65))}),
        "conv1_1 has 65 channels",
    ),
    "four channels in": (as_paper({"conv1_1": (np.zeros((3, 3, 4, 8)), np.zeros(8))}), "takes 4 channels"),
    "batch normalisation": (
        as_torch(even_network(ALL_LAYERS)) | {"features.1.running_mean": np.zeros(4)},
        "batch normalisation",
    ),
    "5 x 5": (as_keras({"conv1_1": (np.zeros((5, 5, 3, 4)), np.zeros(4))}), "no 3 x 3"),
    "without a bias": ({"conv1_1.weight": np.zeros((4, 3, 3, 3))}, "no 3 x 3"),
}


@pytest.mark.parametrize("kind", BAD)
def test_what_is_no_vgg_is_refused(kind):
    arrays, reason = BAD[kind]
    assert reason in sentence(find_convolutions, tensors(arrays))
