"""Tests of getting a published file, from a server on this machine."""

import hashlib
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from conftest import sentence
from weight_files import SHIPPED, stored, write_keras_file

from ministyle.command import main
from ministyle.weights import known as known_files
from ministyle.weights.fetch import fetch
from ministyle.weights.find import user_path
from ministyle.weights.known import PREPROCESSING, KnownFile

CONTENT = bytes(range(256)) * 4000  # about 1 MB


class Server(ThreadingHTTPServer):
    """A server whose files can break off, be wrong or be missing.

    Attributes
    ----------
    files : dict, path -> bytes
    breaks_after : dict, path -> bytes after which the connection ends, once
    ranges : bool, whether it goes on where it is asked to
    asked : list of (path, header Range or None)
    """

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.breaks_after, self.ranges, self.asked = {}, {}, True, []

    def url(self, path):
        return f"http://127.0.0.1:{self.server_port}{path}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        server, wanted = self.server, self.headers.get("Range")
        server.asked.append((self.path, wanted))
        content = server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and server.ranges else 0
        if start >= len(content):
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        end = server.breaks_after.pop(self.path, None)
        self.wfile.write(content[start:end])

    def log_message(self, *_):
        pass


@pytest.fixture
def server():
    server = Server()
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def publish(server, monkeypatch, tmp_path):
    """A function that makes a file known, with addresses on the server; it returns the folder for what is fetched."""

    def publish(content, *paths, file="small.h5"):
        known = KnownFile(
            "small",
            file,
            "a small file",
            "VGG-19",
            PREPROCESSING["caffe"],
            sha256=hashlib.sha256(content).hexdigest(),
            urls=tuple(server.url(path) for path in paths),
        )
        monkeypatch.setattr(known_files, "KNOWN_FILES", (known,))
        return tmp_path / "fetched"

    return publish


def test_a_file_is_fetched_once(server, publish):
    server.files["/a/small.h5"] = CONTENT
    folder = publish(CONTENT, "/a/small.h5")
    path = fetch("small", folder=folder, progress=False)
    assert path.read_bytes() == CONTENT
    assert [one.name for one in folder.iterdir()] == [path.name]
    assert fetch("small", folder=folder, progress=False) == path
    assert len(server.asked) == 1


@pytest.mark.parametrize("ranges", [True, False])
def test_what_broke_off_is_gone_on_with(server, publish, ranges):
    server.files["/a/small.h5"] = CONTENT
    server.breaks_after["/a/small.h5"] = 600_000
    server.ranges = ranges
    folder = publish(CONTENT, "/a/small.h5")
    assert "by hand" in sentence(fetch, "small", folder=folder, progress=False)
    (part,) = folder.iterdir()
    got = part.read_bytes()
    assert 0 < len(got) <= 600_000 and CONTENT.startswith(got)
    assert fetch("small", folder=folder, progress=False).read_bytes() == CONTENT
    assert server.asked[1] == ("/a/small.h5", f"bytes={len(got)}-")


def test_a_mirror_is_taken_where_the_first_address_fails_or_has_another_file(server, publish):
    server.files |= {"/b/small.h5": b"a page that says that you must log in", "/c/small.h5": CONTENT}
    folder = publish(CONTENT, "/a/small.h5", "/b/small.h5", "/c/small.h5")
    assert fetch("small", folder=folder, progress=False).read_bytes() == CONTENT
    assert [path for path, _ in server.asked] == ["/a/small.h5", "/b/small.h5", "/c/small.h5"]


def test_a_failure_says_what_to_do_by_hand_and_leaves_the_file_that_was_there(server, publish):
    server.files["/a/small.h5"] = CONTENT[:-1] + b"x"
    folder = publish(CONTENT, "/a/small.h5", "/b/small.h5")
    said = sentence(fetch, "small", folder=folder, progress=False)
    for part in (server.url("/a/small.h5"), server.url("/b/small.h5"), "404", "weights import small.h5"):
        assert part in said
    assert list(folder.iterdir()) == []


def test_a_part_that_is_of_another_file_is_thrown_away(server, publish):
    server.files["/a/small.h5"] = CONTENT
    folder = publish(CONTENT, "/a/small.h5")
    folder.mkdir()
    (folder / "small-small.h5.part").write_bytes(b"x" * 2_000_000)
    sentence(fetch, "small", folder=folder, progress=False)
    assert fetch("small", folder=folder, progress=False).read_bytes() == CONTENT


def test_a_file_whose_whole_sum_is_not_known_is_not_fetched():
    assert "whole checksum; by hand: download" in sentence(fetch, "vgg19-torchvision")


def test_without_pooch_the_sentence_says_so_and_how_to_do_without(monkeypatch):
    monkeypatch.setitem(sys.modules, "pooch", None)
    said = sentence(fetch, "vgg19")
    assert "extra fetch" in said and "by hand: download https://storage.googleapis.com/" in said


def test_the_command_fetches_and_imports_for_the_next_run(server, publish, monkeypatch, tmp_path, capsys):
    def run(*arguments):
        return main(["weights", "fetch", "small", "--quiet", *arguments]), *capsys.readouterr()

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    kernels, biases = stored(SHIPPED, "kernel"), stored(SHIPPED, "bias")
    numbers = {name: (kernels[name], biases[name]) for name in list(kernels)[:3]}
    content = write_keras_file(tmp_path / "small.h5", numbers=numbers).read_bytes()
    server.files["/a/small.h5"] = content
    publish(content, "/a/small.h5")
    status, out, _ = run()
    assert status == 0 and str(user_path()) in out and "a small file" in out
    assert list(stored(user_path(), "kernel")) == ["conv1_1", "conv1_2", "conv2_1"]
    before = user_path().read_bytes()
    status, _, err = run()
    assert status == 2 and "--overwrite" in err and len(server.asked) == 1
    server.files.clear()
    (tmp_path / "cache" / "ministyle" / "small-small.h5").unlink()
    status, _, err = run("--overwrite")
    assert status == 2 and "by hand" in err
    assert user_path().read_bytes() == before
