"""Tests that a pickle builds what it should and runs nothing."""

import io
import os
import pickle
import subprocess
from collections import OrderedDict, defaultdict

import pytest
from conftest import sentence
from format_files import refused
from pickle_files import BEGIN, END, archive, called, legacy, named, one, plain

from ministyle.errors import MinistyleError
from ministyle.formats.pickles import read_pickle

NAMES = {"collections.OrderedDict": dict}
LAYOUTS = {"archive": archive, "legacy": legacy}
GADGETS = [
    "os.system",
    "posix.system",
    "builtins.eval",
    "builtins.exec",
    "builtins.getattr",
    "builtins.__import__",
    "__builtin__.eval",
    "subprocess.Popen",
    "runpy._run_code",
    "functools.partial",
    "operator.attrgetter",
    "codecs.encode",
    "copyreg._reconstructor",
    "collections.OrderedDict.fromkeys",
    "collections.defaultdict",
    "numpy.load",
    "numpy.core.multiarray._reconstruct",
    "numpy.testing._private.utils.runstring",
    "torch.load",
    "torch.hub.load",
    "torch.storage._load_from_bytes",
    "torch._utils._rebuild_device_tensor_from_numpy",
    "torch.jit.unsupported_tensor_ops.execWrapper",
    "torchvision.models.vgg.VGG",
]


def read(data, names=NAMES):
    return read_pickle(io.BytesIO(data), names, lambda identifier: ("outside", identifier))


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize(
    "value",
    [
        {"a": [1, 2.5, None, True, False], "b": (), "c": (1,), "d": (1, 2), "e": (1, 2, 3), "f": (1, 2, 3, 4)},
        OrderedDict([("x", -1), ("y", 2**70), (3, 300), (4, 70000)]),
        ["text", "\N{SNOWMAN}" * 300, {"nested": {"deeper": []}}, [], {}],
        [shared := [1, 2], shared, {"again": shared}],
    ],
)
def test_plain_values_are_read_as_python_reads_them(value, protocol):
    assert read(pickle.dumps(value, protocol)) == value


def test_the_file_is_left_behind_the_pickle():
    file = io.BytesIO(pickle.dumps([1], 2) + pickle.dumps([2], 2) + b"rest")
    assert [read_pickle(file, {}, None), read_pickle(file, {}, None), file.read()] == [[1], [2], b"rest"]


class Touch:
    """Makes a file when Python's own pickle reads it."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


@pytest.mark.parametrize("protocol", range(6))
@pytest.mark.parametrize("wrap", [lambda evil: evil, lambda evil: {"state_dict": {"conv1_1.weight": evil}}])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_code_in_a_pickle_does_not_run(tmp_path, layout, wrap, protocol):
    marker = tmp_path / "marker"
    for evil in (
        Touch(os.system, f"touch '{marker}'"),
        Touch(eval, f"open({str(marker)!r}, 'w')"),
        Touch(exec, f"open({str(marker)!r}, 'w')"),
        Touch(subprocess.check_call, ["touch", str(marker)]),
        Touch(open, str(marker), "w"),
        Touch(pickle.loads, pickle.dumps(Touch(os.mkdir, str(marker)))),
    ):
        pickled = pickle.dumps(wrap(evil), protocol)
        message = refused(LAYOUTS[layout](pickled))
        assert "would run that code" in message
        assert not marker.exists()


@pytest.mark.parametrize("name", GADGETS)
def test_a_name_outside_the_table_is_refused_and_said(name):
    for operations in (called(name, plain("x")), named(name)):
        for layout in LAYOUTS.values():
            assert repr(name) in refused(layout(one(operations)))


@pytest.mark.parametrize("name", ["os.system", "collections.OrderedDict"])
@pytest.mark.parametrize(
    "operations",
    [
        lambda module, last: f"(X\1\0\0\0xi{module}\n{last}\n".encode(),  # INST
        lambda module, last: f"(c{module}\n{last}\nX\1\0\0\0xo".encode(),  # OBJ
        lambda module, last: f"c{module}\n{last}\nX\1\0\0\0x\x85\x81".encode("latin-1"),  # NEWOBJ
        lambda module, last: f"c{module}\n{last}\n)}}\x92".encode("latin-1"),  # NEWOBJ_EX
        lambda module, last: b"\x82\x01",  # EXT1, a name that a table of the process has
        lambda module, last: b"Pid\n",  # PERSID
        lambda module, last: b"\x96\xff\xff\xff\xff\xff\xff\xff\x00",  # BYTEARRAY8, longer than any file
    ],
)
def test_other_ways_to_make_objects_are_refused(operations, name):
    with pytest.raises((MinistyleError, ValueError)):
        read(BEGIN + operations(*name.rsplit(".", 1)) + END)


@pytest.mark.parametrize("target", [plain("text"), plain(3), b")", named("collections.OrderedDict")])
def test_only_what_the_table_has_is_called(target):
    if target.startswith(b"c"):
        assert read(BEGIN + target + b")R" + END) == {}
    else:
        assert "no function" in sentence(read, BEGIN + target + b")R" + END)


def test_neither_what_is_outside_nor_a_value_of_the_table_is_called():
    """What stands for an object elsewhere comes from the file, so it is never called, whatever it is."""
    called_by = []
    file = io.BytesIO(BEGIN + plain("id") + b"Q)R" + END)
    assert "no function" in sentence(read_pickle, file, NAMES, lambda identifier: lambda: called_by.append(identifier))
    assert called_by == []
    assert "no function" in sentence(read, BEGIN + named("a.value") + b")R" + END, {"a.value": 3})


@pytest.mark.parametrize(
    ("operations", "reason"),
    [
        (plain("text") + b"}b", "attributes"),
        (b")" + plain(1) + b"a", "appends"),
        (plain(1) + plain(2) + plain(3) + b"s", "sets items"),
        (b"}" + b")" + plain(3) + b"s", "keys"),
    ],
)
def test_operations_on_what_does_not_fit_are_refused(operations, reason):
    assert reason in sentence(read, BEGIN + operations + END)


def test_attributes_of_a_dictionary_are_dropped():
    state = OrderedDict(a=1)
    state._metadata = {"version": 1}
    assert read(pickle.dumps(state, 2)) == {"a": 1}


def test_a_dictionary_of_a_program_is_refused():
    assert "'collections.defaultdict'" in refused(archive(pickle.dumps(defaultdict(list), 2)))


def test_more_operations_than_a_network_takes_are_refused(monkeypatch):
    monkeypatch.setattr("ministyle.formats.pickles.MOST_OPERATIONS", 100)
    assert "100 operations" in sentence(read, pickle.dumps([[] for _ in range(100)], 2))


def test_endless_nesting_and_a_list_within_itself_are_refused():
    assert "containers" in refused(archive(BEGIN + b"]" * 100_000 + b"a" * 99_999 + END))
    assert "containers" in refused(archive(BEGIN + b"]q\0h\0a" + END))
    assert "containers" in refused(archive(BEGIN + b")" + b"\x85" * 500_000 + END))
    assert "containers" in refused(archive(BEGIN + b"]" + b"q\0h\0\x86" * 60 + END))  # 2**60 times one list
    assert "containers" in refused(archive(BEGIN + b"]" + b"q\0h\0\x86" * 15 + END))  # not deep, but much


def doubled(times):
    """Return the operations that push a tuple of two tuples of two tuples, and so on; as a text it has no end."""
    start = b")" + b"q\x00"
    return start + b"".join(b"h" + bytes([n]) + b"\x86q" + bytes([n + 1]) for n in range(times))


@pytest.mark.parametrize("operations", [doubled(100) + plain("x"), plain("x") + doubled(100)])
def test_tuples_in_tuples_as_a_name_are_not_turned_into_text(operations):
    assert "no name" in sentence(read, BEGIN + operations + b"\x93" + END)


def test_tuples_in_tuples_as_the_key_of_a_storage_are_not_turned_into_text():
    storage = b"(" + plain("storage") + named("torch.FloatStorage") + doubled(100) + plain("cpu") + plain(6) + b"tQ"
    arguments = storage, plain(0), plain((6,)), plain((1,))
    assert "a storage that is none" in refused(archive(one(called("torch._utils._rebuild_tensor_v2", *arguments))))


class Watched(io.BytesIO):
    most = 0

    def read(self, length=-1):
        self.most = max(self.most, length)
        return super().read(length)


@pytest.mark.parametrize("operation", [b"\x8d", b"\x8e"])  # a text, and bytes, of 8 bytes of length
def test_no_more_bytes_are_asked_for_than_there_are(operation):
    file = Watched(BEGIN + operation + (1 << 40).to_bytes(8, "little") + b"few")
    assert "too early" in sentence(read_pickle, file, {}, None)
    assert file.most < 100
