"""How much memory a picture takes, and how high bands may be to stay within a limit.

What an evaluation keeps is counted from the table of layers, see docs/performance.md; the rest was measured, on a CPU
with the fast convolution.
"""

from .arrays import choose_device
from .bands import STEP, reach
from .errors import MinistyleError
from .network import BLOCKS, CHANNELS, SEQUENCE, layer_name
from .optimise import choose_optimizer

PROGRAM = 400e6  # bytes, whatever the size: interpreter, libraries, weights, transformed kernels
SCIPY = 50e6  # where its solver is used
SMALL_KERNELS = 80e6  # a pyramid has kernels transformed for small feature maps as well
SLACK = 1.1  # of what is counted: gaps between arrays
PICTURES = 330  # bytes a pixel: the pictures themselves, losses' temporary arrays
COPIES = 8  # of a picture, on the way between SciPy's solver and us
FLOAT64 = 8


def evaluation_bytes(content_layers, style_layers, itemsize=4, plain=False):
    """Return how many bytes a pixel an evaluation keeps at most, content's targets included.

    Parameters
    ----------
    content_layers, style_layers : names of layers, either of which may be empty
    itemsize : bytes of a number, 4 or 8
    plain : bool, whether the convolution is that of `layers`, which copies its input into a frame of zeros, and whose
        nine products are arrays before they are added
    """
    copies = 2 if plain else 1
    content, style = ([layer_name(name) for name in names] for names in (content_layers, style_layers))
    used = SEQUENCE[: max(SEQUENCE.index(name) for name in (*content, *style)) + 1]
    activations = {name: _numbers(name) * itemsize for name in used}
    masks = {name: 0 if name.startswith("pool") else _numbers(name) for name in used}  # one byte each
    targets = sum(activations[name] for name in content)
    before = {name: previous for previous, name in zip(("picture", *used), used, strict=False)}
    activations["picture"] = 3 * itemsize
    tapped = {*content, *style}
    kept = largest = 0
    for name in used:  # forward: what comes in, what comes out, and what is kept until the way back
        incoming = 0 if before[name] in tapped else activations[before[name]]
        largest = max(largest, kept + copies * (incoming + activations[name]) + masks[name])
        kept += masks[name] + (activations[name] if name in tapped else 0)
    for name in reversed(used):  # backward: the gradients that come in and go out
        kept -= activations[name] if name in tapped else 0
        largest = max(largest, kept + copies * (activations[name] + activations[before[name]]))
        kept -= masks[name]
    return targets + largest


def _numbers(name):
    """Return how many numbers a pixel a layer has."""
    block = next(number for number, names in enumerate(BLOCKS) if name in names)
    halvings = block + name.startswith("pool")
    return CHANNELS[block] / 4**halvings


def run_bytes(height, width, settings, *, content=True, style=True, rows=None):
    """Return about how many bytes a run takes at its peak.

    Parameters
    ----------
    height, width : int, of the picture
    settings : Settings
    content, style : bool, whether there is such a picture
    rows : int, optional, the height of bands
    """
    layers = used_layers(settings, content, style)
    itemsize = 4 if settings.dtype == "float32" else 8
    device = choose_device(settings.device)
    optimizer = choose_optimizer(settings.optimizer, device)
    fixed = PROGRAM + (SCIPY if optimizer == "lbfgsb" else 0) + (SMALL_KERNELS if settings.pyramid else 0)
    whole = height * width * (_solver_bytes(optimizer, settings.history_size, itemsize) + PICTURES)
    plain = settings.convolution == "direct" or device == "cuda"
    each = evaluation_bytes(*layers, itemsize, plain) * SLACK
    if rows is None:
        return fixed + whole + height * width * each
    targets = sum(_numbers(name) for name in layers[0]) * itemsize
    window = min(height, rows + 2 * reach([*layers[0], *layers[1]]))
    return fixed + whole + height * width * targets + window * width * each


def _solver_bytes(optimizer, history_size, itemsize):
    """Return how many bytes a pixel the solver keeps, besides what the evaluation does."""
    vectors = 7 if optimizer == "adam" else 2 * history_size + 5
    if optimizer == "lbfgsb":
        vectors, itemsize = vectors + COPIES, FLOAT64
    return vectors * 3 * itemsize  # a number each for red, green and blue


def band_rows(settings, size, *, content=True, style=True):
    """Return how high a run's bands are, None where it takes none; for the rest see `rows_within`.

    Parameters
    ----------
    settings : Settings, of which `max_memory` is the limit, if there is one
    size : (height, width)
    content, style : bool
    """
    if settings.max_memory is None:
        return None
    return rows_within(settings.max_memory * 1e9, *size, settings, content=content, style=style)


def rows_within(limit, height, width, settings, *, content=True, style=True):
    """Return how high bands may be for a run to stay within `limit` bytes, or None where it does so without bands.

    Raises
    ------
    MinistyleError
        It cannot; the sentence says how much would be enough.
    """
    options = {"content": content, "style": style}
    if run_bytes(height, width, settings, **options) <= limit:
        return None
    fitting = [
        rows for rows in range(STEP, height, STEP) if run_bytes(height, width, settings, **options, rows=rows) <= limit
    ]
    if not fitting:
        least = run_bytes(height, width, settings, **options, rows=STEP)
        raise MinistyleError(
            f"max_memory (={limit / 1e9:g} GB) is too little for {width} x {height} pixels: even in bands it takes "
            f"{least / 1e9:.1f} GB; a smaller --history-size takes less"
        )
    return fitting[-1]


def used_layers(settings, content, style):
    """Return the content layers and the style layers that a run looks at; `content` and `style` are bool."""
    return settings.content_layers if content else (), settings.style_layers if style else ()
