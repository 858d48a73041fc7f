"""Tests of what guards zip archives."""

import io
import struct
import zipfile

import numpy as np
import pytest
from conftest import sentence
from format_files import arrays_in, file_bytes, refused, zipped

from ministyle.formats.archive import COMPRESSION, UNSUSPICIOUS, member_names, open_archive, read_member


def member(name, data):
    return read_member(open_archive(io.BytesIO(data)), name)


def test_a_member_is_read():
    for compression in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        assert member("a", zipped({"a": b"numbers" * 9, "b": b""}, compression)) == b"numbers" * 9


def test_a_small_member_may_pack_as_it_likes_and_a_large_one_may_not():
    most = UNSUSPICIOUS
    assert len(member("zeros", zipped({"zeros": bytes(most)}, zipfile.ZIP_DEFLATED))) == most
    bomb = zipped({"zeros": bytes(most + 1)}, zipfile.ZIP_DEFLATED)
    assert "claims to unpack" in sentence(member, "zeros", bomb)


def test_numbers_that_pack_well_are_read():
    numbers = np.random.default_rng(0).integers(0, 4, 3_000_000, np.uint8).tobytes()
    assert COMPRESSION > 4
    assert member("n", zipped({"n": numbers}, zipfile.ZIP_DEFLATED)) == numbers


@pytest.mark.parametrize("compression", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_member_that_is_packed_in_another_way_is_refused(compression):
    assert "another way" in sentence(member, "a", zipped({"a": b"numbers"}, compression))


def test_an_encrypted_member_is_refused():
    data = bytearray(zipped({"a": b"numbers"}))
    data[data.index(b"PK\1\2") + 8] |= 1
    assert "encrypted" in sentence(member, "a", bytes(data))


def claiming(size, compression=zipfile.ZIP_STORED):
    """Return an archive whose directory says that its member unpacks to `size` bytes."""
    data = bytearray(zipped({"a": b"numbers"}, compression))
    struct.pack_into("<I", data, data.index(b"PK\1\2") + 24, size)
    return bytes(data)


@pytest.mark.parametrize("compression", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
def test_a_size_that_is_not_there_is_refused_before_it_is_read(compression):
    assert "claims to unpack" in sentence(member, "a", claiming(2**31, compression))


def test_a_member_shorter_than_it_says_is_refused():
    assert "shorter" in sentence(member, "a", claiming(50_000, zipfile.ZIP_DEFLATED))


def test_members_on_top_of_each_other_are_refused():
    data = zipped({"a": bytes(100)})
    directory = data.index(b"PK\1\2")
    end = data.index(b"PK\5\6")
    entry = data[directory:end]
    entries = b"".join(entry[:46] + bytes([97 + number]) + entry[47:] for number in range(20))
    tail = struct.pack("<4sHHHHIIH", b"PK\5\6", 0, 0, 20, 20, len(entries), directory, 0)
    assert "on top of each other" in sentence(open_archive, io.BytesIO(data[:directory] + entries + tail))


def test_more_members_than_a_network_has_are_refused():
    assert "10001 members" in sentence(open_archive, io.BytesIO(zipped({str(number): b"" for number in range(10_001)})))


def test_a_missing_member_is_said():
    assert "'b'" in sentence(member, "b", zipped({"a": b""}))


def test_what_is_no_archive_has_no_names():
    for data in (b"", b"PK", b"numbers"):
        assert member_names(io.BytesIO(data)) == []
    assert member_names(io.BytesIO(zipped({"a": b"numbers"})[:40])) == ["a"]


def test_bombs_in_the_formats_that_are_archives_are_refused():
    zeros = bytes(3_000_000)
    header = file_bytes("slashes.npz")
    for members in (
        {"metadata.json": b"{}", "model.weights.h5": zeros},
        {"conv1_1_W.npy": zeros},
        {"archive/data.pkl": zeros},
    ):
        assert "claims to unpack" in refused(zipped(members, zipfile.ZIP_DEFLATED))
    assert len(arrays_in(header)) == 32
