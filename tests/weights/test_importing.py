"""Tests of turning a published file into one of ours."""

import hashlib
import os
import shutil
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
    SHIPPED,
    SHIPPED_LAYERS,
    VGG16_LAYERS,
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
from ministyle.weights import known as known_files
from ministyle.weights.file import load_weights
from ministyle.weights.find import find_weights
from ministyle.weights.importing import import_weights
from ministyle.weights.known import PREPROCESSING, KnownFile


@pytest.fixture
def keras_file(tmp_path):
    return write_keras_file(tmp_path / "keras.h5")


def import_small(source, output=None, **options):
    """Import a file that is not known and not Oxford's, and return the path of the new file."""
    return import_weights(source, output, **{"preprocessing": "caffe", **options}).path


def sum_of(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


# What is kept ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_import_keeps_the_layers_and_the_precision_of_its_dtype(keras_file, tmp_path, dtype, layers):
    made = import_small(keras_file, tmp_path / "made.h5", dtype=dtype)
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
    made = import_small(tmp_path / "keras.h5", tmp_path / "made.h5", dtype="float32")
    kernels, biases = stored(made, "kernel"), stored(made, "bias")
    for name, (kernel, bias) in NUMBERS.items():
        np.testing.assert_array_equal(kernels[name], kernel)
        np.testing.assert_array_equal(biases[name], bias)


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_what_was_imported_is_read_as_it_was_stored_in_network_order(keras_file, tmp_path, dtype, layers):
    read = load_weights(import_small(keras_file, tmp_path / "made.h5", dtype=dtype))
    assert read.path == tmp_path / "made.h5"
    assert list(read.layers) == layers
    for name, arrays in read.layers.items():
        for array, original in zip(arrays, NUMBERS[name], strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, original.astype(dtype))


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_import_records_source_licence_preprocessing_and_layers(keras_file, tmp_path, dtype, layers):
    made = import_small(keras_file, tmp_path / "made.h5", dtype=dtype)
    with h5py.File(made) as file, h5py.File(SHIPPED) as shipped:
        assert file.attrs["source_file"] == "keras.h5"
        assert file.attrs["source_sha256"] == sum_of(keras_file)
        assert list(file.attrs["layers"]) == layers
        assert file.attrs["dtype"] == dtype
        for name in ("format", "network", "citation", "channel_order", "pixel_mean", "pixel_scale"):
            np.testing.assert_array_equal(file.attrs[name], shipped.attrs[name])
        assert "unknown" in file.attrs["license"]


@pytest.fixture(scope="module")
def oxfords(tmp_path_factory):
    """The shipped numbers, float32, in Keras's layout."""
    kernels, biases = stored(SHIPPED, "kernel"), stored(SHIPPED, "bias")
    numbers = {name: (kernels[name].astype(np.float32), biases[name].astype(np.float32)) for name in kernels}
    return write_keras_file(tmp_path_factory.mktemp("oxford") / "keras.h5", numbers=numbers)


def test_import_of_the_shipped_numbers_takes_over_the_shipped_mean_activations(oxfords, tmp_path):
    made = import_weights(oxfords, tmp_path / "made.h5").path
    means, shipped_means = stored(made, "mean_activation"), stored(SHIPPED, "mean_activation")
    assert list(means) == ALL_LAYERS
    for name in ALL_LAYERS:
        np.testing.assert_array_equal(means[name], shipped_means[name])
    found, known = attributes(made), attributes(SHIPPED)
    assert found["mean_activation_image_size"] == known["mean_activation_image_size"]
    assert list(found["mean_activation_photographs"]) == list(known["mean_activation_photographs"])


def test_oxfords_numbers_in_another_file_are_oxfords_by_licence_too(oxfords, tmp_path):
    made = import_weights(oxfords, tmp_path / "made.h5").path
    assert attributes(made)["license"] == attributes(SHIPPED)["license"]


def test_one_changed_filter_is_enough_to_take_over_no_mean_activations(oxfords, tmp_path):
    shutil.copy(oxfords, tmp_path / "changed.h5")
    with h5py.File(tmp_path / "changed.h5", "a") as file:
        file["block4_conv3/block4_conv3_W_1:0"][:, :, 7, 9] += 0.1
    made = import_weights(tmp_path / "changed.h5", tmp_path / "made.h5").path
    assert stored(made, "mean_activation") == {}


def test_import_of_another_network_does_not_take_over_the_shipped_mean_activations(keras_file, tmp_path):
    made = import_small(keras_file, tmp_path / "made.h5")
    assert stored(made, "mean_activation") == {}
    assert not [name for name in attributes(made) if name.startswith("mean_activation_")]


# VGG-16 ----------------------------------------------------------------------------------------------


@pytest.fixture
def keras_file_of_vgg16(tmp_path):
    return write_keras_file(tmp_path / "keras.h5", numbers=VGG16_NUMBERS)


@pytest.mark.parametrize(("dtype", "count"), [("float16", 11), ("float32", 13)])
def test_vgg16_is_known_by_its_layers(keras_file_of_vgg16, tmp_path, dtype, count):
    made = load_weights(import_small(keras_file_of_vgg16, tmp_path / "made.h5", dtype=dtype))
    assert made.architecture == "VGG-16"
    assert list(made.layers) == VGG16_LAYERS[:count]
    for name, arrays in made.layers.items():
        for array, original in zip(arrays, VGG16_NUMBERS[name], strict=True):
            np.testing.assert_array_equal(array, original.astype(dtype))
    assert (made.channel_order, made.pixel_mean.tolist()) == ("BGR", [103.939, 116.779, 123.68])
    assert made.mean_activations == {}


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_vgg16_does_not_become_the_network_that_is_used_by_itself(tmp_path, random, dtype):
    """Not even if its first layer is that of Oxford's VGG-19."""
    first = tuple(stored(SHIPPED, kind)["conv1_1"].astype(np.float32) for kind in ("kernel", "bias"))
    _, bias = VGG16_NUMBERS["conv1_2"]
    second = random.standard_normal((3, 3, 64, len(bias)), np.float32), bias
    numbers = {**VGG16_NUMBERS, "conv1_1": first, "conv1_2": second}
    for file in (VGG16_NUMBERS, numbers):
        with pytest.raises(MinistyleError, match=r"-o.* only Oxford's VGG-19"):
            import_small(write_keras_file(tmp_path / "keras.h5", numbers=file), dtype=dtype)
    assert find_weights() == SHIPPED


# What is refused -------------------------------------------------------------------------------------


def test_import_asks_how_the_network_expects_a_picture_where_nothing_tells(keras_file, tmp_path):
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, tmp_path / "made.h5")
    assert_one_sentence(caught.value, keras_file)
    for named in (sum_of(keras_file), "--preprocessing torch", "--preprocessing caffe"):
        assert named in str(caught.value)
    assert not (tmp_path / "made.h5").exists()


def test_torchs_preprocessing_is_torchvisions_in_grey_levels(keras_file, tmp_path):
    made = load_weights(import_small(keras_file, tmp_path / "made.h5", preprocessing="torch"))
    assert made.channel_order == "RGB"
    np.testing.assert_allclose(made.pixel_mean / 255, [0.485, 0.456, 0.406], rtol=1e-12)
    np.testing.assert_allclose(made.pixel_scale / 255, [0.229, 0.224, 0.225], rtol=1e-12)


def test_a_known_file_needs_no_word_about_preprocessing(keras_file, tmp_path, monkeypatch):
    known = KnownFile(
        "small", "keras.h5", "a small file", "VGG-19", PREPROCESSING["torch"], "free for all", sha256=sum_of(keras_file)
    )
    monkeypatch.setattr(known_files, "KNOWN_FILES", (known,))
    made = import_weights(keras_file, tmp_path / "made.h5")
    assert "a small file" in made.found[0]
    assert (made.weights.channel_order, made.weights.attributes["license"]) == ("RGB", "free for all")


def test_import_refuses_an_unknown_preprocessing_by_showing_it(keras_file, tmp_path):
    with pytest.raises(MinistyleError, match="'tensorflow'"):
        import_small(keras_file, tmp_path / "made.h5", preprocessing="tensorflow")


@pytest.mark.parametrize(
    ("number", "reason"), [(np.nan, "not finite"), (np.inf, "not finite"), (1e6, "too large for float16")]
)
def test_import_refuses_numbers_that_are_not_finite_or_not_once_rounded(keras_file, tmp_path, number, reason):
    with h5py.File(keras_file, "a") as file:
        file["block3_conv2/block3_conv2_W_1:0"][0, 0, 0, 0] = number
    with pytest.raises(MinistyleError, match=f"conv3_2.* {reason}"):
        import_small(keras_file, tmp_path / "made.h5")
    assert not (tmp_path / "made.h5").exists()


def test_import_replaces_an_existing_file_only_when_told_to(keras_file, tmp_path):
    made = tmp_path / "made.h5"
    made.write_bytes(b"precious")
    with pytest.raises(MinistyleError, match="--overwrite"):
        import_small(keras_file, made)
    assert made.read_bytes() == b"precious"
    import_small(keras_file, made, overwrite=True)
    assert list(load_weights(made).layers) == SHIPPED_LAYERS


def test_import_does_not_replace_the_file_it_imports(keras_file):
    before = keras_file.read_bytes()
    with pytest.raises(MinistyleError) as caught:
        import_small(keras_file, keras_file, overwrite=True)
    assert_one_sentence(caught.value, keras_file)
    assert keras_file.read_bytes() == before


def test_import_refuses_an_unknown_dtype_by_showing_it(keras_file, tmp_path):
    with pytest.raises(MinistyleError, match="'float64'"):
        import_small(keras_file, tmp_path / "made.h5", dtype="float64")


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
    "fill", [without_bias, with_a_dataset_for_a_layer, with_other_layers, with_kernels_of_another_shape]
)
def test_import_refuses_a_foreign_file_in_one_sentence_with_its_path(tmp_path, fill):
    path = tmp_path / "foreign.h5"
    with h5py.File(path, "w") as file:
        fill(file)
    with pytest.raises(MinistyleError) as caught:
        import_small(path, tmp_path / "made.h5")
    assert_one_sentence(caught.value, path)
    assert os.listdir(tmp_path) == ["foreign.h5"]


@pytest.mark.parametrize("spoil", NO_HDF5)
def test_import_refuses_what_is_not_hdf5_in_one_sentence_with_its_path(keras_file, tmp_path, spoil):
    spoil(keras_file)
    with pytest.raises(MinistyleError) as caught:
        import_small(keras_file, tmp_path / "made.h5")
    assert_one_sentence(caught.value, keras_file)
    assert os.listdir(tmp_path) == ["keras.h5"]


def test_import_of_a_missing_file_says_so(tmp_path):
    with pytest.raises(MinistyleError) as caught:
        import_small(tmp_path / "absent.h5", tmp_path / "made.h5")
    assert_one_sentence(caught.value, tmp_path / "absent.h5")


# Where the new file goes -----------------------------------------------------------------------------


def test_a_file_made_can_be_read_by_other_users(keras_file, tmp_path):
    made = import_small(keras_file, tmp_path / "made.h5")
    assert made.stat().st_mode & 0o444 == 0o444


def test_oxfords_float32_goes_to_the_users_data_folder_and_is_found_before_the_shipped_file(oxfords):
    assert find_weights() == SHIPPED
    made = import_weights(oxfords, dtype="float32").path
    assert made.parent == Path(platformdirs.user_data_dir("ministyle", appauthor=False))
    assert find_weights() == made
    assert list(load_weights().layers) == SHIPPED_LAYERS


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_another_vgg19_does_not_become_the_network_that_is_used_by_itself(keras_file, oxfords, tmp_path, dtype):
    """Nor does Oxford's own with its filters rescaled, which is the authors' normalised network."""
    rescaled = shutil.copy(oxfords, tmp_path / "rescaled.h5")
    with h5py.File(rescaled, "a") as file:
        file["block1_conv1/block1_conv1_W_1:0"][...] *= np.linspace(0.5, 2, 64, dtype=np.float32)
    for file in (keras_file, rescaled):
        with pytest.raises(MinistyleError, match=r"-o.* only Oxford's VGG-19"):
            import_small(file, dtype=dtype)
    assert find_weights() == SHIPPED


def test_float16_goes_to_the_checkout_and_outside_one_asks_for_a_name(oxfords, tmp_path):
    copy_package(tmp_path)
    (tmp_path / "weights").mkdir()
    shutil.copy(SHIPPED, tmp_path / "weights" / "vgg19.h5")
    command = "-m", "ministyle", "weights", "import", oxfords, "--overwrite"
    refused = run_copy(tmp_path, *command)
    assert refused.returncode == 2 and "-o" in refused.stderr
    (tmp_path / "setup.cfg").touch()
    made = tmp_path / "weights" / "vgg19.h5"
    made.touch()
    before = made.stat().st_mtime_ns
    done = run_copy(tmp_path, *command)
    assert done.returncode == 0 and str(made) in done.stdout
    assert made.stat().st_mtime_ns > before
    assert list(load_weights(made).layers) == SHIPPED_LAYERS


@pytest.mark.parametrize("place", ["folder", "file/made.h5"])
def test_import_to_where_no_file_can_be_is_refused_in_one_sentence(keras_file, tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(MinistyleError) as caught:
        import_small(keras_file, tmp_path / place, overwrite=True)
    assert_one_sentence(caught.value, tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "keras.h5"]


# Interruptions ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_import_leaves_the_old_file_whole_and_nothing_else(keras_file, tmp_path, monkeypatch, moment):
    made = tmp_path / "made.h5"
    made.write_bytes(b"precious")
    interrupt(monkeypatch, moment)
    with pytest.raises(KeyboardInterrupt):
        import_small(keras_file, made, overwrite=True)
    assert made.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["keras.h5", "made.h5"]


@pytest.mark.parametrize("moment", MOMENTS)
def test_interrupted_first_import_leaves_nothing(keras_file, tmp_path, monkeypatch, moment):
    interrupt(monkeypatch, moment)
    with pytest.raises(KeyboardInterrupt):
        import_small(keras_file, tmp_path / "made.h5")
    assert os.listdir(tmp_path) == ["keras.h5"]
