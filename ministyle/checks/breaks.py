"""The gradient laboratory: mistakes to plant in the gradients, one at a time, to see which checks notice.

Each `Break` stands for a mistake that has been published in some implementation, or that nearly everyone makes once. It
is planted in the very functions and operations that every run goes through, of the plain backend and of the fast one:

    with planted("kernel-not-rotated"):
        ...

`python -m ministyle gradcheck --break NAME` runs the checks meanwhile.
"""

from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from unittest import mock

import numpy as np

from .. import layers, losses, network
from ..arrays import array_module
from ..errors import MinistyleError
from ..network import BACKENDS, POOLING
from ..objective import Objective

SURPRISE = "surprise"


@dataclass(frozen=True)
class Break:
    """One mistake.

    Attributes
    ----------
    name : str
    mistake : str, what is done wrongly, a sentence
    plant : function that returns the replacements: list of (owner, name of its attribute, function old -> new)
    redundant : bool, whether the gradient stays right all the same
    """

    name: str
    mistake: str
    plant: Callable
    redundant: bool = False

    @property
    def verdict(self):
        """Return "wrong" or "redundant"."""
        return "redundant" if self.redundant else "wrong"


@contextmanager
def planted(name):
    """Plant a mistake, and take it out again afterwards.

    Raises
    ------
    MinistyleError
        There is no such mistake.
    """
    if name not in BREAKS:
        raise MinistyleError(f"break (={name!r}) must be {SURPRISE} or one of {', '.join(BREAKS)}")
    with ExitStack() as stack:
        for owner, attribute, change in BREAKS[name].plant():
            stack.enter_context(mock.patch.object(owner, attribute, change(getattr(owner, attribute))))
        yield BREAKS[name]


def surprise(seed):
    """Return the name of one of the mistakes that make a gradient wrong; the same seed gives the same one."""
    return str(np.random.default_rng(seed).choice([one.name for one in BREAKS.values() if not one.redundant]))


# Where mistakes are planted ------------------------------------------------------------------------------


def _in_fused(change):
    """Replace the backward pass of the operations that are a convolution and its ReLU in one.

    What backends compute with the functions of `layers` stays: those are replaced themselves.

    Parameters
    ----------
    change : function (operation, backend, arguments of the backend's method, that method) -> backward
    """

    def new(old):
        def convolution(self, *arguments):
            for operation in old(self, *arguments):
                if operation.kind == "relu" and operation.backward is not layers.relu_backward:
                    operation = replace(operation, backward=change(operation, self, arguments, old))
                yield operation

        return convolution

    return [(backend, "convolution", new) for backend in BACKENDS.values()]


def _in_masks(change):
    """Replace the backward pass of every ReLU by `change(backward, dy, mask)`."""
    fused = _in_fused(lambda operation, *_: partial(change, operation.backward))
    return [(layers, "relu_backward", lambda old: partial(change, old)), *fused]


def _in_pooling(name, change):
    """Replace the backward pass of a kind of pooling by `change(backward, dy, cache)`."""
    attribute = f"{name}_pool_backward"
    forward, backward = POOLING[name]
    pooling = {**POOLING, name: (forward, partial(change, backward))}
    return [(layers, attribute, lambda old: partial(change, old)), (network, "POOLING", lambda old: pooling)]


def _in_loss(name, change):
    """Replace a loss of `losses` by one whose gradient is `change(gradient, first argument, convention)`."""

    def new(old):
        def loss(x, *others):
            value, gradient = old(x, *others)
            return value, change(gradient, x, others[-1])

        return loss

    return [(losses, name, new)]


# The mistakes --------------------------------------------------------------------------------------------


def _unrotated_kernel():
    def plain(old):
        return lambda dy, cache: old(dy, (cache[0][::-1, ::-1], cache[1]))

    def fused(_, backend, arguments, convolution):
        name, kernel, bias, border = arguments
        (rotated,) = convolution(backend, name, kernel[::-1, ::-1], bias, border)
        return rotated.backward

    return [(layers, "convolution_backward", plain), *_in_fused(fused)]


def _stretched(backward, dy, cache):
    dx = backward(dy, cache)
    height, width = (2 * side for side in dy.shape[:2])
    dx[height:] = dx[height - 1 : height]
    dx[:, width:] = dx[:, width - 1 : width]
    return dx


def _to_the_first(backward, dy, cache):
    shape, winner = cache
    return backward(dy, (shape, 0 * winner))


def _another_pictures_gram():
    return [(losses, "gram_backward", lambda old: lambda dG, F: old(dG, F[::-1, ::-1]))]


def _half_of_gram():
    return [(losses, "gram_backward", lambda old: lambda dG, F: old(dG, F) / 2)]


def _by_three(gradient, G, convention):
    return gradient * (len(G) / 3) ** 2


def _literal_content(gradient, F, convention):
    return gradient * (F.size / 2) if convention != "literal" else gradient


def _one_neighbour():
    def new(old):
        def total_variation_loss(pixels, *others):
            value, _ = old(pixels, *others)
            down = array_module(pixels).diff(pixels, axis=0, append=pixels[-1:])
            right = array_module(pixels).diff(pixels, axis=1, append=pixels[:, -1:])
            return value, -2 * (down + right) / pixels.size

        return total_variation_loss

    return [(losses, "total_variation_loss", new)]


def _wrong_sign():
    def new(old):
        def total_variation_loss(pixels, *others):
            value, gradient = old(pixels, *others)
            return value, -gradient

        return total_variation_loss

    return [(losses, "total_variation_loss", new)]


def _channels_as_they_come():
    return [(network, "preprocess_backward", lambda old: lambda dy, cache: dy / cache[1])]


def _term_left_out():
    def new(old):
        def call(self, pixels):
            evaluation = old(self, pixels)
            *_, last = evaluation.terms.values()
            return replace(evaluation, loss=evaluation.loss - last)

        return call

    return [(Objective, "__call__", new)]


def _clamped_inside():
    return [(Objective, "__call__", lambda old: lambda self, pixels: old(self, pixels.clip(0, 255)))]


BREAKS = {
    one.name: one
    for one in (
        Break(
            "mask-or-equal",
            "the ReLU's mask is F >= 0 instead of F > 0; F is never negative, so nothing is masked at all",
            lambda: _in_masks(lambda backward, dy, mask: backward(dy, mask | True)),
        ),
        Break(
            "mask-twice",
            "the ReLU's mask is applied twice: to the gradient that arrives, and again in the ReLU's backward pass",
            lambda: _in_masks(lambda backward, dy, mask: backward(dy * mask, mask)),
            redundant=True,
        ),
        Break(
            "kernel-not-rotated",
            "the convolution's backward pass does not rotate the kernel by 180 degrees",
            _unrotated_kernel,
        ),
        Break(
            "pool-whole",
            "average pooling gives each of the four positions the whole gradient instead of a quarter",
            lambda: _in_pooling("average", lambda backward, dy, cache: 4 * backward(dy, cache)),
        ),
        Break(
            "pool-stretched",
            "average pooling repeats the gradient's last row or column where an odd one was dropped, instead of zeros",
            lambda: _in_pooling("average", _stretched),
        ),
        Break(
            "max-pool-first",
            "max pooling sends the gradient to the first position of every block instead of the largest",
            lambda: _in_pooling("max", _to_the_first),
        ),
        Break(
            "gram-of-another-picture",
            "the Gram matrix's gradient is computed from another picture's activations, as if from the painting's",
            _another_pictures_gram,
        ),
        Break(
            "gram-half",
            "the Gram matrix's gradient forgets that F stands in it twice",
            _half_of_gram,
        ),
        Break(
            "gram-by-three",
            "the style gradient divides by the picture's 3 channels instead of the layer's N filters",
            lambda: _in_loss("style_loss", _by_three),
        ),
        Break(
            "content-literal",
            "the content gradient is F - P, equation 2, while the loss is a mean of squares",
            lambda: _in_loss("content_loss", _literal_content),
        ),
        Break(
            "variation-one-neighbour",
            "the total variation's gradient counts each pixel's neighbours below and right, not those above and left",
            _one_neighbour,
        ),
        Break(
            "variation-sign",
            "the total variation's gradient has the wrong sign",
            _wrong_sign,
        ),
        Break(
            "channels-as-they-come",
            "the gradient stays in the network's order of channels, BGR, while the picture's is RGB",
            _channels_as_they_come,
        ),
        Break(
            "term-left-out",
            "the loss leaves out its last term, and the gradient has it",
            _term_left_out,
        ),
        Break(
            "clamped-inside",
            "the objective clamps pixels to 0 to 255 first, and the gradient does not know",
            _clamped_inside,
        ),
    )
}
