"""How long a picture will take, and how much memory: said before the work begins."""

import statistics
import time
from dataclasses import dataclass, replace

import numpy as np

from .arrays import to_host
from .bands import cut_into_bands, reach
from .errors import MinistyleError
from .memory import band_rows, rows_within, run_bytes, used_layers
from .optimise import choose_optimizer
from .pictures.sizes import resize, size_to_fit
from .pyramid import levels
from .transfer import TILE, compose_objective, make_network, picture_size

SAMPLE = 256  # pixels, the longest side of the picture on which evaluations are timed
REPETITIONS = 3
EVALUATIONS = 1.05  # for each iteration of L-BFGS: now and then its line search takes two
FIRST_EVALUATIONS = 4  # that of the start, and those with which L-BFGS finds its first step
SOLVER = {"lbfgsb": 1.4e-8, "lbfgs": 0.7e-8, "adam": 0.5e-8}  # seconds a pixel, iteration and pair remembered
START_UP = 1.0  # seconds, network and solver included


@dataclass(frozen=True)
class Estimate:
    """What a run will take.

    Attributes
    ----------
    seconds : float
    bytes : float, at the peak
    size : (height, width) of the picture
    band_rows : int or None, the height of the bands in which it is worked on
    """

    seconds: float
    bytes: float
    size: tuple
    band_rows: int | None

    def __str__(self):
        """Return it as a user reads it."""
        bands = f", in bands of {self.band_rows} rows" if self.band_rows else ""
        cost = f"about {_duration(self.seconds)} and {self.bytes / 1e9:.1f} GB"
        return f"{self.size[1]} x {self.size[0]} pixels: {cost}{bands}"


def estimate(settings, content=None, style=None, *, size=None, tileable=False):
    """Time some evaluations on a small picture, and work out what the whole run will take.

    Parameters
    ----------
    settings, content, style, size, tileable : see `transfer.make_picture`

    Returns
    -------
    Estimate
    """
    size = picture_size(content, style, size, tileable)
    there = content is not None, style is not None
    seconds_per_pixel, device = _time_evaluations(settings, content, style, size)
    optimizer = choose_optimizer(settings.optimizer, device)
    adam = optimizer == "adam"
    solver = SOLVER[optimizer] * (1 if adam else settings.history_size)
    seconds = START_UP
    for level in levels(settings, size, multiple=TILE if tileable else 1):
        memory, rows = run_memory(settings, level.size, *there)
        evaluations = level.iterations + 1 if adam else EVALUATIONS * level.iterations + FIRST_EVALUATIONS
        evaluation = seconds_per_pixel * (1.0 if rows is None else _cost_of_bands(settings, level.size, rows, *there))
        seconds += (evaluations * evaluation + level.iterations * solver) * level.size[0] * level.size[1]
    return Estimate(seconds, memory, size, rows)


def _cost_of_bands(settings, size, rows, content, style):
    """Return how many times as long an evaluation takes in bands."""
    content_layers, style_layers = used_layers(settings, content, style)
    bands = cut_into_bands(size[0], rows, reach([*content_layers, *style_layers]))
    # Forward takes about as long as backward, and is done twice.
    return 1.5 * sum(band.bottom - band.top for band in bands) / size[0]


def run_memory(settings, size, content, style):
    """Return the bytes that a run takes, and the height of its bands or None; `content` and `style` are bool."""
    rows = band_rows(settings, size, content=content, style=style)
    return run_bytes(*size, settings, content=content, style=style, rows=rows), rows


def memory_warning(settings, size, content, style, available):
    """Return a sentence about a run that will not fit into the memory available (bytes), or None where it will.

    It names the largest picture that does, and the banded way.
    """
    memory, rows = run_memory(settings, size, content, style)
    if memory <= available:
        return None
    side = max(size) if settings.side == "longest" else min(size)

    def fits(image_size):
        scaled = size_to_fit(size, image_size, settings.side)
        return run_bytes(*scaled, settings, content=content, style=style) <= available

    largest = next((image_size for image_size in range(side // 16 * 16, 15, -16) if fits(image_size)), None)
    ways = [f"--image-size {largest} would fit"] if largest else []
    try:
        if rows is None:
            rows_within(available, *size, settings, content=content, style=style)
            ways.append(f"--max-memory {available / 1e9:.1f}GB works in bands")
    except MinistyleError:
        pass
    wanted = f"{size[1]} x {size[0]} pixels take about {memory / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free"
    return "; ".join([wanted, *ways])


def _time_evaluations(settings, content, style, size):
    """Time evaluations on a picture of the same proportions, no side of which is longer than `SAMPLE`.

    Returns
    -------
    seconds for each pixel, and the device
    """
    small = size if max(size) <= SAMPLE else size_to_fit(size, SAMPLE)
    content, style = (None if picture is None else resize(picture, *small) for picture in (content, style))
    network = make_network(settings)
    objective, _ = compose_objective(network, replace(settings, max_memory=None), content, style, small)
    pixels = network.to_device(np.full((*small, 3), 127.5, np.float32))
    seconds = []
    for _ in range(1 + REPETITIONS):
        began = time.perf_counter()
        _, gradient = objective(pixels)
        to_host(gradient)  # a GPU is done when its result is here
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]) / (small[0] * small[1]), network.device  # the first one prepares things


def _duration(seconds):
    """Return a duration in units that suit it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
