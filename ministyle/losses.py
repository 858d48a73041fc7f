"""The paper's losses, each with its gradient with respect to what it is computed from.

Gatys, Ecker, Bethge: A Neural Algorithm of Artistic Style, arXiv:1508.06576, 2015. F, P, G, A, N, M are
the paper's letters: F the activations of the picture being made, P those of the photograph, G and A the Gram
matrices of the picture being made and of the painting, N the number of filters of the layer, M the number of
positions. The paper writes F as (N, M); here activations are (H, W, N) with H * W = M.

Two conventions are in use. They differ by factors that depend on the layer's size, so the weights of one do not fit
the other:

| convention | content | style, one layer |
|---|---|---|
| "literal": the paper's equations | 1/2 sum (F - P)^2 | 1 / (4 N^2 M^2) sum (G - A)^2 |
| "mean": the authors' code | mean (F - P)^2 | mean (G/M - A/M)^2 |

Equations 2 and 6 set the gradient to 0 where F is 0. The functions here do not: that mask is the derivative of the
ReLU that produced F, and the network's backward sweep begins with that ReLU.
"""

import math

from .arrays import array_module

CONVENTIONS = ("mean", "literal")


def content_loss(F, P, convention="mean"):  # (H, W, N), (H, W, N) -> scalar, (H, W, N)
    """Compare activations position by position: equation 1, and its gradient, equation 2.

    Returns
    -------
    loss : 0-d array
    gradient : array (H, W, N), with respect to F
    """
    difference = F - P
    squares = (difference * difference).sum()
    if convention == "literal":
        return squares / 2, difference
    return squares / difference.size, difference * (2 / difference.size)


def gram_matrix(F):  # (H, W, N) -> (N, N)
    """Correlate filters over all positions: G_ij = sum_k F_ik F_jk, equation 3.

    Only which filters respond together matters; where in the picture they respond does not.
    """
    columns = F.reshape(-1, F.shape[2])  # (M, N)
    return columns.T @ columns


def gram_backward(dG, F):  # (N, N), (H, W, N) -> (H, W, N)
    """Propagate a gradient back through `gram_matrix`: F_ik enters the i-th row and the i-th column of G."""
    columns = F.reshape(-1, F.shape[2])  # (M, N)
    return (columns @ (dG + dG.T)).reshape(F.shape)


def style_loss(G, A, convention="mean"):  # (N, N), (N, N) -> scalar, (N, N)
    """Compare Gram matrices in one layer: equation 4, and its gradient.

    Equation 6, the gradient with respect to F, is `gram_backward` of this gradient divided by M.

    Parameters
    ----------
    G, A : arrays (N, N)
        The Gram matrices of the picture being made and of the painting, each divided by its own number of positions.
        Equation 4 divides by M^2 and so assumes pictures of one size. For such pictures the result is the same; others
        may differ in size, in both conventions. Other statistics of style are compared alike, see `styles`.

    Returns
    -------
    loss : 0-d array
    gradient : array (N, N), with respect to G
    """
    factor = 1 / (4 * G.size) if convention == "literal" else 1 / G.size  # a Gram matrix has N^2 entries
    difference = G - A
    return (difference * difference).sum() * factor, difference * (2 * factor)


def total_variation_loss(pixels, edge=math.inf, periodic=False):  # (H, W, C) -> scalar, (H, W, C)
    """Measure roughness: how much neighbouring pixels differ, per pixel value.

    With an infinite `edge` it is the sum of all squared differences. Otherwise the squares d^2 of a pixel's differences
    to the pixels below and to the right of it, all channels together, enter as

        2 edge (sqrt(d^2 + edge^2) - edge).

    That is d^2 where d is much smaller than `edge`, and grows only like 2 edge d where it is much larger. So speckle
    costs as much as before, and an outline costs little more than a slow change between the same colours. (Charbonnier
    and others 1994; it is the total variation of Rudin, Osher and Fatemi 1992, rounded off at 0.)

    The paper has no such term; other implementations offer it to calm noise. Its unit is squared grey levels.

    Parameters
    ----------
    pixels : array (H, W, C)
    edge : float, grey levels
    periodic : bool, whether opposite edges of the picture are neighbours

    Returns
    -------
    loss : 0-d array
    gradient : array (H, W, C), with respect to the pixels
    """
    xp = array_module(pixels)
    below, right_of = (pixels[:1], pixels[:, :1]) if periodic else (pixels[-1:], pixels[:, -1:])
    down = xp.diff(pixels, axis=0, append=below)  # (H, W, C); without a neighbour the difference is 0
    right = xp.diff(pixels, axis=1, append=right_of)
    squares = (down * down + right * right).sum(axis=2, keepdims=True)  # (H, W, 1)
    if math.isinf(edge):
        loss = squares.sum()
    else:
        root = xp.sqrt(squares + edge**2)
        loss = (squares * (2 * edge / (root + edge))).sum()  # sqrt(a) - edge = (a - edge^2) / (sqrt(a) + edge)
        slope = edge / root  # of the formula, with respect to d^2
        down *= slope
        right *= slope
    gradient = xp.roll(down, 1, axis=0) - down + xp.roll(right, 1, axis=1) - right
    return loss / pixels.size, gradient * (2 / pixels.size)
