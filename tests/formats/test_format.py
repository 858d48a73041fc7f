"""Tests of what all formats share: the checks of names and sizes, and raw numbers."""

import io

import numpy as np
import pytest
from conftest import sentence
from format_files import arrays_of, as_hwio, entry, expected, layers_of, opened, refused, safetensors, zipped
from made_up_weights import thin
from pickle_files import archive, one, tensor

from ministyle.architecture import ARCHITECTURES, VGG19
from ministyle.formats import raw
from ministyle.formats.format import check_extent, check_name
from ministyle.network import make_network
from ministyle.weights.file import Weights


@pytest.mark.parametrize(("shape", "itemsize", "limit"), [((2, 3), 4, 24), ((), 4, 4), ((0, 10**30), 8, 0)])
def test_a_tensor_that_fits_is_accepted(shape, itemsize, limit):
    check_extent("a", shape, itemsize, limit)


@pytest.mark.parametrize(
    ("shape", "itemsize", "limit"), [((2, 3), 4, 23), ((2**40, 2**40), 4, 2**40), ((-1, -1), 1, 9), ((1,) * 9, 1, 9)]
)
def test_a_tensor_that_does_not_fit_is_refused(shape, itemsize, limit):
    assert "'a' claims" in sentence(check_extent, "a", shape, itemsize, limit)


def test_a_name_that_would_flood_a_message_is_refused():
    check_name("a" * 255)
    long = "a" * 10_000
    files = [
        safetensors({long: entry()}),
        zipped({f"{long}.npy": b""}),
        archive(one(tensor((6,), (1,)), long), {"0": bytes(24)}),
        archive(one(tensor((6,), (1,), key=long)), {"0": bytes(24)}),
    ]
    for data in files:
        message = refused(data)
        assert "letters" in message and len(message) < 200


def test_a_name_with_control_characters_does_not_reach_the_terminal():
    data = zipped({"\x1b[31m\n.npy": b"numbers"})
    assert "\x1b" not in refused(data) and "\n" not in refused(data)
    assert "\x1b" not in refused(safetensors({"\x1b[31m": entry((7,))}))


def test_bytes_beyond_the_end_are_not_read():
    file = io.BytesIO(b"numbers")
    assert raw.read_at(file, 2, 5) == b"mbers"
    for start, length in ((2, 6), (8, 0), (-1, 2), (2, -1), (0, 2**62)):
        assert "ends before" in sentence(raw.read_at, file, start, length)


@pytest.mark.parametrize("name", ["torchvision.pth", "keras3.keras", "raw.onnx"])
def test_our_network_makes_of_imported_numbers_what_pytorch_makes_of_its_own(name, monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, VGG19.name, thin(VGG19))
    wanted = expected()
    names = [key.removesuffix("/kernel") for key in wanted if key.startswith("conv") and key.endswith("/kernel")]
    groups = [group for group in layers_of(arrays_of(opened(name))) if any(array.ndim == 4 for array in group)]
    layers = {
        layer: (as_hwio(next(array for array in group if array.ndim == 4)), next(a for a in group if a.ndim == 1))
        for layer, group in zip(names, groups, strict=True)
    }
    nothing = {"pixel_mean": np.zeros(3), "pixel_scale": np.ones(3)}
    weights = Weights(layers, {}, VGG19.name, "RGB", **nothing, path="none", attributes={})
    network = make_network(weights, pooling="average", dtype="float64", border="zero")
    found = network.features(wanted["picture"], ("conv1_1", "conv3_1", "conv5_4"))
    for layer, activations in found.items():
        np.testing.assert_allclose(activations, wanted[f"activations/{layer}"], rtol=0, atol=1e-6)
        assert np.abs(activations).max() > 0.1
