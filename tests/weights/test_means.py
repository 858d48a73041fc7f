"""Tests of measuring mean activations, storing them, and carrying them over."""

import os
from dataclasses import replace

import h5py
import numpy as np
import pytest
from weight_files import (
    ALL_LAYERS,
    MOMENTS,
    NO_WEIGHT_FILE,
    assert_one_sentence,
    attributes,
    interrupt,
    stored,
    write_keras_file,
    write_small_file,
)

from ministyle.errors import MinistyleError
from ministyle.weights.file import load_weights
from ministyle.weights.importing import import_weights
from ministyle.weights.load import load_network
from ministyle.weights.means import known_mean_activations, mean_activations, store_mean_activations

TAPS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1")


@pytest.fixture
def small_file(tmp_path):
    return write_small_file(tmp_path / "small.h5")


# Measuring -------------------------------------------------------------------------------------------


def test_mean_activations_of_the_normalised_network_are_one(weights, random):
    pictures = [random.uniform(0, 255, (32, 40, 3)) for _ in range(2)]
    means = mean_activations(load_network(weights, device="cpu", dtype="float64"), pictures)
    measured = load_network(replace(weights, mean_activations=means), normalised=True, device="cpu", dtype="float64")
    for name in TAPS:
        over_pictures = np.mean([measured.features(x, [name])[name].mean(axis=(0, 1)) for x in pictures], axis=0)
        fires = means[name] > 1.001 * means[name].min()  # filters that never fire keep their floor
        assert fires.sum() > 0.5 * len(fires)
        np.testing.assert_allclose(over_pictures[fires], 1, rtol=1e-4)


def test_a_filter_that_never_fires_does_not_explode(weights):
    means = mean_activations(load_network(weights, device="cpu"), [np.zeros((32, 32, 3))])
    for name, mean in means.items():
        assert mean.min() > 0
        assert mean.max() / mean.min() < 1e6, name


# Storing ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_storing_of_means_leaves_the_old_file_whole_and_nothing_else(small_file, monkeypatch, moment):
    before = small_file.read_bytes()
    interrupt(monkeypatch, moment)
    with pytest.raises(KeyboardInterrupt):
        store_mean_activations(small_file, {"conv1_1": np.ones(4)}, {})
    assert small_file.read_bytes() == before
    assert os.listdir(small_file.parent) == ["small.h5"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_storing_mean_activations_keeps_everything_else_bit_for_bit(tmp_path, dtype):
    keras_file = write_keras_file(tmp_path / "keras.h5")
    made = import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, preprocessing="caffe").path
    before = {kind: stored(made, kind) for kind in ("kernel", "bias")}
    kept = {name: value for name, value in attributes(made).items() if not name.startswith("mean_activation_")}
    store_mean_activations(made, {"conv1_1": np.ones(4)}, {})
    for kind, arrays in before.items():
        after = stored(made, kind)
        assert list(after) == list(arrays)
        for name, array in arrays.items():
            assert after[name].dtype == array.dtype
            assert after[name].tobytes() == array.tobytes()
    after = attributes(made)
    assert set(after) == set(kept)
    for name, value in kept.items():
        np.testing.assert_array_equal(after[name], value)


def test_storing_mean_activations_replaces_the_old_ones_and_their_circumstances(small_file):
    new = {"conv1_1": np.array([1.0, 2, 3, 4]), "conv5_4": np.array([5.0, 6, 7, 8])}
    store_mean_activations(small_file, new, {"mean_activation_image_size": 100})
    means = stored(small_file, "mean_activation")
    assert list(means) == ["conv1_1", "conv5_4"]
    for name, mean in new.items():
        assert means[name].dtype == np.float32
        np.testing.assert_array_equal(means[name], mean)
    circumstances = {k: value for k, value in attributes(small_file).items() if k.startswith("mean_activation_")}
    assert circumstances == {"mean_activation_image_size": 100}


def test_mean_activations_of_layers_without_kernels_add_no_layers(small_file):
    with h5py.File(small_file, "a") as file:
        del file["conv5_4/kernel"], file["conv5_4/bias"]
    store_mean_activations(small_file, {"conv5_4": np.ones(4)}, {})
    read = load_weights(small_file)
    assert list(read.layers) == ALL_LAYERS[:-1]
    assert list(read.mean_activations) == ["conv5_4"]


@pytest.mark.parametrize("spoil", NO_WEIGHT_FILE)
def test_storing_mean_activations_refuses_what_is_no_weight_file_and_leaves_it_alone(small_file, spoil):
    spoil(small_file)
    before = small_file.read_bytes()
    with pytest.raises(MinistyleError) as caught:
        store_mean_activations(small_file, {"conv1_1": np.ones(4)}, {})
    assert_one_sentence(caught.value, small_file)
    assert small_file.read_bytes() == before
    assert os.listdir(small_file.parent) == ["small.h5"]


# Carrying over ---------------------------------------------------------------------------------------


def test_the_shipped_means_are_known(weights):
    means, circumstances = known_mean_activations()
    np.testing.assert_equal(means, weights.mean_activations)
    assert circumstances["mean_activation_image_size"] == 384
