"""What is minimised: from pixels to a loss and its gradient, network and losses composed."""

from . import losses
from .errors import MinistyleError
from .network import layer_name, pools_before

CONTENT_LAYERS = ("conv4_2",)
STYLE_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
STYLE_LAYER_WEIGHTS = ("equal", "inverse-square")


class Objective:
    """Equation 7: alpha * L_content + beta * L_style, and the gradient with respect to the pixels.

    Without a content picture, or without a style picture, that half is left out; so the same class
    serves for reconstructions from content or from style alone.

    Parameters
    ----------
    network : Network
    content : array (H, W, 3), optional
        The photograph, RGB, 0 to 255. It must have the size of the picture to be made.
    style : array (H, W, 3), optional
        The painting, RGB, 0 to 255, of any size.
    style_margin : int
        How many pixels at each edge of `style` are only the surroundings of what counts as painting, a multiple of 16:
        they enter activations near them, but their own do not enter Gram matrices.
    convention : {"mean", "literal"}
        What a loss is divided by, see `ministyle.losses`.
    content_weight, style_weight : float
        The paper's alpha and beta.
    content_layers, style_layers : sequence of layer names
        The paper's conv4_2, and conv1_1 to conv5_1. Several content layers count with equal shares.
    style_layer_weights : "equal", "inverse-square" or sequence of float
        w_l of equation 5: 1 / (number of style layers), as in the paper; 1 / N^2 for a layer of N filters, as in the
        authors' later code; or one number for each style layer.
    tv_weight : float
        Weight of the total variation, which is not in the paper.

    Attributes
    ----------
    terms : dict, term's name -> 0-d array of float64 on the network's device (on a CPU a number)
        Each term of the latest evaluation, weights included: they add up to the loss. The names are such as
        "content conv4_2", "style conv1_1", "total variation". `arrays.read_scalars` reads them all at once.

    Raises
    ------
    MinistyleError
        Nothing to minimise, an unknown layer or convention, or a list of weights of the wrong length.
    """

    def __init__(
        self,
        network,
        *,
        content=None,
        style=None,
        style_margin=0,
        convention="mean",
        content_weight=1.0,
        style_weight=1.0,
        content_layers=CONTENT_LAYERS,
        style_layers=STYLE_LAYERS,
        style_layer_weights="equal",
        tv_weight=0.0,
    ):
        if convention not in losses.CONVENTIONS:
            raise MinistyleError(f"convention (={convention!r}) must be one of {', '.join(losses.CONVENTIONS)}")
        if content is None and style is None:
            raise MinistyleError("an objective needs a content picture, a style picture or both")
        content_layers = [layer_name(name) for name in content_layers]
        style_layers = [layer_name(name) for name in style_layers]
        for side, picture, names in (("content", content, content_layers), ("style", style, style_layers)):
            if picture is not None and not names:
                raise MinistyleError(f"name at least one {side} layer")
        self.network = network
        self.convention = convention
        self.tv_weight = tv_weight
        self.content_weights = {}  # layer -> its weight in the loss
        self.style_weights = {}
        self.content_targets = {}  # layer -> the photograph's activations, P
        self.style_targets = {}  # layer -> the painting's Gram matrix per position, A / M
        if content is not None:
            self.content_weights = {name: content_weight / len(content_layers) for name in content_layers}
            self.content_targets = self._activations(content, content_layers)
        if style is not None:
            self.style_targets = self._gram_matrices(style, style_layers, style_margin)
            shares = self._shares(style_layers, style_layer_weights)
            self.style_weights = {name: style_weight * share for name, share in shares.items()}
        self.terms = {}

    def __call__(self, pixels):  # (H, W, 3) -> scalar, (H, W, 3)
        """Return the loss of a picture, and its gradient with respect to the pixels.

        Nothing is moved between host and device.

        Parameters
        ----------
        pixels : array (H, W, 3) on the network's device and of its data type, RGB, 0 to 255

        Returns
        -------
        loss : 0-d array of float64
        gradient : array (H, W, 3), both on the network's device
        """
        features, tape = self.network.forward(pixels, {**self.content_targets, **self.style_targets})
        self.terms = {}
        gradients = self._compare(features)
        del features  # from here on each gradient refers to the features it needs
        gradient = self.network.backward(tape, gradients)
        return self._add_total_variation(pixels, gradient)

    def _compare(self, features):
        """Record all terms and return {layer: gradient with respect to its activations}."""
        gradients = {}
        for name, target in self.content_targets.items():
            self._check_size(name, features[name].shape, target.shape)
            self.terms[f"content {name}"], gradients[name] = self._compare_content(name, features[name], target)
        matrices = {name: self._gram_matrix(features[name]) / positions(features[name]) for name in self.style_targets}
        for name, dG in self._compare_styles(matrices).items():
            F = features[name]
            gradients[name] = StyleGradient(dG * (self.style_weights[name] / positions(F)), F, gradients.get(name))
        return gradients

    def _activations(self, picture, layers):
        """Return a picture's activations: layer -> (H_l, W_l, N)."""
        return self.network.features(picture, layers)

    def _gram_matrices(self, picture, layers, margin=0):
        """Return a picture's Gram matrices per position, without a margin: layer -> (N, N)."""
        matrices = {}
        for name, F in self._activations(picture, layers).items():
            edge = margin >> pools_before(name)
            inner = F[edge : F.shape[0] - edge, edge : F.shape[1] - edge]
            matrices[name] = self._gram_matrix(inner) / positions(inner)
        return matrices

    def _gram_matrix(self, F):  # (H, W, N) -> (N, N)
        """Return a Gram matrix, summed over strips of rows."""
        return sum(self.network.over_rows(lambda rows: losses.gram_matrix(F[rows]), F))

    def _compare_content(self, name, F, target):
        """Return a layer's content term, and its gradient with respect to the activations F."""
        weight = self.content_weights[name]
        loss, gradient = losses.content_loss(F, target, self.convention)
        gradient *= weight
        return weight * _double(loss), gradient

    def _compare_styles(self, matrices):
        """Record the style terms; return {layer: gradient of its loss with respect to its Gram matrix per position}."""
        gradients = {}
        for name, target in self.style_targets.items():
            loss, gradients[name] = losses.style_loss(matrices[name], target, self.convention)
            self.terms[f"style {name}"] = self.style_weights[name] * _double(loss)
        return gradients

    def _add_total_variation(self, pixels, gradient):
        """Return the loss, all terms added up, and the gradient, with total variation if there is any."""
        if self.tv_weight:
            value, tv_gradient = losses.total_variation_loss(pixels)
            self.terms["total variation"] = self.tv_weight * _double(value)
            gradient = gradient + self.tv_weight * tv_gradient
        return sum(self.terms.values()), gradient

    def _shares(self, style_layers, weights):
        """Return w_l of equation 5 for every style layer."""
        if weights == "equal":
            return dict.fromkeys(style_layers, 1 / len(style_layers))
        if weights == "inverse-square":
            return {name: 1 / len(self.style_targets[name]) ** 2 for name in style_layers}
        if isinstance(weights, str) or len(weights) != len(style_layers):
            raise MinistyleError(
                f"style_layer_weights (={weights!r}) must be {' or '.join(STYLE_LAYER_WEIGHTS)} or {len(style_layers)} "
                "numbers, one for each style layer"
            )
        return dict(zip(style_layers, weights, strict=True))

    @staticmethod
    def _check_size(name, shape, target_shape):
        if shape != target_shape:
            raise MinistyleError(
                f"the picture and the content picture differ in size: {name} has shape {shape} and {target_shape}"
            )


class StyleGradient:
    """A style term's gradient with respect to activations, computed a few rows at a time, when they are asked for.

    It is as large as the activations and needed only once.
    """

    def __init__(self, dG, F, content_gradient):
        self.dG = dG
        self.F = F
        self.shape = F.shape
        self.content_gradient = content_gradient  # array like F, of a layer that serves both, or None

    def __getitem__(self, rows):
        gradient = losses.gram_backward(self.dG, self.F[rows])
        return gradient if self.content_gradient is None else gradient + self.content_gradient[rows]


def _double(scalar):
    """Return a 0-d array as float64: terms may differ by more than float32 has digits for."""
    return scalar.astype("float64")


def positions(F):
    """Return the number of positions M of activations (H, W, N)."""
    return F.shape[0] * F.shape[1]
