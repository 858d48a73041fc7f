"""Tests of what guards PyTorch's layouts."""

import io
import pickle
import re
import tarfile
import zipfile

import numpy as np
import pytest
from conftest import sentence
from format_files import arrays_in, file_bytes, refused
from pickle_files import BEGIN, END, archive, called, legacy, one, plain, tensor

from ministyle.formats.pytorch import PYTORCH

ROW = np.arange(6, dtype=np.float32)
STORAGE = {"0": ROW.tobytes()}


def both(operations, storage=ROW):
    """Return a dictionary with one tensor in both layouts."""
    pickled = one(operations)
    return archive(pickled, {"0": storage.tobytes()}), legacy(pickled, [("0", storage.size, storage.tobytes())])


@pytest.mark.parametrize(
    ("shape", "strides", "offset"),
    [((2, 3), (3, 1), 0), ((3, 2), (1, 3), 0), ((2,), (2,), 1), ((), (), 5), ((0, 4), (4, 1), 0), ((2, 2), (3, 2), 0)],
)
def test_a_tensor_is_the_view_that_its_strides_say(shape, strides, offset):
    wanted = np.lib.stride_tricks.as_strided(ROW[offset:], shape, [4 * stride for stride in strides])
    for data in both(tensor(shape, strides, offset)):
        np.testing.assert_array_equal(arrays_in(data)["w"], wanted)


@pytest.mark.parametrize(
    ("kind", "dtype"),
    [("Double", "f8"), ("Half", "f2"), ("Byte", "u1"), ("Char", "i1"), ("Short", "i2"), ("Int", "i4"), ("Long", "i8")],
)
def test_numbers_of_other_kinds_keep_their_type(kind, dtype):
    for data in both(tensor((6,), (1,), kind=f"{kind}Storage"), ROW.astype(dtype)):
        array = arrays_in(data)["w"]
        assert array.dtype == dtype
        np.testing.assert_array_equal(array, ROW)


def test_the_oldest_files_have_tensors_without_gradients_and_parts_of_storages():
    old = called(
        "torch._utils._rebuild_tensor",
        b"(" + plain("storage") + b"ctorch\nFloatStorage\n" + plain("0") + plain("cuda:0") + plain(6),
        plain(("view", 2, 3)) + b"tQ",
        plain(1),
        plain((2,)),
        plain((1,)),
    )
    for data in both(old):
        np.testing.assert_array_equal(arrays_in(data)["w"], [3, 4])


def test_a_parameter_is_its_tensor():
    parameter = called("torch._utils._rebuild_parameter", tensor((6,), (1,)), plain(True), plain({}))
    for data in both(parameter):
        np.testing.assert_array_equal(arrays_in(data)["w"], ROW)


@pytest.mark.parametrize("name", ["state_dict", "model_state_dict", "model", "params"])
def test_of_a_checkpoint_the_network_alone_is_read(name):
    state = b"}" + plain("w") + tensor((6,), (1,)) + b"s"
    optimizer = plain("optimizer") + b"}" + plain("moment") + tensor((3,), (1,)) + b"ss"
    data = archive(BEGIN + b"}" + plain(name) + state + b"s" + optimizer + END, STORAGE)
    assert list(arrays_in(data)) == ["w"]


def test_storages_of_what_is_no_part_of_the_network_are_stepped_over():
    state = b"}" + plain("w") + tensor((6,), (1,), key="later") + b"s"
    optimizer = plain("optimizer") + b"}" + plain("moment") + tensor((3,), (1,), kind="DoubleStorage") + b"ss"
    pickled = BEGIN + b"}" + plain("state_dict") + state + b"s" + optimizer + END
    data = legacy(pickled, [("0", 6, ROW.astype(float).tobytes()), ("later", 6, ROW.tobytes())])
    np.testing.assert_array_equal(arrays_in(data)["w"], ROW)


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (tensor((7,), (1,)), "28 bytes"),
        (tensor((2, 3), (4, 1)), "beyond"),
        (tensor((6,), (1,), 1), "beyond"),
        (tensor((3,), (3,)), "beyond"),
        (tensor((6,), (1,), -1), "offset, shape or strides"),
        (tensor((6,), (-1,), 5), "offset, shape or strides"),
        (tensor((-1,), (1,)), "offset, shape or strides"),
        (tensor((2.0,), (1,)), "offset, shape or strides"),
        (tensor((6,), (1, 1)), "offset, shape or strides"),
        (tensor((2**40, 2**40), (0, 0)), "bytes"),
        (tensor((1,) * 9, (1,) * 9), "9 dimensions"),
        (tensor((6,), (1,), length=7), "storage '0' claims 7"),
        (tensor((2**60,), (1,), length=2**60), f"storage '0' claims {2**60}"),
        (tensor((6,), (1,), length=-6), "storage that is none"),
        (tensor((6,), (1,), length="6"), "storage that is none"),
        (tensor((6,), (1,), kind="DoubleStorage"), "storage '0' claims|ends before"),
        (tensor((6,), (1,), key="1"), "no member 'archive/data/1'|'0' belongs to no tensor"),
        (tensor((3,), (1,), part=[("view", 4, 3)]), "storage '0' claims 3"),
        *(
            (tensor((3,), (1,), part=[("view", *part)]), "part of a storage")
            for part in ((-1, 3), (0.0, 3), (0, 3.0), (0, -3))
        ),
        (called("torch._utils._rebuild_tensor_v2", plain("0"), plain(0), plain(()), plain(())), "offset"),
        (plain("0") + b"Q", "no storage"),
        (plain(5) + b"Q", "no storage"),
        (plain(("storage", "FloatStorage", "0", "cpu")) + b"Q", "no storage"),
        (plain(("storage", "FloatStorage", "0", "cpu", 6, None, None)) + b"Q", "no storage"),
        (plain(("module", "FloatStorage", "0", "cpu", 6)) + b"Q", "no storage"),
        (plain(("storage", "FloatStorage", "0", "cpu", 6)) + b"Q", "storage that is none"),
    ],
)
def test_a_tensor_that_is_not_in_the_file_is_refused(operations, reason):
    first = archive(one(operations), STORAGE)
    second = legacy(one(operations), [("0", 6, ROW.tobytes())])
    for data in (first, second):
        assert re.search(reason, refused(data))


def test_a_storage_of_two_kinds_is_refused():
    pickled = (
        BEGIN
        + b"}"
        + b"".join(plain(name) + tensor((1,), (1,), kind=f"{name}Storage") + b"s" for name in ("Float", "Double"))
    )
    assert "two kinds" in refused(legacy(pickled + END, [("0", 6, ROW.tobytes())]))


@pytest.mark.parametrize("length", [7, 2**40, 2**63, 2**64 - 1])
def test_a_storage_longer_than_the_file_is_refused(length):
    assert "ends before" in refused(legacy(one(tensor((6,), (1,))), [("0", length, ROW.tobytes())]))


def test_a_broken_end_is_noticed_before_anything_is_read():
    data = legacy(one(tensor((6,), (1,))), [("0", 6, ROW.tobytes())])
    assert "ends before" in sentence(PYTORCH.tensors, io.BytesIO(data[:-1]))


@pytest.mark.parametrize("keys", [{"0": 1}, "0", 0, [0.5], [["0"]]])
def test_a_list_of_storages_that_is_none_is_refused(keys):
    data = legacy(one(tensor((6,), (1,))), [("0", 6, ROW.tobytes())])
    right = pickle.dumps(["0"], 2)
    assert data.count(right) == 1
    assert "list of storages is none" in refused(data.replace(right, pickle.dumps(keys, 2)))


def test_a_missing_storage_is_said():
    assert "'0' is missing" in refused(legacy(one(tensor((6,), (1,)))))


def test_numbers_with_the_highest_byte_first_are_refused():
    pickled = one(tensor((6,), (1,)))
    assert "highest byte" in refused(archive(pickled, STORAGE, byteorder=b"big"))
    assert "highest byte" in refused(legacy(pickled, [("0", 6, ROW.tobytes())], little_endian=False))
    assert list(arrays_in(archive(pickled, STORAGE, byteorder=b"little"))) == ["w"]


def test_an_archive_that_was_packed_again_is_read_and_a_bomb_is_not():
    packed = {"compression": zipfile.ZIP_DEFLATED}
    np.testing.assert_array_equal(arrays_in(archive(one(tensor((6,), (1,))), STORAGE, **packed))["w"], ROW)
    bomb = archive(one(tensor((6,), (1,))), {"0": bytes(10_000_000)}, **packed)
    assert "claims to unpack" in refused(bomb)


def test_a_tar_archive_is_refused_with_what_to_do():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        tar.addfile(tarfile.TarInfo("storages"))
    assert "save it again" in refused(file.getvalue())


def test_another_pickle_is_refused():
    for data in (pickle.dumps({"conv1_1": [1.0, 2.0]}, 2), pickle.dumps([1], 4), pickle.dumps(0x1950A86A, 2)):
        assert "none of torch.save" in refused(data)


def test_two_pickles_in_one_archive_are_refused():
    assert "several" in refused(archive(one(tensor((6,), (1,))), STORAGE, **{"other/data.pkl": b"."}))


def test_numbers_that_do_not_fit_their_checksum_are_refused():
    data = file_bytes("torchvision.pth")
    place = data.index(b"archive/data/0") if b"archive/data/0" in data else data.index(b"/data/0")
    place += 200  # within the numbers of the first kernel
    assert "damaged" in refused(data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :])
