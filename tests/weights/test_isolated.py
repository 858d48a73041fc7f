"""Tests of reading a file in a process of its own."""

import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from conftest import sentence
from weight_files import NUMBERS, ROOT, write_small_file

from ministyle.errors import MinistyleError
from ministyle.weights import isolated
from ministyle.weights.isolated import Limits, read_isolated, received


@pytest.fixture
def small_file(tmp_path):
    return write_small_file(tmp_path / "small.h5")


def as_child(monkeypatch, code):
    """Let the child run other code, which stands for a reader that a forged file has taken over."""
    monkeypatch.setattr(isolated, "START", textwrap.dedent(code))


def test_arrays_come_back_as_the_file_has_them(small_file):
    with open(small_file, "rb") as file:
        about, arrays = read_isolated("own", file)
    assert about["network"] == "VGG-19"
    for name, (kernel, bias) in NUMBERS.items():
        np.testing.assert_array_equal(arrays[f"{name}/kernel"], kernel.astype(np.float16))
        np.testing.assert_array_equal(arrays[f"{name}/bias"], bias.astype(np.float16))
        np.testing.assert_array_equal(arrays[f"{name}/mean_activation"], np.full(len(bias), 3, np.float32))


WHOLE = """
import sys
header = b'{"about": {"network": "VGG-19"}, "arrays": '
header += b'[["conv1_1/kernel", [3, 3, 3, 1], "float32"], ["conv1_1/bias", [1], "float32"]]}'
sys.stdout.buffer.write(len(header).to_bytes(8, "little") + header + bytes(4 * 28))
sys.stdout.buffer.flush()
"""
UNNOTICED = "exit", "rubbish", "a long list"  # by the status
CRASHES = {
    "segmentation fault": "import ctypes; ctypes.string_at(0)",
    "abort": "import os; os.abort()",
    "an exception": "raise RuntimeError('boo')",
    "exit after a whole answer": WHOLE + "import os; os.abort()",
    "exit": "import os; os._exit(0)",
    "rubbish": "import sys; sys.stdout.write('x' * 10000)",
    "a long list": "import sys; sys.stdout.buffer.write(b'\\xff' * 8)",
}


@pytest.mark.parametrize("kind", CRASHES)
def test_a_child_that_crashes_or_talks_rubbish_is_a_sentence(small_file, monkeypatch, kind):
    as_child(monkeypatch, CRASHES[kind])
    with open(small_file, "rb") as file:
        said = sentence(read_isolated, "own", file)
    assert said.startswith("it is damaged") and ("ended with status" in said) == (kind not in UNNOTICED)


def test_a_child_that_hangs_is_ended(small_file, monkeypatch):
    as_child(monkeypatch, "import time; time.sleep(600)")
    monkeypatch.setattr(Limits, "for_file", lambda size: Limits(0.5, 1 << 30))
    start = time.monotonic()
    with open(small_file, "rb") as file:
        assert "takes longer" in sentence(read_isolated, "own", file)
    assert time.monotonic() - start < 60


def test_a_python_that_does_not_know_its_program_says_so(small_file, monkeypatch):
    """As one that is part of another program."""
    monkeypatch.setattr(sys, "executable", "")
    with open(small_file, "rb") as file:
        assert "a Python of its own" in sentence(read_isolated, "own", file)


def test_ctrl_c_ends_the_child_too(small_file, monkeypatch, tmp_path):
    as_child(
        monkeypatch, f"import os, time; open({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid())); time.sleep(100)"
    )
    start = time.monotonic()
    previous = signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    signal.setitimer(signal.ITIMER_REAL, 2)
    try:
        with pytest.raises(KeyboardInterrupt), open(small_file, "rb") as file:
            read_isolated("own", file)
    finally:
        signal.signal(signal.SIGALRM, previous)
    assert time.monotonic() - start < 60
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


LIMITED = """
    import io, sys
    sys.path.insert(0, {root!r})
    from ministyle.weights import isolated
    import {module}
    isolated.limit_process(isolated.Limits(seconds=2, bytes=1 << 29))
    {action}
"""
FORBIDDEN = {
    "open a file": ("os", "open('/etc/hostname')", "Too many open files"),
    "write a file": ("os", "os.open('made', os.O_CREAT | os.O_WRONLY)", "Too many open files"),
    "connect": ("socket", "socket.socket()", "Too many open files"),
    "run a program": ("subprocess", "subprocess.run(['touch', 'made'], check=True)", "Too many open files"),
    "take memory": ("numpy", "numpy.empty(1 << 28)", "MemoryError"),
}


@pytest.mark.parametrize("kind", FORBIDDEN)
def test_the_limits_hold(tmp_path, kind):
    module, action, words = FORBIDDEN[kind]
    done = run_limited(tmp_path, module, action)
    assert done.returncode == 1 and words in done.stderr
    assert os.listdir(tmp_path) == []


def test_the_limit_of_time_holds_without_a_parent(tmp_path):
    done = run_limited(tmp_path, "os", "[None for _ in iter(int, 1) if False]")
    assert done.returncode in (-signal.SIGXCPU, -signal.SIGKILL)


def run_limited(folder, module, action):
    code = textwrap.dedent(LIMITED.format(root=str(ROOT), module=module, action=action))
    return subprocess.run([sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, timeout=60)


def message(about, arrays, content):
    header = json.dumps({"about": about, "arrays": arrays}).encode()
    return io.BytesIO(len(header).to_bytes(8, "little") + header + content)


def layers(**changes):
    listed = {"conv1_1/kernel": [(3, 3, 3, 4), "float32"], "conv1_1/bias": [(4,), "float32"], **changes}
    return [[name, shape, dtype] for name, (shape, dtype) in listed.items()]


def test_a_list_that_fits_the_architecture_is_believed():
    about, arrays = received(message({"network": "VGG-19"}, layers(), bytes(4 * (108 + 4))))
    assert about == {"network": "VGG-19"} and arrays["conv1_1/kernel"].shape == (3, 3, 3, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"conv1_1/kernel": [(3, 3, 3, 40_000_000_000), "float32"]},
        {"conv1_1/bias": [(-4,), "float32"]},
        {"conv1_1/bias": [(4,), "object"]},
        {"conv1_1/bias": [(4,), "float64"]},
        {"conv9_9/bias": [(4,), "float32"]},
        {"conv1_2/kernel": [(3, 3, 4, 64), "float32"], "conv1_2/bias": [(64,), "float32"]},  # too few numbers follow
        {"../../etc/passwd": [(4,), "float32"]},
    ],
)
def test_nothing_that_a_child_sends_is_believed(changes):
    with pytest.raises(MinistyleError):
        received(message({"network": "VGG-19"}, layers(**changes), bytes(4 * (108 + 4))))


@pytest.mark.parametrize("about", [{}, {"network": "VGG-20"}, {"network": None}, {"network": ["VGG-19"]}, 7, None])
def test_a_network_that_there_is_not_is_not_believed(about):
    with pytest.raises(MinistyleError):
        received(message(about, layers(), bytes(4 * (108 + 4))))
