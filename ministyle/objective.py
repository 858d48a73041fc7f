"""What is minimised, equation 7: from pixels to a loss and its gradient.

The loss is a sum of terms. The objective runs the network forward, asks every term for its value and its gradient with
respect to the activations, and sends the gradients back to the pixels in one sweep.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from .errors import MinistyleError, check_choice
from .network import Network
from .styles import Styles
from .terms import (
    CONTENT_LAYERS,
    CONVENTIONS,
    STYLE_LAYERS,
    GradientByRows,
    Scene,
    Term,
    content_terms,
    covariance_terms,
    mean_terms,
    style_terms,
    total_variation_terms,
)
from .types import Array


@dataclass(frozen=True)
class Evaluation:
    """What an objective says about a picture. It unpacks as `loss, gradient`.

    Attributes
    ----------
    loss : 0-d array of float64 on the network's device (on a CPU a number)
    gradient : array (H, W, 3) on the network's device, with respect to the pixels
    terms : dict, term's name -> 0-d array as the loss
        Each term's value, weight included: they add up to the loss. The names are such as "content conv4_2",
        "style conv1_1", "total variation". `arrays.read_scalars` reads them all at once.
    """

    loss: Any
    gradient: Array
    terms: dict[str, Any]

    def __iter__(self) -> Iterator[Any]:
        """Yield loss and gradient."""
        return iter((self.loss, self.gradient))


class Objective:
    """Equation 7: alpha * L_content + beta * L_style, and the gradient with respect to the pixels.

    Without a content picture, or without a style picture, that half is left out. So the same class serves for
    reconstructions from content or from style alone.

    Parameters
    ----------
    network : Network
    terms : list of Term, optional
        By default the paper's, made from the pictures and settings that follow.
    content, style : arrays (H, W, 3), optional, see `Scene`; style also as `styles.Style`, or several of either
    convention : {"mean", "literal", "relative"}
        What a loss is divided by, see `ministyle.losses` and `ministyle.terms`.
    strength : float
        In the relative convention, how much the style counts beside the content, from 0 to 1.
    content_weight, style_weight : float
        The paper's alpha and beta.
    covariance_weight, mean_weight : float
        The same for two other statistics of style, see `ministyle.styles`; the paper has neither.
    content_layers, style_layers : sequence of layer names
        The paper's conv4_2, and conv1_1 to conv5_1.
    content_layer_weights : "equal" or sequence of float
        How alpha is divided among the content layers.
    style_layer_weights : "geometric", "equal", "inverse-square" or sequence of float
        w_l of equation 5: each 2/3 of the next shallower one, as in the default preset; 1 / (number of style layers),
        as in the paper; 1 / N^2 for a layer of N filters, as in the authors' later code; or a number for each layer.
    tv_weight, tv_edge : float
        Weight of the total variation, which is not in the paper, and see `losses.total_variation_loss`.

    Raises
    ------
    MinistyleError
        There is nothing to minimise, a layer or convention is unknown, a layer or a term is named twice, or a list of
        weights has the wrong length.
    """

    def __init__(
        self,
        network: Network,
        terms: Iterable[Term] | None = None,
        *,
        content: Array = None,
        style: Styles | None = None,
        convention: str = "mean",
        strength: float = 0.5,
        content_weight: float = 1.0,
        style_weight: float = 1.0,
        covariance_weight: float = 0.0,
        mean_weight: float = 0.0,
        content_layers: Sequence[str] = CONTENT_LAYERS,
        style_layers: Sequence[str] = STYLE_LAYERS,
        content_layer_weights: str | Sequence[float] = "equal",
        style_layer_weights: str | Sequence[float] = "equal",
        tv_weight: float = 0.0,
        tv_edge: float = math.inf,
    ) -> None:
        check_choice("convention", convention, CONVENTIONS)
        if terms is None:
            scene = self._scene(network, content, style)
            options = SimpleNamespace(
                convention=convention,
                strength=strength,
                content_weight=content_weight,
                style_weight=style_weight,
                covariance_weight=covariance_weight,
                mean_weight=mean_weight,
                content_layers=content_layers,
                style_layers=style_layers,
                content_layer_weights=content_layer_weights,
                style_layer_weights=style_layer_weights,
                tv_weight=tv_weight,
                tv_edge=tv_edge,
            )
            makers = content_terms, style_terms, covariance_terms, mean_terms, total_variation_terms
            terms = [term for make in makers for term in make(scene, options)]
        self.network = network
        self.terms = list(terms)
        self.layers = {term.layer for term in self.terms if term.layer is not None}
        if not self.layers:
            raise MinistyleError("an objective needs a content picture, a style picture or both")
        names = [term.name for term in self.terms]
        for name in names:
            if names.count(name) > 1:
                raise MinistyleError(f"two terms of the loss are named '{name}'; give each a name of its own")

    def __call__(self, pixels: Array) -> Evaluation:  # (H, W, 3) -> Evaluation
        """Evaluate a picture. Nothing is moved between host and device.

        Parameters
        ----------
        pixels : array (H, W, 3) on the network's device and of its data type, RGB, 0 to 255

        Returns
        -------
        Evaluation
        """
        features, tape = self.network.forward(pixels, self.layers)
        values, gradients = self._ask_terms(features)
        del features  # from here on each gradient refers to the features it needs
        gradient = self.network.backward(tape, gradients, release=True)
        return self._with_pixel_terms(pixels, values, gradient)

    def _scene(self, network, content, style):
        """Return what the paper's terms are made from."""
        return Scene(network, content, style)

    def _ask_terms(self, features):
        """Return {term's name: value} and {layer: gradient}, for all terms that look at a layer."""
        values, parts = {}, {}
        for term in self.terms:
            if term.layer is not None:
                over_rows = self.network.backend.over_rows
                values[term.name], gradient = term.value_and_gradient(features[term.layer], over_rows)
                parts.setdefault(term.layer, []).append(gradient)
        return values, {layer: GradientByRows(parts[layer], features[layer].shape) for layer in parts}

    def _with_pixel_terms(self, pixels, values, gradient):
        """Add the terms that look at the pixels, and return the evaluation."""
        for term in self.terms:
            if term.layer is None:
                values[term.name], pixel_gradient = term.value_and_gradient(pixels, self.network.backend.over_rows)
                gradient = gradient + pixel_gradient
        return Evaluation(sum(values.values()), gradient, values)
