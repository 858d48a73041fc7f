"""The algorithm from beginning to end: pictures -> terms -> objective -> solver -> picture.

Everything here is handed in: the network, the pictures as arrays, the settings. `jobs` reads them from files.
"""

from dataclasses import replace

import numpy as np

from .arrays import read_scalars
from .objective import Objective
from .settings import terms_of
from .solvers import BOUNDS, choose_optimizer, minimise
from .solvers.problem import INTERRUPTED
from .terms import Scene

GREY = 127.5  # the mean of the noise, in grey levels


def white_noise(size, seed=0, std=25.0):  # -> (*size, 3)
    """Return the start that the paper proposes: white noise around grey, RGB, clipped to 0 to 255, float32.

    The noise is drawn on the host, so a seed gives the same start on every device.

    Parameters
    ----------
    size : (height, width)
    seed : int
    std : float, the standard deviation of the noise in grey levels
    """
    noise = np.random.default_rng(seed).standard_normal((*size, 3))
    return np.clip(GREY + std * noise, *BOUNDS).astype(np.float32)


def compose_objective(network, settings, content, style, style_margin=0, periodic=False, share=None):
    """Compose what is minimised.

    Parameters
    ----------
    network : Network
    settings : Settings
    content, style, style_margin, periodic : see `terms.Scene`
    share : function Scene -> Scene, optional
        May replace the scene's functions by others that compute the same with less work, as for several photographs.

    Returns
    -------
    Objective
    """
    scene = Scene(network, content, style, style_margin, periodic)
    return Objective(network, terms_of(settings, scene if share is None else share(scene)))


def repaint(objective, settings, start, *, iterations=None, snapshot=None, on_step=None, on_snapshot=None):
    """Minimise an objective, as the settings say, beginning with the picture `start`.

    Where pixels may leave 0 to 255 they are cut off at the end, and the last step's loss is that of the cut picture.

    Parameters
    ----------
    objective : Objective
    settings : Settings
    start : array (H, W, 3), RGB, 0 to 255
    iterations : int, optional, where it is not `settings.iterations`
    snapshot, on_step, on_snapshot : see `solvers.minimise`

    Returns
    -------
    solvers.Outcome
    """
    outcome = minimise(
        objective,
        start,
        iterations=settings.iterations if iterations is None else iterations,
        optimizer=choose_optimizer(settings.optimizer, objective.network.device),
        bounds=BOUNDS if settings.bounds else None,
        history_size=settings.history_size,
        learning_rate=settings.learning_rate,
        ftol=settings.ftol,
        gtol=settings.gtol,
        snapshot=snapshot,
        on_step=on_step,
        on_snapshot=on_snapshot,
    )
    return outcome if settings.bounds else _cut(outcome, objective)


def _cut(outcome, objective):
    """Return an outcome with pixels cut off at the bounds, its last step that of the picture that this leaves."""
    pixels = outcome.pixels.clip(*BOUNDS)
    try:
        evaluation = objective(objective.network.to_device(pixels))
    except KeyboardInterrupt:  # the picture is there, with the loss that it had before
        return replace(outcome, pixels=pixels, message=INTERRUPTED, completed=False, interrupted=True)
    loss, *values = read_scalars([evaluation.loss, *evaluation.terms.values()])
    last = replace(outcome.history[-1], loss=loss, terms=dict(zip(evaluation.terms, values, strict=True)))
    return replace(outcome, pixels=pixels, history=[*outcome.history[:-1], last])
