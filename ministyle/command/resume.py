"""`--checkpoint-every` and `--resume`: a command that was interrupted goes on where it stopped.

The checkpoint of `out.png` is `out.png.checkpoint`: beside the picture, so that it is found, and with an ending that no
picture has. As long as it is there, the picture is unfinished: `--resume` goes on, and replaces the picture so far. It
is removed once the finished picture is written.
"""

import argparse
import os
import sys
from pathlib import Path

from ..jobs.checkpoint import Checkpoint
from ..solvers import SOLVERS


def checkpoint_of(output, options):
    """Return the `Checkpoint` of a picture; what it has to say goes to standard error."""
    return Checkpoint(_beside(output), options.checkpoint_every, warn=_complain)


def is_finished(output, options, checkpoint):
    """Say whether the picture that `--resume` asks for is there, and print so."""
    if not options.resume or options.overwrite or checkpoint.exists() or not os.path.isfile(output):
        return False
    print(f"picture: {output} is there, and finished: it has no checkpoint; --overwrite makes it anew")
    return True


def allow_unfinished(options, checkpoint):
    """Return the options with which an unfinished picture, and its numbered ones, may be replaced."""
    if options.resume and checkpoint.exists():
        return argparse.Namespace(**{**vars(options), "overwrite": True})
    return options


def find_beginning(job, options, checkpoint):
    """Return where the run begins, a `Standing`, or None for the very beginning; print which it is, where it matters.

    Raises
    ------
    MinistyleError
        The checkpoint is damaged, or belongs to another run.
    """
    if not options.resume:
        if checkpoint.exists():
            _complain(f"there is '{checkpoint.path}', from which --resume would go on; this run begins anew")
        return None
    standing = checkpoint.read(job)
    if standing is None:
        print(f"there is no checkpoint '{checkpoint.path}'; this run begins anew")
        return None
    iterations = sum(scale.iterations for scale in job.scales)
    print(f"going on from '{checkpoint.path}', iteration {standing.history[-1].iteration} of {iterations}")
    if standing.snapshot.state is None:
        title = SOLVERS["lbfgsb"].title
        print(f"SciPy's {title} has to learn anew how the loss curves, so the picture will not be the same bit for bit")
    return standing


def settle(result, output, written, checkpoint):
    """Keep the checkpoint of an unfinished picture, and print how to go on; remove that of a finished one."""
    if not result.interrupted:
        checkpoint.remove()
        return
    if not checkpoint.exists():
        return
    how = "the same command with --resume goes on"
    if written != output and written.parent == output.parent:  # another file has taken the picture's place meanwhile
        os.replace(checkpoint.path, _beside(written))
        checkpoint.path, how = _beside(written), f"{how} if it is also given -o {written} --overwrite"
    print(f"unfinished: {how}, from '{checkpoint.path}'")


def _beside(output):
    return Path(f"{output}.checkpoint")


def _complain(sentence):
    print(f"ministyle: {sentence}", file=sys.stderr)
