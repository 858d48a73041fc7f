"""Tests of the table of known files."""

import hashlib
import io
import re

import pytest
from conftest import sentence
from weight_files import PUBLISHED_SHA256, SHIPPED, VGG16_MD5

from ministyle.architecture import ARCHITECTURES
from ministyle.weights.known import KNOWN_FILES, PREPROCESSING, SHIPPED_SHA256, checksums, identify, known_file


def test_the_shipped_file_is_the_one_that_is_read_directly():
    assert hashlib.sha256(SHIPPED.read_bytes()).hexdigest() == SHIPPED_SHA256


def test_the_published_files_are_known_by_their_sums():
    assert known_file("vgg19").sha256 == PUBLISHED_SHA256
    assert known_file("vgg16").md5 == VGG16_MD5


@pytest.mark.parametrize("known", KNOWN_FILES, ids=lambda known: known.name)
def test_an_entry_is_whole(known):
    assert known.architecture in ARCHITECTURES
    assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{64}|", known.sha256) and re.fullmatch(r"[0-9a-f]{32}|", known.md5)
    assert known.sha256 or known.md5
    assert all(url.startswith("https://") and url.endswith(known.file) for url in known.urls)
    if len(known.sha256) == 8:  # torchvision's and Johnson's rule: the name has the beginning of the sum
        assert known.sha256 in known.file


def test_names_and_sums_are_unlike():
    for what in (lambda known: known.name, lambda known: (known.sha256, known.md5)):
        assert len({what(known) for known in KNOWN_FILES}) == len(KNOWN_FILES)


def test_files_are_told_by_their_sums_or_the_beginning_of_them():
    nothing = "0" * 64, "0" * 32
    assert identify(*nothing) is None
    assert identify(PUBLISHED_SHA256, nothing[1]).name == "vgg19"
    assert identify(nothing[0], VGG16_MD5).name == "vgg16"
    assert identify("dcbb9e9d" + "0" * 56, nothing[1]).name == "vgg19-torchvision"


def test_sums_are_those_of_hashlib():
    content = bytes(range(256)) * 9999
    file = io.BytesIO(content)
    file.seek(77)
    assert checksums(file) == (hashlib.sha256(content).hexdigest(), hashlib.md5(content).hexdigest())


def test_the_other_order_of_channels_has_the_other_order_of_means():
    bgr = PREPROCESSING["caffe"]
    assert bgr.in_order("BGR") is bgr
    rgb = bgr.in_order("RGB")
    assert (rgb.channel_order, rgb.pixel_mean) == ("RGB", (123.68, 116.779, 103.939))


def test_an_unknown_name_is_refused_with_those_that_there_are():
    assert "did you mean vgg19?" in sentence(known_file, "vgg91") or "vgg19" in sentence(known_file, "vgg91")
