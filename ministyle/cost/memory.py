"""How much memory a picture takes, and how high bands may be to stay within a limit.

What an evaluation keeps is counted from the architecture's table, see docs/performance.md; so are the kernels and the
scratch memory of the fast convolution. The rest was measured on a CPU.
"""

import bisect
import math
from dataclasses import dataclass
from functools import partial

from ..architecture import VGG19
from ..arrays import choose_device
from ..errors import MinistyleError
from ..fast.bands import MULTIPLE, margin
from ..fast.scratch import kernel_bytes, scratch_bytes
from ..fast.workers import available_cores
from ..network import MARGIN
from ..pictures.sizes import size_to_fit
from ..solvers import SOLVERS, choose_optimizer

PROGRAM = 130e6  # bytes, whatever the size: interpreter, libraries, weights
THREADS = 1.5  # times their scratch memory: the C library holds on to smaller arrays that it gave them before
SLACK = 1.1  # times what is counted of an evaluation: gaps between arrays in the fast convolution's memory
PICTURES = 330  # bytes a pixel: the pictures themselves, losses' temporary arrays
COARSEST = 128  # pixels, about: the longest side with which a pyramid begins
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


def make_plan(settings, size, *, content=True, style_sizes=(), limit=None, architecture=VGG19):
    """Return how a picture is worked on within a limit of memory.

    Parameters
    ----------
    settings : Settings
    size : (height, width) of the picture to be made
    content : bool, whether there is a content picture
    style_sizes : (height, width) of each style picture
    limit : float, optional, in bytes; by default `settings.max_memory`, and if that is None, none
    architecture : Architecture of the network

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
    options = {"content": content, "style_sizes": style_sizes, "architecture": architecture}
    needed, rows = _lowest_cut(partial(run_bytes, size, settings, **options), seen(size, settings)[0], limit)
    what, way, style_rows = f"{size[1]} x {size[0]} pixels", "--history-size", None
    if style_sizes:
        style_size = max(style_sizes, key=math.prod)
        height = seen(style_size, settings)[0]
        for_style, style_rows = _lowest_cut(partial(style_bytes, size, settings, **options), height, limit)
        if for_style > needed:
            what = f"a style picture of {style_size[1]} x {style_size[0]} pixels"
            needed, way = for_style, "--image-size" if settings.style_size is None else "--style-size"
    if limit is not None and needed > limit:
        raise MinistyleError(
            f"max_memory (={limit / 1e9:g} GB) is too little for {what}: even in bands it takes {needed / 1e9:.1f} GB; "
            f"a smaller {way} takes less"
        )
    return Plan(needed, rows, style_rows)


def _lowest_cut(bytes_of, height, limit):
    """Return the bytes and the height of the bands: None where none are needed, else the greatest that fits, or 64."""
    if limit is None or bytes_of() <= limit:
        return bytes_of(), None
    choices = range(MULTIPLE, height, MULTIPLE)
    if not choices:  # no lower than one band
        return bytes_of(), None
    # Where one height does not fit, no greater one does, so the greatest that fits can be found by halving. The bytes
    # grow with the height, until a band and what surrounds it are all of the picture; that takes what no bands take.
    fitting = bisect.bisect_left(choices, True, key=lambda rows: bytes_of(rows=rows) > limit)
    rows = choices[max(0, fitting - 1)]
    return bytes_of(rows=rows), rows


def run_bytes(size, settings, *, content=True, style_sizes=(), rows=None, architecture=VGG19):
    """Return about how many bytes the optimisation takes at its peak; for the parameters see `make_plan`.

    Parameters
    ----------
    rows : int, optional, the height of bands
    """
    height, width = seen(size, settings)
    layers = used_layers(settings, content, bool(style_sizes))
    itemsize = ITEMSIZES[settings.dtype]
    solver = _solver(settings)
    pixel = solver.picture_bytes(settings.history_size, itemsize, settings.bounds) + PICTURES
    each = evaluation_bytes(*layers, itemsize, _plain(settings), architecture) * (1 if _plain(settings) else SLACK)
    window = _window(architecture, height, rows, [*layers[0], *layers[1]])
    targets = (
        0 if window == height else _target_bytes(architecture, layers[0], itemsize)
    )  # in `each`, but of the window only
    whole = size[0] * size[1] * pixel + height * width * targets + _sources(settings, style_sizes)
    return (
        _fixed_bytes(architecture, settings, size, content, style_sizes)
        + solver.fixed_bytes
        + whole
        + window * width * each
    )


def style_bytes(size, settings, *, content=True, style_sizes, rows=None, architecture=VGG19):
    """Return about how many bytes it takes to compute the largest painting's Gram matrices; see `run_bytes`."""
    height, width = seen(max(style_sizes, key=math.prod), settings)
    itemsize = ITEMSIZES[settings.dtype]
    each = forward_bytes(settings.style_layers, itemsize, _plain(settings), architecture)
    targets = (
        _target_bytes(architecture, settings.content_layers, itemsize) + SOURCE if content else 0
    )  # the photograph and its own
    photograph = math.prod(seen(size, settings)) * targets
    whole = photograph + _sources(settings, style_sizes) + height * width * 3 * itemsize
    window = _window(architecture, height, rows, settings.style_layers)
    return _fixed_bytes(architecture, settings, size, content, style_sizes) + whole + window * width * each


def seen(size, settings):
    """Return the (height, width) that the network sees of a picture of a size: more, with its mirror image around."""
    return tuple(side + 2 * MARGIN for side in size) if settings.border == "mirror" else size


def _window(architecture, height, rows, layers):
    """Return how many rows of a picture go through the network at a time."""
    return height if rows is None else min(height, rows + 2 * margin(architecture, layers))


def _fixed_bytes(architecture, settings, size, content, style_sizes):
    """Return about how many bytes are taken besides pictures and activations; hardly more for a larger size."""
    if _plain(settings):
        return PROGRAM
    sizes = [size, *style_sizes]
    if settings.pyramid:
        sizes += [size_to_fit(size, COARSEST) for size in sizes if max(size) > COARSEST]
    content_layers, style_layers = used_layers(settings, content, bool(style_sizes))
    deepest = architecture.deepest([*content_layers, *style_layers]).name
    itemsize = ITEMSIZES[settings.dtype]
    kernels, maps, channels = 0, [], 3
    for name in architecture.convolutions[: architecture.convolutions.index(deepest) + 1]:
        layer = architecture.layers[name]
        met = [tuple(max(1, side) for side in layer.size(*seen(size, settings))) for size in sizes]
        maps += [(*one, channels, layer.channels) for one in met]
        kernels += kernel_bytes(met, channels, layer.channels, itemsize)
        channels = layer.channels
    return PROGRAM + kernels + THREADS * scratch_bytes(maps, settings.threads or available_cores(), itemsize)


def _solver(settings):
    """Return the `Solver` that the settings choose."""
    return SOLVERS[choose_optimizer(settings.optimizer, choose_device(settings.device))]


def used_layers(settings, content, style):
    """Return the content layers and the style layers that a run looks at; `content` and `style` are bool."""
    return settings.content_layers if content else (), settings.style_layers if style else ()


def _target_bytes(architecture, content_layers, itemsize):
    """Return how many bytes a pixel the photograph's activations take."""
    return sum(_numbers(architecture.layers[name]) for name in architecture.layer_names(content_layers)) * itemsize


def evaluation_bytes(content_layers, style_layers, itemsize=4, plain=False, architecture=VGG19):
    """Return how many bytes a pixel an evaluation keeps at most, content's targets included.

    Parameters
    ----------
    content_layers, style_layers : names of layers, either of which may be empty
    itemsize : bytes of a number, 4 or 8
    plain : bool, whether the convolution is that of `layers`, which copies its input into a frame of zeros, and whose
        nine products are arrays before they are added
    architecture : Architecture
    """
    content, style = architecture.layer_names(content_layers), architecture.layer_names(style_layers)
    tapped = {*content, *style}
    table = _Table(architecture, tapped, itemsize)
    largest, kept = table.forward(plain, with_masks=True)
    copies = 2 if plain else 1
    for name in reversed(table.names):  # the gradients that come in and go out
        kept -= table.activations[name] if name in tapped else 0
        largest = max(largest, kept + copies * (table.activations[name] + table.activations[table.before[name]]))
        kept -= table.masks[name]
    return _target_bytes(architecture, content, itemsize) + largest


def forward_bytes(layers, itemsize=4, plain=False, architecture=VGG19):
    """Return how many bytes a pixel it takes at most to compute the activations of some layers."""
    largest, _ = _Table(architecture, set(architecture.layer_names(layers)), itemsize).forward(plain, with_masks=False)
    return largest


class _Table:
    """Bytes a pixel of every layer as far as the deepest one tapped, and of the picture itself.

    Attributes
    ----------
    names : list of layers in use
    before : dict, layer -> the one before it, or "picture"
    activations, masks : dict, layer -> bytes a pixel
    """

    def __init__(self, architecture, tapped, itemsize):
        deepest = architecture.deepest(tapped).name
        every = list(architecture.layers)
        self.tapped = tapped
        self.names = every[: every.index(deepest) + 1]
        self.before = dict(zip(self.names, ["picture", *self.names], strict=False))
        numbers = {name: _numbers(architecture.layers[name]) for name in self.names}
        self.activations = {"picture": 3 * itemsize, **{name: numbers[name] * itemsize for name in self.names}}
        pools = {name for name in self.names if architecture.layers[name].kind == "pool"}
        self.masks = {name: 0 if name in pools else numbers[name] for name in self.names}  # one byte each

    def forward(self, plain, with_masks):
        """Return the most that is held on the way forward, and what is kept at its end: tapped layers, and masks."""
        copies = 2 if plain else 1
        kept = largest = 0
        for name in self.names:  # what comes in, what comes out, and what is kept
            before = self.before[name]
            incoming = self.activations[before] * (copies - 1 if before in self.tapped else copies)
            # A mask that is not kept goes when the next one is there.
            masks = self.masks[name] + (0 if with_masks else self.masks.get(before, 0))
            largest = max(largest, kept + incoming + copies * self.activations[name] + masks)
            kept += self.masks[name] if with_masks else 0
            kept += self.activations[name] if name in self.tapped else 0
        return largest, kept


def _numbers(layer):
    """Return how many numbers a pixel a layer has."""
    return layer.channels / 4**layer.halvings


def _plain(settings):
    """Return whether the plain convolution is used."""
    return settings.convolution == "direct" or choose_device(settings.device) == "cuda"


def _sources(settings, style_sizes):
    """Return the bytes of the style pictures, which stay in memory, twice where their colours are changed."""
    copies = 1 if settings.colours == "painting" else 2
    return sum(map(math.prod, style_sizes)) * SOURCE * copies
