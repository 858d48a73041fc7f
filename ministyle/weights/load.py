"""Load a network: weights from a file, and the fastest backend for the device."""

import os

from .. import arrays
from ..errors import MinistyleError, check_choice
from ..network import BACKENDS, Network, make_network
from .file import Weights, load_weights


def load_network(
    weights: str | os.PathLike[str] | Weights | None = None,
    *,
    pooling: str = "average",
    normalised: bool = False,
    dtype: str = "float32",
    device: str = "auto",
    convolution: str = "auto",
    threads: int | None = None,
    border: str = "zero",
    tf32: bool = False,
) -> Network:
    """Load a network, by default VGG-19.

    Parameters
    ----------
    weights : path or Weights, optional
        A weight file; by default the one that `find.find_weights` finds.
    pooling, normalised, dtype, border : see `network.make_network`
    device : {"auto", "cpu", "cuda"}
    convolution : {"auto", "winograd", "direct"}
        The fast convolution of `ministyle.fast`, which is for the CPU, or the plain one of `ministyle.layers`;
        "auto" takes the fast one where it can.
    threads : int, optional
        How many threads the fast convolution uses; by default one for each core. The result does not depend on it.
    tf32 : bool
        Let a GPU round the numbers it multiplies to 10 bits, see docs/gpu.md for the error. It holds for all networks
        of the process, until another one is loaded.

    Returns
    -------
    Network

    Raises
    ------
    MinistyleError
        A setting is unknown, the weight file is missing or unfit, or there is no GPU though one is asked for.
    """
    device = arrays.choose_device(device)
    backend = choose_backend(convolution, device)(threads=threads)
    if device == "cuda":
        arrays.allow_tf32(tf32)
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    return make_network(
        weights,
        pooling=pooling,
        normalised=normalised,
        dtype=dtype,
        device=device,
        border=border,
        backend=backend,
    )


def choose_backend(name, device):
    """Return the class of a backend; "auto" is the fastest one for the device.

    Raises
    ------
    MinistyleError
        There is no such backend, or it cannot compute on the device.
    """
    if name == "auto":
        return next(backend for backend in reversed(BACKENDS.values()) if device in backend.devices)
    check_choice("convolution", name, ("auto", *BACKENDS))
    if device not in BACKENDS[name].devices:
        raise MinistyleError(f"convolution {name!r} cannot run on device {device!r}; choose 'auto' or 'direct'")
    return BACKENDS[name]
