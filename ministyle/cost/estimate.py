"""How long a picture will take, and how much memory: said before the work begins."""

import statistics
import time
from dataclasses import dataclass

import numpy as np

from ..algorithm import compose_objective
from ..arrays import to_host
from ..errors import MinistyleError
from ..fast.bands import margin, split_into_bands
from ..pictures.sizes import resize, size_to_fit
from ..solvers import SOLVERS, choose_optimizer
from .memory import make_plan, used_layers

SAMPLE = 256  # pixels, the longest side of the picture on which evaluations are timed
REPETITIONS = 3
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


def estimate(job):
    """Time some evaluations of a small picture, and work out what the whole job will take.

    Parameters
    ----------
    job : Job

    Returns
    -------
    Estimate
    """
    settings = job.settings
    seconds_per_pixel = _time_evaluations(job)
    solver = SOLVERS[choose_optimizer(settings.optimizer, job.network.device)]
    seconds, plans = START_UP, []
    for scale in job.scales:
        plans.append(job.plan_at(scale))
        evaluation = seconds_per_pixel * _cost_of_bands(job, scale, plans[-1].rows)
        steps = solver.evaluations(scale.iterations) * evaluation
        seconds += (steps + scale.iterations * solver.seconds(settings.history_size)) * scale.size[0] * scale.size[1]
    return Estimate(seconds, max(plan.bytes for plan in plans), job.size, plans[-1].rows)


def memory_warning(job, available):
    """Return a sentence about a job that will not fit into the memory available (bytes), or None where it will.

    It names the largest picture that does, and the banded way.
    """
    scale = job.scales[-1]
    plan = job.plan_at(scale)
    if plan.bytes <= available:
        return None
    settings, size = job.settings, job.size
    side = max(size) if settings.side == "longest" else min(size)
    whole = {"content": job.photograph is not None}
    style_size = None if job.painting is None else job.painting.shape[:2]

    def fits(image_size):
        scaled = size_to_fit(size, image_size, settings.side)
        style = style_size
        if style is not None and settings.style_size is None:  # the painting is scaled along
            style = size_to_fit(style, image_size, settings.side)
        return make_plan(settings, scaled, style_size=style, limit=float("inf"), **whole).bytes <= available

    largest = next((image_size for image_size in range(side // 16 * 16, 15, -16) if fits(image_size)), None)
    ways = [f"--image-size {largest} would fit"] if largest else []
    try:
        if not plan.in_bands and not job.tileable:
            make_plan(settings, size, style_size=style_size, limit=available, **whole)
            ways.append(f"--max-memory {available / 1e9:.1f}GB works in bands")
    except MinistyleError:
        pass
    wanted = f"{size[1]} x {size[0]} pixels take about {plan.bytes / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free"
    return "; ".join([wanted, *ways])


def _cost_of_bands(job, scale, rows):
    """Return how many times as long an evaluation takes in bands."""
    if rows is None:
        return 1.0
    content_layers, style_layers = used_layers(job.settings, job.photograph is not None, job.painting is not None)
    around = margin(job.network.architecture, [*content_layers, *style_layers])
    bands = split_into_bands(scale.size[0], rows, around)
    # Forward takes about as long as backward, and is done twice.
    return 1.5 * sum(band.bottom - band.top for band in bands) / scale.size[0]


def _time_evaluations(job):
    """Return the seconds a pixel of an evaluation, timed on a picture with no side longer than `SAMPLE`."""
    size = job.size if max(job.size) <= SAMPLE else tuple(max(16, side) for side in size_to_fit(job.size, SAMPLE))
    content, style = (None if picture is None else resize(picture, *size) for picture in job.pictures)
    objective = compose_objective(job.network, job.settings, content, style)
    pixels = job.network.to_device(np.full((*size, 3), 127.5, np.float32))
    seconds = []
    for _ in range(1 + REPETITIONS):
        began = time.perf_counter()
        _, gradient = objective(pixels)
        to_host(gradient)  # a GPU is done when its result is here
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]) / (size[0] * size[1])  # the first one prepares things


def _duration(seconds):
    """Return a duration in units that suit it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
