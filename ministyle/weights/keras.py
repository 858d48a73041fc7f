"""VGG-19 and VGG-16 as Keras publishes them.

The file is HDF5. It has one group for every layer, `block1_conv1` and so on. A group of a convolution holds two data
sets, the kernel (3, 3, C_in, C_out) and the bias (C_out,). Their names vary from version to version of Keras, so we
tell them apart by their shapes. The two networks' files are told apart by their layers.
"""

import re
from dataclasses import replace
from functools import partial

from ..architecture import VGG16, VGG19
from ..errors import MinistyleError
from .format import Format

KERAS_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_SHA256 = "bde7da0dfd621cbf86e11ce04e4946a9a42634c2cfd21318bba090d860699e35"
KERAS_VGG16_FILE = "vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_VGG16_MD5 = "6d6bbae143d832006294945121d1f1fc"  # as in Keras's own keras/src/applications/vgg16.py

CONVOLUTION = re.compile(r"block(\d)_conv(\d)")  # the name of a convolution's group


def looks_like_keras(path, architecture=VGG19):
    """Return whether a file is HDF5 and has, with Keras's names, the first layers of an architecture or all of them.

    The first layers alone may be those of both networks; the file counts as either then.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            names = tuple(_paper_names(file))
    except (OSError, RuntimeError):
        return False
    return bool(names) and names == architecture.convolutions[: len(names)]


def read_keras(path):
    """Read all convolutions.

    Returns
    -------
    dict, layer name -> (kernel (3, 3, C_in, C_out), bias (C_out,)), with the paper's names, in network order

    Raises
    ------
    MinistyleError
        The file is damaged, or its convolutions are not what Keras publishes.
    """
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return {name: _kernel_and_bias(file[group]) for name, group in _paper_names(file).items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise MinistyleError(f"'{path}' cannot be read as a file of Keras: {error}") from error


def _paper_names(file):
    """Return the convolutions' names, the paper's -> Keras's, in network order."""
    found = (CONVOLUTION.fullmatch(name) for name in sorted(file))
    return {"conv{}_{}".format(*match.groups()): match.group() for match in found if match}


def _kernel_and_bias(group):
    arrays = [array[...] for array in group.values()]
    bias, kernel = sorted(arrays, key=lambda array: array.ndim)
    if kernel.shape[:2] != (3, 3) or kernel.shape[3:] != bias.shape:
        raise ValueError(f"{group.name} is not a 3 x 3 convolution")
    return kernel, bias


KERAS = Format(
    description=f"VGG-19 as Keras publishes it, {KERAS_FILE}",
    recognises=looks_like_keras,
    read=read_keras,
    architecture=VGG19.name,
    # The Oxford network was trained on blue, green, red, 0 to 255, minus these means; nothing was divided.
    channel_order="BGR",
    pixel_mean=(103.939, 116.779, 123.68),
    pixel_scale=(1.0, 1.0, 1.0),
    license="CC BY 4.0, Visual Geometry Group, University of Oxford",
    citation="K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, "
    "arXiv:1409.1556, 2014",
    sha256=KERAS_SHA256,
)
KERAS_VGG16 = replace(
    KERAS,
    description=f"VGG-16 as Keras publishes it, {KERAS_VGG16_FILE}",
    recognises=partial(looks_like_keras, architecture=VGG16),
    architecture=VGG16.name,
    sha256=None,
    md5=KERAS_VGG16_MD5,
)
