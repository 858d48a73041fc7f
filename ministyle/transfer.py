"""The story: pictures -> network -> targets -> objective -> optimise -> picture."""

from dataclasses import dataclass

import numpy as np

from .image import read_picture, resize, to_uint8
from .network import load_network
from .objective import Objective
from .optimise import BOUNDS, minimise
from .settings import Settings

GREY = 127.5  # the mean of the noise, in levels


@dataclass(frozen=True)
class Result:
    """A finished picture and how it came about.

    Attributes
    ----------
    image : uint8 array (H, W, 3), RGB
    history : list of `optimise.Step`, the first of them the start
    message : str, why the optimisation stopped
    completed : bool, False if it was interrupted or the loss became infinite
    settings : Settings
    """

    image: np.ndarray
    history: list
    message: str
    completed: bool
    settings: Settings


def transfer(content, style, *, preset="default", on_step=None, **settings):
    """Repaint a photograph in the style of a painting.

    Parameters
    ----------
    content, style : path, PIL image or array (H, W, 3), RGB, 0 to 255
    preset : str, a name of `ministyle.PRESETS`
    on_step : function of (Step, pixels (H, W, 3)), optional
        Called at the start and after every iteration.
    **settings : what differs from the preset, see `ministyle.Settings`

    Returns
    -------
    Result

    Raises
    ------
    MinistyleError
        A picture cannot be read, or a setting is impossible.
    """
    settings = Settings.from_preset(preset, **settings)
    content = read_picture(content, settings.image_size, settings.side)
    style = read_picture(style, settings.style_size or settings.image_size, settings.side)
    return _make(settings, content, style, starting_picture(settings, content, style), on_step)


def reconstruct_content(image, layer, *, on_step=None, **settings):
    """Make a picture with the same activations as `image` in one layer: figure 1, content reconstructions.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layer : str, such as "conv4_1"
    on_step, **settings : see `transfer`; the start is white noise unless `init` says otherwise

    Returns
    -------
    Result
    """
    settings = Settings.from_preset(**{"init": "noise", "content_layers": (layer,), **settings})
    content = read_picture(image, settings.image_size, settings.side)
    return _make(settings, content, None, starting_picture(settings, content, content), on_step)


def reconstruct_style(image, layers, *, on_step=None, **settings):
    """Make a picture with the same Gram matrices as `image`: figure 1, style reconstructions; a texture.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layers : sequence of str, such as ["conv1_1", "conv2_1"]
    on_step, **settings : see `transfer`; the start is white noise unless `init` says otherwise

    Returns
    -------
    Result
    """
    settings = Settings.from_preset(**{"init": "noise", "style_layers": tuple(layers), **settings})
    style = read_picture(image, settings.image_size, settings.side)
    return _make(settings, None, style, starting_picture(settings, style, style), on_step)


def starting_picture(settings, content, style):  # -> (H, W, 3)
    """Return the picture that the optimisation begins with, of the content picture's size.

    White noise is drawn on the host, so that a seed gives the same start on every device.
    """
    if isinstance(settings.init, str) and settings.init == "noise":
        noise = np.random.default_rng(settings.seed).standard_normal(content.shape)
        return np.clip(GREY + settings.noise_deviation * noise, *BOUNDS).astype(np.float32)
    if isinstance(settings.init, str) and settings.init in ("content", "style"):
        picture = {"content": content, "style": style}[settings.init]
    else:
        picture = read_picture(settings.init)
    return resize(picture, *content.shape[:2])


def _make(settings, content, style, start, on_step):
    """Compose network and objective, minimise, and hand over the picture."""
    network = load_network(
        settings.weights,
        pooling=settings.pooling,
        normalised=settings.normalised,
        dtype=settings.dtype,
        device=settings.device,
        convolution=settings.convolution,
        threads=settings.threads,
    )
    objective = Objective(
        network,
        content=content,
        style=style,
        convention=settings.convention,
        content_weight=settings.content_weight,
        style_weight=settings.style_weight,
        content_layers=settings.content_layers,
        style_layers=settings.style_layers,
        style_layer_weights=settings.style_layer_weights,
        tv_weight=settings.tv_weight,
    )
    outcome = minimise(
        objective,
        start,
        iterations=settings.iterations,
        bounds=BOUNDS if settings.bounds else None,
        history_size=settings.history_size,
        ftol=settings.ftol,
        gtol=settings.gtol,
        on_step=on_step,
    )
    return Result(to_uint8(outcome.pixels), outcome.history, outcome.message, outcome.completed, settings)
