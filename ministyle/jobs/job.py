"""A job as a value: settings, decoded pictures and the size of the picture to be made."""

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from .. import algorithm
from ..arrays import to_host
from ..cost.estimate import estimate
from ..cost.memory import make_plan
from ..errors import MinistyleError
from ..fast import bands
from ..pictures.colours import COLOURS
from ..pictures.reading import read_picture
from ..pictures.sizes import resize
from ..settings import Settings
from ..solvers import BOUNDS, Outcome
from ..solvers.problem import INTERRUPTED
from ..weights.load import load_network
from .checkpoint import Checkpoint, Standing
from .result import Result
from .scales import continued, joined, scales

TILE = 16  # pixels: all of VGG-19's pooling layers halve a side that is a multiple of it without a remainder
MARGIN = 128  # pixels around a tileable picture's painting: farther than the 126 that conv5_4 sees
STARTS = ("noise", "content", "style")


@dataclass(frozen=True, eq=False)
class Job:
    """A picture to be made. `Job.of` makes one from files.

    Attributes
    ----------
    settings : Settings
    photograph : float32 array (H, W, 3), the content picture, RGB, 0 to 255, or None
    painting : the style picture, likewise
    size : (height, width) of the picture to be made
    tileable : bool
        Let opposite edges fit, so that copies of the picture side by side show no seam. Its sides are multiples of 16.
    init : float32 array (H, W, 3), the picture to begin with, or None where the settings name another start
    """

    settings: Settings
    photograph: np.ndarray | None = field(repr=False)
    painting: np.ndarray | None = field(repr=False)
    size: tuple
    tileable: bool = False
    init: np.ndarray | None = field(default=None, repr=False)

    @classmethod
    def of(cls, settings, content=None, style=None, *, size=None, tileable=False):
        """Make a job of pictures, which are decoded and scaled here.

        Parameters
        ----------
        settings : Settings
        content, style : path, PIL image or array (H, W, 3), RGB, 0 to 255; one alone makes a reconstruction
        size : (height, width), optional
            Of the picture to be made; by default that of the content picture, or else of the style picture, once it has
            been scaled to `settings.image_size`.
        tileable : bool

        Raises
        ------
        MinistyleError
            A picture cannot be read, the start asks for a picture that is not there, or the size is not tileable.
        """
        if content is not None:
            content = read_picture(content, settings.image_size, settings.side)
        if style is not None:
            style = read_picture(style, settings.style_size or settings.image_size, settings.side)
        if size is None:
            size = (style if content is None else content).shape[:2]
            size = tuple(max(1, round(side / TILE)) * TILE for side in size) if tileable else size
        init = None
        if not isinstance(settings.init, str) or settings.init not in STARTS:
            init = _read_start(settings.init)
        elif settings.init != "noise" and {"content": content, "style": style}[settings.init] is None:
            raise MinistyleError(f"init (={settings.init!r}) asks for a {settings.init} picture, and there is none")
        if tileable:
            _check_tileable(size)
            settings = replace(settings, border="zero")  # of the settings; the network's own border is periodic
        return cls(settings, content, style, tuple(size), tileable, init)

    @cached_property
    def network(self):
        """The network that the settings ask for."""
        settings = self.settings
        return load_network(
            settings.weights,
            pooling=settings.pooling,
            normalised=settings.normalised,
            dtype=settings.dtype,
            device=settings.device,
            convolution=settings.convolution,
            threads=settings.threads,
            border="periodic" if self.tileable else settings.border,
            tf32=settings.tf32,
        )

    @cached_property
    def pictures(self):
        """Content and style as the network sees them, treated for the sake of colours."""
        return COLOURS[self.settings.colours].before(self.photograph, self.painting)

    @property
    def margin(self):
        """The pixels that surround the painting, at each edge, while its Gram matrices are computed."""
        return MARGIN if self.tileable else 0

    @property
    def scales(self):
        """The sizes that the picture goes through, a list of `Scale`."""
        return scales(self.settings, self.size, multiple=TILE if self.tileable else 1)

    def plan_at(self, scale, limit=None):
        """Return a `cost.memory.Plan`, how memory is used at a scale within a limit; see `cost.memory.make_plan`."""
        return make_plan(
            self.settings,
            scale.size,
            content=self.photograph is not None,
            style_size=self.style_size_at(scale),
            limit=limit,
            architecture=self.network.architecture,
        )

    def style_size_at(self, scale):
        """Return the (height, width) of the painting at a scale, with what surrounds it, or None without one."""
        if self.painting is None:
            return None
        return tuple(side + 2 * self.margin for side in scale.reduced(self.painting.shape[:2]))

    def objective_at(self, scale, plan=None):
        """Return the `Objective` at a scale, by default in bands where `settings.max_memory` asks for them."""
        content, style = self.pictures
        content = None if content is None else resize(content, *scale.size)
        style = None if style is None else scale.shrink(style)
        plan = self.plan_at(scale) if plan is None else plan
        compose = algorithm.compose_objective
        if self.tileable:
            if plan.in_bands:
                raise MinistyleError(
                    f"a tileable picture cannot be made in bands: max_memory (={self.settings.max_memory}) is too low"
                )
            # The painting itself has edges. With the network's periodic border its left edge would meet its right one,
            # and the style would contain that straight seam, or the edge to a border of zeros. So its mirror image
            # surrounds it, as far as the network sees.
            style = np.pad(style, ((self.margin,) * 2, (self.margin,) * 2, (0, 0)), "symmetric")
            compose = partial(compose, style_margin=self.margin, periodic=True)
        elif plan.in_bands:
            compose = partial(bands.compose_banded_objective, rows=plan.rows, style_rows=plan.style_rows)
        objective = compose(self.network, self.settings, content, style)
        self.network.backend.release()  # what the targets took: it may be more than an evaluation takes
        return objective

    def estimate(self):
        """Return an `Estimate` of time and memory; some evaluations of a small picture are timed for it."""
        return estimate(self)

    def run(self, on_step=None, *, checkpoint=None, begin=None):
        """Make the picture.

        Parameters
        ----------
        on_step : function of (Step, pixels (H, W, 3)), optional
            Called at the start and after every iteration. If it returns True, the run stops, and the picture so far is
            the result.
        checkpoint : Checkpoint, optional
            Where to keep, now and then and at the end of an unfinished run, what another run needs to go on.
        begin : Standing, optional
            What `checkpoint.read(job)` returns: the run goes on from there.

        Returns
        -------
        Result

        Raises
        ------
        MinistyleError
            A layer cannot be had from these weights or this size.
        Exception
            Whatever `on_step` raises. What ends a run under way has an attribute `result`, the `Result` so far.
        """
        checkpoint = Checkpoint(None, every=0) if checkpoint is None else checkpoint
        checkpoint.open(self, Standing() if begin is None else begin)
        try:
            result = self._through_scales(checkpoint, on_step)
        except BaseException as error:
            checkpoint.save()
            if isinstance(error, Exception) and checkpoint.latest.snapshot is not None:
                error.result = self._so_far(checkpoint.latest, repr(error))
                error.add_note("The picture so far is this exception's attribute 'result'.")
            raise
        if result.interrupted or result.stopped:
            with suppress(KeyboardInterrupt):  # Ctrl-C again: an older checkpoint has to do
                checkpoint.save()
        return result

    def _through_scales(self, checkpoint, on_step):
        """Make the picture at one scale after the other, from where the checkpoint stands; return the result."""
        outcome, plan, standing = None, None, checkpoint.latest
        for scale in self.scales[standing.scale :]:
            try:
                plan = self.plan_at(scale)
                start = self._start(scale) if outcome is None else resize(outcome.pixels, *scale.size)
                outcome = self._repaint(scale, plan, start, standing, checkpoint, on_step)
            except KeyboardInterrupt:
                if outcome is None:
                    raise
                # between two scales
                outcome = replace(outcome, message=INTERRUPTED, completed=False, interrupted=True)
            if outcome.stopped or not outcome.completed:
                break
            standing = Standing(standing.scale + 1, outcome.history)
        return self._result(outcome, plan)

    def _repaint(self, scale, plan, start, standing, checkpoint, on_step):
        """Minimise at one scale, which may be the only one; return the outcome, its history that of the whole run."""
        objective = self.objective_at(scale, plan)
        last = standing.former[-1] if standing.former else None

        def report(step, pixels):
            if on_step is not None and (step.iteration or last is None):
                return on_step(continued(step, last), pixels)
            return False

        outcome = algorithm.repaint(
            objective,
            self.settings,
            start,
            iterations=scale.iterations,
            snapshot=standing.snapshot,
            on_step=report,
            on_snapshot=lambda snapshot: checkpoint.note(replace(standing, snapshot=snapshot)),
        )
        return replace(outcome, history=joined(standing.former, outcome.history))

    def _so_far(self, standing, message):
        """Return what there is where a run stands as a result, incomplete."""
        outcome = Outcome(to_host(standing.snapshot.pixels), standing.history, message, completed=False)
        return self._result(outcome, self.plan_at(self.scales[standing.scale]))

    def _start(self, scale):  # -> (*scale.size, 3)
        """Return the picture that the optimisation begins with."""
        settings = self.settings
        if self.init is not None:
            return resize(self.init, *scale.size)
        if settings.init == "noise":
            return algorithm.white_noise(scale.size, settings.seed, settings.noise_std)
        content, style = self.pictures
        return resize(scale.shrink({"content": content, "style": style}[settings.init]), *scale.size)

    def coloured(self, pixels):  # (H, W, 3) -> (H, W, 3)
        """Return a picture that `on_step` was given as it would be if it were the result: in the right colours."""
        return COLOURS[self.settings.colours].after(to_host(pixels).clip(*BOUNDS), self.photograph)

    def _result(self, outcome: Outcome, plan):
        return Result(
            self.coloured(resize(outcome.pixels, *self.size)).astype(np.float32),
            outcome.history,
            outcome.message,
            outcome.completed,
            self.settings,
            outcome.interrupted,
            outcome.stopped,
            plan.rows,
        )

    def __getstate__(self):
        """Leave the network behind when the job goes to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "network"}


def _check_tileable(size):
    """Refuse what would leave a seam."""
    if any(side % TILE for side in size):
        raise MinistyleError(
            f"a tileable picture's sides must be multiples of {TILE}: {size[1]} x {size[0]} does not do"
        )


def _read_start(init):
    """Read the picture to begin with. A bare word that is no file was meant to be one of `STARTS`."""
    if isinstance(init, str) and not os.path.splitext(init)[1] and not os.path.exists(init):
        raise MinistyleError(f"init (={init!r}) must be {', '.join(STARTS)} or a picture, and there is no such file")
    return read_picture(init)
