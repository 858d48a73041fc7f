"""Tests of the weight file that comes with the project, and of finding, reading and making such files."""

import hashlib
import os
from pathlib import Path

import h5py
import numpy as np
import platformdirs
import pytest

from ministyle import MinistyleError, weights
from ministyle.weights import find_weights, import_weights, load_weights, shipped_path, store_mean_activations

# Simonyan and Zisserman (2014), table 1, column E.
BLOCKS = (64, 2), (128, 2), (256, 4), (512, 4), (512, 4)  # channels, convolutions
CHANNELS = {
    f"conv{block}_{number}": channels
    for block, (channels, convolutions) in enumerate(BLOCKS, start=1)
    for number in range(1, convolutions + 1)
}
ALL_LAYERS = list(CHANNELS)
SHIPPED_LAYERS = ALL_LAYERS[: ALL_LAYERS.index("conv5_1") + 1]
SHIPPED = shipped_path("weights/vgg19.h5")
PUBLISHED_SHA256 = "bde7da0dfd621cbf86e11ce04e4946a9a42634c2cfd21318bba090d860699e35"
DTYPE_LAYERS = [("float16", SHIPPED_LAYERS), ("float32", ALL_LAYERS)]


def assert_one_sentence(error, path):
    """Assert that an error is one line of text which names the file."""
    assert str(path) in str(error)
    assert "\n" not in str(error)


# The shipped file ------------------------------------------------------------------------------------


def test_shipped_file_holds_conv1_1_to_conv5_1_with_vgg19s_shapes_as_float16(weights):
    assert list(weights.layers) == SHIPPED_LAYERS
    channels_in = 3
    for name, (kernel, bias) in weights.layers.items():
        assert kernel.shape == (3, 3, channels_in, CHANNELS[name])
        assert bias.shape == (CHANNELS[name],)
        assert kernel.dtype == bias.dtype == np.float16
        assert np.isfinite(kernel).all()
        assert np.isfinite(bias).all()
        channels_in = CHANNELS[name]


def test_shipped_file_begins_with_the_published_numbers_rounded_to_float16(weights):
    kernel, bias = weights.layers["conv1_1"]
    np.testing.assert_array_equal(kernel[0, 0, 0, :3], np.float16([0.34119523, 0.09563112, 0.0177449]))
    np.testing.assert_array_equal(bias[:3], np.float16([0.7301776, 0.06493629, 0.03428847]))


def test_shipped_file_says_where_its_numbers_come_from_and_how_they_may_be_used():
    with h5py.File(SHIPPED) as file:
        assert file.attrs["source_file"] == "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
        assert file.attrs["source_sha256"] == PUBLISHED_SHA256
        assert file.attrs["license"] == "CC BY 4.0, Visual Geometry Group, University of Oxford"
        assert "Simonyan" in file.attrs["citation"]
        assert "arXiv:1409.1556" in file.attrs["citation"]
        assert list(file.attrs["layers"]) == SHIPPED_LAYERS
        assert file.attrs["dtype"] == "float16"


def test_shipped_file_says_what_the_oxford_network_expects_of_a_picture(weights):
    assert weights.channel_order == "BGR"
    assert weights.pixel_mean.tolist() == [103.939, 116.779, 123.68]
    assert weights.pixel_scale.tolist() == [1, 1, 1]


def test_shipped_file_is_smaller_than_24_megabytes():
    assert SHIPPED.stat().st_size < 24e6


def test_shipped_file_holds_positive_mean_activations_of_all_16_layers(weights):
    assert list(weights.mean_activations) == ALL_LAYERS
    for name, mean in weights.mean_activations.items():
        assert mean.shape == (CHANNELS[name],)
        assert mean.dtype == np.float32
        assert (mean > 0).all()
        assert np.isfinite(mean).all()


# Importing -------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def numbers():
    """Return a small network's numbers: every layer of VGG-19, with other numbers of channels."""
    random = np.random.default_rng(0)
    numbers, channels_in = {}, 3
    for index, name in enumerate(ALL_LAYERS):
        channels_out = 4 + index % 3
        kernel = random.standard_normal((3, 3, channels_in, channels_out), np.float32)
        numbers[name] = kernel, random.standard_normal(channels_out, np.float32)
        channels_in = channels_out
    return numbers


def write_keras_file(path, numbers, kernel_name="W_1:0", bias_name="b_1:0"):
    """Write a file laid out like Keras's; by default with the names of the published one."""
    with h5py.File(path, "w") as file:
        file.create_group("input_2")
        for name, (kernel, bias) in numbers.items():
            layer = name.replace("conv", "block").replace("_", "_conv")  # conv4_2 -> block4_conv2
            file[f"{layer}/{layer}_{kernel_name}"] = kernel
            file[f"{layer}/{layer}_{bias_name}"] = bias
        for block in "12345":
            file.create_group(f"block{block}_pool")


@pytest.fixture
def keras_file(tmp_path, numbers):
    path = tmp_path / "keras.h5"
    write_keras_file(path, numbers)
    return path


@pytest.fixture
def small_file(tmp_path, numbers):
    """Return a weight file of the small network, float16, written here and not by the package's import."""
    path = tmp_path / "small.h5"
    with h5py.File(SHIPPED) as shipped, h5py.File(path, "w") as file:
        file.attrs.update(shipped.attrs)
        for name, (kernel, bias) in numbers.items():
            file.create_dataset(f"{name}/kernel", data=kernel.astype(np.float16), compression="gzip")
            file[f"{name}/bias"] = bias.astype(np.float16)
            file[f"{name}/mean_activation"] = np.full(len(bias), 3, np.float32)
    return path


def stored(path, kind):
    """Return what a weight file holds of one kind, name -> array, read without the package."""
    with h5py.File(path) as file:
        return {name: group[kind][...] for name, group in file.items() if kind in group}


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_import_keeps_the_layers_and_the_precision_of_its_dtype(keras_file, tmp_path, numbers, dtype, layers):
    made = import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, verify=False)
    assert made == tmp_path / "made.h5"
    kernels, biases = stored(made, "kernel"), stored(made, "bias")
    assert list(kernels) == list(biases) == layers
    for name in layers:
        kernel, bias = numbers[name]
        assert kernels[name].dtype == biases[name].dtype == dtype
        np.testing.assert_array_equal(kernels[name], kernel.astype(dtype))
        np.testing.assert_array_equal(biases[name], bias.astype(dtype))


def test_import_tells_kernel_from_bias_whichever_name_sorts_first(tmp_path, numbers):
    write_keras_file(tmp_path / "keras.h5", numbers, "kernel:0", "bias:0")
    made = import_weights(tmp_path / "keras.h5", tmp_path / "made.h5", dtype="float32", verify=False)
    kernels, biases = stored(made, "kernel"), stored(made, "bias")
    for name, (kernel, bias) in numbers.items():
        np.testing.assert_array_equal(kernels[name], kernel)
        np.testing.assert_array_equal(biases[name], bias)


@pytest.mark.parametrize(("dtype", "layers"), DTYPE_LAYERS)
def test_what_was_imported_is_read_as_it_was_stored_in_network_order(keras_file, tmp_path, numbers, dtype, layers):
    read = load_weights(import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, verify=False))
    assert read.path == tmp_path / "made.h5"
    assert list(read.layers) == layers
    for name, arrays in read.layers.items():
        for array, original in zip(arrays, numbers[name], strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, original.astype(dtype))


def test_import_records_source_licence_preprocessing_and_layers(keras_file, tmp_path):
    made = import_weights(keras_file, tmp_path / "made.h5", verify=False)
    with h5py.File(made) as file, h5py.File(SHIPPED) as shipped:
        assert file.attrs["source_file"] == "keras.h5"
        assert file.attrs["source_sha256"] == hashlib.sha256(keras_file.read_bytes()).hexdigest()
        assert list(file.attrs["layers"]) == SHIPPED_LAYERS
        for name in ("format", "network", "license", "citation", "channel_order", "pixel_mean", "pixel_scale"):
            np.testing.assert_array_equal(file.attrs[name], shipped.attrs[name])


def test_import_of_the_published_file_takes_over_the_shipped_mean_activations(keras_file, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "KERAS_SHA256", hashlib.sha256(keras_file.read_bytes()).hexdigest())
    made = import_weights(keras_file, tmp_path / "made.h5")
    means, shipped_means = stored(made, "mean_activation"), stored(SHIPPED, "mean_activation")
    assert list(means) == ALL_LAYERS
    for name in ALL_LAYERS:
        np.testing.assert_array_equal(means[name], shipped_means[name])
    with h5py.File(made) as file, h5py.File(SHIPPED) as shipped:
        assert file.attrs["mean_activation_image_size"] == shipped.attrs["mean_activation_image_size"]
        assert list(file.attrs["mean_activation_photographs"]) == list(shipped.attrs["mean_activation_photographs"])


def test_import_of_another_network_does_not_take_over_the_shipped_mean_activations(keras_file, tmp_path):
    made = import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert stored(made, "mean_activation") == {}
    with h5py.File(made) as file:
        assert not [name for name in file.attrs if name.startswith("mean_activation_")]


def test_import_of_another_file_than_the_published_one_is_refused_and_names_both_sums(keras_file, tmp_path):
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, tmp_path / "made.h5")
    for named in (str(keras_file), hashlib.sha256(keras_file.read_bytes()).hexdigest(), PUBLISHED_SHA256):
        assert named in str(caught.value)
    assert not (tmp_path / "made.h5").exists()


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


def test_a_file_made_can_be_read_by_other_users(keras_file, tmp_path):
    made = import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert made.stat().st_mode & 0o444 == 0o444


def test_import_refuses_an_unknown_dtype_by_showing_it(keras_file, tmp_path):
    with pytest.raises(MinistyleError, match="'float64'"):
        import_weights(keras_file, tmp_path / "made.h5", dtype="float64", verify=False)


def test_float32_goes_to_the_users_data_folder_and_is_found_before_the_shipped_file(keras_file):
    assert find_weights() == SHIPPED
    made = import_weights(keras_file, dtype="float32", verify=False)
    assert made.parent == Path(platformdirs.user_data_dir("ministyle", appauthor=False))
    assert find_weights() == made
    assert list(load_weights().layers) == ALL_LAYERS


def test_float16_goes_to_the_checkout_and_outside_one_asks_for_a_name(keras_file, tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "ministyle")
    with pytest.raises(MinistyleError, match="-o"):
        import_weights(keras_file, verify=False)
    (tmp_path / "setup.cfg").touch()
    assert import_weights(keras_file, verify=False) == tmp_path / "weights" / "vgg19.h5"


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


@pytest.mark.parametrize("place", ["folder", "file/made.h5"])
def test_import_to_where_no_file_can_be_is_refused_in_one_sentence(keras_file, tmp_path, place):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    with pytest.raises(MinistyleError) as caught:
        import_weights(keras_file, tmp_path / place, verify=False, overwrite=True)
    assert_one_sentence(caught.value, tmp_path / place)
    assert sorted(os.listdir(tmp_path)) == ["file", "folder", "keras.h5"]


# Nothing already written is lost ---------------------------------------------------------------------


@pytest.fixture(params=["first data set", "tenth data set", "putting in place"])
def crash(request, monkeypatch):
    """Return a function after which writing a file is interrupted at some moment."""
    owner, name, moment = {
        "first data set": (h5py.Group, "create_dataset", 1),
        "tenth data set": (h5py.Group, "create_dataset", 10),
        "putting in place": (os, "replace", 1),
    }[request.param]
    original, calls = getattr(owner, name), []

    def interrupted(*args, **kwargs):
        calls.append(name)
        if len(calls) == moment:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    return lambda: monkeypatch.setattr(owner, name, interrupted)


def test_interrupted_import_leaves_the_old_file_whole_and_nothing_else(keras_file, tmp_path, crash):
    made = tmp_path / "made.h5"
    made.write_bytes(b"precious")
    crash()
    with pytest.raises(KeyboardInterrupt):
        import_weights(keras_file, made, verify=False, overwrite=True)
    assert made.read_bytes() == b"precious"
    assert sorted(os.listdir(tmp_path)) == ["keras.h5", "made.h5"]


def test_interrupted_storing_of_means_leaves_the_old_file_whole_and_nothing_else(small_file, crash):
    before = small_file.read_bytes()
    crash()
    with pytest.raises(KeyboardInterrupt):
        store_mean_activations(small_file, {"conv1_1": np.ones(4)}, {})
    assert small_file.read_bytes() == before
    assert os.listdir(small_file.parent) == ["small.h5"]


def test_interrupted_first_import_leaves_nothing(keras_file, tmp_path, crash):
    crash()
    with pytest.raises(KeyboardInterrupt):
        import_weights(keras_file, tmp_path / "made.h5", verify=False)
    assert os.listdir(tmp_path) == ["keras.h5"]


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_storing_mean_activations_keeps_everything_else_bit_for_bit(keras_file, tmp_path, numbers, dtype):
    made = import_weights(keras_file, tmp_path / "made.h5", dtype=dtype, verify=False)
    before = {kind: stored(made, kind) for kind in ("kernel", "bias")}
    with h5py.File(made) as file:
        attributes = {name: value for name, value in file.attrs.items() if not name.startswith("mean_activation_")}
    store_mean_activations(made, {"conv1_1": np.ones(4)}, {})
    for kind, arrays in before.items():
        after = stored(made, kind)
        assert list(after) == list(arrays)
        for name, array in arrays.items():
            assert after[name].dtype == array.dtype
            assert after[name].tobytes() == array.tobytes()
    with h5py.File(made) as file:
        assert set(file.attrs) == set(attributes)
        for name, value in attributes.items():
            np.testing.assert_array_equal(file.attrs[name], value)


def test_storing_mean_activations_replaces_the_old_ones_and_their_circumstances(small_file):
    new = {"conv1_1": np.array([1.0, 2, 3, 4]), "conv5_4": np.array([5.0, 6, 7, 8])}
    store_mean_activations(small_file, new, {"mean_activation_image_size": 100})
    means = stored(small_file, "mean_activation")
    assert list(means) == ["conv1_1", "conv5_4"]
    for name, mean in new.items():
        assert means[name].dtype == np.float32
        np.testing.assert_array_equal(means[name], mean)
    with h5py.File(small_file) as file:
        circumstances = {name: value for name, value in file.attrs.items() if name.startswith("mean_activation_")}
    assert circumstances == {"mean_activation_image_size": 100}


def test_mean_activations_of_layers_without_kernels_add_no_layers(small_file):
    with h5py.File(small_file, "a") as file:
        del file["conv5_4/kernel"]
    store_mean_activations(small_file, {"conv5_4": np.ones(4)}, {})
    read = load_weights(small_file)
    assert list(read.layers) == ALL_LAYERS[:-1]
    assert list(read.mean_activations) == ["conv5_4"]


# Finding ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ("argument variable user", "argument"),
        ("argument variable", "argument"),
        ("argument user", "argument"),
        ("variable user", "variable"),
        ("variable", "variable"),
        ("user", "user"),
        ("", "shipped"),
    ],
)
def test_search_order_is_argument_then_variable_then_user_data_then_shipped(tmp_path, monkeypatch, present, found):
    user = Path(platformdirs.user_data_dir("ministyle", appauthor=False)) / "vgg19-float32.h5"
    places = {"argument": tmp_path / "argument.h5", "variable": tmp_path / "variable.h5", "user": user}
    for name in present.split():
        places[name].parent.mkdir(parents=True, exist_ok=True)
        places[name].touch()
    if "variable" in present:
        monkeypatch.setenv("MINISTYLE_WEIGHTS", str(places["variable"]))
    argument = places["argument"] if "argument" in present else None
    assert find_weights(argument) == {**places, "shipped": SHIPPED}[found]


@pytest.mark.parametrize("function", [find_weights, load_weights])
@pytest.mark.parametrize("there", ["nothing", "a folder"])
def test_a_file_asked_for_and_missing_is_never_replaced_by_another(tmp_path, monkeypatch, function, there):
    path = tmp_path / "absent.h5"
    if there == "a folder":
        path.mkdir()
    with pytest.raises(MinistyleError) as caught:
        function(path)
    assert_one_sentence(caught.value, path)
    monkeypatch.setenv("MINISTYLE_WEIGHTS", str(path))
    with pytest.raises(MinistyleError, match="MINISTYLE_WEIGHTS") as caught:
        function()
    assert_one_sentence(caught.value, path)


def test_without_any_file_the_error_names_all_ways_to_one(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "ministyle")
    with pytest.raises(MinistyleError) as caught:
        find_weights()
    for way in ("--weights", "MINISTYLE_WEIGHTS", "weights import"):
        assert way in str(caught.value)


def test_an_installed_packages_own_file_comes_before_a_folder_beside_the_package(tmp_path, monkeypatch):
    monkeypatch.setattr(weights, "_PACKAGE", tmp_path / "ministyle")
    inside, beside = tmp_path / "ministyle/shipped/weights/vgg19.h5", tmp_path / "weights/vgg19.h5"
    for path, expected in ((beside, beside), (inside, inside)):
        path.parent.mkdir(parents=True)
        path.touch()
        assert find_weights() == expected


# Reading what is no weight file ----------------------------------------------------------------------


def plain_text(path):
    path.write_text("not HDF5\n")


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1000])


def damaged(path):
    with h5py.File(path) as file:
        offset = file["conv3_1/kernel"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 64] = bytes(64)
    path.write_bytes(content)


def foreign_hdf5(path):
    with h5py.File(path, "w") as file:
        file["block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 4))


def of_another_format(path):
    with h5py.File(path, "a") as file:
        file.attrs["format"] = "ministyle weights 2"


def with_a_format_that_is_no_text(path):
    with h5py.File(path, "a") as file:
        file.attrs["format"] = np.arange(3)


def without_preprocessing(path):
    with h5py.File(path, "a") as file:
        del file.attrs["pixel_mean"]


def without_a_bias(path):
    with h5py.File(path, "a") as file:
        del file["conv3_1/bias"]


def with_a_layer_that_does_not_fit_the_one_before(path):
    with h5py.File(path, "a") as file:
        shape = file["conv3_1/kernel"].shape
        del file["conv3_1/kernel"]
        file["conv3_1/kernel"] = np.zeros((*shape[:2], shape[2] + 1, shape[3]))


def without_layers(path):
    with h5py.File(path, "a") as file:
        for name in ALL_LAYERS:
            del file[name]


NO_WEIGHT_FILE = [plain_text, empty, truncated, foreign_hdf5, of_another_format, with_a_format_that_is_no_text]
BROKEN = [damaged, without_preprocessing, without_a_bias, with_a_layer_that_does_not_fit_the_one_before, without_layers]


@pytest.mark.parametrize("spoil", NO_WEIGHT_FILE + BROKEN)
def test_reading_refuses_what_is_no_whole_weight_file_in_one_sentence_with_its_path(small_file, spoil):
    load_weights(small_file)
    spoil(small_file)
    with pytest.raises(MinistyleError) as caught:
        load_weights(small_file)
    assert_one_sentence(caught.value, small_file)


@pytest.mark.parametrize("spoil", NO_WEIGHT_FILE)
def test_storing_mean_activations_refuses_what_is_no_weight_file_and_leaves_it_alone(small_file, spoil):
    spoil(small_file)
    before = small_file.read_bytes()
    with pytest.raises(MinistyleError) as caught:
        store_mean_activations(small_file, {"conv1_1": np.ones(4)}, {})
    assert_one_sentence(caught.value, small_file)
    assert small_file.read_bytes() == before
    assert os.listdir(small_file.parent) == ["small.h5"]


@pytest.mark.parametrize("spoil", [plain_text, empty, truncated])
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


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_sha256_is_that_of_the_whole_content(tmp_path, size):
    path = tmp_path / "file"
    for last in (b"a", b"b"):
        path.write_bytes(bytes(size) + last)
        assert weights.sha256(path) == hashlib.sha256(bytes(size) + last).hexdigest()
