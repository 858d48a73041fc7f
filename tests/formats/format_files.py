"""The stored files of all formats, what is in them, and how tests read them."""

import gzip
import io
import re
import zipfile
from pathlib import Path

import numpy as np
from conftest import sentence

from ministyle.errors import as_damaged
from ministyle.formats.formats import format_of

FOLDER = Path(__file__).parent / "files"
FILES = {  # name -> the format that it has
    "bfloat16.pth": "PyTorch",
    "checkpoint.pth": "PyTorch",
    "export.onnx": "ONNX",
    "float-data.onnx": "ONNX",
    "float16.pth": "PyTorch",
    "float16.safetensors": "safetensors",
    "gatys-legacy.pth": "PyTorch",
    "keras2-notop.h5": "Keras",
    "keras2-top.h5": "Keras",
    "keras2-whole.h5": "Keras",
    "keras2.keras": "Keras archive",
    "keras3-named.weights.h5": "Keras",
    "keras3-vgg16.weights.h5": "Keras",
    "keras3-whole.h5": "Keras",
    "keras3.keras": "Keras archive",
    "keras3.weights.h5": "Keras",
    "matconvnet-filters.mat": "MatConvNet",
    "matconvnet-net.mat": "MatConvNet",
    "matconvnet-weights.mat": "MatConvNet",
    "one-storage-legacy.pth": "PyTorch",
    "raw.onnx": "ONNX",
    "short-names.npz": "NumPy",
    "slashes.npz": "NumPy",
    "torchvision-bn.pth": "PyTorch",
    "torchvision-vgg16.pth": "PyTorch",
    "torchvision.pth": "PyTorch",
    "torchvision.safetensors": "safetensors",
    "v1.caffemodel": "Caffe",
    "v2-double.caffemodel": "Caffe",
    "v2.caffemodel": "Caffe",
}


def file_bytes(name):
    """Return a stored file, without the gzip that some are stored with."""
    path = FOLDER / name
    return path.read_bytes() if path.is_file() else gzip.decompress(Path(f"{path}.gz").read_bytes())


def opened(name):
    """Return a stored file, open in memory."""
    return io.BytesIO(file_bytes(name))


def expected(name="vgg19"):
    """Return the numbers that all stored files hold: convolutions, what is on top, an input and its activations."""
    with np.load(FOLDER / ("expected-vgg16.npz" if "vgg16" in name else "expected.npz")) as arrays:
        return dict(arrays)


def arrays_of(file):
    """Return all that an open file holds, name -> array, as an import reads it."""
    with as_damaged("file"):
        tensors = format_of(file).tensors(file)
        return {name: tensor.read() for name, tensor in tensors.items()}


def arrays_in(data):
    """Return all that a file of these bytes holds."""
    return arrays_of(io.BytesIO(data))


def natural(name):
    """Return a key by which names sort with their numbers taken as numbers."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def layers_of(arrays):
    """Return the arrays in natural order, grouped by what stands before the last "." or "/", a list of lists."""
    groups = {}
    for name in sorted(arrays, key=natural):
        groups.setdefault(re.split(r"[./](?=[^./]*$)", name)[0], []).append(arrays[name])
    return list(groups.values())


def as_hwio(kernel):
    """Return a kernel (3, 3, C_in, C_out), of which the file may have (C_out, C_in, 3, 3)."""
    return kernel if kernel.shape[:2] == (3, 3) else kernel.transpose(2, 3, 1, 0)


# Files made by hand ----------------------------------------------------------------------------------


def varint(value):
    """Return an integer as Protocol Buffers write it."""
    value %= 1 << 64
    encoded = bytearray()
    while value >= 0x80:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def field(number, value):
    """Return a field of a message: an integer, or bytes with their length."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    value = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(value)) + value


def zipped(members, compression=zipfile.ZIP_STORED):
    """Return a zip archive of members, name -> bytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return file.getvalue()


def refused(data):
    """Return the sentence with which a file of these bytes is refused."""
    return sentence(arrays_in, data)
