"""What all commands that make one picture have in common."""

import itertools
import sys
import tempfile
from pathlib import Path

from .. import arrays
from ..cost.available import available_memory
from ..cost.estimate import memory_warning
from ..errors import MinistyleError
from ..jobs.job import Job
from ..pictures.writing import check_output, write_picture
from ..weights.find import find_weights
from .parser import settings_of
from .progress import Progress
from .resume import allow_unfinished, checkpoint_of, find_beginning, is_finished, settle


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
    Job, Result or None, exit status; no job either, where the picture is finished already
    """
    settings = settings_of(options)
    output = options.output or Path(f"{name}.png")
    checkpoint = checkpoint_of(output, options)
    if not options.estimate:
        if is_finished(output, options, checkpoint):
            return None, None, 0
        options = allow_unfinished(options, checkpoint)
        check_output(output, options.overwrite)
    job = Job.of(settings, content, style, size=size, tileable=tileable)
    warning = memory_warning(job, available_memory(arrays.choose_device(settings.device)))
    if warning:
        print(f"ministyle: {warning}", file=sys.stderr)
    if options.estimate:
        print(job.estimate())
        return job, None, 0
    for picture in filter(None, (content, style, settings.init)):
        if output.exists() and Path(picture).exists() and output.samefile(picture):
            raise MinistyleError(f"output '{output}' is one of the input pictures; choose another name")
    if options.verbose:
        print(f"weights: {find_weights(settings.weights)}")
    begin = find_beginning(job, options, checkpoint)
    with Progress(job, output, options, begin.history[-1].iteration if begin else 0) as progress:
        if not progress.bar.disable and not begin:
            progress.bar.write(str(job.estimate()))
        result = job.run(progress.update, checkpoint=checkpoint, begin=begin)
    try:
        written = write_result(output, result.image, options.overwrite)
    except KeyboardInterrupt:  # once more: the picture is worth a moment, and Ctrl-C again ends that too
        written = write_result(output, result.image, options.overwrite)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    settle(result, output, written, checkpoint)
    return job, result, 0 if result.completed else 1


def write_result(output, pixels, overwrite):
    """Write the finished picture, in another place if it has become impossible here; return its path."""
    free, number = output, 1
    while free.exists() and not overwrite:
        free, number = output.with_stem(f"{output.stem}-{number}"), number + 1
    try:
        write_picture(free, pixels, overwrite)
    except MinistyleError as error:
        print(f"ministyle: {error}", file=sys.stderr)
        free = Path(tempfile.mkdtemp(prefix="ministyle-")) / output.name
        write_picture(free, pixels)
    return free


def _report(result):
    """Print why the solver stopped and how the loss fell; at the last scale also the terms, added up by kind."""
    print(result.message)
    by_scale = [list(steps) for _, steps in itertools.groupby(result.history, lambda step: step.size)]
    for steps in by_scale[:-1]:
        height, width = steps[0].size
        print(f"{f'loss, {width} x {height}':17} {steps[0].loss:10.4g} -> {steps[-1].loss:10.4g}")
    first, last = by_scale[-1][0], by_scale[-1][-1]
    bands = f", in bands of {result.band_rows} rows" if result.band_rows else ""
    print(f"{last.iteration} iterations, {last.evaluations} evaluations, {last.seconds:.1f} s{bands}")
    print(f"{'loss':17} {first.loss:10.4g} -> {last.loss:10.4g}")
    before, after = _by_kind(first.terms), _by_kind(last.terms)
    for kind in before:
        print(f"  {kind:15} {before[kind]:10.4g} -> {after[kind]:10.4g}")


def _by_kind(terms):
    """Add up the layers' terms: "style conv1_1" and "style conv2_1" to "style"."""
    sums = {}
    for name, value in terms.items():
        kind = name.split(" conv")[0]
        sums[kind] = sums.get(kind, 0.0) + value
    return sums
