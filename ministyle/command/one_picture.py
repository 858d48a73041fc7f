"""What all commands that make one picture have in common."""

import itertools
import os
import sys
import tempfile
from collections import Counter
from pathlib import Path

from .. import arrays
from ..cost.available import available_memory
from ..cost.estimate import memory_warning
from ..errors import MinistyleError
from ..jobs.job import Job
from ..pictures.writing import check_output, write_picture
from ..weights.find import find_weights
from .evolution import Evolution
from .history import open_history
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
    output = options.output or Path(f"{name}.png")
    if not options.estimate:
        check_output(output, options.overwrite)
    job = Job.of(settings, content, style, size=size, tileable=tileable)
    warn_of_memory(job)
    if options.estimate:
        print(job.estimate())
        return job, None, 0
    inputs = [content, *(style if isinstance(style, list) else [style]), settings.init]
    check_names([output, options.evolution, options.history], inputs)
    if options.verbose:
        print(f"weights: {find_weights(settings.weights)}")
    evolution = Evolution(job, options.evolution, options.overwrite) if options.evolution else None
    with open_history(options) as history, Progress(job, output, options, history, evolution) as progress:
        if not progress.bar.disable:
            progress.bar.write(str(job.estimate()))
        result = job.run(progress.update)
    written = write_result(output, result.image, options.overwrite)
    if evolution:
        evolution.write_or_say(result.image)
    _report(result)
    height, width, _ = result.image.shape
    print(f"picture: {written} ({width} x {height})")
    return job, result, 0 if result.completed else 1


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


def check_names(outputs, inputs):
    """Refuse outputs that are one file, or one of the input pictures; whatever is None is left out."""
    outputs = [Path(output) for output in outputs if output is not None]
    taken = {_identity(picture) for picture in inputs if isinstance(picture, str | Path)} - {None}
    for output in outputs:
        if _identity(output) in taken:
            raise MinistyleError(f"output '{output}' is one of the input pictures; choose another name")
    for output, times in Counter(output.absolute() for output in outputs).items():
        if times > 1:
            raise MinistyleError(f"two outputs are named '{output.name}'; give each a name of its own")


def _identity(path):
    """Return what two names of one file have in common, or None where there is no file."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino


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
