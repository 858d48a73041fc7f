"""Tests of our own weight file's guards: what a file claims is compared with the architecture before it is read."""

import os
import re

import h5py
import numpy as np
import pytest
from conftest import sentence
from weight_files import SHIPPED, write_small_file

from ministyle.weights import file as file_module
from ministyle.weights.file import load_weights
from ministyle.weights.own import check_layers, read_own


@pytest.fixture
def small_file(tmp_path):
    return write_small_file(tmp_path / "small.h5")


def replaced(name, array, **options):
    """Return a function that puts another data set in the place of one."""

    def spoil(file):
        del file[name]
        file.create_dataset(name, data=array, **options)

    return spoil


def with_attribute(name, value):
    def spoil(file):
        file.attrs[name] = value

    return spoil


def outside(file):
    """The bias's numbers are the first bytes of another file."""
    del file["conv1_1/bias"]
    file.create_dataset("conv1_1/bias", (4,), np.float32, external=[("secret", 0, 16)])


def external_link(file):
    del file["conv1_1/bias"]
    file["conv1_1/bias"] = h5py.ExternalLink("other.h5", "/bias")


def soft_link(file):
    del file["conv1_1/bias"]
    file["conv1_1/bias"] = h5py.SoftLink("/conv1_2/bias")


def virtual(file):
    del file["conv1_1/bias"]
    layout = h5py.VirtualLayout((4,), np.float32)
    layout[:] = h5py.VirtualSource("other.h5", "bias", (4,))
    file.create_virtual_dataset("conv1_1/bias", layout)


def unused_giant(file):
    """A data set that no layer needs, which claims 160 GB and holds nothing."""
    del file["conv5_4/mean_activation"]
    file.create_dataset("conv5_4/mean_activation", (40_000_000_000,), np.float32, chunks=(1 << 20,))


def giant_kernel(file):
    del file["conv1_1/kernel"]
    file.create_dataset("conv1_1/kernel", (3, 3, 3, 40_000_000), np.float32, chunks=(3, 3, 3, 10_000), compression=9)


def lzf(file):
    array = file["conv1_1/kernel"][...]
    replaced("conv1_1/kernel", array, compression="lzf")(file)


def with_reference(file):
    file.attrs["license"] = file["conv1_1"].ref


def with_rows(file):
    """Rows of any length."""
    rows = np.empty(1, object)
    rows[0] = np.arange(3, dtype=np.int32)
    file.attrs.create("license", rows, dtype=h5py.vlen_dtype(np.int32))


def without_format(file):
    del file.attrs["format"]


def with_many_attributes(file):
    for number in range(101):
        file.attrs[f"attribute {number}"] = number


def many_groups(file):
    for number in range(1001):
        file.create_group(f"group {number}")


HOSTILE = {
    "outside": (outside, "in another file"),
    "external link": (external_link, "link"),
    "soft link": (soft_link, "link"),
    "virtual": (virtual, "in another file"),
    "unused giant": (unused_giant, "160000000000 bytes"),
    "giant kernel": (giant_kernel, "bytes"),
    "lzf": (lzf, "filter"),
    "an attribute that is a table": (with_attribute("license", np.zeros((2, 3))), "'license' is larger"),
    "an attribute that is a reference": (with_reference, "'license' is neither"),
    "an attribute of rows of numbers": (with_rows, "'license' is neither"),
    "an attribute of several parts": (with_attribute("license", np.zeros(1, "f4,i4")), "'license' is neither"),
    "no format": (without_format, "no weight file of ministyle"),
    "many attributes": (with_many_attributes, "attributes"),
    "many groups": (many_groups, "more groups"),
    "another data set": (
        lambda file: file.create_dataset("conv1_1/extra", data=np.zeros(3, "f4")),
        "'conv1_1/extra', which is no part",
    ),
    "another layer": (lambda file: file.create_dataset("conv6_1/bias", data=np.zeros(3, "f4")), "conv6_1"),
    "no VGG": (with_attribute("network", "VGG-20"), "'VGG-20'"),
    "too many channels": (replaced("conv5_4/bias", np.zeros(513, np.float32)), "conv5_4"),
    "a mean too long": (replaced("conv5_4/mean_activation", np.zeros(5, np.float32)), "conv5_4"),
    "whole numbers": (replaced("conv1_1/bias", np.zeros(4, np.int32)), "int32"),
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_a_file_must_not_hold_is_refused_before_it_is_read(small_file, monkeypatch, kind):
    spoil, reason = HOSTILE[kind]
    monkeypatch.chdir(small_file.parent)
    (small_file.parent / "secret").write_bytes(np.float32([1, 2, 3, 4]).tobytes())
    with h5py.File("other.h5", "w") as other:
        other["bias"] = np.float32([1, 2, 3, 4])
    with h5py.File(small_file, "a", libver="latest") as file:
        spoil(file)

    def read(*arguments, **options):
        raise AssertionError("a data set was read")

    monkeypatch.setattr(h5py.Dataset, "__getitem__", read)
    with open(small_file, "rb") as file:
        assert re.search(reason, sentence(read_own, file))


FIRST = {"conv1_1/kernel": (3, 3, 3, 8), "conv1_1/bias": (8,)}
BIAS = r"bias of conv1_1 .* must have shape \(C,\)"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, None),
        ({"conv1_2/kernel": (3, 3, 8, 8), "conv1_2/bias": (8,)}, None),
        ({"conv2_1/kernel": (3, 3, 8, 8), "conv2_1/bias": (8,)}, "the first 2 convolutions"),
        ({"conv1_1/bias": None}, BIAS),
        ({"conv1_1/bias": (8, 1)}, BIAS),
        ({"conv1_1/bias": ()}, BIAS),
        ({"conv1_1/bias": (0,), "conv1_1/kernel": (3, 3, 3, 0)}, BIAS),
        ({"conv1_1/bias": (65,), "conv1_1/kernel": (3, 3, 3, 65)}, BIAS),
        ({"conv1_1/kernel": (3, 3, 8, 3)}, "kernel of conv1_1"),
        ({"conv1_2/bias": (8,)}, "a bias of conv1_2 and no kernel"),
        ({"conv1_1/mean_activation": (8, 1)}, "mean activation of conv1_1"),
        ({"conv1_1/mean_activation": (9,)}, "mean activation of conv1_1"),
        ({"conv2_1/mean_activation": (129,)}, "mean activation of conv2_1"),
        ({"conv2_1/mean_activation": (0,)}, "mean activation of conv2_1"),
        ({"conv2_1/mean_activation": (128,)}, None),
        ({"conv1_9/mean_activation": (8,)}, "conv1_9"),
        ({"conv1_1/kernel": None}, "no layers"),
    ],
)
def test_shapes_that_are_not_the_architecture_s_are_refused(changes, reason):
    shapes = {name: shape for name, shape in {**FIRST, **changes}.items() if shape is not None}
    dtypes = dict.fromkeys(shapes, "float32")
    if reason is None:
        check_layers(shapes, dtypes, "VGG-19")
    else:
        assert re.search(reason, sentence(check_layers, shapes, dtypes, "VGG-19"))


def test_an_attribute_that_is_longer_than_those_of_a_weight_file_is_refused(tmp_path):
    """HDF5 keeps one longer than 64 KB where a file is of its newest format from the beginning."""
    with h5py.File(tmp_path / "long.h5", "w", libver="latest") as file, h5py.File(SHIPPED) as shipped:
        file.attrs.update(shipped.attrs)
        file.attrs["license"] = np.bytes_(b"x" * 70_000)
    with open(tmp_path / "long.h5", "rb") as file:
        assert "'license' is larger" in sentence(read_own, file)


BAD_VALUES = {
    "nan": replaced("conv1_1/bias", np.float32([1, np.nan, 3, 4])),
    "infinity": replaced("conv2_1/mean_activation", np.float32([1, np.inf, 3, 4, 5, 6])),
    "channel_order": with_attribute("channel_order", "GBR"),
    "channel_order is a number": with_attribute("channel_order", 3),
    "pixel_mean of 4": with_attribute("pixel_mean", [1.0, 2, 3, 4]),
    "pixel_mean of text": with_attribute("pixel_mean", "grey"),
    "pixel_mean is nan": with_attribute("pixel_mean", [1.0, np.nan, 3]),
    "pixel_scale of 1": with_attribute("pixel_scale", 1.0),
    "pixel_scale with 0": with_attribute("pixel_scale", [1.0, 0, 1]),
}


@pytest.mark.parametrize("kind", BAD_VALUES)
def test_values_that_no_network_has_are_refused(small_file, kind):
    load_weights(small_file)
    with h5py.File(small_file, "a") as file:
        BAD_VALUES[kind](file)
    assert str(small_file) in sentence(load_weights, small_file)


def test_a_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe.h5")
    assert "pipe.h5" in sentence(load_weights, tmp_path / "pipe.h5")


def test_only_the_file_that_comes_with_the_project_is_read_without_a_process_of_its_own(small_file, monkeypatch):
    isolated = []

    def read_isolated(task, file):
        isolated.append(file.name)
        return read_own(file)

    monkeypatch.setattr(file_module, "read_isolated", read_isolated)
    load_weights(SHIPPED)
    assert isolated == []
    load_weights(small_file)
    assert len(isolated) == 1
