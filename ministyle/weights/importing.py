"""Turn a published file into a weight file of this project.

A new format takes one new file, in which it describes itself as a `Format`, and one line in `FORMATS`.
"""

from pathlib import Path

import numpy as np

from ..architecture import VGG19
from ..errors import MinistyleError, check_choice
from ..files import PACKAGE, md5, sha256
from . import keras
from .file import DTYPES, Weights, write_weights
from .find import user_path
from .means import known_mean_activations

FORMATS = {
    "Keras": keras.KERAS,
    "Keras, VGG-16": keras.KERAS_VGG16,
}

LAST_SHIPPED_LAYER = "conv5_1"


def import_weights(source, output=None, *, dtype="float16", overwrite=False, verify=True):
    """Turn a published file into a weight file of this project.

    The new file also gets the mean activations of the shipped weight file, if that one was made from the same source.

    Parameters
    ----------
    source : path of a file in one of `FORMATS`
    output : path, optional
        For VGG-19, by default, `weights/vgg19.h5` of the checkout for float16, and the user's data folder for float32.
        The files there are used by themselves, so those of other networks need a name.
    dtype : {"float16", "float32"}
        float16 keeps the layers up to conv5_1, which is all that the paper uses. For VGG-19 this takes 23 MB and
        changes the weights by 2e-4 relative. float32 keeps all layers exactly; for VGG-19 this takes 72 MB.
    overwrite : bool
        Replace an existing file.
    verify : bool
        Insist on the checksum of the published file, if it is known.

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
    if verify:
        _check_published(source, known)
    layers = known.read(source)
    if dtype == "float16":
        layers = {name: arrays for name, arrays in layers.items() if name <= LAST_SHIPPED_LAYER}
    output = Path(output) if output else _default_output(dtype, known.architecture)
    if output.exists() and not overwrite:
        raise MinistyleError(f"'{output}' exists; name another file with -o or add --overwrite")
    if output.exists() and output.samefile(source):
        raise MinistyleError(f"'{output}' is the file to import; name another file with -o")
    digest = sha256(source)
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
        known.description + (f", {known.checksum}" if known.checksum else "") for known in FORMATS.values()
    )
    raise MinistyleError(f"'{path}' is damaged or cannot be imported; what can be imported is: {importable}")


def _check_published(source, known):
    """Refuse a file whose checksum is not that of the published one."""
    for name, function, published in (("SHA-256", sha256, known.sha256), ("MD5", md5, known.md5)):
        if published is not None and (digest := function(source)) != published:
            raise MinistyleError(
                f"'{source}' is not the published file ({known.description}): its {name} is {digest}, not {published}; "
                "add --no-verify to import it anyway"
            )


def _default_output(dtype, architecture):
    """Return the path of the new file if nobody names one."""
    if architecture != VGG19.name:
        raise MinistyleError(
            f"name {architecture}'s file with -o, and then with --weights; only VGG-19's is found by itself"
        )
    if dtype == "float32":
        return user_path()
    checkout = PACKAGE.parent
    if not (checkout / "setup.cfg").is_file():
        raise MinistyleError("name the file to write with -o (this is not a checkout of the project)")
    return checkout / "weights" / "vgg19.h5"
