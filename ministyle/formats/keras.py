"""Keras: weights and whole models, of Keras 1 to 3.

All of them are HDF5. Keras 1 and 2 have one group for every layer, such as `block1_conv1`; in a whole model those are
in the group `model_weights`. Keras 3 numbers layers in the order of the network, and the arrays of a layer, such as
`layers/conv2d_1/vars/0`. It puts a whole model into a zip archive (.keras), together with a description in JSON, which
is not needed.
"""

import io
import re

from ..errors import MinistyleError
from .archive import member_names, open_archive, read_member
from .format import Format
from .hdf5 import data_sets, group_in, is_hdf5

OURS = "ministyle weights"  # so begins the attribute `format` of our own weight files
MEMBER = "model.weights.h5"
FIRST_MEMBERS = ["metadata.json"], ["config.json"]  # all that is known of a broken archive
WHOLE_MODEL = "model_weights"  # a group, beside the state of the optimizer
LAYERS = ("layers", "_layer_checkpoint_dependencies")  # groups of Keras 3
KERAS_ATTRIBUTES = ("layer_names", "keras_version")
LAYER_NAME = re.compile(r"block\d_conv\d")


def looks_like_keras(file):
    """Say whether a file is HDF5 and has what Keras writes; HDF5 that cannot be opened counts, to be called damaged."""
    if not is_hdf5(file):
        return False
    import h5py

    try:
        with h5py.File(file, "r") as opened:
            if str(opened.attrs.get("format", "")).startswith(OURS):
                return False
            names = set(opened)
            return (
                bool(names & {WHOLE_MODEL, *LAYERS})
                or any(name in opened.attrs for name in KERAS_ATTRIBUTES)
                or any(LAYER_NAME.match(name) for name in names)
            )
    except Exception:  # any; the file is a stranger's
        return True


def tensors(file):
    """Return the arrays of all layers, such as "block1_conv1/kernel:0"; see `format.Format`.

    The state of an optimizer is left out.
    """
    import h5py

    opened = h5py.File(file, "r")
    names = set(opened)
    for name in (WHOLE_MODEL, *LAYERS):
        if name in names:
            return data_sets(group_in(opened, name), f"{name}/")
    return data_sets(opened)


def looks_like_keras_archive(file):
    """Say whether a file is a zip archive with the weights of Keras 3."""
    names = member_names(file)
    return MEMBER in names or names in FIRST_MEMBERS


def tensors_of_archive(file):
    """Return the arrays of all layers, such as "layers/conv2d/vars/0"; see `format.Format`."""
    unpacked = io.BytesIO(read_member(open_archive(file), MEMBER))
    if not is_hdf5(unpacked):
        raise MinistyleError(f"the member '{MEMBER}' is not HDF5")
    return tensors(unpacked)


KERAS = Format(
    name="Keras",
    description="weights or a whole model of Keras in HDF5 (.h5, .weights.h5)",
    recognises=looks_like_keras,
    tensors=tensors,
)
KERAS_ARCHIVE = Format(
    name="Keras archive",
    description="a whole model of Keras 3 (.keras)",
    recognises=looks_like_keras_archive,
    tensors=tensors_of_archive,
)
