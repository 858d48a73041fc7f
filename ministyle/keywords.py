"""The settings as keyword arguments, for editors and type checkers; `docs/make_keywords.py` writes it."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Literal, TypedDict

from .types import Picture


class SettingsKeywords(TypedDict, total=False):
    """What a function takes as `**settings`; `settings` has the table, with the checks."""

    image_size: int | Literal["content"]
    """length of the picture's side in pixels, or 'content': that of the photograph, or of the picture that a
    reconstruction has instead. Default: 512."""

    side: Literal["longest", "shortest"]
    """which side image_size and style_size measure. Default: 'longest'."""

    style_size: int | None
    """the same for the style picture; by default that of image_size."""

    style_scale: float | Sequence[float] | None
    """how many times that size: one number, or one for each style picture; larger means larger brush strokes."""

    style_blend: float | Sequence[float] | None
    """how much each of several style pictures counts, such as 2,1; by default all alike."""

    init: Picture
    """what to start from: 'noise', 'content', 'style' or a picture file. Default: 'content'."""

    seed: int
    """seed of the noise. Default: 0."""

    noise_std: float
    """standard deviation of the noise in grey levels (0 to 255). Default: 25.0."""

    iterations: int
    """steps of the solver, at full size. Default: 60."""

    strength: float
    """how much style, from 0, the photograph, to 1, the style alone; it counts in the relative convention. Default:
    0.5."""

    content_weight: float
    """more of the photograph: alpha of equation 7; in the relative convention times what the strength says.
    Default: 1.0."""

    style_weight: float
    """more of the painting: beta of equation 7, likewise. Default: 1.0."""

    covariance_weight: float
    """the same for covariances of activations, which are Gram matrices after each filter's mean is taken off.
    Default: 0.0."""

    mean_weight: float
    """the same for mean activations. Default: 0.0."""

    tv_weight: float
    """calms speckle: weight of the total variation. Default: 0.002."""

    tv_edge: float
    """spares outlines: neighbouring pixels that differ by more grey levels count as edges in the total variation.
    Default: 20.0."""

    content_layers: str | Sequence[str]
    """what stays of the photograph: layers whose activations are matched, separated by commas; 'transfer
    list_layers' shows those there are. Default: ('conv4_2',)."""

    content_layer_weights: str | Sequence[float]
    """how alpha is divided among the content layers: 'equal' (1 / number of layers) or a number for each. Default:
    'equal'."""

    style_layers: str | Sequence[str]
    """what comes of the painting: layers whose Gram matrices are matched, separated by commas. Default: ('conv1_1',
    'conv2_1', 'conv3_1', 'conv4_1', 'conv5_1')."""

    style_layer_weights: str | Sequence[float]
    """w_l of equation 5: 'geometric' (each 2/3 of the next shallower one, 1 in all), 'equal' (1 / number of layers,
    as in the paper), 'inverse-square' (1 / N^2 for N filters) or a number for each style layer. Default:
    'geometric'."""

    convention: Literal["relative", "mean", "literal"]
    """losses relative to those of the photograph ('relative'), as in the authors' code ('mean') or the paper's
    equations ('literal'). Default: 'relative'."""

    pooling: Literal["average", "max"]
    """how the network shrinks its feature maps. Default: 'average'."""

    normalised: bool
    """rescale every filter to a mean activation of 1. Default: True."""

    border: Literal["mirror", "zero", "replicate"]
    """what the network sees around a picture: its mirror image, or zeros around every feature map, or its own edge
    again around every feature map ('replicate'). Default: 'mirror'."""

    bounds: bool
    """keep pixels within 0 to 255 while optimising, not only when saving. Default: True."""

    optimizer: Literal["auto", "lbfgsb", "lbfgs", "adam"]
    """SciPy's L-BFGS-B on the host, or our own L-BFGS or Adam where the picture is; 'auto' takes SciPy's on a CPU,
    our L-BFGS on a GPU. Default: 'auto'."""

    history_size: int
    """steps that L-BFGS remembers. Default: 10."""

    learning_rate: float
    """about how many grey levels (0 to 255) Adam moves a pixel in one step. Default: 10.0."""

    ftol: float
    """stop when a step lowers the loss by no more than this share of it. Default: 0.0."""

    gtol: float
    """stop when no component of the gradient, loss per grey level, exceeds this. Default: 0.0."""

    weights: str | os.PathLike[str] | None
    """weight file; by default the one that 'info' shows."""

    pyramid: bool
    """coarse to fine: begin with a picture of 120 to 240 pixels and double it until it has its size, with half the
    iterations at each size but the last. Default: True."""

    max_memory: float | str | None
    """GB that the program may take; a picture that takes more is worked on in bands."""

    max_megapixels: float
    """millions of pixels to which a picture file may decode; a larger one is refused, as a small file can hold
    enormous pictures. Default: 64.0."""

    dtype: Literal["float32", "float64"]
    """type the network computes in. Default: 'float32'."""

    convolution: Literal["auto", "direct", "winograd"]
    """'winograd' is fast and for the CPU, 'direct' is plain; 'auto' takes the fast one where it can. Default:
    'auto'."""

    threads: int | None
    """threads of the fast convolution; by default all cores."""

    tf32: bool
    """let a GPU round the numbers it multiplies to 10 bits: faster, and 1000 times less exact. Default: False."""

    colours: Literal["painting", "photo-luminance", "photo-match"]
    """whose colours the picture gets: 'painting'; the photograph's, and the painting gives light and dark only
    ('photo-luminance'); or the photograph's, which the painting gets before the run ('photo-match'). Default:
    'painting'."""

    colours_after: Literal["photo-luminance", "photo-match"]
    """whose colours the finished picture gets: the photograph's at every pixel ('photo-luminance'), or all in all
    ('photo-match'); by default they stay."""

    device: Literal["auto", "cpu", "cuda"]
    """where to compute; 'auto' takes a GPU where there is one. Default: 'auto'."""
