"""How much memory a picture takes, and how high bands may be to stay within a limit.

What an evaluation keeps is counted from the architecture's table, see docs/performance.md. The rest was measured, on a
CPU with the fast convolution.
"""

from dataclasses import dataclass

from ..architecture import VGG19
from ..arrays import choose_device
from ..errors import MinistyleError
from ..fast.bands import MULTIPLE, margin
from ..fast.scratch import scratch_bytes
from ..fast.workers import available_cores
from ..solvers import SOLVERS, choose_optimizer

PROGRAM = 340e6  # bytes, whatever the size: interpreter, libraries, weights, transformed kernels
SMALL_KERNELS = 80e6  # a pyramid has kernels transformed for small feature maps as well
SLACK = 1.1  # of what is counted: gaps between arrays
PICTURES = 330  # bytes a pixel: the pictures themselves, losses' temporary arrays
SOURCE = 12  # bytes a pixel of a picture that is held in memory as it was read
ITEMSIZES = {"float32": 4, "float64": 8}


@dataclass(frozen=True)
class Plan:
    """How a picture is worked on, and the memory that this takes.

    Attributes
    ----------
    bytes : float, at the peak
    rows : int or None, the height of the bands in which the picture is worked on
    style_rows : int or None, the height of the bands in which the painting's Gram matrices are computed
    """

    bytes: float
    rows: int | None = None
    style_rows: int | None = None

    @property
    def in_bands(self):
        """True if anything is worked on in bands."""
        return self.rows is not None or self.style_rows is not None


def make_plan(settings, size, *, content=True, style_size=None, limit=None):
    """Return how a picture is worked on within a limit of memory.

    Parameters
    ----------
    settings : Settings
    size : (height, width) of the picture to be made
    content : bool, whether there is a content picture
    style_size : (height, width) of the style picture, or None where there is none
    limit : float, optional, in bytes; by default `settings.max_memory`, and if that is None, none

    Returns
    -------
    Plan

    Raises
    ------
    MinistyleError
        Even in bands it takes more; the sentence says how much would be enough.
    """
    if limit is None and settings.max_memory is not None:
        limit = settings.max_memory * 1e9

    def evaluation(rows=None):
        return run_bytes(size, settings, content=content, style_size=style_size, rows=rows)

    def style_pass(rows=None):
        return style_bytes(style_size, settings, rows=rows)

    needed, rows = _lowest_cut(evaluation, size[0], limit)
    needed_for_style, style_rows = (0, None) if style_size is None else _lowest_cut(style_pass, style_size[0], limit)
    plan = Plan(max(needed, needed_for_style), rows, style_rows)
    if limit is not None and plan.bytes > limit:
        raise MinistyleError(
            f"max_memory (={limit / 1e9:g} GB) is too little for {size[1]} x {size[0]} pixels: even in bands it takes "
            f"{plan.bytes / 1e9:.1f} GB; a smaller --history-size takes less"
        )
    return plan


def _lowest_cut(bytes_of, height, limit):
    """Return the bytes and the height of the bands: None where none are needed, else the greatest that fits, or 64."""
    if limit is None or bytes_of() <= limit:
        return bytes_of(), None
    choices = list(range(MULTIPLE, height, MULTIPLE))
    if not choices:  # no lower than one band
        return bytes_of(), None
    rows = next((rows for rows in reversed(choices) if bytes_of(rows) <= limit), MULTIPLE)
    return bytes_of(rows), rows


def run_bytes(size, settings, *, content=True, style_size=None, rows=None):
    """Return about how many bytes the optimisation takes at its peak; for the parameters see `make_plan`.

    Parameters
    ----------
    rows : int, optional, the height of bands
    """
    height, width = size
    content_layers, style_layers = used_layers(settings, content, style_size is not None)
    itemsize = ITEMSIZES[settings.dtype]
    solver = SOLVERS[choose_optimizer(settings.optimizer, choose_device(settings.device))]
    pixel = solver.picture_bytes(settings.history_size, itemsize) + PICTURES
    whole = height * width * pixel + _sources(style_size)
    each = evaluation_bytes(content_layers, style_layers, itemsize, _plain(settings)) * SLACK
    if rows is None:
        return _fixed_bytes(settings, size) + whole + height * width * each
    targets = sum(_numbers(VGG19.layers[name]) for name in content_layers) * itemsize
    window = min(height, rows + 2 * margin(VGG19, [*content_layers, *style_layers]))
    return _fixed_bytes(settings, (window, width)) + whole + height * width * targets + window * width * each


def style_bytes(style_size, settings, rows=None):
    """Return about how many bytes it takes to compute the painting's Gram matrices, in bands of so many rows."""
    height, width = style_size
    itemsize = ITEMSIZES[settings.dtype]
    each = forward_bytes(settings.style_layers, itemsize, _plain(settings)) * SLACK
    window = height if rows is None else min(height, rows + 2 * margin(VGG19, settings.style_layers))
    whole = _sources(style_size) + height * width * 3 * itemsize
    return _fixed_bytes(settings, (window, width)) + whole + window * width * each


def _fixed_bytes(settings, size):
    """Return about how many bytes are taken besides pictures and activations; hardly more for a larger size."""
    solver = SOLVERS[choose_optimizer(settings.optimizer, choose_device(settings.device))]
    fixed = PROGRAM + solver.fixed_bytes + (SMALL_KERNELS if settings.pyramid else 0)
    if _plain(settings):
        return fixed
    convolutions, channels = [], 3
    for name in VGG19.convolutions:
        layer = VGG19.layers[name]
        convolutions.append((*(max(1, side) for side in layer.size(*size)), channels, layer.channels))
        channels = layer.channels
    threads = settings.threads or available_cores()
    return fixed + scratch_bytes(convolutions, threads, ITEMSIZES[settings.dtype])


def used_layers(settings, content, style):
    """Return the content layers and the style layers that a run looks at; `content` and `style` are bool."""
    return settings.content_layers if content else (), settings.style_layers if style else ()


def evaluation_bytes(content_layers, style_layers, itemsize=4, plain=False):
    """Return how many bytes a pixel an evaluation keeps at most, content's targets included.

    Parameters
    ----------
    content_layers, style_layers : names of layers, either of which may be empty
    itemsize : bytes of a number, 4 or 8
    plain : bool, whether the convolution is that of `layers`, which copies its input into a frame of zeros, and whose
        nine products are arrays before they are added
    """
    content, style = VGG19.layer_names(content_layers), VGG19.layer_names(style_layers)
    tapped = {*content, *style}
    table = _Table(tapped, itemsize)
    targets = sum(table.activations[name] for name in content)
    largest, kept = table.forward(plain, with_masks=True)
    copies = 2 if plain else 1
    for name in reversed(table.names):  # the gradients that come in and go out
        kept -= table.activations[name] if name in tapped else 0
        largest = max(largest, kept + copies * (table.activations[name] + table.activations[table.before[name]]))
        kept -= table.masks[name]
    return targets + largest


def forward_bytes(layers, itemsize=4, plain=False):
    """Return how many bytes a pixel it takes at most to compute the activations of some layers."""
    largest, _ = _Table(set(VGG19.layer_names(layers)), itemsize).forward(plain, with_masks=False)
    return largest


class _Table:
    """Bytes a pixel of every layer as far as the deepest one tapped, and of the picture itself.

    Attributes
    ----------
    names : list of layers in use
    before : dict, layer -> the one before it, or "picture"
    activations, masks : dict, layer -> bytes a pixel
    """

    def __init__(self, tapped, itemsize):
        deepest = VGG19.deepest(tapped).name
        every = list(VGG19.layers)
        self.tapped = tapped
        self.names = every[: every.index(deepest) + 1]
        self.before = dict(zip(self.names, ["picture", *self.names], strict=False))
        numbers = {name: _numbers(VGG19.layers[name]) for name in self.names}
        self.activations = {"picture": 3 * itemsize, **{name: numbers[name] * itemsize for name in self.names}}
        pools = {name for name in self.names if VGG19.layers[name].kind == "pool"}
        self.masks = {name: 0 if name in pools else numbers[name] for name in self.names}  # one byte each

    def forward(self, plain, with_masks):
        """Return the most that is held on the way forward, and what is kept at its end: tapped layers, and masks."""
        copies = 2 if plain else 1
        kept = largest = 0
        for name in self.names:  # what comes in, what comes out, and what is kept
            incoming = 0 if self.before[name] in self.tapped else self.activations[self.before[name]]
            largest = max(largest, kept + copies * (incoming + self.activations[name]) + self.masks[name])
            kept += self.masks[name] if with_masks else 0
            kept += self.activations[name] if name in self.tapped else 0
        return largest, kept


def _numbers(layer):
    """Return how many numbers a pixel a layer has."""
    return layer.channels / 4**layer.halvings


def _plain(settings):
    """Return whether the plain convolution is used."""
    return settings.convolution == "direct" or choose_device(settings.device) == "cuda"


def _sources(style_size):
    """Return the bytes of the style picture, which stays in memory."""
    return 0 if style_size is None else style_size[0] * style_size[1] * SOURCE
