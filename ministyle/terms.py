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
from .styles import COVARIANCE, GRAM, MEAN, as_styles, count, guides, shares

CONTENT_LAYERS = ("conv4_2",)
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT_LAYER_WEIGHTS = ("equal",)
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
        self.check(F.shape)
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
    """The style loss of one layer, equations 3, 4 and 6; its target is a painting's statistic, such as A/M.

    Parameters
    ----------
    layer : str
    weight : float
    target : array, the statistic S of the painting, for `GRAM` the Gram matrix per position (N, N)
    convention : {"mean", "literal"}
    statistic : styles.Statistic
    guide : array (H, W, 1), optional, which positions of the layer count; see `styles`
    kind : str, the name without the layer, where it is not "style"
    """

    def __init__(self, layer, weight, target, convention="mean", statistic=GRAM, guide=None, kind="style"):
        super().__init__(f"{kind} {layer}", layer, weight)
        self.target = target
        self.convention = convention
        self.statistic = statistic
        self.guide = guide

    def partial_sum(self, F, rows):
        """Return the statistic's sums over some rows; see `AdditiveTerm`."""
        return self.statistic.total(F, self._guide(rows))

    def compare(self, total, shape):
        """Compare the statistic with the target; see `AdditiveTerm`."""
        M = count(self.guide, shape)
        loss, dS = losses.style_loss(self.statistic.of(total, M), self.target, self.convention)
        return self.weight * _double(loss), (dS * (self.weight / M), total, M)

    def gradient(self, F, rows, derivative):
        """Return the gradient for some rows, for Gram matrices equation 6; see `AdditiveTerm`."""
        dS, total, M = derivative
        return self.statistic.backward(dS, F, self._guide(rows), total, M)

    def check(self, shape):
        """Raise `MinistyleError` if the picture is not as large as the guide; see `Term`."""
        if self.guide is not None and self.guide.shape[:2] != shape[:2]:
            raise MinistyleError(
                f"the picture and its mask differ in size: {self.layer} has shape {shape} and {self.guide.shape}"
            )

    def _guide(self, rows):
        return None if self.guide is None else self.guide[rows]


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


def style_statistics(network, picture, layers, statistic=GRAM, margin=0, guides=None):
    """Return a statistic of a picture's activations: layer -> S, for Gram matrices per position (N, N).

    Parameters
    ----------
    network : Network
    picture : array (H, W, 3), RGB, 0 to 255
    layers : names of layers
    statistic : styles.Statistic
    margin : int, how many pixels at each edge are only surroundings, see `Scene.style_margin`
    guides : dict, layer -> guide (H_l, W_l, 1) or None, optional; see `styles.guides`
    """
    found = {}
    for name, F in network.features(picture, layers).items():
        edge = margin >> network.architecture.layers[name].halvings
        inner = F[edge : F.shape[0] - edge, edge : F.shape[1] - edge]
        term = StyleTerm(name, 1.0, None, statistic=statistic, guide=(guides or {}).get(name))
        sums = network.backend.over_rows(lambda rows, F=inner, term=term: term.partial_sum(F[rows], rows), inner)
        found[name] = statistic.of(sum(sums), count(term.guide, inner.shape))
    return found


@dataclass(frozen=True)
class Scene:
    """What terms are made from: a network, and the pictures that it looks at.

    Attributes
    ----------
    network : Network
    content : array (H, W, 3), the photograph, RGB, 0 to 255, of the size of the picture to be made; or None
    style : array (H, W, 3), the painting, RGB, 0 to 255, of any size; or None; or a `styles.Style`; or several of these
        A `Style` has an array as its picture, and (H, W) arrays, 0 to 1, as mask and region. The mask has the size of
        the painting, the region that of the picture to be made.
    style_margin : int
        How many pixels at each edge of `style` are only the surroundings of what counts as painting, a multiple of 16.
        They enter activations near them, but their own activations do not enter Gram matrices.
    periodic : bool, whether opposite edges of the picture to be made are neighbours
    activations, style_statistics : the functions of these names, or others that compute the same
    """

    network: Any
    content: Any = None
    style: Any = None
    style_margin: int = 0
    periodic: bool = False
    activations: Callable = activations
    style_statistics: Callable = style_statistics


def alpha_and_beta(options):
    """Return alpha and beta of equation 7: the weights that were asked for, in the relative convention times strength.

    Parameters
    ----------
    options : an object with the attributes `content_weight`, `style_weight`, `convention` and `strength`, such as
        `Settings`
    """
    for_content, for_style = _balance(options)
    return options.content_weight * for_content, options.style_weight * for_style


def _balance(options):
    """Return what the weights of content and of style are multiplied by: in the relative convention by strength."""
    if options.convention != "relative":
        return 1.0, 1.0
    return 2 * (1 - options.strength), 2 * options.strength * BALANCE


def content_terms(scene, options):
    """Return a content term for each content layer.

    Parameters
    ----------
    scene : Scene
    options : an object with the attributes `content_layers` and `content_layer_weights` and those that
        `alpha_and_beta` reads
    """
    if scene.content is None:
        return []
    names = _layers(scene, "content", options.content_layers)
    shares = _content_shares(names, options.content_layer_weights)
    targets = scene.activations(scene.network, scene.content, names)
    (alpha, _), units, convention = alpha_and_beta(options), [1.0] * len(names), options.convention
    if convention == "relative":
        centred = [P - P.mean(axis=(0, 1)) for P in targets.values()]
        units = _units([(x * x).mean() for x in centred], targets.values())
        convention = "mean"
    return [
        ContentTerm(name, alpha * share / unit, targets[name], convention)
        for name, share, unit in zip(names, shares, units, strict=True)
    ]


def style_terms(scene, options):
    """Return a style term for each style layer and painting, which compares Gram matrices.

    Parameters
    ----------
    scene : Scene
    options : an object with the attributes `style_layers` and `style_layer_weights` and those that `alpha_and_beta`
        reads
    """
    return _statistic_terms(scene, options, GRAM, options.style_weight, "style")


def covariance_terms(scene, options):
    """Return the same with covariances in place of Gram matrices, where `options.covariance_weight` is not 0."""
    if not options.covariance_weight:
        return []
    return _statistic_terms(scene, options, COVARIANCE, options.covariance_weight, "covariance")


def mean_terms(scene, options):
    """Return the same with mean activations in place of Gram matrices, where `options.mean_weight` is not 0."""
    return _statistic_terms(scene, options, MEAN, options.mean_weight, "mean") if options.mean_weight else []


def _statistic_terms(scene, options, statistic, weight, kind):
    """Return a term for each painting and style layer, which compares a statistic; see `styles.shares`."""
    several = as_styles(scene.style)
    if not several:
        return []
    names = _layers(scene, "style", options.style_layers)
    layer_shares = _style_shares(scene.network.architecture, names, options.style_layer_weights)
    terms, starts = [], {}
    for number, (style, part) in enumerate(zip(several, shares(several), strict=True), 1):
        region = guides(style.region, scene.network, names, _mask_name("content", number, several))
        mask = guides(style.mask, scene.network, names, _mask_name("style", number, several))
        targets = scene.style_statistics(
            scene.network, style.picture, names, statistic, margin=scene.style_margin, guides=mask
        )
        units, convention = [1.0] * len(names), options.convention
        if convention == "relative":
            if scene.content is not None and id(style.region) not in starts:
                starts[id(style.region)] = scene.style_statistics(
                    scene.network, scene.content, names, statistic, guides=region
                )
            units, convention = _style_units(targets, starts.get(id(style.region))), "mean"
        beta = weight * _balance(options)[1] * part
        title = kind if len(several) == 1 else f"{kind} {number}"
        for name, share, unit in zip(names, layer_shares, units, strict=True):
            made = StyleTerm(name, beta * share / unit, targets[name], convention, statistic, region[name], title)
            terms.append(made)
    return terms


def _style_units(targets, start):
    """Return what relative style losses are divided by: the losses of the photograph, or of a blank without one."""
    far = [losses.style_loss(start[name] if start else 0 * S, S)[0] for name, S in targets.items()]
    return _units(far, targets.values())


def _mask_name(kind, number, several):
    return f"{kind} mask" if len(several) == 1 else f"{kind} mask {number}"


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


def _content_shares(names, weights):
    """Return the share that every content layer has of alpha."""
    if isinstance(weights, str):
        return [1 / len(names)] * len(names)
    if len(weights) != len(names):
        raise MinistyleError(f"content_layer_weights has {len(weights)} numbers for {len(names)} content layers")
    return list(weights)


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
