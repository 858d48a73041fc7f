"""Tests of Keras's format."""

import h5py
import numpy as np
import pytest
from weight_files import (
    ALL_LAYERS,
    NO_HDF5,
    NUMBERS,
    PUBLISHED_SHA256,
    VGG16_LAYERS,
    VGG16_MD5,
    VGG16_NUMBERS,
    assert_one_sentence,
    write_keras_file,
    write_small_file,
)

from ministyle.errors import MinistyleError
from ministyle.weights.keras import (
    KERAS,
    KERAS_FILE,
    KERAS_SHA256,
    KERAS_VGG16,
    KERAS_VGG16_FILE,
    looks_like_keras,
    read_keras,
)


@pytest.mark.parametrize(("kernel_name", "bias_name"), [("W_1:0", "b_1:0"), ("kernel:0", "bias:0")])
def test_reading_tells_kernel_from_bias_whichever_name_sorts_first(tmp_path, kernel_name, bias_name):
    read = read_keras(write_keras_file(tmp_path / "keras.h5", kernel_name, bias_name))
    assert list(read) == ALL_LAYERS
    for name, (kernel, bias) in NUMBERS.items():
        np.testing.assert_array_equal(read[name][0], kernel)
        np.testing.assert_array_equal(read[name][1], bias)


def test_the_published_file_is_known_by_its_sum_and_its_name():
    assert KERAS.sha256 == KERAS_SHA256 == PUBLISHED_SHA256
    assert KERAS_FILE in KERAS.description


def test_the_published_file_of_vgg16_is_known_by_its_sum_and_its_name():
    assert (KERAS_VGG16.sha256, KERAS_VGG16.md5) == (None, VGG16_MD5)
    assert KERAS_VGG16_FILE in KERAS_VGG16.description and VGG16_MD5 in KERAS_VGG16.checksum


def test_vgg16_is_read_with_its_13_layers(tmp_path):
    read = read_keras(write_keras_file(tmp_path / "keras.h5", numbers=VGG16_NUMBERS))
    assert list(read) == VGG16_LAYERS
    for name, (kernel, bias) in VGG16_NUMBERS.items():
        np.testing.assert_array_equal(read[name][0], kernel)
        np.testing.assert_array_equal(read[name][1], bias)


def test_a_file_of_keras_is_recognised(tmp_path):
    assert looks_like_keras(write_keras_file(tmp_path / "keras.h5"))


def first(numbers, count):
    return dict(list(numbers.items())[:count])


def without(numbers, *names):
    return {name: arrays for name, arrays in numbers.items() if name not in names}


@pytest.mark.parametrize(
    ("numbers", "recognised"),
    [
        (NUMBERS, (True, False)),
        (VGG16_NUMBERS, (False, True)),
        (first(NUMBERS, 8), (True, False)),  # as far as conv3_4
        (first(VGG16_NUMBERS, 8), (False, True)),  # as far as conv4_1, without conv3_4
        (first(NUMBERS, 3), (True, True)),  # both networks begin like this
        (without(NUMBERS, "conv3_3", "conv3_4"), (False, False)),
        (without(NUMBERS, "conv1_1"), (False, False)),
        ({}, (False, False)),
    ],
)
def test_the_layers_tell_the_two_networks_apart(tmp_path, numbers, recognised):
    path = write_keras_file(tmp_path / "keras.h5", numbers=numbers)
    assert (KERAS.recognises(path), KERAS_VGG16.recognises(path)) == recognised


def test_a_weight_file_of_ours_is_not_taken_for_keras(tmp_path):
    assert not looks_like_keras(write_small_file(tmp_path / "small.h5"))


@pytest.mark.parametrize("spoil", NO_HDF5)
def test_what_is_not_hdf5_is_not_taken_for_keras(tmp_path, spoil):
    path = write_keras_file(tmp_path / "keras.h5")
    spoil(path)
    assert not looks_like_keras(path)


@pytest.mark.parametrize("spoil", NO_HDF5)
def test_reading_what_is_not_hdf5_is_refused_in_one_sentence_with_its_path(tmp_path, spoil):
    path = write_keras_file(tmp_path / "keras.h5")
    spoil(path)
    with pytest.raises(MinistyleError) as caught:
        read_keras(path)
    assert_one_sentence(caught.value, path)


def test_a_layer_that_is_no_3_x_3_convolution_is_named(tmp_path):
    with h5py.File(tmp_path / "keras.h5", "w") as file:
        file["block2_conv1/kernel:0"] = np.zeros((5, 5, 3, 4))
        file["block2_conv1/bias:0"] = np.zeros(4)
    with pytest.raises(MinistyleError, match="block2_conv1 is not a 3 x 3 convolution"):
        read_keras(tmp_path / "keras.h5")
