"""Several photographs in the style of one painting, and the frames of an animation.

What the photographs share is made once: the network, the decoded painting, its Gram matrices.
"""

from dataclasses import replace

from ..pictures.reading import read_picture
from ..settings import Settings
from .job import Job
from .targets import Targets

# Of `Settings.iterations`, for every frame of an animation but the first; docs/many.md says what it was chosen from.
FRAME_SHARE = 1 / 3


class Batch:
    """Jobs that differ in their photograph alone.

    Parameters
    ----------
    settings : Settings
    style : path, PIL image or array, or what else `jobs.job.Job.of` takes for the painting

    Raises
    ------
    MinistyleError
        Whatever would fail for every photograph: the painting, the start or the weights cannot be read.
    """

    def __init__(self, settings, style):
        self.settings = settings
        from_content = isinstance(settings.init, str) and settings.init == "content"
        # Without a photograph yet, so with another start than that.
        self._model = Job.of(replace(settings, init="noise") if from_content else settings, style=style)
        self._network = self._model.network
        self._targets = Targets()

    def job(self, content):
        """Return the `Job` for a photograph: a path, PIL image or array, see `jobs.job.Job.of` for the errors."""
        photograph = read_picture(content, self.settings.image_size, self.settings.side)
        return self._sharing(
            replace(self._model, settings=self.settings, photograph=photograph, size=photograph.shape[:2])
        )

    def next_frame(self, content, last):
        """Return the `Job` for a frame of an animation, which begins with the result of the frame before.

        It has a share of the iterations, all at full size: at a coarse scale everything would be made up anew, and
        flicker.

        Parameters
        ----------
        content : see `job`
        last : array (H, W, 3), RGB, 0 to 255, the finished frame before this one
        """
        iterations = max(1, round(FRAME_SHARE * self.settings.iterations))
        settings = replace(self.settings, pyramid=False, iterations=iterations)
        return self._sharing(replace(self.job(content), settings=settings, init=read_picture(last)))

    def _sharing(self, job):
        job = replace(job, targets=self._targets)
        job.lend(self._network)
        return job


def transfer_all(contents, style, *, preset="default", on_step=None, **settings):
    """Repaint several photographs in the style of one painting, whose Gram matrices are computed once.

    Parameters
    ----------
    contents : iterable of paths, PIL images or arrays (H, W, 3), RGB, 0 to 255
    style, preset, on_step, **settings : see `jobs.public.transfer`

    Yields
    ------
    Result
        For each photograph in turn, made when it is asked for. The pictures are those that `transfer` makes.

    Raises
    ------
    MinistyleError
        A picture cannot be read, or a setting is impossible.
    """
    batch = Batch(Settings.from_preset(preset, **settings), style)
    for content in contents:
        yield batch.job(content).run(on_step)
