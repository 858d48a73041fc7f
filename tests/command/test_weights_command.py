"""`weights`."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import SHIPPED, run
from conftest import pixels_of
from made_up_weights import make_up_weights, thin
from scipy import signal

from ministyle.architecture import ARCHITECTURES, VGG16

pytestmark = pytest.mark.usefixtures("folder")


def test_a_weight_file_is_imported_but_not_over_another(random):
    kernel, bias = random.standard_normal((3, 3, 3, 64)).astype(np.float16), np.arange(64.0)
    with h5py.File("keras.h5", "w") as file:
        file["block1_conv1/kernel"], file["block1_conv1/bias"] = kernel, bias
    Path("old.h5").write_bytes(b"precious")
    command = "weights", "import", "keras.h5", "--preprocessing", "caffe", "-o", "old.h5"
    status, _, err = run(*command)
    assert status == 2 and "'old.h5' exists" in err and err.count("\n") == 1
    assert Path("old.h5").read_bytes() == b"precious"
    status, out, _ = run(*command, "--overwrite")
    assert status == 0 and "weights: old.h5 (VGG-19" in out
    assert "python -m ministyle weights normalise PHOTO ... --into old.h5" in out
    with h5py.File("old.h5") as file:
        assert np.array_equal(file["conv1_1/kernel"], kernel) and np.array_equal(file["conv1_1/bias"], bias)


def test_normalise_measures_mean_activations_and_leaves_the_weights_alone():
    shutil.copy(SHIPPED, "copy.h5")
    shipped = SHIPPED.read_bytes()
    status, out, _ = run("weights", "normalise", "photo.png", "--into", "copy.h5", "--image-size", "48")
    assert status == 0 and "copy.h5" in out
    assert SHIPPED.read_bytes() == shipped
    bgr = pixels_of("photo.png")[:, :, ::-1] - np.array([103.939, 116.779, 123.68])
    with h5py.File("copy.h5") as copy, h5py.File(SHIPPED) as original:
        layers = [name for name in original if "kernel" in original[name]]
        assert len(layers) == 13
        for name in layers:
            assert copy[name]["mean_activation"].shape == copy[name]["bias"].shape
            assert all(np.array_equal(copy[name][part], original[name][part]) for part in ("kernel", "bias"))
        assert list(copy.attrs["mean_activation_photographs"]) == ["photo.png"]
        assert copy.attrs["mean_activation_image_size"] == 48
        kernel, bias = (copy["conv1_1"][part][...].astype(float) for part in ("kernel", "bias"))
        measured = copy["conv1_1"]["mean_activation"][...]
    for n in range(0, 64, 8):
        planes = [signal.correlate(bgr[:, :, c], kernel[:, :, c, n], mode="same", method="direct") for c in range(3)]
        expected = np.maximum(sum(planes) + bias[n], 0).mean()
        assert measured[n] == pytest.approx(max(expected, measured.mean() / 1000), rel=1e-3)


@pytest.fixture
def vgg16(monkeypatch, random):
    """A file of a thin VGG-16 in Keras's layout, with made-up weights; the package takes it for the whole network."""
    monkeypatch.setitem(ARCHITECTURES, "VGG-16", thin(VGG16))
    weights = make_up_weights(thin(VGG16), lambda shape: random.normal(0, 0.3, shape).astype(np.float32))
    with h5py.File("published.h5", "w") as file:
        for name, (kernel, bias) in weights.layers.items():
            layer = name.replace("conv", "block").replace("_", "_conv")
            file[f"{layer}/{layer}_W_1:0"], file[f"{layer}/{layer}_b_1:0"] = kernel, bias


def test_a_picture_is_made_with_vgg16_from_the_published_file_on(vgg16):
    refused = run("weights", "import", "published.h5", "--preprocessing", "caffe")
    assert refused[0] == 2 and "-o" in refused[2] and "only Oxford's VGG-19" in refused[2]
    status, out, _ = run("weights", "import", "published.h5", "--preprocessing", "caffe", "-o", "vgg16.h5")
    assert status == 0 and "weights: vgg16.h5 (VGG-16" in out
    transfer = "transfer", "photo.png", "painting.png", "--weights", "vgg16.h5", "--image-size", "32"
    transfer = *transfer, "--iterations", "3", "-o", "out.png"
    status, _, err = run(*transfer)
    assert status == 2 and "vgg16.h5" in err and "weights normalise PHOTO ... --into vgg16.h5" in err
    assert "--no-normalised" in err
    assert run(*transfer, "--no-normalised")[0] == 0
    raw = pixels_of("out.png")
    assert run("weights", "normalise", "photo.png", "painting.png", "--into", "vgg16.h5", "--image-size", "48")[0] == 0
    assert run(*transfer, "--overwrite")[0] == 0
    assert pixels_of("out.png").shape == raw.shape == (24, 32, 3)
    assert not np.array_equal(pixels_of("out.png"), raw)
    status, out, _ = run("info", "--weights", "vgg16.h5")
    assert status == 0 and "VGG-16, conv1_1 to conv5_1, float16, with mean activations" in out


def test_a_layer_that_only_vgg19_has_is_refused_for_vgg16(vgg16):
    assert (
        run("weights", "import", "published.h5", "--preprocessing", "caffe", "-o", "vgg16.h5", "--dtype", "float32")[0]
        == 0
    )
    made = "--weights", "vgg16.h5", "--no-normalised", "--image-size", "32", "--iterations", "1"
    status, _, err = run("transfer", "photo.png", "painting.png", *made, "--content-layers", "conv4_4")
    assert status == 2 and "'conv4_4'" in err and "conv4_3, conv5_1" in err and err.count("\n") == 1
    assert run("transfer", "photo.png", "painting.png", *made, "--content-layers", "conv5_3")[0] == 0


def test_mean_activations_of_one_network_do_not_go_into_the_file_of_another(vgg16):
    assert run("weights", "import", "published.h5", "--preprocessing", "caffe", "-o", "vgg16.h5")[0] == 0
    before = Path("vgg16.h5").read_bytes()
    status, _, err = run("weights", "normalise", "photo.png", "--weights", SHIPPED, "--into", "vgg16.h5")
    assert status == 2 and "VGG-19" in err and "VGG-16" in err and err.count("\n") == 1
    assert Path("vgg16.h5").read_bytes() == before
