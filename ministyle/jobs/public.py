"""The package's functions: a photograph repainted, a picture reconstructed from its content or its style."""

from ..settings import Settings
from .job import Job


def transfer(content, style, *, content_mask=None, preset="default", on_step=None, **settings):
    """Repaint a photograph in the style of a painting, or of several.

    Parameters
    ----------
    content : path, PIL image or array (H, W, 3), RGB, 0 to 255
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
    **settings : what differs from the preset, see `ministyle.Settings`

    Returns
    -------
    Result

    Raises
    ------
    MinistyleError
        A picture cannot be read, or a setting is impossible.
    """
    return Job.of(Settings.from_preset(preset, **settings), content, style, content_mask=content_mask).run(on_step)


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
    return Job.of(settings, content=image).run(on_step)


def reconstruct_style(image, layers, *, size=None, tileable=False, preset="texture", on_step=None, **settings):
    """Make a picture with the same Gram matrices as `image`: figure 1, style reconstructions; a texture.

    Parameters
    ----------
    image : path, PIL image or array (H, W, 3), RGB, 0 to 255
    layers : str, such as "conv3_1", or a sequence of several
    size : (height, width) in pixels, optional
        Of the picture to be made; by default that of `image`, once it has been scaled to `image_size`.
    tileable : bool
        Let opposite edges fit, so that copies of the picture side by side show no seam. Its sides are multiples of 16.
    preset, on_step, **settings : see `transfer`; this preset starts from white noise

    Returns
    -------
    Result
    """
    layers = layers if isinstance(layers, str) else tuple(layers)
    settings = Settings.from_preset(preset, **{"style_layers": layers, **settings})
    return Job.of(settings, style=image, size=size, tileable=tileable).run(on_step)
