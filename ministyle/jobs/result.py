"""What comes of a job: the finished picture, and how it came about."""

import os
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..arrays import equal
from ..errors import check_matplotlib
from ..pictures.values import to_uint8
from ..pictures.writing import write_picture
from ..settings import Settings
from ..solvers import Step
from . import display
from .history import by_kind, by_scale


@dataclass(frozen=True, eq=False, repr=False)
class Result:
    """A finished picture and how it came about. A notebook shows the picture.

    It can be used wherever a picture is asked for. Two results are equal if all that they hold is; where it came from
    does not count.

    Attributes
    ----------
    pixels : float32 array (H, W, 3), RGB, 0 to 255, not rounded
    history : list of `Step`, the first of them the start, and so the first at each scale of a pyramid
    message : str, why the optimisation stopped
    completed : bool, False if the user interrupted it or the loss became infinite
    settings : Settings
    interrupted : bool, True if the user interrupted it
    stopped : bool, True if `on_step` stopped it
    band_rows : int or None, the height of the bands in which the picture was worked on
    record : dict or None, how the picture was made, see `jobs.record`; it goes into the file
    """

    pixels: NDArray[np.float32]
    history: list[Step]
    message: str
    completed: bool
    settings: Settings
    interrupted: bool = False
    stopped: bool = False
    band_rows: int | None = None
    record: dict[str, Any] | None = field(default=None, compare=False)

    @cached_property
    def image(self) -> NDArray[np.uint8]:
        """The picture in whole grey levels, a uint8 array (H, W, 3), RGB."""
        return to_uint8(self.pixels)

    def to_pil(self) -> Image.Image:
        """Return the picture as a PIL image."""
        return Image.fromarray(self.image)

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> None:
        """Write the picture to a file, whole or not at all, with a record of how it was made.

        `python -m ministyle info FILE` shows the record, and `remake FILE` makes the picture again.

        Parameters
        ----------
        path : path of the picture file; the end of its name chooses the format
        overwrite : bool, replace a file that exists

        Raises
        ------
        MinistyleError
            The file cannot be written, or is there already and `overwrite` is not set.
        """
        write_picture(path, self.pixels, overwrite, record=self.record)

    def plot(self, ax: Any = None) -> Any:
        """Draw the loss, and its terms added up by kind, against iterations.

        At each scale of a pyramid the lines begin anew, because losses of different scales are of different pictures.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional; by default new ones

        Returns
        -------
        matplotlib.axes.Axes

        Raises
        ------
        MinistyleError
            Matplotlib is not installed.
        """
        check_matplotlib("a plot of the loss")
        if ax is None:
            from matplotlib import pyplot

            _, ax = pyplot.subplots()
        names = ["loss", *by_kind(self.history[0].terms)]
        for steps in by_scale(self.history):
            iterations = [step.iteration for step in steps]
            values = [{"loss": step.loss, **by_kind(step.terms)} for step in steps]
            for number, name in enumerate(names):
                label = name if steps[0] is self.history[0] else None  # once is enough
                ax.plot(iterations, [value[name] for value in values], color=f"C{number}", label=label)
            if steps[0] is not self.history[0]:
                ax.axvline(iterations[0], color="lightgrey", zorder=0)
        ax.set(xlabel="iterations", ylabel="loss", yscale="log")
        ax.legend()
        return ax

    def __eq__(self, other: object) -> bool:
        """Compare by value, whatever takes part: pixels, history, settings."""
        if not isinstance(other, Result):
            return NotImplemented
        compared = [item.name for item in fields(self) if item.compare]
        return all(equal(getattr(self, name), getattr(other, name)) for name in compared)

    def __hash__(self) -> int:
        """Return a number that equal results share."""
        return hash((self.pixels.shape, self.image.tobytes(), self.message))

    def __repr__(self) -> str:
        """Return one line about it."""
        height, width, _ = self.pixels.shape
        return f"<Result: {width} x {height} pixels, {display.in_words(self.history)}; {self.message}>"

    def _repr_png_(self) -> bytes:
        return display.encoded(self.to_pil(), "PNG")

    def _repr_html_(self) -> str:
        return display.to_html(self.to_pil(), self.history, self.message)
