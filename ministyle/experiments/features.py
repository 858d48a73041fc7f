"""What the network sees in a picture: style as a vector, and distances between two pictures, layer by layer.

The paper conjectures that Gram matrices can tell paintings apart by style, although the network was trained without
paintings. `docs/examples/tell_styles_apart.py` tests this.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import losses
from ..arrays import to_host
from ..network import Network
from ..pictures.reading import read_picture
from ..pictures.sizes import resize
from ..settings import MAX_MEGAPIXELS
from ..terms import CONTENT_LAYERS, STYLE_LAYERS
from ..types import Picture
from ..weights.load import load_network

COMPARED_LAYERS = tuple(sorted({*CONTENT_LAYERS, *STYLE_LAYERS}))


def style_features(
    image: Picture,
    layers: Sequence[str] = STYLE_LAYERS,
    *,
    image_size: int | None = None,
    network: Network | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> NDArray[Any]:  # (D,)
    """Return a picture's style as one vector, made of its Gram matrices.

    The squared Euclidean distance between the vectors of two pictures is the style loss of equation 5 between them.
    All layers count equally. Losses are in the "mean" convention, so the pictures may differ in size.

    A layer of N filters contributes N (N + 1) / 2 numbers: the upper triangle of its Gram matrix per position, row by
    row. Numbers off the diagonal are multiplied by the square root of 2, because each of them stands for two entries.
    All numbers are divided by N sqrt(L), where L is the number of layers. The paper's five layers give 305 888 numbers.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layers : sequence of layer names
    image_size : int, optional
        Length in pixels to which the longest side is scaled; by default the picture stays as it is.
    network : Network, optional
        By default the normalised network with average pooling. For many pictures, load it once and pass it here.
    max_megapixels : float
        A file that decodes to more millions of pixels is refused.

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
    activations = network.features(read_picture(image, image_size, max_megapixels=max_megapixels), names)
    return np.concatenate([_upper_triangle(_gram_matrix(activations[name])) for name in names]) / len(names) ** 0.5


def _upper_triangle(G):  # (N, N) -> (N (N + 1) / 2,)
    """Return half of a symmetric matrix as a vector. Its squares add up to the mean of all the matrix's squares."""
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
        ||F - P|| / ||P|| and ||G/M - A/M|| / ||A/M||, relative to the second picture. 0 means that the two are the
        same; two unrelated pictures have about 1.
    """

    layer: str
    content: float
    style: float
    relative_content: float
    relative_style: float


def compare(
    picture: Picture,
    reference: Picture,
    layers: Sequence[str] = COMPARED_LAYERS,
    *,
    image_size: int | None = None,
    network: Network | None = None,
    max_megapixels: float = MAX_MEGAPIXELS,
) -> list[Distance]:
    """Return how far apart two pictures are in the network's terms, a `Distance` for each layer.

    Parameters
    ----------
    picture, reference : path, PIL image or array (H, W, 3), RGB, 0 to 255
        If they differ in size, `picture` is scaled to the size of `reference` for the comparison of content. Style is
        compared without scaling.
    layers : sequence of layer names
    image_size, network, max_megapixels : see `style_features`

    Returns
    -------
    list of Distance, in the order of `layers`
    """
    network = network or load_network(normalised=True)
    names = network.architecture.layer_names(layers)
    picture, reference = (read_picture(one, image_size, max_megapixels=max_megapixels) for one in (picture, reference))
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
