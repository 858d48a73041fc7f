"""VGG-19 as a table of layers, run forward to features and backward to a picture's gradient.

The network is used as the paper uses it: its convolutions and pooling layers only, frozen. A layer is
named as in the paper, conv1_1 ... conv5_4, and means the activations after the ReLU.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import partial

import numpy as np

from . import arrays, layers
from .arrays import array_module
from .errors import MinistyleError
from .fast.pooling import Pooling
from .fast.winograd import Convolution
from .fast.workers import Workers, split
from .weights import Weights, load_weights

# Simonyan and Zisserman (2014), table 1, column E, without its fully connected layers.
BLOCKS = (
    ("conv1_1", "conv1_2", "pool1"),
    ("conv2_1", "conv2_2", "pool2"),
    ("conv3_1", "conv3_2", "conv3_3", "conv3_4", "pool3"),
    ("conv4_1", "conv4_2", "conv4_3", "conv4_4", "pool4"),
    ("conv5_1", "conv5_2", "conv5_3", "conv5_4"),
)
CHANNELS = (64, 128, 256, 512, 512)  # of each block's convolutions
SEQUENCE = tuple(name for block in BLOCKS for name in block)
LAYERS = tuple(name for name in SEQUENCE if name.startswith("conv"))

POOLING = {
    "average": (layers.average_pool_forward, layers.average_pool_backward),
    "max": (layers.max_pool_forward, layers.max_pool_backward),
}
DTYPES = ("float32", "float64")
CONVOLUTIONS = ("auto", "winograd", "direct")


def load_network(
    weights=None,
    *,
    pooling="average",
    normalised=False,
    dtype="float32",
    device="auto",
    convolution="auto",
    threads=None,
    border="zero",
    tf32=False,
):
    """Load VGG-19.

    Parameters
    ----------
    weights : path or Weights, optional
        A weight file; by default the one that `ministyle.weights.find_weights` finds.
    pooling : {"average", "max"}
        The paper replaces VGG's max pooling by average pooling; the authors' later code does not.
    normalised : bool
        Rescale every filter so that its mean activation over photographs is 1, see `normalise`.
    dtype : {"float32", "float64"}
        The type the network computes in.
    device : {"auto", "cpu", "cuda"}
    convolution : {"auto", "winograd", "direct"}
        The fast convolution of `ministyle.fast.winograd`, which is for the CPU, or the plain one of `ministyle.layers`;
        "auto" takes the fast one where it can.
    threads : int, optional
        How many threads the fast convolution uses; by default one for each core. The result does not depend on it.
    border : {"zero", "periodic"}
        What every convolution finds around its feature map: zeros, as in the paper, or the map's own opposite side,
        which makes a picture tileable. That is exact where no pooling layer drops an odd row or column.
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
    for name, value, known in (
        ("pooling", pooling, POOLING),
        ("dtype", dtype, DTYPES),
        ("convolution", convolution, CONVOLUTIONS),
        ("border", border, layers.BORDERS),
    ):
        if value not in known:
            raise MinistyleError(f"{name} (={value!r}) must be one of {', '.join(known)}")
    device = arrays.choose_device(device)
    if convolution == "winograd" and device != "cpu":
        raise MinistyleError("convolution 'winograd' is for the CPU; choose 'auto' or 'direct' on a GPU")
    if device == "cuda":
        arrays.allow_tf32(tf32)
    if not isinstance(weights, Weights):
        weights = load_weights(weights)
    if tuple(weights.layers) != LAYERS[: len(weights.layers)]:
        raise MinistyleError(f"weight file '{weights.path}' must hold VGG-19's layers from conv1_1 on without a gap")
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
    workers = Workers(threads) if device == "cpu" and convolution != "direct" else None
    make_operations = _plain_operations if workers is None else partial(_fast_operations, workers=workers)
    operations = tuple(make_operations(on_device, *POOLING[pooling], border))
    return Network(weights, operations, tuple(on_device), dtype, device, workers)


@dataclass(frozen=True)
class Operation:
    """One operation of the network.

    Attributes
    ----------
    kind : "convolution", "relu" or "pool"
    layer : the name of the layer whose activations come out, or None between a convolution and its ReLU
    forward : function x -> y, cache
    backward : function dy, cache -> dx
    """

    kind: str
    layer: str | None
    forward: Callable
    backward: Callable


def _plain_operations(parameters, pool_forward, pool_backward, border):
    """Yield the network's operations as the functions of `layers`."""
    for name in SEQUENCE:
        if name.startswith("pool"):
            yield Operation("pool", name, pool_forward, pool_backward)
        elif name in parameters:
            kernel, bias = parameters[name]
            forward = partial(layers.convolution_forward, kernel=kernel, bias=bias, border=border)
            yield Operation("convolution", None, forward, layers.convolution_backward)
            yield Operation("relu", name, layers.relu_forward, layers.relu_backward)


def _fast_operations(parameters, pool_forward, pool_backward, border, workers):
    """Yield the network's operations as the modules of `fast` do them, on all cores."""
    pooling = Pooling(pool_forward, pool_backward, workers)
    for name in SEQUENCE:
        if name.startswith("pool"):
            yield Operation("pool", name, pooling.forward, pooling.backward)
        elif name in parameters:
            convolution = Convolution(*parameters[name], workers, border)
            yield Operation("relu", name, convolution.forward, convolution.backward)


@dataclass(frozen=True)
class Network:
    """VGG-19's convolutions with fixed weights. `load_network` makes one.

    Attributes
    ----------
    weights : Weights, the weight file as read, but for its pixel mean and scale, which lie on the device
    operations : tuple of Operation, from the pixels on
    layers : tuple of str, the names of the convolutions that the weight file has
    dtype : "float32" or "float64"
    device : "cpu" or "cuda"
    workers : fast.workers.Workers, or None where the plain functions of `layers` are used
    """

    weights: Weights
    operations: tuple = field(repr=False)
    layers: tuple = field(repr=False)
    dtype: str
    device: str
    workers: Workers | None = field(repr=False)

    def features(self, pixels, layers):  # (H, W, 3) -> {name: (H_l, W_l, C_l)}
        """Return a picture's activations, after the ReLU, at the layers named.

        Parameters
        ----------
        pixels : array (H, W, 3), RGB, 0 to 255
        layers : iterable of str, such as ["conv1_1", "conv4_2"]
        """
        features, _ = self.forward(self.to_device(pixels), layers)
        return features

    def forward(self, pixels, taps):  # (H, W, 3) -> {name: (H_l, W_l, C_l)}, tape
        """Run a picture through the network as far as the deepest layer in `taps`.

        Parameters
        ----------
        pixels : array (H, W, 3) on the network's device and of its data type, RGB, 0 to 255
        taps : iterable of layer names

        Returns
        -------
        features : dict, layer name -> activations
        tape : list of (kind of operation, layer, backward function, cache), what `backward` needs

        Raises
        ------
        MinistyleError
            A layer is unknown or not in the weight file, or the picture is too small to reach it.
        """
        taps = {layer_name(tap) for tap in taps}
        self._check(pixels, taps)
        x, cache = preprocess_forward(pixels, self.weights)
        features, tape = {}, [("preprocess", None, preprocess_backward, cache)]
        for operation in self.operations:
            x, cache = operation.forward(x)
            tape.append((operation.kind, operation.layer, operation.backward, cache))
            if operation.layer in taps:
                features[operation.layer] = x
            if len(features) == len(taps):
                break
        return features, tape

    def backward(self, tape, feature_gradients):  # {name: (H_l, W_l, C_l)} -> (H, W, 3)
        """Propagate gradients from tapped layers back to the pixels, in one sweep.

        Tape and gradients are used up on the way, so that memory is free again where the sweep has passed.

        Parameters
        ----------
        tape : what `forward` returned
        feature_gradients : dict, layer name -> gradient of the loss with respect to that layer's activations
            (with respect to what comes out of the ReLU: the ReLU itself is on the tape). It is asked for some rows at a
            time, `gradient[first:last]`, when the sweep comes to its layer; so it may be an array, or something else
            with a shape that computes those rows when they are needed.

        Returns
        -------
        array (H, W, 3), gradient with respect to the pixels
        """
        gradients = {layer_name(name): gradient for name, gradient in feature_gradients.items()}
        feature_gradients.clear()
        dx = None
        while tape:
            _, name, backward, cache = tape.pop()
            if name in gradients:
                gradient = gradients.pop(name)
                if dx is None:
                    dx = array_module(cache).zeros(gradient.shape, self.dtype)
                self.over_rows(partial(_add_rows, dx, gradient), dx)
                del gradient
            if dx is not None:
                dx = backward(dx, cache)
        return dx

    def over_rows(self, function, array):
        """Call a function of rows, a slice, for all rows of an array; return a list of the results.

        With the fast convolution these are some strips of rows, on all cores; otherwise it is all rows at once.
        """
        if self.workers is None:
            return [function(slice(None))]
        height, width = array.shape[:2]
        return self.workers.run(lambda strip: function(slice(*strip)), split(height, width))

    def to_device(self, pixels):
        """Return a picture as an array on the network's device, in its data type."""
        return arrays.to_device(pixels, self.device, self.dtype)

    def _check(self, pixels, taps):
        if not taps:
            raise MinistyleError("name at least one layer of the network")
        for name in taps:
            if name not in self.layers:
                raise MinistyleError(
                    f"weight file '{self.weights.path}' ends at {self.layers[-1]} and has no {name}; to get all 16 "
                    "layers, fetch Keras's file as weights/README.md says and run "
                    "'python -m ministyle weights import FILE --dtype float32'"
                )
        pools = max(pools_before(name) for name in taps)
        if min(pixels.shape[:2]) < 2**pools:
            height, width, _ = pixels.shape
            raise MinistyleError(
                f"a picture of {width} x {height} pixels is too small for {max(taps)}: each side must have "
                f"at least {2**pools}; try a larger --image-size or --style-size"
            )


def _add_rows(dx, gradient, rows):
    dx[rows] += gradient[rows]


def pools_before(name):
    """Return how many pooling layers, each of which halves the sides, come before a layer: three before conv4_2."""
    return int(layer_name(name)[4]) - 1


def layer_name(name):
    """Return the paper's name of a layer; relu4_2 is accepted for conv4_2.

    Raises
    ------
    MinistyleError
        VGG-19 has no such layer.
    """
    paper_name = name.replace("relu", "conv")
    if paper_name not in LAYERS:
        raise MinistyleError(f"layer (={name!r}) must be one of {', '.join(LAYERS)}")
    return paper_name


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
    return (dy / scale)[:, :, order]  # turning the order of the channels twice gives it back


def normalise(weights, dtype="float32"):
    """Rescale a network so that every filter's mean activation over photographs becomes 1.

    Each filter's kernel and bias are divided by its mean activation, and the next layer's kernels
    multiplied by it where they read that filter. ReLU and pooling commute with positive factors, so the
    network computes the same as before, but for one factor per filter. This makes the layers' losses
    comparable. It is Gatys, Ecker and Bethge's "normalised network".

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
                "needs; measure them with 'python -m ministyle weights normalise PHOTO ...'"
            )
        factor_out = weights.mean_activations[name].astype(dtype)
        rescaled[name] = kernel * factor_in[:, np.newaxis] / factor_out, bias / factor_out
        factor_in = factor_out
    return rescaled


def mean_activations(network, pictures):
    """Measure every filter's mean activation, after the ReLU, over pictures and positions.

    Parameters
    ----------
    network : Network, not normalised
    pictures : iterable of arrays (H, W, 3), RGB, 0 to 255
        Every picture counts the same, whatever its size.

    Returns
    -------
    dict, layer name -> float32 (C_out,), on the host. A filter that hardly ever fires, less than 1/1000 of
    its layer's average filter, gets that thousandth: dividing by next to nothing would let a filter about
    which the photographs say nothing drown all others.
    """
    sums = dict.fromkeys(network.layers, 0.0)
    count = 0
    for pixels in pictures:
        for name, activations in network.features(pixels, network.layers).items():
            sums[name] = sums[name] + arrays.to_host(activations.mean(axis=(0, 1))).astype(np.float64)
        count += 1
    means = {name: total / count for name, total in sums.items()}
    return {name: np.maximum(mean, mean.mean() / 1000).astype(np.float32) for name, mean in means.items()}
