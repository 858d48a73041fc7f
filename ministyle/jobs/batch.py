"""Several photographs in the style of one painting, and the frames of an animation.

What the photographs share is made once: the network, and the painting's Gram matrices.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Unpack

import numpy as np

from ..keywords import SettingsKeywords
from ..pictures.reading import read_picture
from ..pictures.sizes import resize
from ..settings import Settings, names_settings
from ..solvers import OnStep
from ..styles import Masks, Styles
from ..types import Picture
from .job import Job
from .result import Result
from .targets import Targets

FRAME_SHARE = 1 / 3  # of the iterations, for every frame of a film but the first; docs/many.md says why
STILL, MOVED = 16, 48  # grey levels: a frame's pixel that differs less from the last one's stands still; more, it moved


class Batch:
    """Jobs that differ in their photograph alone.

    Parameters
    ----------
    settings : Settings
    style, content_mask, sketch : see `jobs.job.Job.of`

    Raises
    ------
    MinistyleError
        Whatever would fail for every photograph: a painting, the start or the weights cannot be read.
    """

    def __init__(self, settings, style, content_mask=None, *, sketch=False):
        self.settings, self.style, self.content_mask = settings, style, content_mask
        self.sketch = sketch
        from_content = isinstance(settings.init, str) and settings.init == "content"
        # Without a photograph yet, so with another start than that, and without masks, which are of its size.
        start = {"init": "noise"} if from_content else {}
        model = replace(settings, **start, colours="painting", colours_after=None)
        self._network = Job.of(model, style=style, sketch=True).network
        self._targets = Targets()

    def job(self, content):
        """Return the `Job` for a photograph: a path, PIL image or array, see `jobs.job.Job.of` for the errors."""
        job = Job.of(self.settings, content, self.style, content_mask=self.content_mask, sketch=self.sketch)
        return self._sharing(job)

    def next_frame(self, content, before, last):
        """Return the `Job` for a frame of a film that is not its first.

        It begins with the result of the frame before, but where the film has changed with the frame itself: else what
        moves would leave its painted likeness behind. It has a share of the iterations, all at full size: at a coarse
        scale everything would be made up anew, and flicker.

        Parameters
        ----------
        content, before : the frame and the one before it, see `job`
        last : the finished frame before it: path, PIL image or array (H, W, 3), RGB, 0 to 255
        """
        job = self.job(content)
        iterations = max(1, round(FRAME_SHARE * self.settings.iterations))
        job = replace(job, settings=replace(job.settings, pyramid=False, iterations=iterations), origin=None)
        if self.sketch:
            return self._sharing(job)
        before, last = (resize(self._read(picture), *job.size) for picture in (before, last))
        change = np.abs(job.photograph - before).max(axis=2, keepdims=True)
        moved = ((change - STILL) / (MOVED - STILL)).clip(0, 1)
        start = (moved * job.photograph + (1 - moved) * last).astype(np.float32)
        return self._sharing(replace(job, init=start))

    def _read(self, picture):
        return read_picture(picture, max_megapixels=self.settings.max_megapixels)

    def _sharing(self, job):
        job = replace(job, targets=self._targets)
        job.lend(self._network)
        return job


@names_settings("default")
def transfer_all(
    contents: Iterable[Picture],
    style: Styles,
    *,
    content_mask: Masks | None = None,
    preset: str = "default",
    on_step: OnStep | None = None,
    **settings: Unpack[SettingsKeywords],
) -> Iterator[Result]:
    """Repaint several photographs in the style of a painting, whose Gram matrices are computed once.

    Parameters
    ----------
    contents : iterable of paths, PIL images or arrays (H, W, 3), RGB, 0 to 255
    style, content_mask, preset, on_step, **settings : see `jobs.public.transfer`

    Yields
    ------
    Result
        For each photograph in turn, made when it is asked for. The pictures are those that `transfer` makes.

    Raises
    ------
    MinistyleError
        A picture cannot be read, or a setting is impossible.
    """
    batch = Batch(Settings.from_preset(preset, **settings), style, content_mask)
    for content in contents:
        yield batch.job(content).run(on_step)
