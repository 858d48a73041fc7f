"""Tests of our own weight file: the one that comes with the project, reading and writing."""

import subprocess
import sys
from dataclasses import replace

import h5py
import numpy as np
import pytest
from weight_files import (
    ALL_LAYERS,
    CHANNELS,
    NO_WEIGHT_FILE,
    NUMBERS,
    PUBLISHED_SHA256,
    SHIPPED,
    SHIPPED_LAYERS,
    assert_one_sentence,
    attributes,
    stored,
    write_small_file,
)

from ministyle.errors import MinistyleError
from ministyle.weights.file import Weights, load_weights, write_weights


@pytest.fixture
def small_file(tmp_path):
    return write_small_file(tmp_path / "small.h5")


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
    assert weights.architecture == "VGG-19"
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


# Reading and writing ---------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_was_written_is_read_again(tmp_path, dtype):
    layers = {name: tuple(array.astype(dtype) for array in arrays) for name, arrays in NUMBERS.items()}
    written = Weights(
        layers=layers,
        mean_activations={"conv1_2": np.arange(5, dtype=np.float32)},
        architecture="VGG-19",
        channel_order="RGB",
        pixel_mean=np.array([1.0, 2, 3]),
        pixel_scale=np.array([4.0, 5, 6]),
        path=tmp_path / "new folder" / "written.h5",
        attributes={"license": "none"},
    )
    write_weights(written)
    read = load_weights(written.path)
    for name in ("architecture", "channel_order", "path"):
        assert getattr(read, name) == getattr(written, name)
    np.testing.assert_array_equal(read.pixel_mean, written.pixel_mean)
    np.testing.assert_array_equal(read.pixel_scale, written.pixel_scale)
    assert list(read.layers) == ALL_LAYERS
    for name, arrays in layers.items():
        for array, original in zip(read.layers[name], arrays, strict=True):
            assert array.dtype == dtype
            np.testing.assert_array_equal(array, original)
    assert list(read.mean_activations) == ["conv1_2"]
    np.testing.assert_array_equal(read.mean_activations["conv1_2"], np.arange(5))
    assert read.attributes["license"] == "none"
    assert read.attributes["dtype"] == dtype
    assert list(read.attributes["layers"]) == ALL_LAYERS


def test_writing_again_what_was_read_changes_nothing(small_file, tmp_path):
    copy = tmp_path / "copy.h5"
    with h5py.File(small_file, "a") as file:
        file.attrs["layers"] = ALL_LAYERS
    write_weights(replace(load_weights(small_file), path=copy))
    for kind in ("kernel", "bias", "mean_activation"):
        np.testing.assert_equal(stored(copy, kind), stored(small_file, kind))
    np.testing.assert_equal(attributes(copy), attributes(small_file))


# Reading what is no weight file ----------------------------------------------------------------------


def damaged(path):
    with h5py.File(path) as file:
        offset = file["conv3_1/kernel"].id.get_chunk_info(0).byte_offset
    content = bytearray(path.read_bytes())
    content[offset : offset + 64] = bytes(64)
    path.write_bytes(content)


def without_preprocessing(path):
    with h5py.File(path, "a") as file:
        del file.attrs["pixel_mean"]


def without_architecture(path):
    with h5py.File(path, "a") as file:
        del file.attrs["network"]


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


BROKEN = [
    damaged,
    without_preprocessing,
    without_architecture,
    without_a_bias,
    with_a_layer_that_does_not_fit_the_one_before,
    without_layers,
]


@pytest.mark.parametrize("spoil", NO_WEIGHT_FILE + BROKEN)
def test_reading_refuses_what_is_no_whole_weight_file_in_one_sentence_with_its_path(small_file, spoil):
    load_weights(small_file)
    spoil(small_file)
    with pytest.raises(MinistyleError) as caught:
        load_weights(small_file)
    assert_one_sentence(caught.value, small_file)


# A full disk -----------------------------------------------------------------------------------------

# The system refuses to let a file grow beyond a limit, as it does where a disk is full.
FULL = """
import resource, signal, sys
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

from ministyle.errors import MinistyleError
from ministyle.weights.file import load_weights, write_weights

weights = replace(load_weights(sys.argv[1]), path=Path(sys.argv[2]))
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[3]),) * 2)
try:
    write_weights(weights)
except MinistyleError as error:
    print(error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such limit")
@pytest.mark.parametrize("limit", [0, 2000, 30_000])
def test_on_a_full_disk_the_old_file_stays_and_the_new_one_is_a_sentence(small_file, tmp_path, limit):
    folder = tmp_path / "full"
    folder.mkdir()
    (folder / "old.h5").write_bytes(b"precious")
    command = [sys.executable, "-c", FULL, small_file, folder / "old.h5", str(limit)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "old.h5' cannot be written: File too large" in done.stdout and done.stdout.count("\n") == 1
    assert (folder / "old.h5").read_bytes() == b"precious"
    assert [path.name for path in folder.iterdir()] == ["old.h5"]
