"""`--list-layers`."""

import numpy as np
import pytest
from commands import contents, forbid_work, run
from made_up_weights import make_up_weights, thin

from ministyle.architecture import ARCHITECTURES, VGG16
from ministyle.weights.file import write_weights

pytestmark = pytest.mark.usefixtures("folder")

# The sides of VGG-19's receptive fields, worked out by hand: 2 spacings more after a convolution, 1 after pooling.
FIELDS = {
    "conv1_1": 3, "conv1_2": 5, "pool1": 6,
    "conv2_1": 10, "conv2_2": 14, "pool2": 16,
    "conv3_1": 24, "conv3_2": 32, "conv3_3": 40, "conv3_4": 48, "pool3": 52,
    "conv4_1": 68, "conv4_2": 84, "conv4_3": 100, "conv4_4": 116, "pool4": 124,
    "conv5_1": 156, "conv5_2": 188, "conv5_3": 220, "conv5_4": 252,
}  # fmt: skip


def table(*command):
    """Return the table that a command prints, layer -> the rest of its line, without double spaces."""
    status, out, err = run(*command, "--list-layers")
    assert (status, err) == (0, "")
    _, lines, _ = out.split("\n\n")
    rows = (line.split(maxsplit=1) for line in lines.splitlines()[1:])
    return {name: " ".join(rest.split()) for name, rest in rows}


def test_transfer_lists_every_layer_with_shape_receptive_field_and_what_is_matched(tmp_path, monkeypatch):
    forbid_work(monkeypatch)
    (tmp_path / "photo-painting.png").write_bytes(b"a picture that is there already, and in nobody's way")
    before = contents(tmp_path)
    rows = table("transfer", "photo.png", "painting.png", "--image-size", "40")  # the photograph becomes 40 x 30
    assert list(rows) == list(FIELDS)
    assert rows["conv1_1"] == "30 x 40 x 64 3 style"
    assert rows["pool1"] == "15 x 20 x 64 6"
    assert rows["conv2_2"] == "15 x 20 x 128 14"
    assert rows["conv4_2"] == "3 x 5 x 512 84 content"
    assert rows["conv5_1"] == "1 x 2 x 512 156 style"
    assert rows["conv5_4"] == "1 x 2 x 512 252 not in the weight file"
    for name, side in FIELDS.items():
        assert f"{side}" in rows[name].split(), name
    assert contents(tmp_path) == before


def test_a_layer_may_be_matched_twice_and_a_picture_too_small():
    flags = "--content-layers", "relu1_1,conv3_4", "--style-layers", "conv1_1", "--image-size", "16"
    rows = table("transfer", "photo.png", "painting.png", *flags)  # 16 x 12
    matched = {name: row.split(str(FIELDS[name]))[-1].strip() for name, row in rows.items()}
    assert matched["conv1_1"] == "content, style" and matched["conv3_4"] == "content"
    assert not any(matched[name] for name in ("conv1_2", "conv2_1", "conv4_2", "conv5_1"))
    assert rows["pool4"] == "picture too small 124"


def test_reconstructions_list_what_they_match_themselves():
    rows = table("content", "photo.png", "--layer", "conv2_2", "--image-size", "32")
    assert [name for name, row in rows.items() if "content" in row] == ["conv2_2"]
    assert not any("style" in row for row in rows.values())
    rows = table("texture", "painting.png", "--output-size", "64x48")
    assert rows["conv1_1"] == "48 x 64 x 64 3 style" and "content" not in rows["conv4_2"]


def test_layers_of_vgg16_are_listed_for_its_weights(tmp_path, monkeypatch, random):
    monkeypatch.setitem(ARCHITECTURES, "VGG-16", thin(VGG16))
    write_weights(make_up_weights(thin(VGG16), lambda shape: random.normal(size=shape).astype(np.float32)))
    pictures = "transfer", "photo.png", "painting.png", "--weights", "made-up.h5", "--no-normalised"
    rows = table(*pictures, "--image-size", "48")
    assert list(rows) == [name for name in FIELDS if name not in ("conv3_4", "conv4_4", "conv5_4")]
    assert rows["conv3_3"] == "9 x 12 x 6 40" and rows["pool3"] == "4 x 6 x 6 44"
    assert "VGG-16, made-up.h5" in run(*pictures, "--list-layers")[1]
    status, out, err = run(*pictures, "--content-layers", "conv4_4", "--list-layers")
    assert (status, out) == (2, "") and "'conv4_4'" in err and err.count("\n") == 1
