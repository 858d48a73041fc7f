"""Weight files: find them, verify them, import them from what others publish.

A weight file is HDF5. For every convolution of the network it holds a group, `conv1_1` and so on, with
the data sets `kernel` (3, 3, C_in, C_out) and `bias` (C_out,), and, where it has been measured,
`mean_activation` (C_out,), from which the normalised network is made. Its attributes say what the network
expects of a picture (`channel_order`, `pixel_mean`, `pixel_scale`), where the numbers come from (`source_file`,
`source_sha256`), how they may be used (`license`) and whom to cite (`citation`). So a file cannot be used with
the wrong preprocessing.
"""

import os
import re
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from .errors import MinistyleError
from .files import PACKAGE, new_file, sha256, shipped_path

ENVIRONMENT_VARIABLE = "MINISTYLE_WEIGHTS"
FORMAT = "ministyle weights 1"
LAST_SHIPPED_LAYER = "conv5_1"
DTYPES = ("float16", "float32")

KERAS_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_SHA256 = "bde7da0dfd621cbf86e11ce04e4946a9a42634c2cfd21318bba090d860699e35"

_DESCRIPTION = {
    "format": FORMAT,
    "network": "VGG-19",
    "license": "CC BY 4.0, Visual Geometry Group, University of Oxford",
    "citation": "K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image "
    "Recognition, arXiv:1409.1556, 2014",
    # What the Oxford network was trained on: blue, green, red, 0 to 255, minus these means; no division.
    "channel_order": "BGR",
    "pixel_mean": (103.939, 116.779, 123.68),
    "pixel_scale": (1.0, 1.0, 1.0),
}


@dataclass(frozen=True)
class Weights:
    """A weight file's contents.

    Attributes
    ----------
    layers : dict, layer name -> (kernel (3, 3, C_in, C_out), bias (C_out,)), in network order, of the type that the
        file keeps
    mean_activations : dict, layer name -> float32 (C_out,)
        Every filter's mean over photographs and positions, after the ReLU; empty if not measured.
    channel_order : "RGB" or "BGR", the order in which the network takes a picture's channels
    pixel_mean, pixel_scale : float64 (3,), in the network's channel order
        The network's input is (pixel - mean) / scale, pixels being 0 to 255.
    path : the file
    attributes : dict, all the file says about itself
    """

    layers: dict = field(repr=False)
    mean_activations: dict = field(repr=False)
    channel_order: str
    pixel_mean: np.ndarray
    pixel_scale: np.ndarray
    path: Path
    attributes: dict = field(repr=False)


# Finding ---------------------------------------------------------------------------------------------


def user_path():
    """Return where the user's own full-precision weight file lies, whether it exists or not."""
    import platformdirs

    return Path(platformdirs.user_data_dir("ministyle", appauthor=False)) / "vgg19-float32.h5"


def find_weights(path=None):
    """Return the path of the weight file to use.

    Looked for in this order: `path`; the environment variable MINISTYLE_WEIGHTS; the file that
    `python -m ministyle weights import --dtype float32` has put into the user's data folder; the file that
    comes with the project.

    Raises
    ------
    MinistyleError
        There is no such file. A file that was asked for is never replaced by another.
    """
    for asked, wish in ((path, "weights"), (os.environ.get(ENVIRONMENT_VARIABLE), ENVIRONMENT_VARIABLE)):
        if asked:
            asked = Path(asked).expanduser()
            if not asked.is_file():
                raise MinistyleError(f"{wish}: there is no file '{asked}'")
            return asked
    for candidate in (user_path(), shipped_path("weights/vgg19.h5")):
        if candidate.is_file():
            return candidate
    raise MinistyleError(
        "no weight file found: name one with --weights or MINISTYLE_WEIGHTS, or make one with "
        "'python -m ministyle weights import FILE'"
    )


# Reading ---------------------------------------------------------------------------------------------


def load_weights(path=None):
    """Read a weight file.

    Parameters
    ----------
    path : path, optional
        By default what `find_weights` finds.

    Raises
    ------
    MinistyleError
        The file is missing, or is not a weight file of this project.
    """
    import h5py  # here, because loading it takes longer than everything else in this module

    path = find_weights(path)
    try:
        with h5py.File(path, "r") as file:
            return _read(file, path)
    except KeyError as error:
        raise MinistyleError(f"weight file '{path}' cannot be read: {error.args[0]}") from error  # else in quotes
    except (OSError, TypeError, ValueError) as error:
        raise MinistyleError(f"weight file '{path}' cannot be read: {error}") from error


def _read(file, path):
    attributes = dict(file.attrs)
    if str(attributes.get("format")) != FORMAT:
        raise MinistyleError(
            f"'{path}' is not a ministyle weight file; turn a published one into such a file with "
            f"'python -m ministyle weights import {path}'"
        )
    layers, means = {}, {}
    for name, group in file.items():  # HDF5 lists by name, which is the network's order
        if "kernel" in group:
            layers[name] = group["kernel"][...], group["bias"][...]
        if "mean_activation" in group:
            means[name] = group["mean_activation"][...]
    _check_shapes(layers, path)
    return Weights(
        layers=layers,
        mean_activations=means,
        channel_order=attributes["channel_order"],
        pixel_mean=np.array(attributes["pixel_mean"]),
        pixel_scale=np.array(attributes["pixel_scale"]),
        path=Path(path),
        attributes=attributes,
    )


def _check_shapes(layers, path):
    """Make sure that each layer's kernel reads the channels that the layer before it writes."""
    if not layers:
        raise MinistyleError(f"weight file '{path}' holds no layers")
    channels = 3
    for name, (kernel, bias) in layers.items():
        if kernel.shape != (3, 3, channels, bias.size):
            raise MinistyleError(f"weight file '{path}': kernel of {name} has shape {kernel.shape}, which does not fit")
        channels = bias.size


# Making ----------------------------------------------------------------------------------------------


def import_weights(source, output=None, *, dtype="float16", overwrite=False, verify=True):
    """Turn the VGG-19 file that Keras publishes into a weight file of this project.

    Parameters
    ----------
    source : path
        `vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5`, the convolutions of the Oxford network.
    output : path, optional
        By default `weights/vgg19.h5` of the checkout for float16, the user's data folder for float32.
    dtype : {"float16", "float32"}
        float16 keeps conv1_1 to conv5_1, which is all that the paper uses, in 23 MB, with weights off by
        2e-4 relative; float32 keeps all 16 convolutions exactly, in 72 MB.
    overwrite : bool
        Replace an existing file.
    verify : bool
        Insist on the SHA-256 of the published file.

    Returns
    -------
    path of the file made
    """
    if dtype not in DTYPES:
        raise MinistyleError(f"dtype (={dtype!r}) must be one of {', '.join(DTYPES)}")
    source = Path(source)
    if not source.is_file():
        raise MinistyleError(f"there is no file '{source}'")
    digest = sha256(source)
    if verify and digest != KERAS_SHA256:
        raise MinistyleError(
            f"'{source}' is not Keras's {KERAS_FILE}: its SHA-256 is {digest}, not {KERAS_SHA256}; "
            "add --no-verify to import it all the same"
        )
    layers = _read_keras(source)
    if dtype == "float16":
        layers = {name: arrays for name, arrays in layers.items() if name <= LAST_SHIPPED_LAYER}
    output = Path(output) if output else _default_output(dtype)
    if output.exists() and not overwrite:
        raise MinistyleError(f"'{output}' exists; name another file with -o or add --overwrite")
    if output.exists() and output.samefile(source):
        raise MinistyleError(f"'{output}' is the file to be imported; name another one with -o")
    # The means belong to the Oxford network, whatever precision its weights are stored in.
    means = _known_mean_activations() if digest == KERAS_SHA256 else ({}, {})
    with _new_weight_file(output) as file:
        file.attrs.update(_DESCRIPTION)
        file.attrs.update(source_file=source.name, source_sha256=digest, dtype=dtype, layers=list(layers))
        for name, (kernel, bias) in layers.items():
            group = file.create_group(name)
            _store(group, "kernel", kernel, dtype)
            _store(group, "bias", bias, dtype)
        _store_means(file, *means)
    return output


def store_mean_activations(path, means, circumstances):
    """Put every filter's mean activation into a weight file, in place of what it had.

    Parameters
    ----------
    path : path of an existing weight file
    means : dict, layer name -> (C_out,), see `network.mean_activations`
    circumstances : dict, attribute's name -> value, for the record: the photographs, their size
    """
    import h5py

    path = load_weights(path).path  # nothing but a weight file is replaced
    with _new_weight_file(path) as file:
        with h5py.File(path, "r") as old:
            outdated = _circumstances(old.attrs)
            file.attrs.update((name, value) for name, value in old.attrs.items() if name not in outdated)
            for name, group in old.items():
                if "kernel" in group:
                    new = file.create_group(name)
                    _store(new, "kernel", group["kernel"][...], group["kernel"].dtype)
                    _store(new, "bias", group["bias"][...], group["bias"].dtype)
        _store_means(file, means, circumstances)


def _default_output(dtype):
    """Return where a weight file of this type belongs."""
    if dtype == "float32":
        return user_path()
    checkout = PACKAGE.parent
    if not (checkout / "setup.cfg").is_file():
        raise MinistyleError("name the file to write with -o (this is not a checkout of the project)")
    return checkout / "weights" / "vgg19.h5"


def _read_keras(path):
    """Read all convolutions of Keras's file: name -> (kernel (3, 3, C_in, C_out), bias), float32."""
    import h5py

    layers = {}
    try:
        with h5py.File(path, "r") as file:
            for group_name in sorted(file):
                match = re.fullmatch(r"block(\d)_conv(\d)", group_name)
                if match:
                    arrays = [array[...] for array in file[group_name].values()]
                    bias, kernel = sorted(arrays, key=lambda array: array.ndim)
                    if kernel.shape[:2] != (3, 3) or kernel.shape[3:] != bias.shape:
                        raise ValueError(f"{group_name} is no 3 x 3 convolution")
                    layers["conv{}_{}".format(*match.groups())] = kernel, bias
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise MinistyleError(f"'{path}' cannot be read as Keras's VGG-19 file: {error}") from error
    if not layers:
        raise MinistyleError(f"'{path}' holds no convolutions named as in Keras's VGG-19 file")
    return layers


def _known_mean_activations():
    """Return the mean activations kept in the project's own file, and the circumstances of their measurement."""
    shipped = shipped_path("weights/vgg19.h5")
    if not shipped.is_file():
        return {}, {}
    known = load_weights(shipped)
    return known.mean_activations, _circumstances(known.attributes)


def _store(group, name, array, dtype):
    group.create_dataset(name, data=array.astype(dtype), shuffle=True, compression="gzip", compression_opts=9)


def _store_means(file, means, circumstances):
    """Write the mean activations, for layers beyond those whose kernels the file holds as well."""
    file.attrs.update(circumstances)
    for name, mean in means.items():
        _store(file.require_group(name), "mean_activation", mean, np.float32)


def _circumstances(attributes):
    """Return those of a weight file's attributes that say how its mean activations were measured."""
    return {name: value for name, value in attributes.items() if name.startswith("mean_activation_")}


@contextmanager
def _new_weight_file(path):
    """Open a new HDF5 file that takes the place of `path` once it is complete, and only then."""
    import h5py

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise MinistyleError(f"'{path}' cannot be written: {error.strerror or error}") from error
    with new_file(path) as temporary, h5py.File(temporary, "w") as file:
        yield file
