"""How long a picture will take, and how much memory: said before the work begins."""

import dataclasses
import math
import statistics
import time
from dataclasses import dataclass

import numpy as np

from ..algorithm import compose_objective
from ..arrays import to_host
from ..errors import MinistyleError
from ..fast.bands import margin, split_into_bands
from ..pictures.masks import in_sizes
from ..pictures.sizes import resize, size_to_fit
from ..solvers import SOLVERS, choose_optimizer
from .memory import make_plan, seen, used_layers

SAMPLE = 256  # pixels, the longest side of the picture on which evaluations are timed
REPETITIONS = 3
START_UP = 1.0  # seconds, network and solver included
MULTIPLE = 16  # pixels: sizes that are proposed are multiples of it, as a tileable picture needs
# Settings that make an evaluation neither faster nor slower, for each pixel.
FREE = (
    *("image_size", "side", "style_size", "init", "seed", "noise_std", "iterations", "optimizer", "history_size"),
    *("strength", "content_weight", "style_weight", "style_layer_weights", "tv_weight", "tv_edge", "colours"),
    *("style_scale", "style_blend", "content_layer_weights", "colours_after"),
    *("learning_rate", "bounds", "ftol", "gtol", "pyramid", "max_memory", "max_megapixels"),
)


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
    size: tuple[int, int]
    band_rows: int | None

    def __str__(self) -> str:
        """Return it as a user reads it."""
        bands = f", in bands of {self.band_rows} rows" if self.band_rows else ""
        return f"{self.size[1]} x {self.size[0]} pixels: {_cost(self.seconds, self.bytes)}{bands}"


@dataclass(frozen=True)
class Total:
    """What several runs will take, one after the other.

    Attributes
    ----------
    seconds : float, of all together
    bytes : float, at the peak
    """

    seconds: float = 0.0
    bytes: float = 0.0

    def __add__(self, estimate):
        """Return the total with one more `Estimate`."""
        return Total(self.seconds + estimate.seconds, max(self.bytes, estimate.bytes))

    def __str__(self):
        """Return it as a user reads it."""
        return _cost(self.seconds, self.bytes)


def estimate(job, timed=None):
    """Time some evaluations of a small picture, and work out what the whole job will take.

    Parameters
    ----------
    job : Job
    timed : dict, optional
        What other jobs have found, to be handed from one to the next: jobs whose evaluations cost the same are timed
        once.

    Returns
    -------
    Estimate
    """
    settings, timed = job.settings, {} if timed is None else timed
    kind = _kind(job)
    if kind not in timed:
        timed[kind] = _time_evaluations(job)
    seconds_per_pixel = timed[kind]
    solver = SOLVERS[choose_optimizer(settings.optimizer, job.network.device)]
    seconds, plans = START_UP, []
    for scale in job.scales:
        plans.append(job.plan_at(scale))
        evaluations = solver.evaluations(scale.iterations) * _evaluation(job, scale, plans[-1])
        seconds += seconds_per_pixel * (evaluations + _targets(job, scale, plans[-1]))
        work = solver.picture_seconds(settings.history_size, scale.iterations, settings.bounds)
        seconds += work * math.prod(scale.size)
    return Estimate(seconds, max(plan.bytes for plan in plans), job.size, plans[-1].rows)


def memory_warning(job, available):
    """Return a sentence about a job that will not fit into the memory available (bytes), or None where it will.

    It names the largest picture that does, and the banded way.
    """
    scale = job.scales[-1]
    plan = job.plan_at(scale)
    if plan.bytes <= available:
        return None
    size = job.size
    largest = _largest_that_fits(job, available)
    ways = [f"{largest} would fit"] if largest else []
    limit = math.floor(available / 1e8) / 10  # GB, with one decimal
    try:
        if not plan.in_bands and not job.tileable:
            job.plan_at(scale, limit=limit * 1e9)
            ways.append(f"--max-memory {limit}GB works in bands")
    except MinistyleError:
        pass
    wanted = f"{size[1]} x {size[0]} pixels take about {plan.bytes / 1e9:.1f} GB, and {available / 1e9:.1f} GB are free"
    return "; ".join([wanted, *ways])


def _largest_that_fits(job, available):
    """Return the flag, with its value, that makes the picture as large as memory allows, or None."""
    settings, size = job.settings, job.size
    paintings = job.style_sizes
    there = [*([] if job.photograph is None else [job.photograph_size]), *paintings]
    # A texture may have a size of its own, whatever that of the painting; a tileable one is rounded.
    own_size = any(abs(side - whole) >= MULTIPLE for side, whole in zip(size, there[0], strict=True))
    measured = "longest" if own_size else settings.side
    longest = max(size) if measured == "longest" else min(size)
    for image_size in range(longest // MULTIPLE * MULTIPLE, MULTIPLE - 1, -MULTIPLE):
        scaled = size_to_fit(size, image_size, measured)
        style_sizes = paintings
        if settings.style_size is None and not own_size:  # the paintings are scaled along
            share = image_size / longest
            style_sizes = [tuple(max(1, round(side * share)) for side in one) for one in paintings]
        style_sizes = [tuple(side + 2 * job.margin for side in one) for one in style_sizes]
        content = job.photograph is not None
        plan = make_plan(
            settings,
            scaled,
            content=content,
            style_sizes=style_sizes,
            limit=math.inf,
            architecture=job.network.architecture,
        )
        if plan.bytes <= available:
            if not own_size:
                return f"--image-size {image_size}"
            height, width = (max(MULTIPLE, side // MULTIPLE * MULTIPLE) for side in scaled)
            return f"--output-size {width}x{height}"
    return None


def _evaluation(job, scale, plan):
    """Return how many pixels an evaluation counts as: more than there are, if it is done in bands."""
    content_layers, style_layers = used_layers(job.settings, job.photograph is not None, bool(job.styles))
    pixels = _pixels_in_bands(job, scale.size, plan.rows, [*content_layers, *style_layers])
    return pixels if plan.rows is None else 1.5 * pixels  # forward, which is done twice, takes as long as backward


def _targets(job, scale, plan):
    """Return how many pixels of an evaluation it takes as long as to compute the targets: forward is half of one."""
    pixels = 0
    if job.photograph is not None:
        pixels += _pixels_in_bands(job, scale.size, plan.rows, job.settings.content_layers)
        if job.settings.convention == "relative":  # which compares the photograph's style with the painting's
            pixels += _pixels_in_bands(job, scale.size, plan.rows, job.settings.style_layers)
    for size in job.style_sizes_at(scale):
        pixels += _pixels_in_bands(job, size, plan.style_rows, job.settings.style_layers)
    return pixels / 2


def _pixels_in_bands(job, size, rows, layers):
    """Return how many pixels go through the network: with what surrounds each band, if there are bands."""
    height, width = seen(size, job.settings)
    if rows is None:
        return height * width
    bands = split_into_bands(height, rows, margin(job.network.architecture, layers))
    return width * sum(band.bottom - band.top for band in bands)


def _time_evaluations(job):
    """Return the seconds a pixel of an evaluation, timed on a picture with no side longer than `SAMPLE`."""
    size = job.size if max(job.size) <= SAMPLE else tuple(max(16, side) for side in size_to_fit(job.size, SAMPLE))
    content, styles = job.pictures
    content = None if content is None else resize(content, *size)
    objective = compose_objective(
        job.network, job.settings, content, [in_sizes(style, resize(style.picture, *size), size) for style in styles]
    )
    pixels = job.network.to_device(np.full((*size, 3), 127.5, np.float32))
    seconds = []
    for _ in range(1 + REPETITIONS):
        began = time.perf_counter()
        _, gradient = objective(pixels)
        to_host(gradient)  # a GPU is done when its result is here
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:]) / math.prod(seen(size, job.settings))  # the first one prepares things


def _kind(job):
    """Return what the cost of an evaluation depends on, for each pixel, to be a dictionary's key."""
    settings = job.settings
    named = [(one.name, getattr(settings, one.name)) for one in dataclasses.fields(settings) if one.name not in FREE]
    guided = [(style.mask is None, style.region is None) for style in job.styles]
    roles = job.photograph is None, tuple(guided), job.tileable
    return *named, *roles, settings.tv_weight > 0, min(max(job.size), SAMPLE)


def _cost(seconds, bytes):
    return f"about {duration(seconds)} and {bytes / 1e9:.1f} GB"


def duration(seconds):
    """Return a duration in units that suit it."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes} min" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
