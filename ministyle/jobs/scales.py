"""Coarse to fine: a picture is optimised small first, then enlarged and optimised again, until it has its size.

A convolution at conv5_1 sees some 150 pixels. In a large picture that is little, so the network neither sees nor
matches a painting's large forms: a large picture looks less styled than a small one. In a picture of some 128 pixels
they fit, and what has been settled there stays when the picture grows. Every picture begins at about that size, and so
pictures of all sizes look alike. The small pictures also cost little, and leave less to do for the large one. (Gatys,
Bethge, Hertzmann and Shechtman 2016, arXiv:1606.05897, and Gatys et al. 2017, arXiv:1611.07865, work like this.)

The scales were chosen by looking at pictures and by measuring loss against time, see docs/pictures.md.
"""

from dataclasses import dataclass, replace
from typing import Any

from ..pictures.opening import size_of
from ..pictures.sizes import resize
from ..settings import OWN_SIZE, Settings
from ..solvers import Step
from ..styles import as_styles
from ..types import Array, Picture

SHARE = 0.5  # of `iterations`, at each scale but the last
COARSEST = 120  # pixels: the longer side of the picture is never made smaller
NARROWEST = 48  # pixels: nor the shorter one
SMALLEST = 64  # pixels: nor the shorter side of the painting


@dataclass(frozen=True)
class Scale:
    """One of the sizes that a picture goes through.

    Attributes
    ----------
    size : (height, width) of the picture
    reduction : int, how many times smaller than the finished picture that is
    iterations : int
    """

    size: tuple[int, int]
    reduction: int
    iterations: int

    def reduced(self, size: tuple[int, int]) -> tuple[int, int]:
        """Return the (height, width) that a picture of this size has at this scale, no side shorter than `SMALLEST`."""
        reduction = max(1, min(self.reduction, min(size) / SMALLEST))
        height, width = (max(1, round(side / reduction)) for side in size)
        return height, width

    def shrink(self, picture: Array) -> Array:  # (H, W, 3) -> (height, width, 3)
        """Return a picture in the size that it has at this scale."""
        return resize(picture, *self.reduced(picture.shape[:2]))


def with_own_size(settings: Settings, content: Picture | None = None, style: Any = None) -> Settings:
    """Return settings whose image size is a number, also where it is to be a picture's own.

    Parameters
    ----------
    settings : Settings
    content, style : see `jobs.job.Job.of`; the content picture's size counts, or else that of the first style picture

    Raises
    ------
    MinistyleError
        The picture cannot be opened, or is too small or too large.
    """
    if settings.image_size != OWN_SIZE:
        return settings
    picture = as_styles(style)[0].picture if content is None else content
    sides = size_of(picture, max_megapixels=settings.max_megapixels)
    return replace(settings, image_size=max(sides) if settings.side == "longest" else min(sides))


def scales(settings: Settings, size: tuple[int, int], multiple: int = 1) -> list[Scale]:
    """Return the scales of a run, from coarse to fine; without a pyramid there is one.

    Parameters
    ----------
    settings : Settings, of which `pyramid` and `iterations` count
    size : (height, width) of the picture to be made
    multiple : int, what the sides at every scale must be multiples of
    """
    reductions = [1]
    while settings.pyramid and max(size) >= COARSEST * 2 * reductions[0] and min(size) >= NARROWEST * 2 * reductions[0]:
        reductions.insert(0, 2 * reductions[0])
    return [
        Scale(
            size if reduction == 1 else tuple(round(side / reduction / multiple) * multiple for side in size),
            reduction,
            settings.iterations if reduction == 1 else max(1, round(SHARE * settings.iterations)),
        )
        for reduction in reductions
    ]


def continued(step: Step, last: Step | None) -> Step:
    """Return a step at one scale as one of the whole run, `last` being the last step of the scale before, or None."""
    if last is None:
        return step
    return replace(
        step,
        iteration=last.iteration + step.iteration,
        evaluations=last.evaluations + step.evaluations,
        seconds=last.seconds + step.seconds,
    )


def joined(former, steps):
    """Return the steps of the whole run: those of the scales before, and then those at the next scale, continued."""
    last = former[-1] if former else None
    return [*former, *(continued(step, last) for step in steps)]
