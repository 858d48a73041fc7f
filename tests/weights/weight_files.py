"""Weight files for the tests, written and read without the package."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np

from ministyle.files import shipped_path

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = shipped_path("weights/vgg19.h5")
PUBLISHED_SHA256 = "bde7da0dfd621cbf86e11ce04e4946a9a42634c2cfd21318bba090d860699e35"

VGG16_MD5 = "6d6bbae143d832006294945121d1f1fc"  # from Keras's source

# Simonyan and Zisserman (2014), table 1, column E.
BLOCKS = (64, 2), (128, 2), (256, 4), (512, 4), (512, 4)  # channels, convolutions
CHANNELS = {
    f"conv{block}_{number}": channels
    for block, (channels, convolutions) in enumerate(BLOCKS, start=1)
    for number in range(1, convolutions + 1)
}
ALL_LAYERS = list(CHANNELS)
SHIPPED_LAYERS = ALL_LAYERS[: ALL_LAYERS.index("conv5_1") + 1]
VGG16_LAYERS = [name for name in ALL_LAYERS if name not in ("conv3_4", "conv4_4", "conv5_4")]  # column D
DTYPE_LAYERS = [("float16", SHIPPED_LAYERS), ("float32", ALL_LAYERS)]


def small_network(layers=ALL_LAYERS):
    """Return a small network's numbers: some layers, by default all of VGG-19, with other numbers of channels."""
    random = np.random.default_rng(0)
    numbers, channels_in = {}, 3
    for index, name in enumerate(layers):
        channels_out = 4 + index % 3
        kernel = random.standard_normal((3, 3, channels_in, channels_out), np.float32)
        numbers[name] = kernel, random.standard_normal(channels_out, np.float32)
        channels_in = channels_out
    return numbers


NUMBERS = small_network()
VGG16_NUMBERS = small_network(VGG16_LAYERS)


def write_keras_file(path, kernel_name="W_1:0", bias_name="b_1:0", numbers=NUMBERS):
    """Write a network, by default the small one, in Keras's layout. Return the path.

    The names of the arrays are by default those of the published file.
    """
    with h5py.File(path, "w") as file:
        file.create_group("input_2")
        for name, (kernel, bias) in numbers.items():
            layer = name.replace("conv", "block").replace("_", "_conv")  # conv4_2 -> block4_conv2
            file[f"{layer}/{layer}_{kernel_name}"] = kernel
            file[f"{layer}/{layer}_{bias_name}"] = bias
        for block in "12345":
            file.create_group(f"block{block}_pool")
    return path


def write_small_file(path):
    """Write the small network as a weight file of this project, float16. Return the path."""
    with h5py.File(SHIPPED) as shipped, h5py.File(path, "w") as file:
        file.attrs.update(shipped.attrs)
        for name, (kernel, bias) in NUMBERS.items():
            file.create_dataset(f"{name}/kernel", data=kernel.astype(np.float16), compression="gzip")
            file[f"{name}/bias"] = bias.astype(np.float16)
            file[f"{name}/mean_activation"] = np.full(len(bias), 3, np.float32)
    return path


def stored(path, kind):
    """Return what a weight file holds of one kind, name -> array."""
    with h5py.File(path) as file:
        return {name: group[kind][...] for name, group in file.items() if kind in group}


def attributes(path):
    """Return the attributes of an HDF5 file."""
    with h5py.File(path) as file:
        return dict(file.attrs)


def assert_one_sentence(error, path):
    """Assert that an error is one line of text which names the file."""
    assert str(path) in str(error)
    assert "\n" not in str(error)


# Files that are no weight files ----------------------------------------------------------------------


def plain_text(path):
    path.write_text("not HDF5\n")


def empty(path):
    path.write_bytes(b"")


def truncated(path):
    path.write_bytes(path.read_bytes()[:-1000])


def foreign_hdf5(path):
    with h5py.File(path, "w") as file:
        file["block1_conv1/kernel:0"] = np.zeros((3, 3, 3, 4))


def of_another_format(path):
    with h5py.File(path, "a") as file:
        file.attrs["format"] = "ministyle weights 2"


def with_a_format_that_is_no_text(path):
    with h5py.File(path, "a") as file:
        file.attrs["format"] = np.arange(3)


NO_HDF5 = [plain_text, empty, truncated]
NO_WEIGHT_FILE = [*NO_HDF5, foreign_hdf5, of_another_format, with_a_format_that_is_no_text]


# Interruptions ---------------------------------------------------------------------------------------

MOMENTS = {
    "first data set": (h5py.Group, "create_dataset", 1),
    "tenth data set": (h5py.Group, "create_dataset", 10),
    "putting in place": (os, "replace", 1),
}


def interrupt(monkeypatch, moment):
    """Interrupt the writing of the next file at one of `MOMENTS`."""
    owner, name, number = MOMENTS[moment]
    original, calls = getattr(owner, name), []

    def interrupted(*args, **kwargs):
        calls.append(name)
        if len(calls) == number:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, name, interrupted)


# The package in another place ------------------------------------------------------------------------


def copy_package(folder):
    """Copy the package alone, without its weights, into a folder."""
    shutil.copytree(ROOT / "ministyle", folder / "ministyle", ignore=shutil.ignore_patterns("__pycache__"))


def run_copy(folder, *arguments):
    """Run Python with the package's copy in a folder, and return the finished process."""
    environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, *(str(argument) for argument in arguments)]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
