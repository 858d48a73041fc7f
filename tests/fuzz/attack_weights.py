"""Weight files: those of this project, and those in which others publish a network."""

import faulthandler
import functools
import gzip
import io
import json
import os
import signal
import sys
import traceback
import zlib
from functools import partial
from pathlib import Path

import mutate_weights
import mutators
import numpy as np
from kind import EndedError, Kind, WrongResultError, is_memory, where, where_it_ended

FILES = Path(__file__).resolve().parents[1] / "formats/files"
NAME = "weights.bin"
PATIENCE = 4  # seconds for a child process; after that the product may have a try, which takes up to 10
LARGEST_SEED = 300_000  # bytes
THE_WHOLE_WAY = 40  # one of so many inputs is read as the product does it, with a child process of the product's own


# Our own files -------------------------------------------------------------------------------------------


@functools.cache
def own_seeds():
    """Return small weight files of this project."""
    import h5py

    made = []
    for dtype, packed in (("float16", True), ("float32", False)):
        file = io.BytesIO()
        with h5py.File(file, "w") as weights:
            weights.attrs.update(
                format="ministyle weights 1",
                network="VGG-19",
                channel_order="BGR",
                pixel_mean=np.array([103.9, 116.8, 123.7]),
                pixel_scale=np.ones(3),
                layers=["conv1_1", "conv1_2"],
                dtype=dtype,
                license="CC BY 4.0",
            )
            options = {"compression": "gzip", "shuffle": True} if packed else {}
            channels = 3
            for name in ("conv1_1", "conv1_2", "conv2_1"):
                kernel = np.linspace(-1, 1, 9 * channels * 4).reshape(3, 3, channels, 4)
                weights.create_dataset(f"{name}/kernel", data=kernel.astype(dtype), **options)
                weights.create_dataset(f"{name}/bias", data=np.linspace(0, 1, 4).astype(dtype), **options)
                weights.create_dataset(f"{name}/mean_activation", data=np.full(4, 2, np.float32))
                channels = 4
        made.append(file.getvalue())
    return made


def check_weights(weights):
    """Refuse weights whose arrays do not fit each other, or are not finite numbers."""
    channels = 3
    for name, (kernel, bias) in weights.layers.items():
        if kernel.shape != (3, 3, channels, len(bias)) or bias.ndim != 1:
            raise WrongResultError(f"{name}: kernel of shape {kernel.shape}, bias of shape {bias.shape}")
        channels = len(bias)
        _check_numbers(name, kernel, bias)
    for name, mean in weights.mean_activations.items():
        if name in weights.layers and mean.shape != weights.layers[name][1].shape:
            raise WrongResultError(f"{name}: mean activations of shape {mean.shape}")
        _check_numbers(f"mean activations of {name}", mean)
    for name in ("pixel_mean", "pixel_scale"):
        values = getattr(weights, name)
        if not isinstance(values, np.ndarray) or values.shape != (3,):
            raise WrongResultError(f"{name} is {values!r}")
        if values.dtype.kind not in "fiu" or not np.isfinite(values).all():
            raise WrongResultError(f"{name} is {values!r}")
    if not (weights.pixel_scale > 0).all():
        raise WrongResultError(f"pixel_scale is {weights.pixel_scale!r}")
    if not isinstance(weights.architecture, str) or str(weights.channel_order) not in ("RGB", "BGR"):
        raise WrongResultError(f"architecture {weights.architecture!r}, channel order {weights.channel_order!r}")


def _check_numbers(name, *arrays):
    for array in arrays:
        if array.dtype.kind == "f" and np.isclose(array.astype(np.float64), mutate_weights.SECRET, atol=8).any():
            raise WrongResultError(f"{name} holds the numbers of another file")
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise WrongResultError(f"{name} holds numbers of type {array.dtype} that are not all finite")


def consume_own(data, place):
    """Load weights in a child process, and some of them the product's own way."""
    _survived(_load_own, data, place)


def _load_own(place):
    """Load weights as the product's own child process does, and look at what it sends back as the product does."""
    from ministyle.weights.file import as_weights
    from ministyle.weights.isolated import Limits, received, serve

    path = place.input / NAME
    with open(path, "rb") as file, os.fdopen(os.memfd_create("result"), "w+b") as result:
        serve("own", file, result, Limits.for_file(path.stat().st_size))
        check_weights(as_weights(*received(result), path))


def _load(place):
    """Load weights as the product does."""
    from ministyle.weights.file import load_weights

    check_weights(load_weights(place.input / NAME))


def _survived(work, data, place):
    """Do work in a child process. Where that crashes or hangs, the product's own way must be none the worse.

    Parameters
    ----------
    work : function of (place,)
    data : bytes, the input
    place : Place
    """
    whole_way = zlib.crc32(data) % THE_WHOLE_WAY == 0
    try:
        in_child(work, place)
    except EndedError as error:
        if error.outcome not in ("crash", "hang"):
            raise
        whole_way = True
    if whole_way:
        _load(place)


# Those of others -----------------------------------------------------------------------------------------


def consume_published(data, place):
    """Read all tensors of a published network."""
    from ministyle.errors import as_damaged
    from ministyle.formats.formats import format_of

    path = place.input / NAME
    with as_damaged(f"'{path}'"), open(path, "rb") as file:
        for name, tensor in format_of(file).tensors(file).items():
            if not isinstance(name, str):
                raise WrongResultError(f"a tensor is called {name!r}")
            if tensor.dtype.kind not in "fiu":  # of no use to us; it is not read
                continue
            array = tensor.read()
            if array.shape != tuple(tensor.shape) or array.dtype != tensor.dtype:
                raise WrongResultError(f"{name}: {tensor!r} is read as {array.dtype} of shape {array.shape}")
            if (array == mutate_weights.SECRET).any():
                raise WrongResultError(f"{name} holds the numbers of another file")


def consume_in_child(data, place):
    """Read all tensors of a published network in a child process: a library in C may crash."""
    _survived(partial(consume_published, data), data, place)


def in_child(work, place):
    """Do some work in a child process, and raise here what it raised there.

    HDF5 is a library in C, and a damaged file may end the process. The product reads such files in a child process.

    Parameters
    ----------
    work : function of (place,)
    place : Place

    Raises
    ------
    EndedError
        The child process crashed, or took too long.
    """
    from ministyle.errors import MinistyleError

    read, write = os.pipe()
    sys.stderr.flush()
    child = os.fork()
    if child == 0:
        _report(work, place, write)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        said = pipe.read()
    _, status, used = os.wait4(child, 0)
    place.child_mb = max(place.child_mb, used.ru_maxrss * 1024 / 1e6)
    if os.WIFSIGNALED(status) or not said:
        name = signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else "exit"
        trace = place.trace.read_text(errors="replace")
        outcome = "hang" if name == "SIGALRM" else "crash"
        raise EndedError(outcome, f"{name} in a child process at {where_it_ended(trace)}", trace)
    outcome, signature, text = json.loads(said)
    if outcome == "refused":
        raise MinistyleError(text)
    if outcome == "wrong":
        raise WrongResultError(text)
    if outcome != "right":
        raise EndedError(outcome, signature, text)


def _report(work, place, write):
    """Do the work, say what came of it, and end the process; where it ended goes to a file if it crashes or hangs."""
    with open(place.trace, "w") as trace:
        faulthandler.enable(trace)
        faulthandler.register(signal.SIGALRM, trace, chain=True)
        signal.alarm(PATIENCE)
        _say(work, place, write)


def _say(work, place, write):
    from ministyle.errors import MinistyleError

    said = ["right", "", ""]
    try:
        work(place)
    except WrongResultError as error:
        said = ["wrong", "", str(error)]
    except MinistyleError as error:
        said = ["memory" if is_memory(error) else "refused", where(error), str(error)]
    except BaseException as error:
        said = ["memory" if is_memory(error) else "traceback", where(error), traceback.format_exc()[-20000:]]
    finally:
        sys.stderr.flush()
        with os.fdopen(write, "w") as pipe:
            json.dump(said, pipe)
        os._exit(0)


# Kinds ---------------------------------------------------------------------------------------------------

IN_C = ("keras", "keras archive")  # whose readers, in C, may crash
ENDINGS = {  # kind -> ends of names of its seeds
    "keras": (".h5",),
    "keras archive": (".keras",),
    "pytorch": (".pth",),
    "numpy": (".npz",),
    "matconvnet": (".mat",),
    "safetensors": (".safetensors",),
    "onnx": (".onnx",),
    "caffe": (".caffemodel",),
}


@functools.cache
def published_seeds(kind):
    """Return the small published files of a kind."""
    seeds = []
    for path in sorted(FILES.iterdir()):
        data = path.read_bytes()
        name = path.name
        if name.endswith(".gz"):
            name, data = name.removesuffix(".gz"), gzip.decompress(data)
        if name.endswith(ENDINGS[kind]) and not name.startswith(("expected", "external")):
            seeds.append(data)
    return sorted(seeds, key=len)[:6]


def _mutate_member(random, name, part):
    """Damage a member of an archive by what it is."""
    if name.endswith(".pkl"):
        return mutate_weights.mutate_pickle(random, part)
    if name.endswith(".npy"):
        return mutate_weights.mutate_npy(random, part)
    if name.endswith(".h5"):
        return mutate_weights.mutate_hdf5(random, part)
    return mutators.mutate_bytes(random, part or b"\0", [part or b"\0"], 1)


def mutate_published(random, seed, seeds):
    """Damage a published file, with or without regard to its format."""
    kind = random.random()
    if kind < 0.3:
        return mutators.mutate_bytes(random, seed, seeds)
    if kind < 0.45:  # where most formats say what they hold
        end = random.choice((64, 400, 4000))
        return mutators.mutate_bytes(random, seed[:end], seeds, 1) + seed[end:]
    if seed.startswith(b"PK"):
        return mutate_weights.mutate_zip(random, seed, _mutate_member)
    if seed.startswith(b"\x89HDF"):
        return mutate_weights.mutate_hdf5(random, seed)
    if seed.startswith(b"MATLAB"):
        return mutate_weights.mutate_matlab(random, seed)
    if seed[8:9] == b"{":
        return mutate_weights.mutate_safetensors(random, seed)
    if seed.startswith(b"\x80"):
        return mutate_weights.mutate_pickle(random, seed)
    return mutate_weights.mutate_message(random, seed)


def mutate_own(random, seed, seeds):
    """Damage a weight file of this project."""
    return (
        mutate_weights.mutate_hdf5(random, seed)
        if random.random() < 0.8
        else mutators.mutate_bytes(random, seed, seeds)
    )


def files(data):
    """Return the input, and a file that it may try to lead to."""
    return {NAME: data, mutate_weights.SECRET_FILE: mutate_weights.secret()}


def prepare():
    """Import what is needed, before memory is limited."""
    import h5py  # noqa: F401
    import scipy.io  # noqa: F401

    import ministyle.command  # noqa: F401


def kinds():
    """Return all kinds of weight files."""
    common = {"files": files, "prepare": prepare}
    made = [Kind("ministyle", own_seeds, mutate_own, consume_own, children=True, **common)]
    for name in ENDINGS:
        consume = consume_in_child if name in IN_C else consume_published
        seeds = partial(published_seeds, name)
        made.append(Kind(name, seeds, mutate_published, consume, children=name in IN_C, **common))
    return made
