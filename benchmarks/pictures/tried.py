"""Ways to make the default picture that settings cannot say, and that lost; docs/pictures.md has the results."""

import math
from dataclasses import replace
from functools import partial

import numpy as np

from ministyle import algorithm
from ministyle.arrays import to_host
from ministyle.jobs.job import Job
from ministyle.jobs.scales import COARSEST, SHARE, Scale
from ministyle.objective import Objective
from ministyle.pictures.sizes import resize
from ministyle.pictures.values import to_uint8
from ministyle.settings import Settings

from .moving_average import MovingAverage

AROUND = 12.0  # grey levels: of a photograph whose low frequencies alone are the start, the deviation of its blur


def repaint(content, style, *, size, iterations, step=2.0, at_scale=None, weigh=None, start=None, solve=None):
    """Make a picture as the default does, but for what the last five arguments change.

    Parameters
    ----------
    content, style : path, PIL image or array
    size : int, the longest side in pixels
    iterations : int, at full size
    step : float, from one scale to the next
    at_scale : function (Settings, Scale) -> Settings, optional
    weigh : function (objective, start), optional, which may change the weights of the objective's terms
    start : function (photograph, painting) -> picture, optional, all of the coarsest scale
    solve : function (objective, Settings, start, iterations) -> picture, optional

    Returns
    -------
    uint8 array (H, W, 3)
    """
    job = Job.of(Settings(image_size=size, iterations=iterations), content, style)
    picture = None
    for scale in scales(job.size, iterations, step):
        settings = job.settings if at_scale is None else at_scale(job.settings, scale)
        photograph, painting = resize(job.photograph, *scale.size), scale.shrink(job.styles[0].picture)
        objective = algorithm.compose_objective(job.network, settings, photograph, painting)
        if picture is None:
            picture = photograph if start is None else start(photograph, painting)
        picture = job.network.to_device(resize(picture, *scale.size))
        if weigh is not None:
            weigh(objective, picture)
        picture = (solve or _solve)(objective, settings, picture, scale.iterations)
    return to_uint8(picture)


def scales(size, iterations, step):
    """Return the scales of a picture of a (height, width), each so many times larger than the one before."""
    count = math.floor(math.log(max(size) / COARSEST, step))
    reductions = [step**power for power in range(count, -1, -1)]
    share = SHARE if step == 2 else SHARE / 2  # twice as many scales
    return [
        Scale(tuple(round(side / r) for side in size), r, round(iterations * (1 if r == 1 else share)))
        for r in reductions
    ]


def _solve(objective, settings, start, iterations):
    return algorithm.repaint(objective, settings, start, iterations=iterations).pixels


def average_of_adam(objective, settings, start, iterations):
    """Minimise by Adam, and return the moving average of its iterates."""
    average = MovingAverage(start)
    settings = replace(settings, optimizer="adam", learning_rate=5.0)
    algorithm.repaint(
        objective, settings, start, iterations=iterations, on_step=lambda _, pixels: average.add(to_host(pixels))
    )
    return average.value()


def equal_gradients(objective, start):
    """Divide every term's weight by the L1 norm of its gradient, content by that of a picture that is blurred."""
    moved = 0.5 * (start + start.mean(axis=(0, 1)))
    for term in objective.terms:
        if term.layer is not None:
            alone = Objective(objective.network, [term])
            gradient = alone(moved if term.name.startswith("content") else start).gradient
            term.weight *= 0.1 / float(abs(gradient).mean() * 255)


def heavier_content(settings, scale):
    """Give content more weight the smaller the picture is."""
    return replace(settings, content_weight=settings.content_weight * scale.reduction)


def shallower_content(settings, scale):
    """Let the content layer move with the scale: where the picture is small, one that sees less of it."""
    layer = {1: "conv4_2", 2: "conv4_1", 4: "conv3_2"}.get(scale.reduction, "conv3_1")
    return replace(settings, content_layers=(layer,))


def low_frequencies(photograph, painting):
    """Start from a blurred photograph."""
    from scipy import ndimage

    sigma = AROUND * max(photograph.shape) / 512
    return ndimage.gaussian_filter(photograph, (sigma, sigma, 0))


def in_the_paintings_colours(photograph, painting):
    """Start from the photograph with the mean and covariance of the painting's colours."""
    colours = [picture.reshape(-1, 3).astype(np.float64) for picture in (photograph, painting)]
    means = [pixels.mean(axis=0) for pixels in colours]
    roots = []
    for pixels in colours:
        values, vectors = np.linalg.eigh(np.cov(pixels.T) + np.eye(3))
        roots.append((vectors * np.sqrt(values)) @ vectors.T)
    matched = (colours[0] - means[0]) @ np.linalg.solve(roots[0], roots[1]) + means[1]
    return matched.reshape(photograph.shape).clip(0, 255).astype(np.float32)


TRIED = {
    "root-2-scales": partial(repaint, step=math.sqrt(2)),
    "content-heavier-small": partial(repaint, at_scale=heavier_content),
    "content-shallower-small": partial(repaint, at_scale=shallower_content),
    "equal-gradients": partial(repaint, weigh=equal_gradients),
    "blurred-start": partial(repaint, start=low_frequencies),
    "matched-colours": partial(repaint, start=in_the_paintings_colours),
    "averaged-adam": partial(repaint, solve=average_of_adam),
}
