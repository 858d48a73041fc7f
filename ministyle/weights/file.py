"""Our own weight file: what it holds, how to read it, how to write it.

A weight file is HDF5. It has one group for every convolution, `conv1_1` and so on. A group holds the data sets `kernel`
(3, 3, C_in, C_out) and `bias` (C_out,). It may also hold `mean_activation` (C_out,), from which the normalised network
is made.

The attributes of the file describe the network (`network`), how it expects a picture (`channel_order`, `pixel_mean`,
`pixel_scale`), where the numbers come from (`source_file`, `source_sha256`), how you may use them (`license`) and
whom to cite (`citation`). The file carries its own preprocessing, so nobody can use it with the wrong one.
"""

import functools
import io
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ..errors import MinistyleError
from ..files import new_file, open_regular, sha256_once, shipped_path, version_of
from .find import find_weights
from .isolated import read_isolated
from .known import SHIPPED_SHA256
from .own import FORMAT, read_own


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

    A file that does not come with the project is read in a process of its own; see `isolated`.

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
    path = find_weights(path)
    try:
        with open_regular(path) as file:
            known = sha256_once(path) == SHIPPED_SHA256
            attributes, arrays = read_own(path) if known else read_isolated("own", file)
        return as_weights(attributes, arrays, path)
    except OSError as error:
        raise MinistyleError(f"weight file '{path}' cannot be read: {error.strerror or error}") from None
    except MinistyleError as error:
        raise MinistyleError(f"weight file '{path}' cannot be read: {error}") from error


def shipped_weights():
    """Return the `Weights` that come with the project, or None where they are missing. They are read once."""
    path = shipped_path("weights/vgg19.h5")
    return _shipped(path, version_of(path)) if path.is_file() else None


@functools.lru_cache(maxsize=1)
def _shipped(path, version):
    return load_weights(path)


def as_weights(attributes, arrays, path):
    """Return the `Weights` that a file's attributes and arrays are, having checked their values."""
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise MinistyleError(f"{name} holds numbers that are not finite (nan or infinity)")
    missing = [name for name in ("channel_order", "pixel_mean", "pixel_scale") if name not in attributes]
    if missing:
        raise MinistyleError(f"it does not say its {missing[0]}")
    if attributes["channel_order"] not in ("RGB", "BGR"):
        raise MinistyleError(f"its channel_order is {attributes['channel_order']!r}, not RGB or BGR")
    layers = [name.split("/")[0] for name in arrays if name.endswith("/kernel")]
    means = [name.split("/")[0] for name in arrays if name.endswith("/mean_activation")]
    scale = _three_numbers(attributes, "pixel_scale")
    if not (scale > 0).all():
        raise MinistyleError(f"its pixel_scale (={scale.tolist()}) must be greater than 0")
    return Weights(
        layers={name: (arrays[f"{name}/kernel"], arrays[f"{name}/bias"]) for name in layers},
        mean_activations={name: arrays[f"{name}/mean_activation"] for name in means},
        architecture=attributes["network"],
        channel_order=attributes["channel_order"],
        pixel_mean=_three_numbers(attributes, "pixel_mean"),
        pixel_scale=scale,
        path=Path(path),
        attributes=attributes,
    )


def _three_numbers(attributes, name):
    """Return an attribute that has a number for each channel as a float64 array (3,)."""
    value = attributes[name]
    are_numbers = isinstance(value, list) and len(value) == 3 and all(isinstance(one, int | float) for one in value)
    if not are_numbers or not np.isfinite(value).all():
        raise MinistyleError(f"its {name} (={value!r}) must be 3 finite numbers")
    return np.array(value, np.float64)


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
    content = io.BytesIO()  # whole, before the disk is touched: HDF5 itself crashes where a disk is full
    _write(weights, content)
    try:
        weights.path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinistyleError(f"'{weights.path}' cannot be written: {error.strerror or error}") from error
    with new_file(weights.path) as temporary:
        temporary.write_bytes(content.getbuffer())


def _write(weights, content):
    """Write a weight file to an open file."""
    import h5py  # here, because loading it takes longer than everything else in this module

    first_kernel, _ = next(iter(weights.layers.values()))
    with h5py.File(content, "w") as file:
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
