"""MatConvNet: a network as a MATLAB file.

The variable `layers`, or `net.layers`, is a row of cells, each with the description of one layer. The numbers of a
convolution are either two cells in its field `weights`, or its fields `filters` and `biases`; both are met. Kernels are
(3, 3, C_in, C_out), biases a row or a column.
"""

from math import prod

from ..errors import MinistyleError
from .format import Format, Tensor
from .matlab import Numbers, variable

SIGNATURES = (b"MATLAB 5.0 MAT-file", b"MATLAB 7.3 MAT-file")
VARIABLES = ("layers", "net")


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
        name = layer.get("name")
        for kind, array in zip(("weight", "bias"), _weights(layer), strict=False):
            if not isinstance(array, Numbers):
                raise MinistyleError(f"layer {name!r} has weights that are not numbers")
            if f"{name}.{kind}" in found:
                raise MinistyleError(f"two layers have the name {name!r}")
            found[f"{name}.{kind}"] = _bias(array) if kind == "bias" else _kernel(array)
    return found


def _layers(file):
    """Return the descriptions of the layers, dictionaries, in order."""
    layers = variable(file, VARIABLES)
    if isinstance(layers, list) and len(layers) == 1 and isinstance(layers[0], dict):
        layers = layers[0].get("layers")  # of the variable `net`
    structures = isinstance(layers, list) and all(isinstance(layer, list) and len(layer) == 1 for layer in layers)
    if not structures or not all(isinstance(layer[0], dict) for layer in layers):
        raise MinistyleError("its layers are not a row of cells with a structure in each")
    return [layer[0] for layer in layers]


def _weights(layer):
    """Return the arrays of a layer, in both nestings: its kernel and its bias, or none."""
    if "weights" in layer:
        weights = layer["weights"] or []
        if not isinstance(weights, list):
            raise MinistyleError(f"layer {layer.get('name')!r} has weights that are not cells")
        return weights
    return [layer[name] for name in ("filters", "biases") if name in layer]


def _kernel(array):
    """Return numbers as a `Tensor`."""
    return Tensor(array.shape, array.dtype, array.read)


def _bias(array):
    """Return a row or a column of numbers as a `Tensor` that is a vector."""
    return Tensor((prod(array.shape),), array.dtype, lambda: array.read().reshape(-1))


MATCONVNET = Format(
    name="MatConvNet",
    description="networks of MatConvNet (.mat)",
    recognises=looks_like_matlab,
    tensors=tensors,
)
