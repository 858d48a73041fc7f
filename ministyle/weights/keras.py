"""VGG-19 as Keras publishes it.

The file is HDF5. It has one group for every layer, `block1_conv1` and so on. A group of a convolution holds two data
sets, the kernel (3, 3, C_in, C_out) and the bias (C_out,). Their names vary from version to version of Keras, so we
tell them apart by their shapes.
"""

import re

from ..errors import MinistyleError
from .format import Format

KERAS_FILE = "vgg19_weights_tf_dim_ordering_tf_kernels_notop.h5"
KERAS_SHA256 = "bde7da0dfd621cbf86e11ce04e4946a9a42634c2cfd21318bba090d860699e35"

CONVOLUTION = re.compile(r"block(\d)_conv(\d)")  # the name of a convolution's group


def looks_like_keras(path):
    """Return whether a file is HDF5 and has a convolution with one of Keras's names."""
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return any(CONVOLUTION.fullmatch(name) for name in file)
    except (OSError, RuntimeError):
        return False


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
            found = [(CONVOLUTION.fullmatch(name), group) for name, group in sorted(file.items())]
            return {"conv{}_{}".format(*match.groups()): _kernel_and_bias(group) for match, group in found if match}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise MinistyleError(f"'{path}' cannot be read as Keras's VGG-19 file: {error}") from error


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
    architecture="VGG-19",
    # The Oxford network was trained on blue, green, red, 0 to 255, minus these means; nothing was divided.
    channel_order="BGR",
    pixel_mean=(103.939, 116.779, 123.68),
    pixel_scale=(1.0, 1.0, 1.0),
    license="CC BY 4.0, Visual Geometry Group, University of Oxford",
    citation="K. Simonyan, A. Zisserman: Very Deep Convolutional Networks for Large-Scale Image Recognition, "
    "arXiv:1409.1556, 2014",
    sha256=KERAS_SHA256,
)
