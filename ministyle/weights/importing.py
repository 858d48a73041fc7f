"""Turn a published file into a weight file of this project.

A new format takes one new file, in which it describes itself as a `Format`, and one line in `FORMATS`.
"""

from pathlib import Path

import numpy as np

from ..errors import MinistyleError, check_choice
from ..files import PACKAGE, sha256
from . import keras
from .file import DTYPES, Weights, write_weights
from .find import user_path
from .means import known_mean_activations

FORMATS = {
    "Keras": keras.KERAS,
}

LAST_SHIPPED_LAYER = "conv5_1"


def import_weights(source, output=None, *, dtype="float16", overwrite=False, verify=True):
    """Turn a published file into a weight file of this project.

    The new file also gets the mean activations of the shipped weight file, if that one was made from the same source.

    Parameters
    ----------
    source : path of a file in one of `FORMATS`
    output : path, optional
        By default, `weights/vgg19.h5` of the checkout for float16, and the user's data folder for float32.
    dtype : {"float16", "float32"}
        float16 keeps the layers up to conv5_1, which is all that the paper uses. For VGG-19 this takes 23 MB and
        changes the weights by 2e-4 relative. float32 keeps all layers exactly; for VGG-19 this takes 72 MB.
    overwrite : bool
        Replace an existing file.
    verify : bool
        Insist on the SHA-256 of the published file, if it is known.

    Returns
    -------
    Path of the new file

    Raises
    ------
    MinistyleError
        The source is missing, damaged, of an unknown format or not the published file, or the output cannot be written.
    """
    check_choice("dtype", dtype, DTYPES)
    source = Path(source)
    if not source.is_file():
        raise MinistyleError(f"there is no file '{source}'")
    known = format_of(source)
    digest = sha256(source)
    if verify and known.sha256 not in (None, digest):
        raise MinistyleError(
            f"'{source}' is not the published file ({known.description}): its SHA-256 is {digest}, not {known.sha256}; "
            "add --no-verify to import it anyway"
        )
    layers = known.read(source)
    if dtype == "float16":
        layers = {name: arrays for name, arrays in layers.items() if name <= LAST_SHIPPED_LAYER}
    output = Path(output) if output else _default_output(dtype)
    if output.exists() and not overwrite:
        raise MinistyleError(f"'{output}' exists; name another file with -o or add --overwrite")
    if output.exists() and output.samefile(source):
        raise MinistyleError(f"'{output}' is the file to import; name another file with -o")
    means, circumstances = known_mean_activations(digest)
    origin = {
        "license": known.license,
        "citation": known.citation,
        "source_file": source.name,
        "source_sha256": digest,
    }
    write_weights(
        Weights(
            layers={name: (kernel.astype(dtype), bias.astype(dtype)) for name, (kernel, bias) in layers.items()},
            mean_activations=means,
            architecture=known.architecture,
            channel_order=known.channel_order,
            pixel_mean=np.array(known.pixel_mean),
            pixel_scale=np.array(known.pixel_scale),
            path=output,
            attributes=origin | circumstances,
        )
    )
    return output


def format_of(path):
    """Return the entry of `FORMATS` that recognises a file.

    Raises
    ------
    MinistyleError
        No format recognises it.
    """
    for known in FORMATS.values():
        if known.recognises(path):
            return known
    importable = "; ".join(
        known.description + (f", SHA-256 {known.sha256}" if known.sha256 else "") for known in FORMATS.values()
    )
    raise MinistyleError(f"'{path}' is damaged or cannot be imported; what can be imported is: {importable}")


def _default_output(dtype):
    """Return the path of the new file if nobody names one."""
    if dtype == "float32":
        return user_path()
    checkout = PACKAGE.parent
    if not (checkout / "setup.cfg").is_file():
        raise MinistyleError("name the file to write with -o (this is not a checkout of the project)")
    return checkout / "weights" / "vgg19.h5"
