"""What all commands that make one picture have in common."""

import sys
import tempfile
from functools import partial
from pathlib import Path

from .. import arrays
from ..cost.available import available_memory
from ..cost.estimate import memory_warning
from ..errors import MinistyleError
from ..jobs.history import by_kind, by_scale
from ..jobs.job import Job
from ..jobs.regions import uncovered
from ..jobs.scales import COARSEST, NARROWEST
from ..weights.find import find_weights
from .evolution import Evolution
from .history import open_history
from .list_layers import layer_table
from .output import Writer, check_outputs, output_path
from .parser import settings_of
from .progress import Progress
from .resume import allow_unfinished, checkpoint_of, find_beginning, is_finished, settle

LEFT = 0.005  # of the picture: less than that without a style is not worth a line


def make_one(options, name, inputs, *, size=None, tileable=False):
    """Say what it will take to make a picture; unless only that is asked for, make it, write it and report.

    Parameters
    ----------
    options : the command's options
    name : str, the output's name, without ending, where none is given
    inputs : output.Inputs, what it is made from
    size, tileable : see `jobs.job.Job.of`

    Returns
    -------
    Job, Result or None, exit status; no job either, where the picture is finished already
    """
    settings = settings_of(options)
    output = output_path(options.output, f"{name}.png")
    checkpoint = checkpoint_of(output, options)
    if not (options.estimate or options.list_layers):
        if is_finished(output, options, checkpoint):
            return None, None, 0
        options = allow_unfinished(options, checkpoint)
        writer = Writer.of(options, settings, inputs)
        writer.check(output, options.overwrite)
    job = Job.of(
        settings,
        inputs.content,
        inputs.style,
        content_mask=inputs.content_mask,
        size=size,
        tileable=tileable,
        sketch=options.estimate or options.list_layers,
    )
    if options.list_layers:
        print(layer_table(job))
        return job, None, 0
    warn_of_memory(job)
    if options.estimate:
        print(job.estimate())
        return job, None, 0
    say_what_masks_leave(job)
    say_if_pyramid_is_in_vain(options, job.scales)
    evolution = Evolution(job, options.evolution, options.overwrite) if options.evolution else None
    begin = find_beginning(job, options, checkpoint)
    with open_history(options, resume=begin is not None) as history:  # nothing is written before the first row
        done = begin.history[-1].iteration if begin else 0
        progress = Progress(job, output, options, writer, history, evolution, done=done)
        outputs = [output, options.evolution, options.history, checkpoint.path, *progress.intermediates()]
        check_outputs(outputs, writer.sources.values(), settings.weights)
        writer.plan(job, size)
        if options.verbose:
            print(f"weights: {find_weights(settings.weights)}")
        with progress:
            if not progress.bar.disable and not begin:
                progress.bar.write(str(job.estimate()))
            result = job.run(progress.update, checkpoint=checkpoint, begin=begin)
    ratio = job.psnr_of(result.image)
    about = {"message": result.message, "psnr": ratio, "unfinished": not result.completed}
    write = partial(writer.write, step=result.history[-1], **about)
    try:
        written = write_result(output, result.pixels, options.overwrite, write)
    except KeyboardInterrupt:  # once more: the picture is worth a moment, and Ctrl-C again ends that too
        written = write_result(output, result.pixels, options.overwrite, write)
    if evolution:
        evolution.write_or_say(result.image)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    settle(result, output, written, checkpoint)
    return job, result, 0 if result.completed else 1


def say_what_masks_leave(job):
    """Say so if masks leave a part of the picture without a style."""
    share = uncovered(job.styles)
    if share > LEFT:
        print(f"ministyle: {share:.0%} of the picture takes no style, as the masks say; the photograph stays there")


def say_if_pyramid_is_in_vain(options, scales):
    """Say so if `--pyramid` was given, and there is one scale all the same because the picture is small."""
    if getattr(options, "pyramid", False) and len(scales) == 1:
        width, height = 2 * COARSEST, 2 * NARROWEST
        print(f"ministyle: --pyramid changes nothing below {width} x {height} pixels", file=sys.stderr)


def warn_of_memory(job, warned=None):
    """Print a warning on standard error if a job will not fit into memory.

    Parameters
    ----------
    job : Job
    warned : set of str, optional, of warnings that have been printed, and are not printed again
    """
    warning = memory_warning(job, available_memory(arrays.choose_device(job.settings.device)))
    if warning and warning not in (warned or ()):
        print(f"ministyle: {warning}", file=sys.stderr)
    if warned is not None:
        warned.add(warning)


def print_total(what, missing, there, total):
    """Print what several pictures will take.

    Parameters
    ----------
    what : str, what one of them is called
    missing, there : int, how many are to be made, and are there already
    total : cost.estimate.Total, of those to be made
    """
    parts = [f"{missing} {what}{'' if missing == 1 else 's'} to make"]
    if missing:
        parts[0] += f": {total}"
    if there:
        parts.append(f"{there} there already")
    print(", ".join(parts))


def write_result(output, pixels, overwrite, write):
    """Write the finished picture, in another place if it has become impossible here; return its path.

    `write` is a function of (path, pixels, overwrite).
    """
    free, number = output, 1
    while free.exists() and not overwrite:
        free, number = output.with_stem(f"{output.stem}-{number}"), number + 1
    try:
        write(free, pixels, overwrite)
    except MinistyleError as error:
        print(f"ministyle: {error}", file=sys.stderr)
        free = Path(tempfile.mkdtemp(prefix="ministyle-")) / output.name
        try:
            write(free, pixels, False)
        except MinistyleError:
            free.parent.rmdir()
            raise
    return free


def _report(result):
    """Print why the solver stopped and how the loss fell; at the last scale also the terms, added up by kind."""
    print(result.message)
    scales = by_scale(result.history)
    for steps in scales[:-1]:
        height, width = steps[0].size
        print(f"{f'loss, {width} x {height}':17} {steps[0].loss:10.4g} -> {steps[-1].loss:10.4g}")
    first, last = scales[-1][0], scales[-1][-1]
    bands = f", in bands of {result.band_rows} rows" if result.band_rows else ""
    print(f"{last.iteration} iterations, {last.evaluations} evaluations, {last.seconds:.1f} s{bands}")
    print(f"{'loss':17} {first.loss:10.4g} -> {last.loss:10.4g}")
    before, after = by_kind(first.terms), by_kind(last.terms)
    for kind in before:
        print(f"  {kind:15} {before[kind]:10.4g} -> {after[kind]:10.4g}")
