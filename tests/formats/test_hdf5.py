"""Tests that HDF5 from strangers is read from its own file alone."""

import io
import os

import h5py
import numpy as np
import pytest
from conftest import sentence
from format_files import refused

from ministyle.formats.hdf5 import DEEPEST, MOST_GROUPS, data_sets, group_in, is_hdf5

ROW = np.arange(6, dtype=np.float32)


def made(fill):
    """Return an HDF5 file, open, that a function has filled."""
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        fill(opened)
    return h5py.File(file, "r")


@pytest.fixture
def secret(tmp_path, monkeypatch):
    """A file that an attacker would like to be read; it is an HDF5 file with the data set `a`."""
    monkeypatch.chdir(tmp_path)
    with h5py.File("secret.h5", "w") as file:
        file["a"] = ROW
    return "secret.h5"


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"chunks": (2,)},
        {"compression": "gzip"},
        {"compression": "gzip", "shuffle": True},
        {"dtype": ">f8"},
        {"dtype": "f2"},
        {"dtype": "i4"},
    ],
)
def test_data_sets_in_the_file_are_read(options):
    found = data_sets(made(lambda file: file.create_dataset("a/b/c", data=ROW, **options)))
    assert list(found) == ["a/b/c"]
    assert found["a/b/c"].shape == (6,)
    np.testing.assert_array_equal(found["a/b/c"].read(), ROW)


def test_texts_and_nothing_are_no_tensors():
    def fill(file):
        file["text"] = "conv1_1"
        file["nothing"] = h5py.Empty("f4")
        file["record"] = np.zeros(2, [("a", "f4")])

    found = data_sets(made(fill))
    assert [tensor.read() for tensor in found.values()] == [None] * 3


def external_storage(file):
    file.create_dataset("a", (6,), "f4", external=[("secret.h5", 0, 24)])


def external_link(file):
    file["a"] = h5py.ExternalLink("secret.h5", "a")


def soft_link(file):
    file["a"] = h5py.SoftLink("/b")


def virtual(file):
    layout = h5py.VirtualLayout((6,), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "a", (6,))
    file.create_virtual_dataset("a", layout)


def endless_virtual(file):
    layout = h5py.VirtualLayout((6,), "f4", maxshape=(None,))
    layout[: h5py.h5s.UNLIMITED] = h5py.VirtualSource("secret.h5", "a", (6,), maxshape=(None,))[: h5py.h5s.UNLIMITED]
    file.create_virtual_dataset("a", layout)


def within_itself(file):
    file.create_group("a")["b"] = file["/"]


def deep(file):
    file["a/" * (DEEPEST + 2) + "a"] = ROW


def many(file):
    for number in range(MOST_GROUPS + 1):
        file.create_group(str(number))


FILLS = {
    external_storage: "another file",
    external_link: "link",
    soft_link: "link",
    virtual: "another file",
    endless_virtual: "another file",
    within_itself: "within",
    deep: "within",
    many: "more groups",
    lambda file: file.create_group("a" * 256): "longer names",
    lambda file: file.create_dataset("a", data=ROW, compression="lzf"): "filter",
    lambda file: file.create_dataset("a", data=ROW, fletcher32=True): "filter",
    lambda file: file.create_dataset("a", data=ROW, scaleoffset=3): "filter",
    lambda file: file.create_dataset("a", (2**40,), "f4"): "claims",
    lambda file: file.create_dataset("a", (2**40,), "f4", chunks=(2**20,), fillvalue=1): "claims",
}


@pytest.mark.parametrize("fill", FILLS)
def test_what_is_elsewhere_or_larger_than_the_file_is_refused(secret, fill):
    os.utime(secret, (1, 1))
    assert FILLS[fill] in sentence(data_sets, made(fill))
    assert os.stat(secret).st_atime == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
@pytest.mark.parametrize("fill", [external_storage, external_link, virtual, endless_virtual])
@pytest.mark.parametrize("place", ["a", "layers", "model_weights", "block1_conv1"])
def test_a_pipe_that_a_file_names_is_not_opened(tmp_path, monkeypatch, fill, place):
    """Whoever opened it would wait for a writer without end."""
    monkeypatch.chdir(tmp_path)
    os.mkfifo("secret.h5")
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.attrs["layer_names"] = ["a"]
        fill(opened)
        if place != "a":
            opened.move("a", place)
    assert any(reason in refused(file.getvalue()) for reason in (FILLS[fill], "no group"))


@pytest.mark.parametrize("fill", [external_link, soft_link])
def test_a_group_is_not_looked_for_in_another_file(secret, fill):
    assert "link" in sentence(group_in, made(fill), "a")


def test_a_data_set_is_no_group():
    assert "no group" in sentence(group_in, made(lambda file: file.create_dataset("a", data=ROW)), "a")


def test_numbers_that_pack_too_well_are_refused():
    file = io.BytesIO()
    with h5py.File(file, "w") as opened:
        opened.attrs["layer_names"] = ["a"]
        opened.create_dataset("a", (10**9,), "f4", chunks=(10**6,), compression="gzip")[:1] = 1
    assert "claims" in refused(file.getvalue())


def test_hdf5_is_known_by_its_beginning():
    file = io.BytesIO()
    with h5py.File(file, "w"):
        pass
    assert is_hdf5(file)
    assert not is_hdf5(io.BytesIO(b"PK\3\4"))
    assert "unknown format" in refused(file.getvalue())
    assert "damaged" in refused(file.getvalue()[:100])
