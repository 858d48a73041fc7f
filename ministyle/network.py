"""The network, run forward to features and backward to the gradient of a picture.

The network is used as the paper uses it: only its convolutions and pooling layers, with fixed weights. `architecture`
has the table of its layers.

`forward` runs one operation after the other and writes a tape, the list of all operations with their caches.
`backward` goes through the tape in reverse order. A backend says how an operation is computed: `PlainBackend` calls the
functions of `layers`; faster backends register themselves in `BACKENDS`.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import numpy as np

from . import arrays, layers
from .architecture import ARCHITECTURES, Architecture
from .arrays import array_module
from .errors import MinistyleError, check_choice
from .types import Array

POOLING = {
    "average": (layers.average_pool_forward, layers.average_pool_backward),
    "max": (layers.max_pool_forward, layers.max_pool_backward),
}
DTYPES = ("float32", "float64")
BORDERS = (*layers.BORDERS, "mirror")
MARGIN = 16  # pixels of its mirror image around a picture; divisible by 2^4, so it ends between pooling windows


# Operations, and the backend that makes them -------------------------------------------------------------


@dataclass(frozen=True)
class Operation:
    """One operation of the network.

    Attributes
    ----------
    kind : "surround", "preprocess", "convolution", "relu" or "pool"
    layer : the name of the layer whose activations come out, or None where they are not those of a layer
    forward : function x -> y, cache
    backward : function dy, cache -> dx
    """

    kind: str
    layer: str | None
    forward: Callable
    backward: Callable


class PlainBackend:
    """Computes with the functions of `layers`, as they stand, on a CPU or a GPU.

    Every backend has these attributes and methods.

    Attributes
    ----------
    devices : tuple of devices that the backend can compute on
    """

    devices = ("cpu", "cuda")

    def __init__(self, **options):
        """Take options about speed; this backend has none."""

    def convolution(self, name, kernel, bias, border):
        """Yield the operations of a convolution and its ReLU."""
        forward = partial(layers.convolution_forward, kernel=kernel, bias=bias, border=border)
        yield Operation("convolution", None, forward, layers.convolution_backward)
        yield Operation("relu", name, layers.relu_forward, layers.relu_backward)

    def pooling(self, name, forward, backward):
        """Yield the operation of a pooling layer, given its two functions of `layers`."""
        yield Operation("pool", name, forward, backward)

    def over_rows(self, function, array):
        """Call `function` with slices that together are all rows of an array; return a list of the results.

        This backend makes one call, with all rows.
        """
        return [function(slice(None))]

    def release(self):
        """Give back memory that is only kept to be used again; this backend keeps none."""


BACKENDS = {"direct": PlainBackend}  # name -> class; the last one that knows a device is the fastest there


# The network -------------------------------------------------------------------------------------------


def make_network(
    weights, *, pooling="average", normalised=False, dtype="float32", device="cpu", border="zero", backend=None
):
    """Make a network from weights; `ministyle.load_network` reads these from a file and then calls this.

    Parameters
    ----------
    weights : Weights
        What a weight file holds: `layers`, name -> (kernel, bias); `mean_activations`; what the network expects of a
        picture, `channel_order`, `pixel_mean` and `pixel_scale`; the name of its `architecture`; its `path`.
    pooling : {"average", "max"}
        The paper replaces VGG's max pooling by average pooling; the authors' later code does not.
    normalised : bool
        Rescale every filter so that its mean activation over photographs is 1, see `normalise`.
    dtype : {"float32", "float64"}
        The type the network computes in.
    device : {"cpu", "cuda"}
    border : {"zero", "replicate", "periodic", "mirror"}
        What surrounds a feature map in every convolution: zeros, as in the paper; its edge again, which a peer does in
        its first layer; or copies of the map itself, which make a picture tileable. That is exact where no pooling
        layer drops an odd row or column. "mirror" surrounds the picture with its mirror image, and feature maps with
        zeros; activations are those of the picture alone.
    backend : object such as `PlainBackend`, the default

    Returns
    -------
    Network

    Raises
    ------
    MinistyleError
        A setting is unknown, or the weights do not fit their architecture.
    """
    for name, value, known in (
        ("pooling", pooling, POOLING),
        ("dtype", dtype, DTYPES),
        ("border", border, BORDERS),
    ):
        check_choice(name, value, known)
    if weights.architecture not in ARCHITECTURES:
        raise MinistyleError(
            f"weight file '{weights.path}' is of {weights.architecture!r}, which is not one of "
            f"{', '.join(ARCHITECTURES)}"
        )
    architecture = ARCHITECTURES[weights.architecture]
    if tuple(weights.layers) != architecture.convolutions[: len(weights.layers)]:
        raise MinistyleError(
            f"weight file '{weights.path}' must hold {architecture.name}'s layers from conv1_1 on without a gap"
        )
    for name, (_, bias) in weights.layers.items():
        filters = architecture.layers[name].channels
        if len(bias) != filters:
            raise MinistyleError(
                f"weight file '{weights.path}': {name} has {len(bias)} filters and must have {filters}"
            )
    backend = PlainBackend() if backend is None else backend
    parameters = normalise(weights, dtype) if normalised else weights.layers
    on_device = {
        name: tuple(arrays.to_device(array, device, dtype) for array in kernel_and_bias)
        for name, kernel_and_bias in parameters.items()
    }
    weights = replace(
        weights,
        pixel_mean=arrays.to_device(weights.pixel_mean, device),
        pixel_scale=arrays.to_device(weights.pixel_scale, device),
    )
    operations = [Operation("preprocess", None, partial(preprocess_forward, weights=weights), preprocess_backward)]
    if border == "mirror":
        border = "zero"
        operations = [Operation("surround", None, surround_forward, surround_backward), *operations]
    for name, layer in architecture.layers.items():
        if layer.kind == "pool":
            operations += backend.pooling(name, *POOLING[pooling])
        elif name in on_device:
            operations += backend.convolution(name, *on_device[name], border)
    return Network(architecture, weights, tuple(operations), tuple(on_device), dtype, device, backend)


@dataclass(frozen=True)
class Network:
    """A network with fixed weights. `make_network` makes one.

    Attributes
    ----------
    architecture : Architecture
    weights : Weights, as handed to `make_network`, but for the pixel mean and scale, which lie on the device
    operations : tuple of Operation, from the pixels on
    layers : tuple of str, the names of the convolutions that the weights have
    dtype : "float32" or "float64"
    device : "cpu" or "cuda"
    backend : see `PlainBackend`
    """

    architecture: Architecture = field(repr=False)
    weights: Any
    operations: tuple[Operation, ...] = field(repr=False)
    layers: tuple[str, ...] = field(repr=False)
    dtype: str
    device: str
    backend: Any = field(repr=False)

    @property
    def margin(self) -> int:
        """How many pixels of its mirror image surround a picture, at each edge."""
        return MARGIN if self.operations[0].kind == "surround" else 0

    def features(
        self, pixels: Array, layers: Iterable[str]
    ) -> dict[str, Array]:  # (H, W, 3) -> {name: (H_l, W_l, C_l)}
        """Return a picture's activations, after the ReLU, at some layers.

        Parameters
        ----------
        pixels : array (H, W, 3), RGB, 0 to 255
        layers : iterable of str, such as ["conv1_1", "conv4_2"]
        """
        taps = {self.architecture.layer_name(name) for name in layers}
        run = self._run(self.to_device(pixels), taps)
        return {operation.layer: self._inside(x, operation.layer) for operation, x, _ in run if operation.layer in taps}

    def forward(
        self, pixels: Array, taps: Iterable[str]
    ) -> tuple[dict[str, Array], list[Any]]:  # (H, W, 3) -> {name: (H_l, W_l, C_l)}, tape
        """Run a picture through the network as far as the deepest layer in `taps`.

        Parameters
        ----------
        pixels : array (H, W, 3) on the network's device and of its data type, RGB, 0 to 255
        taps : iterable of layer names

        Returns
        -------
        features : dict, layer name -> activations
        tape : list of (Operation, cache), which `backward` needs

        Raises
        ------
        MinistyleError
            A layer is unknown or not in the weight file, or the picture is too small to reach it.
        """
        taps = {self.architecture.layer_name(tap) for tap in taps}
        features, tape = {}, []
        for operation, x, cache in self._run(pixels, taps):
            tape.append((operation, cache))
            if operation.layer in taps:
                features[operation.layer] = self._inside(x, operation.layer)
        return features, tape

    def _run(self, x, taps):
        """Run x through the network, as far as all taps; yield each operation, its output and its cache."""
        self.check(x.shape, taps)
        left = set(taps)
        for operation in self.operations:
            x, cache = operation.forward(x)
            left.discard(operation.layer)
            yield operation, x, cache
            if not left:
                return

    def backward(self, tape: list[Any], feature_gradients: dict[str, Any], release: bool = False) -> Array:  # (H, W, 3)
        """Propagate gradients from tapped layers back to the pixels, in one sweep.

        Parameters
        ----------
        tape : what `forward` returned
        feature_gradients : dict, layer name -> gradient of the loss with respect to that layer's activations
            These are what comes out of the ReLU; the ReLU itself is on the tape. A gradient is asked for some rows at a
            time, `gradient[first:last]`. So it may be an array, or any object with a shape that computes those rows.
        release : bool
            Empty the tape and the gradients on the way, so that their memory is free once the sweep has passed.

        Returns
        -------
        array (H, W, 3), gradient with respect to the pixels
        """
        to_do = tape if release else list(tape)
        gradients = {self.architecture.layer_name(name): gradient for name, gradient in feature_gradients.items()}
        if release:
            feature_gradients.clear()
        dx = None
        while to_do:
            operation, cache = to_do.pop()
            if operation.layer in gradients:
                gradient = gradients.pop(operation.layer)
                if dx is None:
                    edge = self._edge(operation.layer)
                    height, width, channels = gradient.shape
                    shape = (height + 2 * edge, width + 2 * edge, channels)
                    dx = array_module(self.weights.pixel_mean).zeros(shape, self.dtype)
                inside = self._inside(dx, operation.layer)
                self.backend.over_rows(partial(_add_rows, inside, gradient), inside)
                del gradient
            if dx is not None:
                dx = operation.backward(dx, cache)
        return dx

    def to_device(self, pixels: Array) -> Array:
        """Return a picture as an array on the network's device, in its data type."""
        return arrays.to_device(pixels, self.device, self.dtype)

    def without_margin(self) -> "Network":
        """Return the same network for pictures that are surrounded already, by `surround_forward`."""
        return replace(self, operations=self.operations[1:]) if self.margin else self

    def check(self, shape: tuple[int, int, int], taps: Iterable[str]) -> None:
        """Raise `MinistyleError` if layers are unknown, or not reached from a picture of this shape (H, W, 3)."""
        if not taps:
            raise MinistyleError("name at least one layer of the network")
        for name in taps:
            if name not in self.layers:
                raise MinistyleError(
                    f"weight file '{self.weights.path}' ends at {self.layers[-1]} and has no {name}; to get all "
                    f"{len(self.architecture.convolutions)} layers, fetch Keras's file as weights/README.md says and "
                    "run 'python -m ministyle weights import FILE --dtype float32'"
                )
        deepest = self.architecture.deepest(taps)
        height, width, _ = shape
        if 0 in deepest.size(height, width):
            raise MinistyleError(
                f"a picture of {width} x {height} pixels is too small for {deepest.name}: each side must have "
                f"at least {2**deepest.halvings}; try a larger --image-size or --style-size"
            )
        if min(height, width) < self.margin:
            raise MinistyleError(
                f"a picture of {width} x {height} pixels is too small for a mirror image around it: each side must "
                f"have at least {self.margin}; try a larger --image-size or --style-size, or --border zero"
            )

    def _edge(self, name):
        """Return how wide the margin is in a layer."""
        return self.margin >> self.architecture.layers[name].halvings

    def _inside(self, x, name):
        """Return the positions of a layer that belong to the picture itself, a view."""
        edge = self._edge(name)
        return x[edge : x.shape[0] - edge, edge : x.shape[1] - edge]


def _add_rows(dx, gradient, rows):
    dx[rows] += gradient[rows]


# Surroundings, preprocessing and normalisation -----------------------------------------------------------


def surround_forward(pixels):  # (H, W, 3) -> (H + 32, W + 32, 3)
    """Surround a picture with `MARGIN` pixels of its mirror image.

    Without it, pixels at the edge answer for what is not there, and a picture gets a frame. The losses must not see the
    mirror image: its pixels would count twice, once themselves and once in the mirror, and a step would show where that
    ends.

    Returns
    -------
    y : array (H + 32, W + 32, 3)
    cache : None
    """
    return array_module(pixels).pad(pixels, ((MARGIN, MARGIN), (MARGIN, MARGIN), (0, 0)), "symmetric"), None


def surround_backward(dy, cache):  # (H + 32, W + 32, 3) -> (H, W, 3)
    """Propagate a gradient back through `surround_forward`: what reaches a mirrored pixel belongs to its original."""
    dx = dy
    for _ in range(2):  # along the rows, then along the columns
        first, inner, last = dx[:MARGIN], dx[MARGIN:-MARGIN].copy(), dx[-MARGIN:]
        inner[:MARGIN] += first[::-1]
        inner[-MARGIN:] += last[::-1]
        dx = inner.swapaxes(0, 1)
    return array_module(dy).ascontiguousarray(dx)


def preprocess_forward(pixels, weights):  # (H, W, 3) -> (H, W, 3)
    """Turn a picture, RGB, 0 to 255, into what the network was trained on.

    Returns
    -------
    y : array (H, W, 3), (pixel - mean) / scale in the network's order of channels
    cache : the order and the scale
    """
    xp = array_module(pixels)
    order = slice(None, None, -1 if weights.channel_order == "BGR" else 1)
    mean = xp.asarray(weights.pixel_mean, dtype=pixels.dtype)
    scale = xp.asarray(weights.pixel_scale, dtype=pixels.dtype)
    return (pixels[:, :, order] - mean) / scale, (order, scale)


def preprocess_backward(dy, cache):  # (H, W, 3) -> (H, W, 3)
    """Propagate a gradient back through `preprocess_forward`."""
    order, scale = cache
    return (dy / scale)[:, :, order]  # reversing the channels twice restores their order


def normalise(weights, dtype="float32"):
    """Rescale a network so that every filter's mean activation over photographs becomes 1.

    Each filter's kernel and bias are divided by its mean activation. The next layer's kernels are multiplied by it
    where they read that filter. ReLU and pooling commute with positive factors, so the network computes the same as
    before, up to one factor per filter. This makes the losses of different layers comparable. It is the "normalised
    network" of Gatys, Ecker and Bethge.

    Parameters
    ----------
    weights : Weights with `mean_activations`
    dtype : data type to compute in and to return

    Returns
    -------
    dict, layer name -> (kernel, bias), as `weights.layers`

    Raises
    ------
    MinistyleError
        The weight file holds no mean activations for one of its layers.
    """
    rescaled = {}
    factor_in = np.ones(3, dtype)
    for name, (kernel, bias) in weights.layers.items():
        if name not in weights.mean_activations:
            raise MinistyleError(
                f"weight file '{weights.path}' has no mean activations of {name}, which the normalised network "
                f"needs; measure them with 'python -m ministyle weights normalise PHOTO ... --into {weights.path}', or "
                "add --no-normalised"
            )
        factor_out = weights.mean_activations[name].astype(dtype)
        rescaled[name] = kernel * factor_in[:, np.newaxis] / factor_out, bias / factor_out
        factor_in = factor_out
    return rescaled
