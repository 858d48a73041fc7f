"""Coarse to fine: a picture is optimised small first, then enlarged and optimised on, until it has its size.

A convolution at conv5_1 sees some 150 pixels. In a large picture that is little, so that a painting's large forms are
neither seen nor matched: high resolution looks less styled. In a picture a quarter as wide they fit, and what
has been settled there stays when the picture grows. The small pictures also cost little, 1/16 and 1/4 of the time
for each evaluation, and leave less to do for the large one. (Gatys, Bethge, Hertzmann and Shechtman 2016,
arXiv:1606.05897, and Gatys et al. 2017, arXiv:1611.07865, work like this.)

The levels were chosen by measuring loss against time, see docs/performance.md.
"""

from dataclasses import dataclass, replace

from .pictures.sizes import resize

SHARES = {4: 0.5, 2: 0.5, 1: 1.0}  # how many times smaller: how many of `iterations`
SMALLEST = 64  # pixels: no level's shorter side is below that


@dataclass(frozen=True)
class Level:
    """One level of the pyramid.

    Attributes
    ----------
    size : (height, width) of the picture
    reduction : int, how many times smaller that is
    iterations : int
    """

    size: tuple
    reduction: int
    iterations: int

    def shrink(self, picture):  # (H, W, 3) -> (height, width, 3)
        """Return a picture in the size that it has on this level."""
        return resize(picture, *(max(1, round(side / self.reduction)) for side in picture.shape[:2]))


def levels(settings, size, multiple=1):
    """Return the levels of a run, from coarse to fine; without a pyramid that is one.

    Parameters
    ----------
    settings : Settings, of which `pyramid` and `iterations` count
    size : (height, width) of the picture to be made
    multiple : int, what the sides of every level are to be multiples of
    """
    if not settings.pyramid:
        return [Level(size, 1, settings.iterations)]
    fitting = [reduction for reduction in SHARES if reduction == 1 or min(size) >= SMALLEST * reduction]
    return [
        Level(
            size if reduction == 1 else tuple(round(side / reduction / multiple) * multiple for side in size),
            reduction,
            max(1, round(SHARES[reduction] * settings.iterations)),
        )
        for reduction in fitting
    ]


def after(step, last):
    """Return a level's step as one of the whole run, `last` being the last step of the level before, or None."""
    if last is None:
        return step
    return replace(
        step,
        iteration=last.iteration + step.iteration,
        evaluations=last.evaluations + step.evaluations,
        seconds=last.seconds + step.seconds,
    )
