"""Turn a published file into a weight file of this project.

The format is found by what the file holds, see `ministyle.formats`. How its network expects a picture is told by the
file's checksum, if it is a known file; else by the caller; else by its first layer, if that is Oxford's. Otherwise we
ask, because a wrong guess would make pictures that look almost right.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..architecture import VGG19
from ..errors import MinistyleError, check_choice
from ..files import PACKAGE, open_regular
from .file import Weights, write_weights
from .find import user_path
from .isolated import read_isolated
from .known import CITATION, OXFORD_LICENSE, PREPROCESSING, KnownFile, checksums, identify
from .means import known_mean_activations
from .own import DTYPES
from .oxford import FIRST_LAYER, Likeness, has_the_shipped_numbers, likeness

LAST_SHIPPED_LAYER = "conv5_1"


@dataclass(frozen=True)
class Published:
    """A published file, read.

    Attributes
    ----------
    path : Path
    format : str, such as "PyTorch"
    architecture : str
    layers : dict, layer name -> (kernel (3, 3, C_in, C_out), bias (C_out,)), float32, as the file has them
    sha256 : str
    known : KnownFile or None
    likeness : Likeness or None, to Oxford's network
    """

    path: Path
    format: str
    architecture: str
    layers: dict
    sha256: str
    known: KnownFile | None
    likeness: Likeness | None

    def describe(self):
        """Return what was found, a list of sentences without full stops."""
        names = list(self.layers)
        what = self.known.description if self.known else "a file whose checksum is not known"
        found = [f"{self.format}: {self.architecture}, {names[0]} to {names[-1]}, {what}"]
        if self.likeness is None:
            return [
                *found,
                "its first layer is not Oxford's, so nothing tells whether the filters are the right way round",
            ]
        rescaled = ", its filters rescaled, as in the authors' normalised network" if self.likeness.rescaled else ""
        found.append(f"its first layer is Oxford's, for {self.likeness.channel_order}{rescaled}")
        if self.likeness.turn:
            found.append(f"its filters were {self.likeness.turn}; that was mended")
        return found


@dataclass(frozen=True)
class Imported:
    """A weight file that was made of a published one.

    Attributes
    ----------
    path : Path, of the new file
    weights : Weights
    found : list of str, what the published file was found to be
    """

    path: Path
    weights: Weights
    found: list


def import_weights(source, output=None, *, dtype="float16", overwrite=False, preprocessing=None):
    """Turn a published file into a weight file of this project.

    Where all its numbers are those of the shipped weight file, the new file gets the mean activations of that one.

    Parameters
    ----------
    source : path of a file in one of `ministyle.formats.FORMATS`
    output : path, optional
        For Oxford's VGG-19, by default, `weights/vgg19.h5` of the checkout for float16, and the user's data folder for
        float32. The files there are used by themselves, so those of other networks need a name.
    dtype : {"float16", "float32"}
        float16 keeps the layers up to conv5_1, which is all that the paper uses. For VGG-19 this takes 23 MB and
        changes the weights by 2e-4 relative. float32 keeps all layers exactly; for VGG-19 this takes 72 MB.
    overwrite : bool
        Replace an existing file.
    preprocessing : {"caffe", "torch"}, optional
        How the network expects a picture, where the file is not known: 0 to 255 minus Oxford's means, or as torchvision
        does it. With "caffe" the first layer tells the order of the channels, which is BGR where it is not Oxford's.

    Returns
    -------
    Imported

    Raises
    ------
    MinistyleError
        The source is missing, damaged or of an unknown format; nobody says how its network expects a picture; or the
        output cannot be written.
    """
    check_choice("dtype", dtype, DTYPES)
    if preprocessing is not None:
        check_choice("preprocessing", preprocessing, PREPROCESSING)
    published = read_published(source)
    expects = preprocessing_of(published, preprocessing)
    layers = published.layers
    if published.likeness is not None:
        layers = {name: (published.likeness.mend(kernel), bias) for name, (kernel, bias) in layers.items()}
    if dtype == "float16":
        layers = {name: arrays for name, arrays in layers.items() if name <= LAST_SHIPPED_LAYER}
    output = Path(output) if output else _default_output(dtype, published)
    _check_output(output, published.path, overwrite)
    shipped = has_the_shipped_numbers(layers)
    means, circumstances = known_mean_activations() if shipped else ({}, {})
    weights = Weights(
        layers={name: tuple(_rounded(array, name, dtype) for array in arrays) for name, arrays in layers.items()},
        mean_activations=means,
        architecture=published.architecture,
        channel_order=expects.channel_order,
        pixel_mean=np.array(expects.pixel_mean),
        pixel_scale=np.array(expects.pixel_scale),
        path=output,
        attributes={**_origin(published), **circumstances},
    )
    write_weights(weights)
    return Imported(output, weights, published.describe())


def read_published(source):
    """Read a published file; see `Published`.

    Raises
    ------
    MinistyleError
        It is missing, damaged, or of an unknown format.
    """
    source = Path(source)
    try:
        with open_regular(source) as file:
            sha256, md5 = checksums(file)
            about, arrays = read_isolated("published", file)
    except FileNotFoundError:
        raise MinistyleError(f"there is no file '{source}'") from None
    except OSError as error:
        raise MinistyleError(f"'{source}' cannot be read: {error.strerror or error}") from None
    except MinistyleError as error:
        raise MinistyleError(f"'{source}' cannot be imported: {error}") from error
    for name, array in arrays.items():
        if not np.isfinite(array).all():
            raise MinistyleError(f"'{source}' cannot be imported: {name} holds numbers that are not finite")
    names = [name.split("/")[0] for name in arrays if name.endswith("/kernel")]
    layers = {name: (arrays[f"{name}/kernel"], arrays[f"{name}/bias"]) for name in names}
    return Published(
        source,
        str(about["format"]),
        about["network"],
        layers,
        sha256,
        identify(sha256, md5),
        likeness(layers[FIRST_LAYER][0]),
    )


def preprocessing_of(published, asked=None):
    """Return how a published file's network expects a picture.

    Parameters
    ----------
    published : Published
    asked : a key of `known.PREPROCESSING`, optional

    Returns
    -------
    known.Preprocessing

    Raises
    ------
    MinistyleError
        Nothing tells.
    """
    if published.known is not None:
        expects = published.known.preprocessing
    elif asked is not None:
        expects = PREPROCESSING[asked]
    elif published.likeness is not None:
        expects = PREPROCESSING["caffe"]
    else:
        raise MinistyleError(
            f"'{published.path}' is not a known file (its SHA-256 is {published.sha256}), and its first layer is not "
            "that of Oxford's network; say how it expects a picture: add --preprocessing torch if it was trained with "
            "torchvision's means, or --preprocessing caffe for blue, green, red, 0 to 255"
        )
    return expects if published.likeness is None else expects.in_order(published.likeness.channel_order)


def _origin(published):
    """Return the attributes that say where the numbers come from."""
    if published.known is not None:
        terms = published.known.license
    else:
        terms = OXFORD_LICENSE if published.likeness is not None else "unknown: ask where the file comes from"
    return {
        "license": terms,
        "citation": CITATION,
        "source_file": published.path.name,
        "source_sha256": published.sha256,
    }


def _rounded(array, name, dtype):
    """Return an array in a data type, having checked that its numbers fit."""
    with np.errstate(over="ignore"):
        rounded = array.astype(dtype)
    if not np.isfinite(rounded).all():
        raise MinistyleError(f"numbers of {name} are too large for {dtype}; add --dtype float32")
    return rounded


def _check_output(output, source, overwrite):
    """Refuse to write over a file, unless that is wanted, and over the source in any case."""
    if output.exists() and output.samefile(source):
        raise MinistyleError(f"'{output}' is the file to import; name another file with -o")
    if output.exists() and not overwrite:
        raise MinistyleError(f"'{output}' exists; name another file with -o or add --overwrite")


def _default_output(dtype, published):
    """Return the path of the new file if nobody names one."""
    if published.architecture != VGG19.name or published.likeness is None or published.likeness.rescaled:
        raise MinistyleError(
            f"name the new file with -o, and then with --weights; only Oxford's {VGG19.name} is found by itself"
        )
    if dtype == "float32":
        return user_path()
    checkout = PACKAGE.parent
    if not (checkout / "setup.cfg").is_file():
        raise MinistyleError("name the file to write with -o (this is not a checkout of the project)")
    return checkout / "weights" / "vgg19.h5"
