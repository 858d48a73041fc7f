"""Our own weight file: what it holds, how to read it, how to write it.

A weight file is HDF5. It has one group for every convolution, `conv1_1` and so on. A group holds the data sets `kernel`
(3, 3, C_in, C_out) and `bias` (C_out,). It may also hold `mean_activation` (C_out,), from which the normalised network
is made.

The attributes of the file describe the network (`network`), how it expects a picture (`channel_order`, `pixel_mean`,
`pixel_scale`), where the numbers come from (`source_file`, `source_sha256`), how you may use them (`license`) and
whom to cite (`citation`). The file carries its own preprocessing, so nobody can use it with the wrong one.
"""

from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import MinistyleError
from ..files import new_file
from .find import find_weights

FORMAT = "ministyle weights 1"
DTYPES = ("float16", "float32")


@dataclass(frozen=True)
class Weights:
    """The contents of a weight file.

    Attributes
    ----------
    layers : dict, layer name -> (kernel (3, 3, C_in, C_out), bias (C_out,))
        In network order. The arrays have the data type of the file.
    mean_activations : dict, layer name -> float32 (C_out,)
        The mean of every filter after the ReLU, over photographs and positions. Empty if nobody has measured it.
    architecture : str
        The network that the layers belong to, such as "VGG-19".
    channel_order : "RGB" or "BGR"
        The order in which the network expects the channels of a picture.
    pixel_mean, pixel_scale : float64 (3,), in the network's channel order
        The input of the network is (pixel - mean) / scale. Pixels range from 0 to 255.
    path : Path of the file
    attributes : dict
        All attributes of the file.
    """

    layers: dict = field(repr=False)
    mean_activations: dict = field(repr=False)
    architecture: str
    channel_order: str
    pixel_mean: np.ndarray
    pixel_scale: np.ndarray
    path: Path
    attributes: dict = field(repr=False)


# Reading ---------------------------------------------------------------------------------------------


def load_weights(path=None):
    """Read a weight file.

    Parameters
    ----------
    path : path, optional
        By default, `find_weights` chooses the file.

    Returns
    -------
    Weights

    Raises
    ------
    MinistyleError
        The file is missing, damaged, or not a weight file of this project.
    """
    import h5py  # here, because loading it takes longer than everything else in this module

    path = find_weights(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except KeyError as error:
        raise MinistyleError(f"weight file '{path}' cannot be read: {error.args[0]}") from error  # str() adds quotes
    except (OSError, TypeError, ValueError) as error:
        raise MinistyleError(f"weight file '{path}' cannot be read: {error}") from error


def _read(file, path):
    attributes = dict(file.attrs)
    if str(attributes.get("format")) != FORMAT:
        raise MinistyleError(
            f"'{path}' is not a ministyle weight file; if it is a published one, convert it with "
            f"'python -m ministyle weights import {path}'"
        )
    layers, means = {}, {}
    for name, group in file.items():  # HDF5 sorts by name, which gives the network's order
        if "kernel" in group:
            layers[name] = group["kernel"][...], group["bias"][...]
        if "mean_activation" in group:
            means[name] = group["mean_activation"][...]
    _check_shapes(layers, path)
    return Weights(
        layers=layers,
        mean_activations=means,
        architecture=str(file.attrs["network"]),
        channel_order=file.attrs["channel_order"],
        pixel_mean=np.array(file.attrs["pixel_mean"]),
        pixel_scale=np.array(file.attrs["pixel_scale"]),
        path=Path(path),
        attributes=attributes,
    )


def _check_shapes(layers, path):
    """Check that every kernel has as many input channels as the layer before it has output channels."""
    if not layers:
        raise MinistyleError(f"weight file '{path}' holds no layers")
    channels = 3
    for name, (kernel, bias) in layers.items():
        expected = (3, 3, channels, bias.size)
        if kernel.shape != expected:
            raise MinistyleError(f"weight file '{path}': kernel of {name} (={kernel.shape}) must have shape {expected}")
        channels = bias.size


# Writing ---------------------------------------------------------------------------------------------


def write_weights(weights):
    """Write a weight file to `weights.path`, whole or not at all. It replaces an existing file.

    Parameters
    ----------
    weights : Weights
        The layers keep their data type. `attributes` needs to hold only what the other fields do not say, such as the
        licence and the source. A layer may have a mean activation and no kernel.

    Raises
    ------
    MinistyleError
        The file cannot be written.
    """
    first_kernel, _ = next(iter(weights.layers.values()))
    with _new_weight_file(weights.path) as file:
        file.attrs.update(weights.attributes)
        file.attrs.update(
            format=FORMAT,
            network=weights.architecture,
            channel_order=weights.channel_order,
            pixel_mean=weights.pixel_mean,
            pixel_scale=weights.pixel_scale,
            layers=list(weights.layers),
            dtype=first_kernel.dtype.name,
        )
        for name, (kernel, bias) in weights.layers.items():
            _store(file, f"{name}/kernel", kernel)
            _store(file, f"{name}/bias", bias)
        for name, mean in weights.mean_activations.items():
            _store(file, f"{name}/mean_activation", np.asarray(mean, np.float32))


def _store(file, name, array):
    file.create_dataset(name, data=array, shuffle=True, compression="gzip", compression_opts=9)


@contextmanager
def _new_weight_file(path):
    """Open a new HDF5 file that replaces `path` once it is complete. Create the folder if it is missing."""
    import h5py

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinistyleError(f"'{path}' cannot be written: {error.strerror or error}") from error
    with new_file(path) as temporary, h5py.File(temporary, "w") as file:
        yield file
