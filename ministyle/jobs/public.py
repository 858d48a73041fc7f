"""The package's functions: a photograph repainted, a picture reconstructed from its content or its style."""

from __future__ import annotations  # so that signatures say Picture, not what that may be

from collections.abc import Sequence
from typing import Unpack

from ..cost.estimate import Estimate
from ..keywords import SettingsKeywords
from ..settings import Settings, names_settings
from ..solvers import OnStep
from ..styles import Masks, Styles
from ..types import Picture
from .job import Job
from .progress import run_with_progress
from .result import Result


@names_settings("default")
def transfer(
    content: Picture,
    style: Styles,
    *,
    content_mask: Masks | None = None,
    preset: str = "default",
    on_step: OnStep | None = None,
    progress: bool = False,
    **settings: Unpack[SettingsKeywords],
) -> Result:
    """Repaint a photograph in the style of a painting, or of several.

    Parameters
    ----------
    content : path, PIL image, array (H, W, 3), RGB, 0 to 255, or Result
    style : the same, a `Style`, or a list of them
    content_mask : picture or list of pictures, optional
        Which part of the picture takes which style; "alpha" is the photograph's own opacity. See `ministyle.Style` for
        masks of the paintings. White takes the style, and black stays as in the photograph. With two paintings, white
        takes the first style and black the second. There may be a mask for each painting. In colour-coded masks, a
        region takes the style of its own colour.
    preset : str, a name of `ministyle.PRESETS`
    on_step : function of (Step, pixels (H, W, 3)), optional
        Called at the start and after every iteration. If it returns True, the run stops, and the picture so far is the
        result.
    progress : bool
        Show how far the run is. In a notebook, stopping the cell ends the run, and the picture so far is the result.
    **settings : what differs from the preset, see `ministyle.Settings`
        The signature shows the values of the preset that is taken by default.

    Returns
    -------
    Result

    Raises
    ------
    MinistyleError
        A picture cannot be read, or a setting is impossible.
    """
    job = Job.of(Settings.from_preset(preset, **settings), content, style, content_mask=content_mask)
    return _run(job, on_step, progress)


@names_settings("default")
def estimate_transfer(
    content: Picture,
    style: Styles,
    *,
    content_mask: Masks | None = None,
    preset: str = "default",
    **settings: Unpack[SettingsKeywords],
) -> Estimate:
    """Say how long `transfer` would take, and how much memory, given the same; this takes a second or two.

    Parameters
    ----------
    content, style, content_mask, preset, **settings : see `transfer`

    Returns
    -------
    Estimate
        Printed, it is a sentence.
    """
    chosen = Settings.from_preset(preset, **settings)
    return Job.of(chosen, content, style, content_mask=content_mask, sketch=True).estimate()


@names_settings("content-reconstruction")
def reconstruct_content(
    image: Picture,
    layer: str | Sequence[str],
    *,
    preset: str = "content-reconstruction",
    on_step: OnStep | None = None,
    progress: bool = False,
    **settings: Unpack[SettingsKeywords],
) -> Result:
    """Make a picture with the same activations as `image` in one layer: figure 1, content reconstructions.

    Parameters
    ----------
    image : path, PIL image, array (H, W, 3), RGB, 0 to 255, or Result
    layer : str, such as "conv4_1", or a sequence of several
    preset, on_step, progress, **settings : see `transfer`; this preset starts from white noise

    Returns
    -------
    Result
    """
    settings.setdefault("content_layers", layer)
    return _run(Job.of(Settings.from_preset(preset, **settings), content=image), on_step, progress)


@names_settings("texture")
def reconstruct_style(
    image: Picture,
    layers: str | Sequence[str],
    *,
    size: tuple[int, int] | None = None,
    tileable: bool = False,
    preset: str = "texture",
    on_step: OnStep | None = None,
    progress: bool = False,
    **settings: Unpack[SettingsKeywords],
) -> Result:
    """Make a picture with the same Gram matrices as `image`: figure 1, style reconstructions; a texture.

    Parameters
    ----------
    image : path, PIL image, array (H, W, 3), RGB, 0 to 255, or Result
    layers : str, such as "conv3_1", or a sequence of several
    size : (height, width) in pixels, optional
        Of the picture to be made; by default that of `image`, once it has been scaled to `image_size`.
    tileable : bool
        Let opposite edges fit, so that copies of the picture side by side show no seam. Its sides are multiples of 16.
    preset, on_step, progress, **settings : see `transfer`; this preset starts from white noise

    Returns
    -------
    Result
    """
    settings.setdefault("style_layers", layers)
    job = Job.of(Settings.from_preset(preset, **settings), style=image, size=size, tileable=tileable)
    return _run(job, on_step, progress)


def _run(job: Job, on_step: OnStep | None, progress: bool) -> Result:
    return run_with_progress(job, on_step) if progress else job.run(on_step)
