"""A file is written whole or not at all."""

import hashlib
import os
import signal
import socket
import stat
import subprocess
import sys
import time

import pytest

from ministyle.errors import MinistyleError
from ministyle.files import STRAY_AGE, new_file, open_regular, read_regular, sha256, write_text

KILLED = """
import os, signal, sys
from ministyle.files import new_file

with new_file(sys.argv[1]) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_text_is_written_as_utf8_with_unix_lines(tmp_path):
    write_text(tmp_path / "text.csv", "ä,ö\n1,2\n")
    assert (tmp_path / "text.csv").read_bytes() == "ä,ö\n1,2\n".encode()


def test_a_write_that_fails_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "precious.txt"
    path.write_text("precious")
    with pytest.raises(ZeroDivisionError), new_file(path) as temporary:
        temporary.write_text("half")
        raise ZeroDivisionError
    assert [p.name for p in tmp_path.iterdir()] == ["precious.txt"]
    assert path.read_text() == "precious"


def test_others_may_read_a_new_file_as_any_other(tmp_path):
    (tmp_path / "plain").touch()
    write_text(tmp_path / "text", "")
    assert stat.S_IMODE((tmp_path / "text").stat().st_mode) == stat.S_IMODE((tmp_path / "plain").stat().st_mode)


def age(path, seconds):
    """Let a file seem older than it is."""
    then = time.time() - seconds
    os.utime(path, (then, then))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has another way to kill")
def test_what_a_killed_process_left_is_removed_by_the_next_one_after_an_hour(tmp_path):
    process = subprocess.run([sys.executable, "-c", KILLED, tmp_path / "text"], check=False)
    (stray,) = tmp_path.iterdir()
    assert process.returncode == -signal.SIGKILL and stray.read_text() == "half"
    for name, seconds, left in (("young", STRAY_AGE - 60, True), ("old", STRAY_AGE + 60, False)):
        folder = tmp_path / name
        folder.mkdir()
        moved = folder / stray.name
        moved.write_text("half")
        age(moved, seconds)
        write_text(folder / "text", "whole")
        assert moved.exists() == left


def test_nothing_else_is_removed(tmp_path):
    others = [f".ministyle-{os.getpid()}-a.png", ".ministyle-notes", ".ministyle--a", "ministyle-999999999-a", ".a.png"]
    for name in others:
        (tmp_path / name).touch()
        age(tmp_path / name, 10 * STRAY_AGE)
    (tmp_path / ".ministyle-999999999-folder").mkdir()  # which is no file
    age(tmp_path / ".ministyle-999999999-folder", 10 * STRAY_AGE)
    write_text(tmp_path / "text", "")
    assert {path.name for path in tmp_path.iterdir()} == {*others, "text", ".ministyle-999999999-folder"}


def test_what_cannot_be_written_is_said_in_one_sentence(tmp_path):
    with pytest.raises(MinistyleError, match=r"missing/text' cannot be written: No such file"):
        write_text(tmp_path / "missing" / "text", "")


@pytest.mark.parametrize("size", [0, 1, 3_000_001])
def test_sha256_is_that_of_the_whole_content(tmp_path, size):
    path = tmp_path / "file"
    for last in (b"a", b"b"):
        path.write_bytes(bytes(size) + last)
        assert sha256(path) == hashlib.sha256(bytes(size) + last).hexdigest()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="Windows has no named pipes")
@pytest.mark.parametrize(
    ("path", "error", "reason"),
    [
        ("pipe", MinistyleError, "'pipe' is a pipe"),
        ("socket", MinistyleError, "'socket' is a socket"),
        ("/dev/zero", MinistyleError, "'/dev/zero' is a device"),
        ("folder", IsADirectoryError, "folder"),
        ("missing", FileNotFoundError, "missing"),
    ],
)
def test_only_regular_files_are_opened(tmp_path, monkeypatch, path, error, reason):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    os.mkdir("folder")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        with pytest.raises(error, match=reason), open_regular(path):
            pass


def test_a_file_that_is_larger_than_it_may_be_is_refused(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    assert read_regular(tmp_path / "file", 7) == b"content"
    with pytest.raises(MinistyleError, match="file' has more than"):
        read_regular(tmp_path / "file", 6)


def test_a_regular_file_is_opened_from_its_beginning(tmp_path):
    (tmp_path / "file").write_bytes(b"content")
    with open_regular(tmp_path / "file") as file:
        assert file.read() == b"content"
