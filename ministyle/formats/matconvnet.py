"""MatConvNet: a network as a MATLAB file.

The variable `layers`, or `net.layers`, is a row of cells, each with the description of one layer. The numbers of a
convolution are either two cells in its field `weights`, or its fields `filters` and `biases`; both are met. Kernels are
(3, 3, C_in, C_out), biases a row or a column.

SciPy reads such files. It believes what the file says of lengths within cells, so whoever calls this limits the memory.
What it says of whole variables is compared with the file before.
"""

import warnings
from functools import partial

import numpy as np

from ..errors import MinistyleError
from .format import Format, Tensor, check_extent
from .raw import read_at, size_of

SIGNATURES = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")
ORDER_PLACE, FIRST_VARIABLE, TAG = 126, 128, 8  # bytes
VARIABLES = ("layers", "net")
COMPRESSION = 1100  # times: deflate packs no closer than about 1030 to 1
SMALLEST = 8  # bytes in the file of a cell or a number in MATLAB's own description of it


def looks_like_matlab(file):
    """Say whether a file begins as MATLAB's files do."""
    file.seek(0)
    return file.read(len(SIGNATURES[0])) in SIGNATURES


def tensors(file):
    """Return the arrays of all layers, "conv1_1.weight", "conv1_1.bias" and so on; see `format.Format`."""
    file.seek(0)
    if file.read(len(SIGNATURES[1])) == SIGNATURES[1]:
        raise MinistyleError("it is of MATLAB 7.3; open it in MATLAB and save it again with the option -v7")
    found = {}
    for layer in _layers(file):
        weights = _weights(layer)
        name = _text(layer["name"]) if "name" in layer.dtype.names else ""
        for kind, array in zip(("weight", "bias"), weights, strict=False):
            if f"{name}.{kind}" in found:
                raise MinistyleError(f"two layers have the name {name!r}")
            array = array.reshape(-1) if kind == "bias" else array
            found[f"{name}.{kind}"] = Tensor(array.shape, array.dtype, partial(np.copy, array))
    return found


def _check_complete(file):
    """Refuse a file that is broken off; SciPy would not notice behind the variable that it looks for.

    Behind a header, each variable has a tag, its kind and its length in bytes.
    """
    order = "little" if read_at(file, ORDER_PLACE, 2) == b"IM" else "big"
    position, end = FIRST_VARIABLE, size_of(file)
    while position < end:
        position += TAG + int.from_bytes(read_at(file, position + TAG // 2, TAG // 2), order)
    if position > end:
        raise MinistyleError(f"it ends before byte {position}")


def _layers(file):
    """Return the descriptions of the layers, records of one element, in order."""
    from scipy import io

    _check_complete(file)
    file.seek(0)
    for name, shape, _ in io.whosmat(file):
        if name in VARIABLES:
            check_extent(name, shape, SMALLEST, COMPRESSION * size_of(file))
    file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # what SciPy warns of, it has not read
        variables = io.loadmat(file, variable_names=VARIABLES)
    if "layers" in variables:
        layers = variables["layers"]
    elif "net" in variables:
        layers = variables["net"]["layers"].item()
    else:
        raise MinistyleError("it is a MATLAB file without a variable 'layers' or 'net'")
    return [cell[0, 0] for cell in layers.reshape(-1)]


def _weights(layer):
    """Return the arrays of a layer, in both nestings: its kernel and its bias, or none."""
    if "weights" in layer.dtype.names:
        weights = list(layer["weights"].reshape(-1))
    elif {"filters", "biases"} <= set(layer.dtype.names):
        weights = [layer["filters"], layer["biases"]]
    else:
        weights = []
    if any(array.dtype.kind not in "fiu" for array in weights):
        raise MinistyleError("it has a layer whose weights are not numbers")
    return weights


def _text(array):
    """Return the text in an array that should hold one."""
    return str(array.item()) if array.size == 1 else ""


MATCONVNET = Format(
    name="MatConvNet",
    description="networks of MatConvNet (.mat)",
    recognises=looks_like_matlab,
    tensors=tensors,
)
