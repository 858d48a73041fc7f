"""Tests of which HDF5 files and archives count as Keras's, and of what is left out of them."""

import io
import zipfile

import h5py
import numpy as np
import pytest
from format_files import arrays_in, file_bytes, refused, zipped

from ministyle.files import shipped_path
from ministyle.formats.formats import FORMATS, _recognises

ROW = np.arange(6, dtype=np.float32)


def hdf5(arrays, **attributes):
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.attrs.update(attributes)
        for name, array in arrays.items():
            opened[name] = array
    return file.getvalue()


@pytest.mark.parametrize(
    ("arrays", "attributes"),
    [
        ({"block1_conv1/block1_conv1_W_1:0": ROW}, {}),
        ({"a/a/kernel:0": ROW}, {"layer_names": ["a"]}),
        ({"a/a/kernel:0": ROW}, {"keras_version": "2.1"}),
        ({"model_weights/a/a/kernel:0": ROW}, {}),
        ({"layers/conv2d/vars/0": ROW}, {}),
        ({"_layer_checkpoint_dependencies/conv2d/vars/0": ROW}, {}),
    ],
)
def test_all_ways_in_which_keras_names_things_are_known(arrays, attributes):
    read = arrays_in(hdf5(arrays, **attributes))
    assert list(read) == list(arrays)
    np.testing.assert_array_equal(*read.values(), ROW)


@pytest.mark.parametrize("attributes", [{"format": "ministyle weights 1"}, {"format": "ministyle weights 2"}])
def test_our_own_weight_file_is_not_keras(attributes):
    data = hdf5({"conv1_1/kernel": ROW, "layers/conv2d/vars/0": ROW}, layer_names=["a"], **attributes)
    assert "unknown format" in refused(data)


def test_the_shipped_weight_file_has_none_of_the_formats():
    with shipped_path("weights/vgg19.h5").open("rb") as file:
        assert [known.name for known in FORMATS if _recognises(known, file)] == []


def test_other_hdf5_is_unknown():
    assert "unknown format" in refused(hdf5({"measurements/voltage": ROW}))


def test_the_state_of_an_optimizer_is_left_out():
    arrays = {"model_weights/a/a/kernel:0": ROW, "optimizer_weights/adam/m:0": ROW}
    assert list(arrays_in(hdf5(arrays))) == ["model_weights/a/a/kernel:0"]
    arrays = {"layers/conv2d/vars/0": ROW, "optimizer/vars/1": ROW}
    assert list(arrays_in(hdf5(arrays))) == ["layers/conv2d/vars/0"]


def test_an_archive_that_was_packed_is_read():
    with zipfile.ZipFile(io.BytesIO(file_bytes("keras3.keras"))) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    assert len(arrays_in(zipped(members, zipfile.ZIP_DEFLATED))) == 38


def test_an_archive_without_weights_or_with_something_else_is_refused():
    assert "no member" in refused(zipped({"config.json": b"{}"}))
    assert "not HDF5" in refused(zipped({"config.json": b"{}", "model.weights.h5": b"numbers"}))
    assert "unknown format" in refused(zipped({"config.json": b"{}", "other": b""}))


@pytest.mark.parametrize("name", ["layers", "model_weights"])
def test_a_data_set_in_place_of_a_group_is_refused(name):
    assert "no group" in refused(hdf5({name: ROW}))
