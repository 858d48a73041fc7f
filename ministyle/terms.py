"""The terms of the loss: content, style and total variation, each with its layer, its weight and its target.

A term looks at one layer of the network, or at the pixels themselves. From the layer's activations it computes its
value, and its gradient with respect to the activations. `losses` has the formulas, in two conventions.

A third convention, "relative", makes one pair of weights fit every photograph and painting. It divides each mean of
`losses` by what that mean would be for a picture that has nothing of the target yet:

- content, by the variance of the photograph's activations over its positions. 0 is the photograph; 1 is a picture in
  which every filter responds everywhere as it does in the photograph on average.
- style, in each layer, by the style loss of the photograph. 0 is the painting's style; 1 is the photograph itself, as
  far from the painting as it was. Without a photograph it is the painting's own mean square: 1 is a blank.

These numbers are fixed before the run, so they only rescale the weights. Alpha and beta are then 2 (1 - s) and
2 s `BALANCE` times the weights that were asked for, where s is the strength, from 0, the photograph, to 1, the style
alone.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from . import losses
from .arrays import read_scalars
from .errors import MinistyleError

CONTENT_LAYERS = ("conv4_2",)
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
STYLE_LAYER_WEIGHTS = ("geometric", "equal", "inverse-square")
CONVENTIONS = ("relative", *losses.CONVENTIONS)  # the last two are those of `losses`
BALANCE = 20.0  # beta/alpha at a strength of 0.5, in the relative convention
LAYER_RATIO = 2 / 3  # of geometric weights, a style layer's to the next shallower one's; see docs/pictures.md
LEAST_SHARE = 0.05  # of a target's mean square: the least that a relative loss is divided by
ALL_ROWS = slice(None)


class Term:
    """One summand of the loss.

    Attributes
    ----------
    name : str, unique in its objective
    layer : str, the layer that the term looks at, or None for the pixels themselves
    weight : float
    """

    def __init__(self, name, layer, weight):
        self.name = name
        self.layer = layer
        self.weight = weight

    def value_and_gradient(self, F, over_rows):  # (H, W, N) -> scalar, (H, W, N)
        """Return the term's value, weight included, and its gradient with respect to the activations.

        Parameters
        ----------
        F : array (H, W, N), the layer's activations, or the pixels (H, W, 3)
        over_rows : function (function of rows, array) -> list, see `network.PlainBackend.over_rows`

        Returns
        -------
        value : 0-d array of float64
        gradient : what is indexed by rows, `gradient[first:last]`, and gives an array: an array or `GradientByRows`
        """
        raise NotImplementedError

    def check(self, shape):
        """Raise `MinistyleError` if the term cannot look at activations of this shape (H, W, N)."""


class AdditiveTerm(Term):
    """A term whose value is a function of a sum over positions. Some rows of its layer can be treated at a time.

    Attributes
    ----------
    needs_total : bool
        True if the gradient depends on the sum, so that all rows must be summed up before the gradient of any.
    """

    needs_total = True

    def partial_sum(self, F, rows):  # (h, W, N), slice -> array
        """Return the sum over some rows of the layer; F holds the activations of just these rows."""
        raise NotImplementedError

    def compare(self, total, shape):
        """Return the term's value, and its derivative with respect to the total; `shape` (H, W, N) is the layer's."""
        raise NotImplementedError

    def gradient(self, F, rows, derivative):  # (h, W, N), slice, array -> (h, W, N)
        """Return the gradient with respect to the activations of some rows, given what `compare` returned."""
        raise NotImplementedError

    def value_and_gradient(self, F, over_rows):
        """Return value and gradient; the gradient is computed when it is asked for. See `Term`."""
        total = sum(over_rows(lambda rows: self.partial_sum(F[rows], rows), F))
        value, derivative = self.compare(total, F.shape)
        return value, GradientByRows([lambda rows: self.gradient(F[rows], rows, derivative)], F.shape)


class ContentTerm(AdditiveTerm):
    """The content loss of one layer, equations 1 and 2; its target P are the photograph's activations."""

    needs_total = False

    def __init__(self, layer, weight, target, convention="mean"):
        super().__init__(f"content {layer}", layer, weight)
        self.target = target
        self.convention = convention

    def value_and_gradient(self, F, over_rows):
        """Return value and gradient; see `Term`."""
        self.check(F.shape)
        value, gradient = self._of_rows(F, ALL_ROWS)
        return self.weight * value, gradient

    def partial_sum(self, F, rows):
        """Return the share that some rows have in the loss; see `AdditiveTerm`."""
        value, _ = self._of_rows(F, rows)
        return value

    def compare(self, total, shape):
        """Return the value; the gradient does not depend on it. See `AdditiveTerm`."""
        return self.weight * total, None

    def gradient(self, F, rows, derivative):
        """Return the gradient for some rows; see `AdditiveTerm`."""
        _, gradient = self._of_rows(F, rows)
        return gradient

    def check(self, shape):
        """Raise `MinistyleError` if the picture is not as large as the photograph; see `Term`."""
        if shape != self.target.shape:
            raise MinistyleError(
                f"the picture and the content picture differ in size: {self.layer} has shape {shape} and "
                f"{self.target.shape}"
            )

    def _of_rows(self, F, rows):
        """Return the share of some rows in the loss, and the weighted gradient."""
        loss, gradient = losses.content_loss(F, self.target[rows], self.convention)
        share = F.size / self.target.size if self.convention == "mean" else 1.0  # a mean over these rows, not over all
        gradient *= self.weight * share
        return share * _double(loss), gradient


class StyleTerm(AdditiveTerm):
    """The style loss of one layer, equations 3, 4 and 6; its target is the painting's Gram matrix per position, A/M."""

    def __init__(self, layer, weight, target, convention="mean"):
        super().__init__(f"style {layer}", layer, weight)
        self.target = target
        self.convention = convention

    def partial_sum(self, F, rows):
        """Return the Gram matrix of some rows; see `AdditiveTerm`."""
        return losses.gram_matrix(F)

    def compare(self, total, shape):
        """Compare the Gram matrix per position with the target; see `AdditiveTerm`."""
        M = shape[0] * shape[1]
        loss, dG = losses.style_loss(total / M, self.target, self.convention)
        return self.weight * _double(loss), dG * (self.weight / M)

    def gradient(self, F, rows, derivative):
        """Return the gradient for some rows, equation 6; see `AdditiveTerm`."""
        return losses.gram_backward(derivative, F)


class TotalVariationTerm(Term):
    """The total variation of the pixels, which is not in the paper."""

    def __init__(self, weight, edge=math.inf, periodic=False):
        super().__init__("total variation", None, weight)
        self.edge = edge
        self.periodic = periodic

    def value_and_gradient(self, F, over_rows):
        """Return value and gradient; see `Term`."""
        value, gradient = losses.total_variation_loss(F, self.edge, self.periodic)
        return self.weight * _double(value), self.weight * gradient


class GradientByRows:
    """The gradient at one layer, added up from its terms a few rows at a time, when they are asked for.

    Such a gradient is as large as the activations and needed only once.

    Parameters
    ----------
    parts : list of functions rows -> array, or of arrays
    shape : (H, W, N)
    """

    def __init__(self, parts, shape):
        self.parts = parts
        self.shape = shape

    def __getitem__(self, rows):
        """Return the gradient for a slice of rows."""
        return reduce(add, (part(rows) if callable(part) else part[rows] for part in self.parts))


def _double(scalar):
    """Return a 0-d array as float64: terms may differ by more than float32 has digits for."""
    return scalar.astype("float64")


# Making terms from pictures --------------------------------------------------------------------------------


def activations(network, picture, layers):
    """Return a picture's activations: layer -> (H_l, W_l, N)."""
    # Copies, as targets live long: where the backend keeps its arrays they would hold up the memory around them.
    return {name: F.copy() for name, F in network.features(picture, layers).items()}


def gram_matrices(network, picture, layers, margin=0):
    """Return a picture's Gram matrices per position, without a margin of so many pixels: layer -> (N, N)."""
    matrices = {}
    for name, F in network.features(picture, layers).items():
        edge = margin >> network.architecture.layers[name].halvings
        inner = F[edge : F.shape[0] - edge, edge : F.shape[1] - edge]
        sums = network.backend.over_rows(lambda rows, inner=inner: losses.gram_matrix(inner[rows]), inner)
        matrices[name] = sum(sums) / (inner.shape[0] * inner.shape[1])
    return matrices


@dataclass(frozen=True)
class Scene:
    """What terms are made from: a network, and the pictures that it looks at.

    Attributes
    ----------
    network : Network
    content : array (H, W, 3), the photograph, RGB, 0 to 255, of the size of the picture to be made; or None
    style : array (H, W, 3), the painting, RGB, 0 to 255, of any size; or None
    style_margin : int
        How many pixels at each edge of `style` are only the surroundings of what counts as painting, a multiple of 16.
        They enter activations near them, but their own activations do not enter Gram matrices.
    periodic : bool, whether opposite edges of the picture to be made are neighbours
    activations, gram_matrices : the functions of these names, or others that compute the same
    """

    network: Any
    content: Any = None
    style: Any = None
    style_margin: int = 0
    periodic: bool = False
    activations: Callable = activations
    gram_matrices: Callable = gram_matrices


def alpha_and_beta(options):
    """Return alpha and beta of equation 7: the weights that were asked for, in the relative convention times strength.

    Parameters
    ----------
    options : an object with the attributes `content_weight`, `style_weight`, `convention` and `strength`, such as
        `Settings`
    """
    if options.convention != "relative":
        return options.content_weight, options.style_weight
    s = options.strength
    return options.content_weight * 2 * (1 - s), options.style_weight * 2 * s * BALANCE


def content_terms(scene, options):
    """Return a content term for each content layer; several layers count with equal shares.

    Parameters
    ----------
    scene : Scene
    options : an object with the attribute `content_layers` and those that `alpha_and_beta` reads
    """
    if scene.content is None:
        return []
    names = _layers(scene, "content", options.content_layers)
    targets = scene.activations(scene.network, scene.content, names)
    (alpha, _), units, convention = alpha_and_beta(options), [1.0] * len(names), options.convention
    weight = alpha / len(names)
    if convention == "relative":
        centred = [P - P.mean(axis=(0, 1)) for P in targets.values()]
        units = _units([(x * x).mean() for x in centred], targets.values())
        convention = "mean"
    return [
        ContentTerm(name, weight / unit, P, convention) for (name, P), unit in zip(targets.items(), units, strict=True)
    ]


def style_terms(scene, options):
    """Return a style term for each style layer.

    Parameters
    ----------
    scene : Scene
    options : an object with the attributes `style_layers` and `style_layer_weights` and those that `alpha_and_beta`
        reads
    """
    if scene.style is None:
        return []
    names = _layers(scene, "style", options.style_layers)
    shares = _style_shares(scene.network.architecture, names, options.style_layer_weights)
    targets = scene.gram_matrices(scene.network, scene.style, names, scene.style_margin)
    (_, weight), units, convention = alpha_and_beta(options), [1.0] * len(names), options.convention
    if convention == "relative":
        start = {} if scene.content is None else scene.gram_matrices(scene.network, scene.content, names)
        far = [losses.style_loss(start[name] if start else 0 * A, A)[0] for name, A in targets.items()]
        units = _units(far, targets.values())
        convention = "mean"
    return [
        StyleTerm(name, weight * share / unit, targets[name], convention)
        for name, share, unit in zip(names, shares, units, strict=True)
    ]


def _units(values, targets):
    """Return what relative losses are divided by: values, but no less than `LEAST_SHARE` of targets' mean squares."""
    squares = [(target * target).mean() for target in targets]
    numbers = read_scalars([*values, *squares])
    pairs = zip(numbers[: len(squares)], numbers[len(squares) :], strict=True)
    return [max(value, LEAST_SHARE * square) or 1.0 for value, square in pairs]


def total_variation_terms(scene, options):
    """Return the term of total variation where `options.tv_weight` is not 0; `options.tv_edge` is its edge."""
    if not options.tv_weight:
        return []
    return [TotalVariationTerm(options.tv_weight, options.tv_edge, scene.periodic)]


def _layers(scene, kind, names):
    names = scene.network.architecture.layer_names(names)
    if not names:
        raise MinistyleError(f"name at least one {kind} layer")
    return names


def _style_shares(architecture, names, weights):
    """Return w_l of equation 5 for every style layer."""
    if isinstance(weights, str) and weights == "geometric":
        in_depth = sorted(names, key=architecture.convolutions.index)
        powers = [LAYER_RATIO ** in_depth.index(name) for name in names]
        return [power / sum(powers) for power in powers]
    if isinstance(weights, str) and weights == "equal":
        return [1 / len(names)] * len(names)
    if isinstance(weights, str) and weights == "inverse-square":
        return [1 / architecture.layers[name].channels ** 2 for name in names]
    if isinstance(weights, str) or len(weights) != len(names):
        raise MinistyleError(
            f"style_layer_weights (={weights!r}) must be {', '.join(STYLE_LAYER_WEIGHTS)} or {len(names)} "
            "numbers, one for each style layer"
        )
    return list(weights)
