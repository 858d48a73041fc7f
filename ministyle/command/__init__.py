"""The command line: `python -m ministyle`.

| file | what it is about |
|---|---|
| `parser` | flags: those of a run, and their help, are made from `ministyle.settings` |
| `standard_input` | `-` in place of a picture |
| `output` | where a picture goes, and what its file holds beside the pixels |
| `progress` | the progress line |
| `list_layers` | the table of the network's layers |
| `history` | `--history`: a row for each iteration |
| `evolution` | `--evolution`: a film of how a picture comes about |
| `terminal` | no name steers the terminal |
| `termination` | SIGTERM does what Ctrl-C does |
| `resume` | `--checkpoint-every`, `--resume` |
| `one_picture` | what all commands that make one picture have in common |
| `batch` | `transfer` with several photographs |
| `video` | `transfer` with an animation |
| `transfer` | `transfer`, `demo` |
| `reconstruct` | `content`, `texture` |
| `experiment` | what figures and grids have in common |
| `figures` | `figure 1`, `figure 2`, `figure 3` |
| `grid` | `grid` |
| `remake` | `remake` |
| `compare` | `compare` |
| `gradcheck` | `gradcheck` |
| `exercises` | `exercises` |
| `weights` | `weights import`, `weights normalise` |
| `record` | what a picture's record says, and the command that makes the picture again |
| `info` | `info` |

Each file with commands has a function `add` that adds them to the parser; `GROUPS` lists these files. Bad input ends
with one sentence on standard error and exit status 2. A run that had to stop early, or a gradient that is wrong, ends
with 1, everything else with 0. What Ctrl-C ended before there was a picture ends with 130, and what SIGTERM ended with
143.
"""

import os
import sys

from ..errors import MinistyleError, sentence_of
from . import compare, exercises, figures, gradcheck, grid, info, reconstruct, remake, transfer, weights
from .parser import Parser
from .standard_input import take_standard_input
from .terminal import printable_streams
from .termination import STATUS, sigterm_as_ctrl_c

GROUPS = (transfer, reconstruct, figures, grid, remake, compare, gradcheck, exercises, weights, info)


# What bad input, the system or a lack of memory may raise. Anything else is a mistake of ours, and must stay visible.
NOT_OURS = (MinistyleError, MemoryError, OSError, OverflowError, RecursionError, UnicodeError)


def make_parser():
    """Return the parser of the command line; what it parses has an attribute `run`, a function of the options."""
    parser = Parser.of_program()
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for group in GROUPS:
        group.add(commands)
    return parser


def main(arguments=None):
    """Run the command and return its exit status."""
    with printable_streams():
        options = make_parser().parse_args(arguments)
        with sigterm_as_ctrl_c() as terminated:
            status = _run(options)
    return STATUS if terminated else status


def _run(options):
    """Run the command that options ask for; return its exit status."""
    try:
        take_standard_input(options)
        status = options.run(options)
        sys.stdout.flush()  # here, where a closed pipe is noticed
        return status
    except KeyboardInterrupt:
        print("ministyle: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # the reader has gone, as in `... | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except NOT_OURS as error:
        print(f"ministyle: {sentence_of(error)}", file=sys.stderr)
        return 2
