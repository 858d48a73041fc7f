"""Style transfer as style-transfer-pytorch does it, on our network: what our own way is compared with.

K. Crowson, https://github.com/crowsonkb/style-transfer-pytorch. Adam takes long steps, and the picture is a moving
average of the iterates, which removes what is random in them. The picture grows by factors of the square root of 2. A
layer's style is the mean and covariance of its activations, compared by their Wasserstein distance.

This follows the program's later versions, with their defaults; earlier ones compare Gram matrices. Two things differ.
The weights are Oxford's, as everywhere in ministyle, not torchvision's. Their activations are larger, so that total
variation, whose weight is the program's own, hardly counts. And Pillow's bicubic filter enlarges, not PyTorch's.

Long steps amplify small differences: starts that differ by a third of a grey level end some 8 levels apart. So compare
kind and numbers of two such pictures, not their pixels.
"""

from dataclasses import replace

import numpy as np
from PIL import Image

from ministyle.arrays import array_module, to_host
from ministyle.objective import Objective
from ministyle.pictures.reading import read_picture
from ministyle.pictures.sizes import size_to_fit
from ministyle.pictures.values import to_uint8
from ministyle.terms import CONTENT_LAYERS, STYLE_LAYERS, ContentTerm, activations
from ministyle.weights.load import load_network

from .wasserstein import SmoothnessTerm, WassersteinTerm

CONTENT_WEIGHT = 0.015
STYLE_WEIGHTS = tuple(weight / 341 for weight in (256, 64, 16, 4, 1))  # conv1_1 to conv5_1; their sum is 1
SMOOTHNESS_WEIGHT = 2.0
SMALLEST = 128  # pixels: the longest side at the first scale
STEP = 0.02 * 255  # grey levels
BETA_1, BETA_2, EPSILON = 0.9, 0.99, 1e-8 / 255
DECAY = 0.99


def repaint(content, style, *, size, iterations, network=None):
    """Repaint a photograph in the style of a painting.

    Parameters
    ----------
    content, style : path, PIL image or array, see `read_picture`
    size : int, the longest side in pixels
    iterations : int, at each scale; at the first it is twice as many
    network : Network, optional

    Returns
    -------
    uint8 array (H, W, 3)
    """
    network = peers_network() if network is None else network
    photograph, painting = read_picture(content), read_picture(style)
    picture, adam = photograph, None
    for side in sides(size):
        shape = size_to_fit(photograph.shape[:2], side)
        objective = objective_at(network, resized(photograph, shape), shrunk(painting, side))
        picture = network.to_device(resized(picture, shape).clip(0, 255))
        steps = 2 * iterations if adam is None else iterations
        adam = Adam.at_rest(picture) if adam is None else adam.resized(shape)
        average = MovingAverage(picture)
        for _ in range(steps):
            picture = (picture - adam.move(objective(picture).gradient)).clip(0, 255)
            average.add(picture)
        picture = to_host(average.value())
    return to_uint8(picture)


def sides(size):
    """Return the longest sides of all scales, each the square root of 2 larger than the one before."""
    found = [size]
    while round(size / 2 ** (len(found) / 2)) >= SMALLEST:
        found.append(round(size / 2 ** (len(found) / 2)))
    return found[::-1]


def peers_network():
    """Return VGG-19 with max pooling and a border of zeros, but in the first convolution a replicated one."""
    zero, replicate = (load_network(pooling="max", border=border) for border in ("zero", "replicate"))
    first = 1 + [operation.layer for operation in zero.operations].index("conv1_1")
    return replace(zero, operations=replicate.operations[:first] + zero.operations[first:])


def objective_at(network, photograph, painting):
    """Return the objective at one scale, for two pictures that have their sizes there."""
    targets = activations(network, photograph, CONTENT_LAYERS)
    painted = network.features(painting, STYLE_LAYERS)
    return Objective(
        network,
        [
            *(ContentTerm(layer, CONTENT_WEIGHT, target) for layer, target in targets.items()),
            *(WassersteinTerm(*of, painted[of[0]]) for of in zip(STYLE_LAYERS, STYLE_WEIGHTS, strict=True)),
            SmoothnessTerm(SMOOTHNESS_WEIGHT),
        ],
    )


class Adam:
    """Adam's two averages, which live on when the picture grows.

    Attributes
    ----------
    mean, mean_square : arrays (H, W, 3), of the gradients
    steps : int
    """

    def __init__(self, mean, mean_square, steps):
        self.mean, self.mean_square, self.steps = mean, mean_square, steps

    @classmethod
    def at_rest(cls, picture):
        """Return the state before the first step."""
        return cls(picture * 0, picture * 0, 0)

    def move(self, gradient):  # (H, W, 3) -> (H, W, 3)
        """Take in a gradient, and return by how much the picture is to be lowered."""
        self.steps += 1
        self.mean = BETA_1 * self.mean + (1 - BETA_1) * gradient
        self.mean_square = BETA_2 * self.mean_square + (1 - BETA_2) * gradient * gradient
        size = array_module(gradient).sqrt(self.mean_square / (1 - BETA_2**self.steps))
        return STEP * self.mean / (1 - BETA_1**self.steps) / (size + EPSILON)

    def resized(self, shape):
        """Return the state for a picture of another (height, width)."""
        like = array_module(self.mean).asarray
        mean = resized(to_host(self.mean), shape)
        mean_square = resized(to_host(self.mean_square), shape, Image.Resampling.BILINEAR).clip(0)
        return Adam(like(mean), like(mean_square), self.steps)


class MovingAverage:
    """The exponential moving average of pictures, the first of them given at once; it began with 0 and is corrected."""

    def __init__(self, picture):
        self.sum, self.missing = 0 * picture, 1.0
        self.add(picture)

    def add(self, picture):
        """Take in a picture."""
        self.sum = DECAY * self.sum + (1 - DECAY) * picture
        self.missing *= DECAY

    def value(self):
        """Return the average."""
        return self.sum / (1 - self.missing)


def shrunk(picture, side):
    """Return a picture whose longest side is not above `side`."""
    return resized(picture, size_to_fit(picture.shape[:2], min(side, max(picture.shape[:2]))))


def resized(picture, shape, method=Image.Resampling.BICUBIC):  # (H, W, 3) -> (*shape, 3)
    """Resize an array, whatever its values; unlike `ministyle`'s own function, clip nothing."""
    channels = [Image.fromarray(np.ascontiguousarray(picture[:, :, c], np.float32)) for c in range(3)]
    return np.stack([np.asarray(channel.resize(shape[::-1], method)) for channel in channels], axis=2)
