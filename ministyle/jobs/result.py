"""What comes of a job: the finished picture, and how it came about."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from ..pictures.values import to_uint8
from ..settings import Settings


@dataclass(frozen=True)
class Result:
    """A finished picture and how it came about.

    Attributes
    ----------
    pixels : float32 array (H, W, 3), RGB, 0 to 255, not rounded
    history : list of `solvers.Step`, the first of them the start, and so the first at each scale of a pyramid
    message : str, why the optimisation stopped
    completed : bool, False if the user interrupted it or the loss became infinite
    settings : Settings
    interrupted : bool, True if the user interrupted it
    stopped : bool, True if `on_step` stopped it
    band_rows : int or None, the height of the bands in which the picture was worked on
    """

    pixels: np.ndarray = field(repr=False)
    history: list = field(repr=False)
    message: str
    completed: bool
    settings: Settings
    interrupted: bool = False
    stopped: bool = False
    band_rows: int | None = None

    @cached_property
    def image(self):
        """The picture in whole grey levels, a uint8 array (H, W, 3), RGB."""
        return to_uint8(self.pixels)
