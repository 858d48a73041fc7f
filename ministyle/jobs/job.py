"""A job as a value: settings, decoded pictures and the size of the picture to be made."""

import os
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .. import algorithm
from ..arrays import to_host
from ..cost.estimate import Estimate, estimate
from ..cost.memory import Plan, make_plan
from ..errors import MinistyleError
from ..fast import bands
from ..network import Network
from ..objective import Objective
from ..pictures.colours import COLOURS, check_colours, finish
from ..pictures.masks import in_sizes
from ..pictures.reading import read_picture
from ..pictures.sizes import check_size, resize
from ..pictures.values import psnr
from ..settings import STARTS, Settings
from ..solvers import BOUNDS, OnStep, Outcome
from ..solvers.problem import INTERRUPTED
from ..styles import Masks, Style, Styles, as_styles
from ..types import Array, Picture
from ..weights.load import load_network
from .checkpoint import Checkpoint, Standing
from .record import Origin
from .record import outcome as outcome_of
from .regions import SKETCH, length_of, read_scaled, read_styles, scaled_size, size_in_full
from .result import Result
from .scales import Scale, continued, joined, scales, with_own_size
from .targets import Targets

TILE = 16  # pixels: all of VGG-19's pooling layers halve a side that is a multiple of it without a remainder
MARGIN = 128  # pixels around a tileable picture's painting: farther than the 126 that conv5_4 sees


@dataclass(frozen=True, eq=False)
class Job:
    """A picture to be made. `Job.of` makes one from files.

    Attributes
    ----------
    settings : Settings
    photograph : float32 array (H, W, 3), the content picture, RGB, 0 to 255, or None
    styles : tuple of Style, the paintings, likewise, with masks (h, w) and regions (H, W) as arrays, 0 to 1
    size : (height, width) of the picture to be made
    tileable : bool
        Let opposite edges fit, so that copies of the picture side by side show no seam. Its sides are multiples of 16.
    init : float32 array (H, W, 3), the picture to begin with, or None where the settings name another start
    targets : Targets that jobs with the same network share, or None
    sketch : bool, are the pictures small ones, and all but `size` is to be worked out for large ones? See `of`.
    origin : Origin, what the pictures are, for the record of the result; or None, and the result has no record
    """

    settings: Settings
    photograph: NDArray[np.float32] | None = field(repr=False)
    styles: tuple[Style, ...] = field(repr=False)
    size: tuple[int, int]
    tileable: bool = False
    init: NDArray[np.float32] | None = field(default=None, repr=False)
    targets: Targets | None = field(default=None, repr=False)
    sketch: bool = False
    origin: Origin | None = field(default=None, repr=False)

    @classmethod
    def of(
        cls,
        settings: Settings,
        content: Picture | None = None,
        style: Styles | None = None,
        *,
        content_mask: Masks | None = None,
        size: tuple[int, int] | None = None,
        tileable: bool = False,
        sketch: bool = False,
    ) -> "Job":
        """Make a job of pictures, which are decoded and scaled here.

        Parameters
        ----------
        settings : Settings
        content : path, PIL image, array (H, W, 3), RGB, 0 to 255, or Result
        style : the same, a `Style`, or a list of them; content or style alone makes a reconstruction
        content_mask : picture or list of pictures, optional
            Which part of the picture takes which style, see `jobs.regions`; "alpha" is the photograph's own opacity.
        size : (height, width), optional
            Of the picture to be made; by default that of the content picture, or else of the style picture, once it has
            been scaled to `settings.image_size`.
        tileable : bool
        sketch : bool
            Decode pictures no larger than an estimate needs, which takes little memory. The job then has the size of
            the whole one and can be estimated, but not run.

        Raises
        ------
        MinistyleError
            A picture cannot be read, the start asks for a picture that is not there, or the size is not tileable.
        """
        check_colours(settings, content)
        if size is not None:
            check_size(size)
        if not isinstance(tileable, bool):
            raise MinistyleError(f"tileable (={tileable!r}) must be True or False")
        settings = with_own_size(settings, content, style)
        photograph, own_size, asked_size = None, None, size
        if content is not None:
            photograph, own_size = read_scaled(content, settings.image_size, settings, sketch)
        styles = read_styles(settings, style, content, content_mask, size or own_size, sketch=sketch)
        if size is None:
            size = own_size or styles[0].picture.shape[:2]
            if sketch and own_size is None:
                size = scaled_size(as_styles(style)[0].picture, length_of(settings, styles[0].scale), settings)
            size = tuple(max(1, round(side / TILE)) * TILE for side in size) if tileable else size
        init = None
        if settings.start_picture is not None:
            init = _read_start(settings.start_picture, settings.max_megapixels, SKETCH if sketch else 2 * max(size))
        elif settings.init != "noise" and not {"content": content is not None, "style": styles}[settings.init]:
            raise MinistyleError(f"init (={settings.init!r}) asks for a {settings.init} picture, and there is none")
        if tileable:
            _check_tileable(size, styles)
            settings = replace(settings, border="zero")  # of the settings; the network's own border is periodic
        origin = Origin.of(settings, content, style, content_mask, asked_size)
        return cls(settings, photograph, styles, tuple(size), tileable, init, origin=origin, sketch=sketch)

    @cached_property
    def network(self) -> Network:
        """The network that the settings ask for; `lend` spares making it."""
        return load_network(self.settings.weights, **self.network_options)

    @property
    def network_options(self) -> dict[str, Any]:
        """What the network is made with, arguments of `weights.load.load_network`."""
        names = "pooling", "normalised", "dtype", "device", "convolution", "threads", "tf32"
        border = "periodic" if self.tileable else self.settings.border
        return {**{name: getattr(self.settings, name) for name in names}, "border": border}

    def lend(self, network: Network) -> None:
        """Let the job use a network that was made with its `network_options`, as jobs that follow one another do."""
        self.__dict__["network"] = network  # where `cached_property` keeps it

    @cached_property
    def pictures(self) -> tuple[NDArray[np.float32] | None, tuple[Style, ...]]:
        """The photograph and the styles as the network sees them, treated for the sake of colours."""
        before = COLOURS[self.settings.colours].before
        content, _ = before(self.photograph, None)
        return content, tuple(
            replace(style, picture=before(self.photograph, style.picture)[1]) for style in self.styles
        )

    @property
    def margin(self) -> int:
        """The pixels that surround the painting, at each edge, while its Gram matrices are computed."""
        return MARGIN if self.tileable else 0

    @property
    def scales(self) -> list[Scale]:
        """The sizes that the picture goes through, a list of `Scale`."""
        return scales(self.settings, self.size, multiple=TILE if self.tileable else 1)

    def plan_at(self, scale: Scale, limit: float | None = None) -> Plan:
        """Return a `cost.memory.Plan`, how memory is used at a scale within a limit; see `cost.memory.make_plan`."""
        return make_plan(
            self.settings,
            scale.size,
            content=self.photograph is not None,
            style_sizes=self.style_sizes_at(scale),
            limit=limit,
            architecture=self.network.architecture,
        )

    def style_sizes_at(self, scale: Scale) -> list[tuple[int, int]]:
        """Return the (height, width) of each painting at a scale, with what surrounds it."""
        return [tuple(side + 2 * self.margin for side in scale.reduced(size)) for size in self.style_sizes]

    @property
    def style_sizes(self) -> list[tuple[int, int]]:
        """The (height, width) of each painting."""
        return [size_in_full(one.picture, self.settings, one.scale, self.sketch) for one in self.styles]

    @property
    def photograph_size(self) -> tuple[int, int] | None:
        """The (height, width) of the photograph, or None without one."""
        return None if self.photograph is None else size_in_full(self.photograph, self.settings, None, self.sketch)

    def styles_at(self, scale: Scale) -> list[Style]:
        """Return the styles as the network sees them at a scale, their masks and regions in the sizes that fit."""
        _, styles = self.pictures
        return [in_sizes(style, scale.shrink(style.picture), scale.size) for style in styles]

    def objective_at(self, scale: Scale, plan: Plan | None = None) -> Objective:
        """Return the `Objective` at a scale, by default in bands where `settings.max_memory` asks for them."""
        content, _ = self.pictures
        content = None if content is None else resize(content, *scale.size)
        styles = self.styles_at(scale)
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
            around = (self.margin,) * 2, (self.margin,) * 2, (0, 0)
            styles = [replace(style, picture=np.pad(style.picture, around, "symmetric")) for style in styles]
            compose = partial(compose, style_margin=self.margin, periodic=True)
        elif plan.in_bands:
            compose = partial(bands.compose_banded_objective, rows=plan.rows, style_rows=plan.style_rows)
        if self.targets is not None:
            compose = partial(compose, share=partial(self.targets.share, plan=plan))
        objective = compose(self.network, self.settings, content, styles)
        self.network.backend.release()  # what the targets took: it may be more than an evaluation takes
        return objective

    def estimate(self, timed: dict[Any, float] | None = None) -> Estimate:
        """Return an `Estimate` of time and memory; some evaluations of a small picture are timed for it.

        Parameters
        ----------
        timed : see `cost.estimate.estimate`
        """
        return estimate(self, timed)

    def run(
        self, on_step: OnStep | None = None, *, checkpoint: Checkpoint | None = None, begin: Standing | None = None
    ) -> Result:
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
        if self.sketch:
            raise MinistyleError("this job is a sketch, for an estimate; make another one to run it")
        plan = None if self.origin is None else self.origin.plan(self.settings, self.tileable)
        checkpoint = Checkpoint(None, every=0) if checkpoint is None else checkpoint
        checkpoint.open(self, Standing() if begin is None else begin)
        try:
            result = self._through_scales(checkpoint, on_step)
        except BaseException as error:
            checkpoint.save()
            if isinstance(error, Exception) and checkpoint.latest.snapshot is not None:
                error.result = self._recorded(plan, self._so_far(checkpoint.latest, repr(error)))
                error.add_note("The picture so far is this exception's attribute 'result'.")
            raise
        if result.interrupted or result.stopped:
            with suppress(KeyboardInterrupt):  # Ctrl-C again: an older checkpoint has to do
                checkpoint.save()
        return self._recorded(plan, result)

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
        content, styles = self.pictures
        picture = content if settings.init == "content" else styles[0].picture
        return resize(scale.shrink(picture), *scale.size)

    def coloured(self, pixels: Array) -> NDArray[np.float32]:  # (H, W, 3) -> (H, W, 3)
        """Return a picture that `on_step` was given as it would be if it were the result: in the right colours."""
        return finish(to_host(pixels).clip(*BOUNDS), self.photograph, self.settings)

    def psnr_of(self, image: Array) -> float | None:  # (H, W, 3)
        """Return how near a content reconstruction is to its original, in decibels; None where there is a style."""
        return None if self.styles else psnr(image, resize(self.photograph, *self.size))

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

    def _recorded(self, plan, result):
        """Return a result with its record, given the part of that which was known before, or None."""
        if plan is None:
            return result
        about = outcome_of(
            result.history[-1],
            self.settings,
            message=result.message,
            psnr=self.psnr_of(result.image),
            unfinished=not result.completed or result.stopped,
        )
        return replace(result, record={**plan, **about})

    def __getstate__(self):
        """Leave the network behind when the job goes to another process."""
        return {name: value for name, value in self.__dict__.items() if name != "network"}


def _check_tileable(size, styles):
    """Refuse what would leave a seam."""
    if any(style.region is not None for style in styles):
        raise MinistyleError("a tileable picture takes no regions, whose edges would be seams")
    if any(side % TILE for side in size):
        raise MinistyleError(
            f"a tileable picture's sides must be multiples of {TILE}: {size[1]} x {size[0]} does not do"
        )


def _read_start(init, max_megapixels, longest):
    """Read the picture to begin with, no larger than of use: it is resized later.

    A bare word that is no file was meant to be one of `STARTS`.
    """
    if isinstance(init, str) and not os.path.splitext(init)[1] and not os.path.exists(init):
        raise MinistyleError(f"init (={init!r}) must be {', '.join(STARTS)} or a picture, and there is no such file")
    return read_picture(init, longest, at_most=True, max_megapixels=max_megapixels)
