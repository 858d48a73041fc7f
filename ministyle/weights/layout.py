"""Which tensors of a published file are which convolutions, told by their names and shapes.

The kernels of some files are (C_out, C_in, 3, 3), as PyTorch, Caffe and ONNX have them; ours are (3, 3, C_in, C_out),
as Keras and MatConvNet have them. Some files name the layers as the paper does, others count them.
"""

import re

import numpy as np

from ..architecture import ARCHITECTURES
from ..errors import MinistyleError

PAPERS_NAME = re.compile(r"(?:conv|block)(\d)_(?:conv)?(\d)")  # conv4_2; Keras writes block4_conv2
NORMALISATION = ("running_mean", "moving_mean", "gamma")  # ends of names of tensors that batch normalisation has


def find_convolutions(tensors):
    """Return the convolutions among the tensors of a file.

    Parameters
    ----------
    tensors : dict, name -> `formats.format.Tensor`; see `formats.format.Format.tensors`

    Returns
    -------
    architecture : Architecture
    convolutions : dict, layer name -> (kernel, bias), both Tensors
        With the paper's names, in network order. The kernel's shape is still that of the file.

    Raises
    ------
    MinistyleError
        They are not those of one of our architectures, or do not fit together.
    """
    if any(name.endswith(NORMALISATION) for name in tensors):
        raise MinistyleError("it is a network with batch normalisation, which has other filters; bring the plain one")
    pairs = _pairs(tensors)
    if not pairs:
        raise MinistyleError("it holds no 3 x 3 convolutions")
    named = {stem: _papers_name(stem) for stem in sorted(pairs, key=_in_natural_order)}
    for architecture in ARCHITECTURES.values():
        names = list(named.values())
        if None in names:
            names = list(architecture.convolutions[: len(names)]) if _fit(pairs, named, architecture) else []
        if names and sorted(names) == sorted(architecture.convolutions[: len(names)]):
            found = {name: pairs[stem] for name, stem in sorted(zip(names, named, strict=True))}
            _check_chain(found, architecture)
            return architecture, found
    first = ", ".join(list(named)[:4])
    raise MinistyleError(f"its {len(pairs)} convolutions are not those of {' or '.join(ARCHITECTURES)}: {first}, ...")


def is_channels_last(shape, bias_shape):
    """Say whether a kernel's shape is (3, 3, C_in, C_out), rather than (C_out, C_in, 3, 3)."""
    return tuple(shape[:2]) == (3, 3) and tuple(shape[3:]) == tuple(bias_shape)


def read_convolution(kernel, bias):
    """Read a convolution's tensors; return arrays (3, 3, C_in, C_out) and (C_out,)."""
    array = np.asarray(kernel.read())
    if not is_channels_last(kernel.shape, bias.shape):
        array = array.transpose(2, 3, 1, 0)
    return np.ascontiguousarray(array), np.asarray(bias.read())


def _pairs(tensors):
    """Return the pairs of a kernel and a bias whose names differ only in their last part: stem -> pair."""
    groups = {}
    for name, tensor in tensors.items():
        groups.setdefault(re.split(r"[./][^./]*$", name)[0], []).append(tensor)
    pairs = {}
    for stem, group in groups.items():
        kernels = [tensor for tensor in group if len(tensor.shape) == 4]
        biases = [tensor for tensor in group if len(tensor.shape) == 1]
        if len(kernels) == len(biases) == 1 and _is_convolution(kernels[0].shape, biases[0].shape):
            pairs[stem] = kernels[0], biases[0]
    return pairs


def _is_convolution(shape, bias_shape):
    channels_first = tuple(shape[2:]) == (3, 3) and tuple(shape[:1]) == tuple(bias_shape)
    return is_channels_last(shape, bias_shape) or channels_first


def _papers_name(stem):
    """Return the paper's name of a layer, if the file's name for it says so, or None."""
    found = PAPERS_NAME.fullmatch(re.split(r"[./]", stem)[-1])
    return found and "conv{}_{}".format(*found.groups())


def _in_natural_order(stem):
    """Return what sorts names with the numbers in them taken as numbers: conv2d, conv2d_1, ..., conv2d_10."""
    return [(int(part), "") if part.isdecimal() else (-1, part) for part in re.split(r"(\d+)", stem)]


def _channels(pair):
    """Return the channels that go into a convolution and come out."""
    kernel, bias = pair
    inputs = kernel.shape[2] if is_channels_last(kernel.shape, bias.shape) else kernel.shape[1]
    return inputs, bias.shape[0]


def _fit(pairs, stems, architecture):
    """Say whether convolutions without names of the paper's have as many channels, block by block, as an architecture.

    Both of ours begin alike, so files with the first few layers count as the first of them. A network with fewer
    channels in each block, as the tests have, fits too.
    """
    layers = [architecture.layers[name] for name in architecture.convolutions]
    if len(stems) > len(layers):
        return False
    channels = [_channels(pairs[stem])[1] for stem in stems]
    blocks = [layer.halvings for layer in layers[: len(stems)]]
    widths = {}
    return all(widths.setdefault(block, width) == width for block, width in zip(blocks, channels, strict=True))


def _check_chain(convolutions, architecture):
    """Refuse convolutions that do not follow one another, or have more channels than the architecture's."""
    before = 3
    for name, pair in convolutions.items():
        inputs, outputs = _channels(pair)
        if inputs != before:
            raise MinistyleError(f"{name} takes {inputs} channels, and the layer before it has {before}")
        if not 0 < outputs <= architecture.layers[name].channels:
            raise MinistyleError(
                f"{name} has {outputs} channels, and {architecture.name}'s has {architecture.layers[name].channels}"
            )
        before = outputs
