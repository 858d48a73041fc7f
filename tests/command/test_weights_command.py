"""`weights import` and `weights normalise`."""

import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from commands import SHIPPED, run
from conftest import pixels_of
from scipy import signal

pytestmark = pytest.mark.usefixtures("folder")


def test_a_weight_file_is_imported_but_not_over_another(random):
    kernel, bias = random.standard_normal((3, 3, 3, 64)).astype(np.float16), np.arange(64.0)
    with h5py.File("keras.h5", "w") as file:
        file["block1_conv1/kernel"], file["block1_conv1/bias"] = kernel, bias
    Path("old.h5").write_bytes(b"precious")
    command = "weights", "import", "keras.h5", "--no-verify", "-o", "old.h5"
    status, _, err = run(*command)
    assert status == 2 and "'old.h5' exists" in err and err.count("\n") == 1
    assert Path("old.h5").read_bytes() == b"precious"
    status, out, _ = run(*command, "--overwrite")
    assert status == 0 and "weights: old.h5" in out
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
