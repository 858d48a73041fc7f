"""The story: pictures -> network -> targets -> objective -> optimise -> picture."""

from dataclasses import dataclass, replace

import numpy as np

from .bands import BandedObjective
from .errors import MinistyleError
from .memory import band_rows
from .network import load_network
from .objective import Objective
from .optimise import BOUNDS, INTERRUPTED, choose_optimizer, minimise
from .pictures.reading import read_picture
from .pictures.sizes import resize
from .pictures.values import to_uint8
from .pyramid import after, levels
from .settings import Settings

GREY = 127.5  # the mean of the noise, in levels
TILE = 16  # pixels: sides that are multiples of it are halved by all of VGG-19's pooling layers without a rest
MARGIN = 128  # pixels: so far, 126, and no farther, conv5_4 sees from where it stands; conv5_1 sees 78


@dataclass(frozen=True)
class Result:
    """A finished picture and how it came about.

    Attributes
    ----------
    image : uint8 array (H, W, 3), RGB
    history : list of `optimise.Step`, the first of them the start, and so the first of each level of a pyramid
    message : str, why the optimisation stopped
    completed : bool, False if it was interrupted or the loss became infinite
    settings : Settings
    interrupted : bool, True if it was the user who stopped it
    band_rows : int or None, the height of the bands in which the picture was worked on
    """

    image: np.ndarray
    history: list
    message: str
    completed: bool
    settings: Settings
    interrupted: bool = False
    band_rows: int | None = None


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
    return make_picture(settings, *read_pictures(settings, content, style), on_step=on_step)


def reconstruct_content(image, layer, *, preset="content-reconstruction", on_step=None, **settings):
    """Make a picture with the same activations as `image` in one layer: figure 1, content reconstructions.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layer : str, such as "conv4_1", or a sequence of several
    preset, on_step, **settings : see `transfer`; this preset starts from white noise

    Returns
    -------
    Result
    """
    settings = Settings.from_preset(preset, **{"content_layers": layer, **settings})
    return make_picture(settings, *read_pictures(settings, content=image), on_step=on_step)


def reconstruct_style(image, layers, *, size=None, tileable=False, preset="texture", on_step=None, **settings):
    """Make a picture with the same Gram matrices as `image`: figure 1, style reconstructions; a texture.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layers : sequence of str, such as ["conv1_1", "conv2_1"]
    size : (height, width) in pixels, optional
        Of the picture to be made; by default that of `image`, once it has been scaled to `image_size`.
    tileable : bool
        Let opposite edges fit, so that copies of the picture side by side show no seam. Its sides are multiples of 16.
    preset, on_step, **settings : see `transfer`; this preset starts from white noise

    Returns
    -------
    Result
    """
    settings = Settings.from_preset(preset, **{"style_layers": tuple(layers), **settings})
    _, style = read_pictures(settings, style=image)
    return make_picture(settings, style=style, size=size, tileable=tileable, on_step=on_step)


def read_pictures(settings, content=None, style=None):  # -> (H, W, 3) or None, (H, W, 3) or None
    """Return the content picture and the style picture, as far as they are given, in the settings' sizes."""
    if content is not None:
        content = read_picture(content, settings.image_size, settings.side)
    if style is not None:
        style = read_picture(style, settings.style_size or settings.image_size, settings.side)
    return content, style


def make_picture(settings, content=None, style=None, *, size=None, tileable=False, on_step=None):
    """Compose network and objective, minimise, and hand over the picture.

    Parameters
    ----------
    settings : Settings
    content, style : arrays (H, W, 3), RGB, 0 to 255, either of which may be left out; see `read_pictures`
    size : (height, width) of the picture to be made, optional
        By default that of the content picture, which has no other, or else of the style picture.
    tileable : bool, for a picture that is made from style alone; see `reconstruct_style`
    on_step : see `transfer`

    Returns
    -------
    Result

    Raises
    ------
    MinistyleError
        A layer cannot be had from these weights or this size, or the size does not make a tileable picture.
    """
    size = picture_size(content, style, size, tileable)
    network = make_network(settings, tileable)
    outcome, history = None, []
    for level in levels(settings, size, multiple=TILE if tileable else 1):
        try:
            pictures = [whole if whole is None else level.shrink(whole) for whole in (content, style)]
            start = outcome.pixels if outcome else starting_picture(settings, *pictures, level.size)
            objective, rows = compose_objective(network, settings, *pictures, level.size, tileable)
            outcome = _minimise_level(settings, objective, resize(start, *level.size), level, history, on_step)
        except KeyboardInterrupt:
            if outcome is None:
                raise
            outcome = replace(outcome, message=INTERRUPTED, completed=False, interrupted=True)  # between two levels
        if not outcome.completed:
            break
    picture = to_uint8(resize(outcome.pixels, *size))
    return Result(picture, history, outcome.message, outcome.completed, settings, outcome.interrupted, rows)


def _minimise_level(settings, objective, start, level, history, on_step):
    """Minimise on one level, which may be the only one, and add its steps to the history; return the outcome."""
    last = history[-1] if history else None

    def report(step, pixels):
        history.append(after(step, last))
        if on_step is not None and (step.iteration or last is None):
            on_step(history[-1], pixels)

    return minimise(
        objective,
        start,
        iterations=level.iterations,
        optimizer=choose_optimizer(settings.optimizer, objective.network.device),
        bounds=BOUNDS if settings.bounds else None,
        history_size=settings.history_size,
        learning_rate=settings.learning_rate,
        ftol=settings.ftol,
        gtol=settings.gtol,
        on_step=report,
    )


def picture_size(content, style, size=None, tileable=False):
    """Return (height, width) of the picture to be made; for the parameters see `make_picture`."""
    if size is not None:
        return size
    size = (style if content is None else content).shape[:2]
    return tuple(max(1, round(side / TILE)) * TILE for side in size) if tileable else size


def make_network(settings, tileable=False):
    """Load the network that a run asks for; see `make_picture`."""
    return load_network(
        settings.weights,
        pooling=settings.pooling,
        normalised=settings.normalised,
        dtype=settings.dtype,
        device=settings.device,
        convolution=settings.convolution,
        threads=settings.threads,
        border="periodic" if tileable else "zero",
        tf32=settings.tf32,
    )


def compose_objective(network, settings, content, style, size, tileable=False):
    """Compose the objective for a picture of this size.

    Parameters
    ----------
    network : Network, see `make_network`
    settings, content, style, tileable : see `make_picture`
    size : (height, width)

    Returns
    -------
    objective : Objective or BandedObjective
    rows : int or None, the height of the bands
    """
    rows = band_rows(settings, size, content=content is not None, style=style is not None)
    margin = 0
    if tileable:
        _check_tileable(settings, size, rows)
        # The painting itself has edges. With the network's periodic border its left edge would meet its right one, and
        # that straight seam become part of the style; so would the edge to a border of zeros. So it is continued by its
        # mirror image, as far as the network sees.
        margin = MARGIN
        style = np.pad(style, ((margin, margin), (margin, margin), (0, 0)), "symmetric")
    options = {
        "content": content,
        "style": style,
        "style_margin": margin,
        "convention": settings.convention,
        "content_weight": settings.content_weight,
        "style_weight": settings.style_weight,
        "content_layers": settings.content_layers,
        "style_layers": settings.style_layers,
        "style_layer_weights": settings.style_layer_weights,
        "tv_weight": settings.tv_weight,
    }
    if rows is None:
        return Objective(network, **options), None
    return BandedObjective(network, rows=rows, **options), rows


def _check_tileable(settings, size, rows):
    """Refuse what would leave a seam."""
    if rows is not None:
        raise MinistyleError(
            f"a tileable picture cannot be made in bands: max_memory (={settings.max_memory}) is too low"
        )
    if any(side % TILE for side in size):
        raise MinistyleError(
            f"a tileable picture's sides must be multiples of {TILE}: {size[1]} x {size[0]} does not do"
        )
    if settings.tv_weight:
        raise MinistyleError("tv_weight does not look across a picture's edges; leave it at 0 for a tileable picture")


def starting_picture(settings, content, style, size):  # -> (*size, 3)
    """Return the picture that the optimisation begins with.

    White noise is drawn on the host, so that a seed gives the same start on every device.

    Parameters
    ----------
    settings : Settings
    content, style : arrays (H, W, 3) or None
    size : (height, width)

    Raises
    ------
    MinistyleError
        It is to begin with a picture that is not there.
    """
    if isinstance(settings.init, str) and settings.init == "noise":
        noise = np.random.default_rng(settings.seed).standard_normal((*size, 3))
        return np.clip(GREY + settings.noise_deviation * noise, *BOUNDS).astype(np.float32)
    if isinstance(settings.init, str) and settings.init in ("content", "style"):
        picture = {"content": content, "style": style}[settings.init]
        if picture is None:
            raise MinistyleError(f"init (={settings.init!r}) asks for a {settings.init} picture, and there is none")
    else:
        picture = read_picture(settings.init)
    return resize(picture, *size)
