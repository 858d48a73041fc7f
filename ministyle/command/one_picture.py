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
from ..jobs.scales import COARSEST, NARROWEST
from ..pictures.values import psnr
from ..weights.find import find_weights
from .list_layers import layer_table
from .output import Writer, check_inputs_survive, output_path, sources_of
from .parser import settings_of
from .progress import Progress


def make_one(options, name, content=None, style=None, *, size=None, tileable=False):
    """Say what it will take to make a picture; unless only that is asked for, make it, write it and report.

    Parameters
    ----------
    options : the command's options
    name : str, the output's name, without ending, where none is given
    content, style : paths of the pictures it is made from
    size, tileable : see `jobs.job.Job.of`

    Returns
    -------
    Job, Result or None, exit status
    """
    settings = settings_of(options)
    output, sources = output_path(options.output, f"{name}.png"), sources_of(settings, content=content, style=style)
    if not (options.estimate or options.list_layers):
        writer = Writer(sources, bits=options.bits, alpha=options.alpha, exif=options.exif)
        writer.check(output, options.overwrite)
    job = Job.of(settings, content, style, size=size, tileable=tileable)
    if options.list_layers:
        print(layer_table(job))
        return job, None, 0
    warning = memory_warning(job, available_memory(arrays.choose_device(settings.device)))
    if warning:
        print(f"ministyle: {warning}", file=sys.stderr)
    if options.estimate:
        print(job.estimate())
        return job, None, 0
    say_if_pyramid_is_in_vain(options, job.scales)
    progress = Progress(job, output, options, writer)
    check_inputs_survive([output, *progress.intermediates()], sources)
    writer.plan(job, size=size, with_paths=options.record_paths)
    if options.verbose:
        print(f"weights: {find_weights(settings.weights)}")
    with progress:
        if not progress.bar.disable:
            progress.bar.write(str(job.estimate()))
        result = job.run(progress.update)
    ratio = None if style is not None else psnr(result.image, job.photograph)
    about = {"message": result.message, "psnr": ratio, "unfinished": not result.completed}
    write = partial(writer.write, step=result.history[-1], **about)
    written = write_result(output, result.pixels, options.overwrite, write)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    return job, result, 0 if result.completed else 1


def say_if_pyramid_is_in_vain(options, scales):
    """Say so if `--pyramid` was given, and there is one scale all the same because the picture is small."""
    if getattr(options, "pyramid", False) and len(scales) == 1:
        width, height = 2 * COARSEST, 2 * NARROWEST
        print(f"ministyle: --pyramid changes nothing below {width} x {height} pixels", file=sys.stderr)


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
        write(free, pixels, False)
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
