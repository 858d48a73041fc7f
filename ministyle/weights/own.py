"""Our own weight file as an open file has it: its attributes and its tensors, checked before any is read.

See `file` for what a weight file holds.
"""

import re

import numpy as np

from ..architecture import ARCHITECTURES
from ..errors import MinistyleError, as_damaged
from ..formats.hdf5 import data_sets

FORMAT = "ministyle weights 1"
DTYPES = ("float16", "float32")
KINDS = ("kernel", "bias", "mean_activation")  # the data sets of a layer
MOST_ATTRIBUTES = 100
LONGEST_ATTRIBUTE = 64 << 10  # bytes


def read_own(file):
    """Read a weight file of ours.

    Parameters
    ----------
    file : path, or a file open for bytes

    Returns
    -------
    attributes : dict, name -> text, number, or list of them
    arrays : dict, name such as "conv1_1/kernel" -> array

    Raises
    ------
    MinistyleError
        It is damaged, or no weight file of ours. The sentence begins with "it".
    """
    import h5py  # here, because loading it takes longer than all else in this room

    with as_damaged("it"), h5py.File(file, "r") as group:
        if "format" not in group.attrs or _plain(group, "format") != FORMAT:
            raise MinistyleError(
                "it is no weight file of ministyle; if others publish it, convert it with "
                "'python -m ministyle weights import FILE'"
            )
        attributes = attributes_of(group)
        tensors = own_tensors(group)
        shapes = {name: tensor.shape for name, tensor in tensors.items()}
        dtypes = {name: tensor.dtype.name for name, tensor in tensors.items()}
        check_layers(shapes, dtypes, attributes.get("network"))
        return attributes, {name: tensor.read() for name, tensor in tensors.items()}


def attributes_of(group):
    """Return the attributes of an open HDF5 file: texts, numbers and lists of them.

    Raises
    ------
    MinistyleError
        There are more than a weight file has, or others.
    """
    names = list(group.attrs)
    if len(names) > MOST_ATTRIBUTES:
        raise MinistyleError(f"it has {len(names)} attributes; a weight file has fewer than {MOST_ATTRIBUTES}")
    return {name: _plain(group, name) for name in names}


def _plain(group, name):
    """Return an attribute as a text, a number or a list of them."""
    import h5py

    attribute = group.attrs.get_id(name)
    if attribute.get_storage_size() > LONGEST_ATTRIBUTE or len(attribute.shape) > 1:
        raise MinistyleError(f"its attribute {name!r} is larger than one of a weight file")
    if attribute.dtype.kind not in "biufSU" and not h5py.check_string_dtype(attribute.dtype):
        raise MinistyleError(f"its attribute {name!r} is neither a text nor a number")
    value = group.attrs[name]
    value = value.tolist() if isinstance(value, np.ndarray | np.generic) else value
    values = value if isinstance(value, list) else [value]
    plain = [one.decode() if isinstance(one, bytes) else one for one in values]
    return plain if isinstance(value, list) else plain[0]


def own_tensors(group):
    """Return the tensors of an open weight file, name such as "conv1_1/kernel" -> Tensor, in network order."""
    tensors = data_sets(group)
    for name in tensors:
        if not re.fullmatch(rf"conv\d_\d/({'|'.join(KINDS)})", name):
            raise MinistyleError(f"it holds '{name}', which is no part of a weight file")
    return tensors


def check_layers(shapes, dtypes, architecture):
    """Check, before they are read, that arrays are those of the first layers of an architecture.

    Each layer may have fewer channels than the architecture's, as in the small networks of tests and lessons.

    Parameters
    ----------
    shapes : dict, name such as "conv1_1/kernel" -> shape
    dtypes : dict, the same names -> name of the data type
    architecture : str

    Raises
    ------
    MinistyleError
    """
    if str(architecture) not in ARCHITECTURES:
        raise MinistyleError(f"its network is {architecture!r}, not {' or '.join(ARCHITECTURES)}")
    table = ARCHITECTURES[architecture]
    layers = [name.split("/")[0] for name in shapes if name.endswith("/kernel")]
    if not layers:
        raise MinistyleError("it holds no layers")
    if sorted(layers) != sorted(table.convolutions[: len(layers)]):
        raise MinistyleError(f"it does not hold the first {len(layers)} convolutions of {architecture}")
    for name, dtype in dtypes.items():
        if dtype not in DTYPES:
            raise MinistyleError(f"{name} holds {dtype}, not {' or '.join(DTYPES)}")
    channels = 3
    for layer in table.convolutions:
        bias, mean = shapes.get(f"{layer}/bias"), shapes.get(f"{layer}/mean_activation")
        most = table.layers[layer].channels
        if layer in layers:
            if bias is None or len(bias) != 1 or not 0 < bias[0] <= most:
                raise MinistyleError(f"bias of {layer} (={bias}) must have shape (C,), with C from 1 to {most}")
            expected = (3, 3, channels, bias[0])
            if tuple(shapes[f"{layer}/kernel"]) != expected:
                raise MinistyleError(f"kernel of {layer} (={shapes[f'{layer}/kernel']}) must have shape {expected}")
            channels = most = bias[0]
        elif bias is not None:
            raise MinistyleError(f"it holds a bias of {layer} and no kernel")
        fits = mean is None or (len(mean) == 1 and (mean[0] == most if layer in layers else 0 < mean[0] <= most))
        if not fits:
            raise MinistyleError(f"mean activation of {layer} (={mean}) must have shape ({most},)")
    unknown = {name.split("/")[0] for name in shapes} - set(table.convolutions)
    if unknown:
        raise MinistyleError(f"it holds {', '.join(sorted(unknown))}, which {architecture} does not have")
