"""`--evolution`: a film of how a picture comes about."""

import math
import sys

import numpy as np

from ..arrays import to_host
from ..errors import MinistyleError
from ..pictures.films import check_film, write_film
from ..pictures.sizes import resize
from ..pictures.values import to_uint8

FRAMES = 60
MEMORY = 250e6  # bytes that frames may take: of a picture of many megapixels there are fewer
DURATION = 80  # milliseconds of a frame
LAST = 2000  # of the last one, the finished picture


class Evolution:
    """Frames of a run, kept until the film can be written.

    Parameters
    ----------
    job : Job
    path : path of the film, whose end chooses the format
    overwrite : bool, replace a file that exists

    Raises
    ------
    MinistyleError
        See `pictures.films.check_film`.
    """

    def __init__(self, job, path, overwrite=False):
        check_film(path, overwrite)
        self.job, self.path, self.overwrite = job, path, overwrite
        self.frames = []
        fitting = max(1, min(FRAMES, int(MEMORY / (3 * math.prod(job.size)))))
        self.every = math.ceil(sum(scale.iterations for scale in job.scales) / fitting)

    def add(self, step, pixels):
        """Keep the picture as it is now, if it is its turn: in whole grey levels, as large as the finished one."""
        if step.iteration % self.every == 0:
            self.frames.append(to_uint8(self.job.coloured(resize(to_host(pixels), *self.job.size))))

    def write_or_say(self, image):
        """Write the film, which ends with the finished picture (H, W, 3), and print where, or why not."""
        try:
            self.write(image)
        except MinistyleError as error:
            print(f"ministyle: {error}", file=sys.stderr)
        else:
            print(f"film: {self.path} ({len(self.frames) + 1} frames)")

    def write(self, image):
        """Write the film, which ends with the finished picture; see `pictures.films.write_film` for the errors."""
        if self.frames and np.array_equal(self.frames[-1], image):
            self.frames.pop()
        durations = [DURATION] * len(self.frames) + [LAST]
        write_film(self.path, [*self.frames, image], durations, self.overwrite)
