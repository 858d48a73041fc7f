"""What the network sees in a picture: style as a vector, and distances between two pictures, layer by layer.

The paper conjectures that Gram matrices tell paintings apart by style, though no painting was used to train the
network. `docs/examples/tell_styles_apart.py` tries it.
"""

from dataclasses import dataclass

import numpy as np

from .. import losses
from ..arrays import to_host
from ..pictures.reading import read_picture
from ..pictures.sizes import resize
from ..terms import CONTENT_LAYERS, STYLE_LAYERS
from ..weights.load import load_network

COMPARED_LAYERS = tuple(sorted({*CONTENT_LAYERS, *STYLE_LAYERS}))


def style_features(image, layers=STYLE_LAYERS, *, image_size=None, network=None):  # -> (D,)
    """Return a picture's style as one vector: its Gram matrices, such that distances are style losses.

    The squared Euclidean distance between two pictures' vectors is the style loss of equation 5 between them: layers
    count with equal shares, and losses are in the "mean" convention, so the pictures may differ in size.

    For every layer of N filters the vector has N (N + 1) / 2 numbers, the upper triangle of its Gram matrix per
    position, row by row; what lies off the diagonal is multiplied by the square root of 2, because it stands for two
    entries, and all of it by 1 / (N sqrt(L)), for L layers. With the paper's five layers that makes 305 888 numbers.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layers : sequence of layer names
    image_size : int, optional
        Length in pixels to which the longest side is scaled; by default the picture stays as it is.
    network : Network, optional
        By default the normalised network with average pooling. For many pictures, load one and pass it.

    Returns
    -------
    float array (D,) of the network's data type, on the host

    Raises
    ------
    MinistyleError
        The picture cannot be read or is too small, or the network has no such layer.
    """
    network = network or load_network(normalised=True)
    names = network.architecture.layer_names(layers)
    activations = network.features(read_picture(image, image_size), names)
    return np.concatenate([_upper_triangle(_gram_matrix(activations[name])) for name in names]) / len(names) ** 0.5


def _upper_triangle(G):  # (N, N) -> (N (N + 1) / 2,)
    """Write out half of a symmetric matrix such that the squares add up to the mean of all its squares."""
    N = len(G)
    rows, columns = np.triu_indices(N)
    return G[rows, columns] * np.where(rows == columns, 1, 2**0.5).astype(G.dtype) / N


@dataclass(frozen=True)
class Distance:
    """How far apart two pictures are in one layer.

    Attributes
    ----------
    layer : str
    content : float
        mean (F - P)^2, equation 1 in the "mean" convention: activations compared position by position.
    style : float
        mean (G/M - A/M)^2, equation 4 in the "mean" convention: Gram matrices compared.
    relative_content, relative_style : float
        ||F - P|| / ||P|| and ||G/M - A/M|| / ||A/M||: as parts of what the second picture has. 0 is the same;
        two pictures that have nothing to do with each other come to about 1.
    """

    layer: str
    content: float
    style: float
    relative_content: float
    relative_style: float


def compare(picture, reference, layers=COMPARED_LAYERS, *, image_size=None, network=None):
    """Return how far apart two pictures are in the network's terms, a `Distance` for each layer.

    Parameters
    ----------
    picture, reference : path, PIL image or array (H, W, 3), RGB, 0 to 255
        Where they differ in size, content is compared after scaling `picture` to the size of `reference`, and style
        without.
    layers : sequence of layer names
    image_size, network : see `style_features`

    Returns
    -------
    list of Distance, in the order of `layers`
    """
    network = network or load_network(normalised=True)
    names = network.architecture.layer_names(layers)
    picture, reference = read_picture(picture, image_size), read_picture(reference, image_size)
    target = network.features(reference, names)
    own_size = network.features(picture, names)
    fitted = picture if picture.shape == reference.shape else resize(picture, *reference.shape[:2])
    same_size = own_size if fitted is picture else network.features(fitted, names)
    distances = []
    for name in names:
        P, A, G = target[name], _gram_matrix(target[name]), _gram_matrix(own_size[name])
        content, _ = losses.content_loss(same_size[name], P)
        distances.append(
            Distance(
                name,
                float(content),
                float(losses.style_loss(G, A)[0]),
                float(content / (P * P).mean()) ** 0.5,
                float(((G - A) ** 2).sum() / (A * A).sum()) ** 0.5,
            )
        )
    return distances


def _gram_matrix(F):  # (H, W, N) -> (N, N)
    """Return the Gram matrix per position, on the host."""
    return to_host(losses.gram_matrix(F) / (F.shape[0] * F.shape[1]))
