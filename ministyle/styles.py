"""What counts as style: which statistic of the activations, of which painting, and where.

The style of a picture in a layer is a statistic of its activations over positions. It forgets where they are. The
paper's statistic is the Gram matrix; two others are here to compare it with. All three are functions of sums over
positions k, so rows can be added up in any order:

| statistic | S | |
|---|---|---|
| `GRAM` | 1/M sum T_k^2 F_ik F_jk | equation 3, per position: which filters respond together |
| `COVARIANCE` | 1/M sum T_k^2 (F_ik - mu_i) (F_jk - mu_j) | the same, after each filter's mean is taken off |
| `MEAN` | mu_i = 1/M sum T_k^2 F_ik | how strongly each filter responds |

A Gram matrix per position is the covariance plus mu mu^T. (Covariance and mean are also what is matched by Huang and
Belongie 2017, arXiv:1703.06868, and Li et al. 2017, arXiv:1701.01036.)

A guide T, from 0 to 1, says which positions count, and M = sum T_k^2. Without a guide, T is 1 and M is the number of
positions, as in the paper. With guides, each part of a picture can have the style of another painting: these are the
guided Gram matrices of Gatys, Ecker, Bethge, Hertzmann and Shechtman (2017), "Controlling Perceptual Factors in Neural
Style Transfer", arXiv:1611.07865. There T is scaled to sum T_k^2 = 1; dividing by M is the same. A guide starts as a
mask over the picture's pixels, and goes down the network by average pooling.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from . import losses
from .arrays import array_module, read_scalars
from .errors import MinistyleError
from .layers import average_pool_forward
from .types import Picture


@dataclass(frozen=True)
class Statistic:
    """A statistic of activations over positions. N is the number of filters.

    Attributes
    ----------
    name : str
    total : function (F (h, W, N), T (h, W, 1) or None) -> array
        Sums over some rows; the sums of all rows are added up.
    of : function (total, M) -> S
        The statistic, given the sums over all rows.
    backward : function (dS, F, T, total, M) -> (h, W, N)
        The gradient with respect to some rows of F, given dS, that with respect to S divided by M.
    """

    name: str
    total: Callable
    of: Callable
    backward: Callable


def guided(F, T):  # (h, W, N), (h, W, 1) or None -> (h, W, N)
    """Return activations as a guide lets them count."""
    return F if T is None else F * T


def _gram_backward(dS, F, T, total, M):
    return guided(losses.gram_backward(dS, guided(F, T)), T)


def _with_ones(F):  # (h, W, N) -> (h, W, N + 1)
    """Append a filter that is 1 everywhere. The Gram matrix then holds sum F F^T and sum F."""
    xp = array_module(F)
    return xp.concatenate([F, xp.ones_like(F[:, :, :1])], axis=2)


def _covariance_of(total, M):
    mean = total[:-1, -1] / M
    return total[:-1, :-1] / M - mean[:, np.newaxis] * mean


def _covariance_backward(dS, F, T, total, M):
    # The means depend on F, too. But S does not change with them, as the sum of T^2 (F - mu) is 0.
    return _gram_backward(dS, F - total[:-1, -1] / M, T, total, M)


def _mean_backward(dS, F, T, total, M):
    xp = array_module(F)
    return xp.broadcast_to(dS, F.shape) if T is None else T * T * dS


GRAM = Statistic(
    "gram",
    total=lambda F, T: losses.gram_matrix(guided(F, T)),
    of=lambda total, M: total / M,
    backward=_gram_backward,
)
COVARIANCE = Statistic(
    "covariance",
    total=lambda F, T: losses.gram_matrix(guided(_with_ones(F), T)),
    of=_covariance_of,
    backward=_covariance_backward,
)
MEAN = Statistic(
    "mean",
    total=lambda F, T: guided(guided(F, T), T).sum(axis=(0, 1)),
    of=lambda total, M: total / M,
    backward=_mean_backward,
)


# Paintings, and where their styles go ------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class Style:
    """A painting, how much its style counts, and where.

    Attributes
    ----------
    picture : path, PIL image or array (h, w, 3), RGB, 0 to 255, the painting
    weight : float, how much it counts beside other paintings
    mask : picture, optional
        Which part of the painting counts: white does, black does not, grey does in part. It has the painting's
        proportions.
    scale : float
        The painting is scaled to so many times the size that it would have otherwise. Larger brush strokes come from a
        larger painting.
    region : picture, optional
        Where in the picture to be made the style goes, likewise. It has the proportions of that picture.
    """

    picture: Picture
    weight: float = 1.0
    mask: Picture | None = None
    scale: float = 1.0
    region: Picture | None = None


Styles: TypeAlias = Picture | Style | Sequence[Picture | Style]  # one painting, or several
Masks: TypeAlias = Picture | Sequence[Picture]


def as_styles(style):
    """Return a tuple of `Style`, whether `style` is None, a painting, a `Style` or a sequence of those."""
    several = style if isinstance(style, list | tuple) else [] if style is None else [style]
    return tuple(one if isinstance(one, Style) else Style(one) for one in several)


def shares(styles):
    """Return how much of beta each of several styles gets, a list of floats.

    Beta is divided in the ratio of the weights. With regions it is divided in the ratio of weight times area, and where
    no style goes, none is spent. So style and content keep their balance at every position, however small its region.

    Parameters
    ----------
    styles : sequence of Style, its regions (H, W) arrays, 0 to 1, on the host
    """
    areas = [1.0 if style.region is None else float(np.mean(style.region)) for style in styles]
    covered = float(np.mean(np.minimum(1.0, sum(1.0 if style.region is None else style.region for style in styles))))
    parts = [style.weight * area for style, area in zip(styles, areas, strict=True)]
    return [covered * part / (sum(parts) or 1.0) for part in parts]


def guides(mask, network, layers, what="mask"):  # (H, W) -> {name: (H_l, W_l, 1)}
    """Carry a mask down the network by average pooling, to the size that it has at some layers.

    Parameters
    ----------
    mask : array (H, W), 0 to 1, or None
    network : Network
    layers : names of layers
    what : str, the mask's name in messages

    Returns
    -------
    dict, layer -> array (H_l, W_l, 1) on the network's device and of its data type, or None without a mask

    Raises
    ------
    MinistyleError
        Nothing of the mask is left at a layer.
    """
    if mask is None:
        return dict.fromkeys(layers)
    table = network.architecture.layers
    sizes = [network.to_device(mask)[:, :, np.newaxis]]
    for _ in range(max(table[name].halvings for name in layers)):
        sizes.append(average_pool_forward(sizes[-1])[0])
    carried = {name: sizes[table[name].halvings] for name in layers}
    largest = read_scalars([T.max() for T in carried.values()])
    for name, value in zip(layers, largest, strict=True):
        if value <= 0:
            raise MinistyleError(f"the {what} is black, or so small that nothing of it is left at {name}")
    return carried


def count(T, shape):  # (H, W, 1) or None -> scalar
    """Return M, the number of positions that count in a layer of shape (H, W, N)."""
    return shape[0] * shape[1] if T is None else (T * T).sum()
