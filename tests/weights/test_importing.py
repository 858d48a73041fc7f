"""Tests of turning a published file into one of ours."""

import hashlib
import os
import shutil
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import platformdirs
import pytest
from weight_files import (
    ALL_LAYERS,
    DTYPE_LAYERS,
    MOMENTS,
    NO_HDF5,
    NUMBERS,
    PUBLISHED_SHA256,
    SHIPPED,
    SHIPPED_LAYERS,
    VGG16_LAYERS,
    VGG16_MD5,
    VGG16_NUMBERS,
    assert_one_sentence,
    attributes,
    copy_package,
    interrupt,
    run_copy,
    stored,
    write_keras_file,
)

from ministyle.errors import MinistyleError
from ministyle.weights.file import load_weights
from ministyle.weights.find import find_weights
from ministyle.weights.format import Format
from ministyle.weights.importing import FORMATS, import_weights


@pytest.fixture
def keras_file(tmp_path):
    return write_keras_file(tmp_path / "keras.h5")


def sum_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# What is kept ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_import_keeps_the_layers_and_the_precision_of_its_dtype(keras_file, tmp_path, dtype, layers):
    made = import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, verify=False)
    assert made == tmp_path / "made.h5"
    kernels, biases = stored(made, "kernel"), stored(made, "bias")
    assert list(kernels) == list(biases) == layers
    for name in layers:
        kernel, bias = NUMBERS[name]
        assert kernels[name].dtype == biases[name].dtype == dtype
        np.testing.assert_array_equal(kernels[name], kernel.astype(dtype))
        np.testing.assert_array_equal(biases[name], bias.astype(dtype))


def test_import_tells_kernel_from_bias_whichever_name_sorts_first(tmp_path):
    write_keras_file(tmp_path / "keras.h5", "kernel:0", "bias:0")
    made = import_weights(tmp_path / "keras.h5", tmp_path / "made.h5", dtype="float32", verify=False)
    kernels, biases = stored(made, "kernel"), stored(made, "bias")
    for name, (kernel, bias) in NUMBERS.items():
        np.testing.assert_array_equal(kernels[name], kernel)
        np.testing.assert_array_equal(biases[name], bias)


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_what_was_imported_is_read_as_it_was_stored_in_network_order(keras_file, tmp_path, dtype, layers):
    read = load_weights(import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, verify=False))
    assert read.path == tmp_path / "made.h5"
    assert list(read.layers) == layers
    for name, arrays in read.layers.items():
        for array, original in zip(arrays, NUMBERS[name], strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, original.astype(dtype))


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_import_records_source_licence_preprocessing_and_layers(keras_file, tmp_path, dtype, layers):
    made = import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, verify=False)
    with h5py.File(made) as file, h5py.File(SHIPPED) as shipped:
        assert file.attrs["source_file"] == "keras.h5"
        assert file.attrs["source_sha256"] == sum_of(keras_file)
        assert list(file.attrs["layers"]) == layers
        assert file.attrs["dtype"] == dtype
        for name in ("format", "network", "license", "citation", "channel_order", "pixel_mean", "pixel_scale"):
            np.testing.assert_array_equal(file.attrs[name], shipped.attrs[name])


def test_import_of_the_shipped_files_own_source_takes_over_the_shipped_mean_activations(keras_file, tmp_path):
    copy_package(tmp_path)
    shipped = tmp_path / "weights" / "vgg19.h5"
    shipped.parent.mkdir()
    shutil.copy(SHIPPED, shipped)
    with h5py.File(shipped, "a") as file:
        file.attrs["source_sha256"] = sum_of(keras_file)
    command = "-m", "ministyle", "weights", "import", "keras.h5", "--no-verify", "-o", "made.h5"
    assert run_copy(tmp_path, *command).returncode == 0
    means, shipped_means = stored(tmp_path / "made.h5", "mean_activation"), stored(SHIPPED, "mean_activation")
    assert list(means) == ALL_LAYERS
    for name in ALL_LAYERS:
        np.testing.assert_array_equal(means[name], shipped_means[name])
    made, known = attributes(tmp_path / "made.h5"), attributes(SHIPPED)
    assert made["mean_activation_image_size"] == known["mean_activation_image_size"]
    assert list(made["mean_activation_photographs"]) == list(known["mean_activation_photographs"])


def test_import_of_another_network_does_not_take_over_the_shipped_mean_activations(keras_file, tmp_path):
    made = import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert stored(made, "mean_activation") == {}
    assert not [name for name in attributes(made) if name.startswith("mean_activation_")]


# VGG-16 ----------------------------------------------------------------------------------------------


@pytest.fixture
def keras_file_of_vgg16(tmp_path):
    return write_keras_file(tmp_path / "keras.h5", numbers=VGG16_NUMBERS)


@pytest.mark.parametrize(("dtype", "count"), [("float16", 11), ("float32", 13)])
def test_vgg16_is_known_by_its_layers(keras_file_of_vgg16, tmp_path, dtype, count):
    made = load_weights(import_weights(keras_file_of_vgg16, tmp_path / "made.h5", dtype=dtype, verify=False))
    assert made.architecture == "VGG-16"
    assert list(made.layers) == VGG16_LAYERS[:count]
    for name, arrays in made.layers.items():
        for array, original in zip(arrays, VGG16_NUMBERS[name], strict=True):
            np.testing.assert_array_equal(array, original.astype(dtype))
    assert (made.channel_order, made.pixel_mean.tolist()) == ("BGR", [103.939, 116.779, 123.68])
    assert made.mean_activations == {}


def test_another_file_than_the_published_vgg16_is_refused_by_its_md5(keras_file_of_vgg16, tmp_path, monkeypatch):
    digest = hashlib.md5(keras_file_of_vgg16.read_bytes()).hexdigest()
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file_of_vgg16, tmp_path / "made.h5")
    for named in (str(keras_file_of_vgg16), "MD5", digest, VGG16_MD5, "--no-verify"):
        assert named in str(caught.value)
    assert not (tmp_path / "made.h5").exists()
    monkeypatch.setitem(FORMATS, "Keras, VGG-16", replace(FORMATS["Keras, VGG-16"], md5=digest))
    assert import_weights(keras_file_of_vgg16, tmp_path / "made.h5").exists()


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_vgg16_does_not_become_the_network_that_is_used_by_itself(keras_file_of_vgg16, dtype):
    with pytest.raises(MinistyleError, match=r"-o.* only VGG-19"):
        import_weights(keras_file_of_vgg16, dtype=dtype, verify=False)
    assert find_weights() == SHIPPED


# What is refused -------------------------------------------------------------------------------------


def test_import_of_another_file_than_the_published_one_is_refused_and_names_both_sums(keras_file, tmp_path):
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, tmp_path / "made.h5")
    for named in (str(keras_file), sum_of(keras_file), PUBLISHED_SHA256, "--no-verify"):
        assert named in str(caught.value)
    assert not (tmp_path / "made.h5").exists()


def test_import_of_the_published_file_needs_no_flag(keras_file, tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "Keras", replace(FORMATS["Keras"], sha256=sum_of(keras_file)))
    assert list(load_weights(import_weights(keras_file, tmp_path / "made.h5")).layers) == SHIPPED_LAYERS


def test_import_replaces_an_existing_file_only_when_told_to(keras_file, tmp_path):
    made = tmp_path / "made.h5"
    made.write_bytes(b"precious")
    with pytest.raises(MinistyleError, match="--overwrite"):
        import_weights(keras_file, made, verify=False)
    assert made.read_bytes() == b"precious"
    import_weights(keras_file, made, verify=False, overwrite=True)
    assert list(load_weights(made).layers) == SHIPPED_LAYERS


def test_import_does_not_replace_the_file_it_imports(keras_file):
    before = keras_file.read_bytes()
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, keras_file, verify=False, overwrite=True)
    assert_one_sentence(caught.value, keras_file)
    assert keras_file.read_bytes() == before


def test_import_refuses_an_unknown_dtype_by_showing_it(keras_file, tmp_path):
    with pytest.raises(MinistyleError, match="'float64'"):
        import_weights(keras_file, tmp_path / "made.h5", dtype="float64", verify=False)


def nested(file):
    file["block1_conv1/block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 4))
    file["block1_conv1/block1_conv1/bias:0"] = np.zeros(4)


def without_bias(file):
    file["block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 4))


def with_a_dataset_for_a_layer(file):
    file["block1_conv1"] = np.zeros(4)


def with_other_layers(file):
    file["dense_1/kernel:0"] = np.zeros((4, 4))


def with_kernels_of_another_shape(file):
    file["block1_conv1/kernel:0"] = np.zeros((5, 2))
    file["block1_conv1/bias:0"] = np.zeros(7)


@pytest.mark.parametrize(
    "fill", [nested, without_bias, with_a_dataset_for_a_layer, with_other_layers, with_kernels_of_another_shape]
)
def test_import_refuses_a_foreign_file_in_one_sentence_with_its_path(tmp_path, fill):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    with pytest.raises(MinistyleError) as caught:
        import_weights(path, tmp_path / "made.h5", verify=False)
    assert_one_sentence(caught.value, path)
    assert os.listdir(tmp_path) == ["foreign.h5"]


@pytest.mark.parametrize("spoil", NO_HDF5)
def test_import_refuses_what_is_not_hdf5_in_one_sentence_with_its_path(keras_file, tmp_path, spoil):
    spoil(keras_file)
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert_one_sentence(caught.value, keras_file)
    assert os.listdir(tmp_path) == ["keras.h5"]


def test_import_of_a_missing_file_says_so(tmp_path):
    with pytest.raises(MinistyleError) as caught:
        import_weights(tmp_path / "absent.h5", tmp_path / "made.h5")
    assert_one_sentence(caught.value, tmp_path / "absent.h5")


# Where the new file goes -----------------------------------------------------------------------------


def test_a_file_made_can_be_read_by_other_users(keras_file, tmp_path):
    made = import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert made.stat().st_mode & 0o444 == 0o444


def test_float32_goes_to_the_users_data_folder_and_is_found_before_the_shipped_file(keras_file):
    assert find_weights() == SHIPPED
    made = import_weights(keras_file, dtype="float32", verify=False)
    assert made.parent == Path(platformdirs.user_data_dir("ministyle", appauthor=False))
    assert find_weights() == made
    assert list(load_weights().layers) == ALL_LAYERS


def test_float16_goes_to_the_checkout_and_outside_one_asks_for_a_name(keras_file, tmp_path):
    copy_package(tmp_path)
    command = "-m", "ministyle", "weights", "import", keras_file, "--no-verify"
    refused = run_copy(tmp_path, *command)
    assert refused.returncode == 2 and "-o" in refused.stderr
    (tmp_path / "setup.cfg").touch()
    made = tmp_path / "weights" / "vgg19.h5"
    done = run_copy(tmp_path, *command)
    assert done.returncode == 0 and str(made) in done.stdout
    assert list(load_weights(made).layers) == SHIPPED_LAYERS


@pytest.mark.parametrize("place", ["folder", "file/made.h5"])
def test_import_to_where_no_file_can_be_is_refused_in_one_sentence(keras_file, tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, tmp_path / place, verify=False, overwrite=True)
    assert_one_sentence(caught.value, tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "keras.h5"]


# Interruptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_import_leaves_the_old_file_whole_and_nothing_else(keras_file, tmp_path, monkeypatch, moment):
    made = tmp_path / "made.h5"
    made.write_bytes(b"precious")
    interrupt(monkeypatch, moment)
    with pytest.raises(KeyboardInterrupt):
        import_weights(keras_file, made, verify=False, overwrite=True)
    assert made.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["keras.h5", "made.h5"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_first_import_leaves_nothing(keras_file, tmp_path, monkeypatch, moment):
    interrupt(monkeypatch, moment)
    with pytest.raises(KeyboardInterrupt):
        import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert os.listdir(tmp_path) == ["keras.h5"]


# Formats ---------------------------------------------------------------------------------------------


def read_text(path):
    kernel = np.float32(path.read_text().split()[1:]).reshape(3, 3, 3, 1)
    return {"conv1_1": (kernel, np.ones(1, np.float32))}


TEXT = Format(
    description="one filter as text, filter.txt",
    recognises=lambda path: path.read_bytes().startswith(b"filter"),
    read=read_text,
    architecture="one filter",
    channel_order="RGB",
    pixel_mean=(1.0, 2.0, 3.0),
    pixel_scale=(4.0, 5.0, 6.0),
    license="public domain",
    citation="nobody",
)


def test_one_more_entry_in_the_list_of_formats_makes_its_files_importable(keras_file, tmp_path, monkeypatch):
    source = tmp_path / "filter.txt"
    source.write_text(" ".join(["filter", *map(str, range(27))]))
    with pytest.raises(MinistyleError, match=FORMATS["Keras"].description):
        import_weights(source, tmp_path / "made.h5")
    monkeypatch.setitem(FORMATS, "text", TEXT)
    made = load_weights(import_weights(source, tmp_path / "made.h5"))
    assert made.architecture == "one filter"
    assert made.channel_order == "RGB"
    assert made.pixel_mean.tolist() == [1, 2, 3]
    assert made.pixel_scale.tolist() == [4, 5, 6]
    assert made.attributes["license"] == "public domain"
    assert made.attributes["citation"] == "nobody"
    np.testing.assert_array_equal(made.layers["conv1_1"][0].ravel(), np.arange(27))
    assert load_weights(import_weights(keras_file, tmp_path / "keras-made.h5", verify=False)).architecture == "VGG-19"


def test_the_error_for_an_unknown_file_names_every_format(tmp_path, monkeypatch):
    monkeypatch.setitem(FORMATS, "text", TEXT)
    (tmp_path / "unknown").write_text("unknown")
    with pytest.raises(MinistyleError) as caught:
        import_weights(tmp_path / "unknown", tmp_path / "made.h5")
    assert_one_sentence(caught.value, tmp_path / "unknown")
    for known in FORMATS.values():
        assert known.description in str(caught.value)
