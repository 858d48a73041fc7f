"""Tests of imports from files that the frameworks themselves made; see tests/formats/files/README.md."""

import os
import pickle
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import sentence
from made_up_weights import thin
from weight_files import ALL_LAYERS, SHIPPED, VGG16_LAYERS, stored, write_keras_file

from ministyle.architecture import ARCHITECTURES, VGG16, VGG19
from ministyle.network import make_network
from ministyle.weights.file import load_weights
from ministyle.weights.importing import import_weights

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "formats"))  # where pytest puts it too, but later
from format_files import FILES, expected, file_bytes

ROUNDED = {"bfloat16.pth": 2**-8, "float16.pth": 2**-11, "float16.safetensors": 2**-11}
WITH_NORMALISATION = "torchvision-bn.pth"


def imported(name, folder, **options):
    """Import a stored file under a name that says nothing; return the weights."""
    (folder / "network.bin").write_bytes(file_bytes(name))
    return import_weights(
        folder / "network.bin", folder / "made.h5", dtype="float32", preprocessing="torch", **options
    ).weights


@pytest.mark.parametrize("name", sorted(set(FILES) - {WITH_NORMALISATION}))
def test_every_format_gives_the_same_arrays_and_activations(name, tmp_path, monkeypatch):
    weights, wanted = imported(name, tmp_path), expected(name)
    assert weights.architecture == ("VGG-16" if "vgg16" in name else "VGG-19")
    assert list(weights.layers) == (VGG16_LAYERS if "vgg16" in name else ALL_LAYERS)
    for layer, arrays in weights.layers.items():
        for kind, array in zip(("kernel", "bias"), arrays, strict=True):
            np.testing.assert_allclose(array, wanted[f"{layer}/{kind}"], rtol=ROUNDED.get(name, 0), atol=2e-8)
    if name in ROUNDED:
        return
    for network in (VGG16, VGG19):
        monkeypatch.setitem(ARCHITECTURES, network.name, thin(network))
    # The picture enters PyTorch's network as it is: no mean, no scale.
    plain = replace(weights, channel_order="RGB", pixel_mean=np.zeros(3), pixel_scale=np.ones(3))
    network = make_network(plain, dtype="float64", device="cpu")
    layers = [key.removeprefix("activations/") for key in wanted if key.startswith("activations/")]
    assert layers
    for layer, activations in network.features(wanted["picture"], layers).items():
        torchs = wanted[f"activations/{layer}"]
        assert np.abs(activations - torchs).max() <= 1e-6 * np.abs(torchs).max()


def test_a_network_with_batch_normalisation_is_refused(tmp_path):
    assert "batch normalisation" in sentence(imported, WITH_NORMALISATION, tmp_path)


class RunsCode:
    def __reduce__(self):
        return os.system, ("touch ran",)


@pytest.mark.parametrize("protocol", [0, 2, 4])
def test_a_pickle_that_tries_to_run_code_runs_nothing(tmp_path, monkeypatch, protocol):
    monkeypatch.chdir(tmp_path)
    Path("network.pth").write_bytes(pickle.dumps(RunsCode(), protocol))
    sentence(import_weights, "network.pth", "made.h5", preprocessing="torch")
    assert os.listdir() == ["network.pth"]


# Which way round -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def first_layers():
    """The first three layers of the shipped file, float32."""
    kernels, biases = stored(SHIPPED, "kernel"), stored(SHIPPED, "bias")
    return {
        name: (kernels[name].astype(np.float32), biases[name].astype(np.float32))
        for name in ("conv1_1", "conv1_2", "conv2_1")
    }


CHANGES = {
    "nothing": lambda kernel: kernel,
    "red and blue exchanged": lambda kernel: kernel[:, :, ::-1] if kernel.shape[2] == 3 else kernel,
    "rows and columns exchanged": lambda kernel: kernel.transpose(1, 0, 2, 3),
    "turned by 180 degrees": lambda kernel: np.rot90(kernel, 2),
    "mirrored": np.fliplr,
    "both": lambda kernel: np.rot90(kernel[:, :, ::-1] if kernel.shape[2] == 3 else kernel, 2),
}


@pytest.mark.parametrize("change", CHANGES)
def test_oxfords_filters_become_the_same_network_whichever_way_round_they_are(first_layers, tmp_path, random, change):
    changed = {name: (CHANGES[change](kernel), bias) for name, (kernel, bias) in first_layers.items()}
    source = write_keras_file(tmp_path / "network.h5", numbers=changed)
    made = import_weights(source, tmp_path / "made.h5", dtype="float32")
    pixels = random.uniform(0, 255, (12, 10, 3))
    activations, wanted = (
        make_network(weights, dtype="float64", device="cpu").features(pixels, list(first_layers))
        for weights in (made.weights, load_weights(SHIPPED))
    )
    for name in first_layers:
        assert np.abs(activations[name] - wanted[name]).max() <= 1e-6 * np.abs(wanted[name]).max()
    said = " ".join(made.found)
    assert (
        "its first layer is Oxford's, for " + ("RGB" if change in ("red and blue exchanged", "both") else "BGR") in said
    )
    assert ("that was mended" in said) == (change in list(CHANGES)[2:])
