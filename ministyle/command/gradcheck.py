"""`gradcheck`: checks of all gradients, and the gradient laboratory, which breaks one first."""

import sys
from contextlib import nullcontext

from ..checks.breaks import BREAKS, SURPRISE, planted, surprise
from ..checks.gradients import check_gradients
from ..network import BACKENDS
from .parser import add_command, add_weights_and_device
from .progress import progress_bar

SIZE, DIRECTIONS = 32, 3
QUICK_SIZE, QUICK_DIRECTIONS = 16, 1
BAR = "{percentage:3.0f}%|{bar}| {n_fmt}/{total_fmt} [{elapsed}{postfix}]"  # no rate: the last lines take longest
WIDTH = 55  # of the column with the gradients' names
NAME_WIDTH = 23  # of the column with the mistakes' names
NOT_REACHED = "these checks do not go through the place where it was planted."


def add(commands):
    """Add the command."""
    command = add_command(commands, "gradcheck", "check all gradients against finite differences", run)
    command.add_argument(
        "--quick",
        action="store_true",
        help="check every operation and every loss, but only one network, with a small picture and one direction: "
        "seconds instead of a minute",
    )
    command.add_argument(
        "--size",
        type=int,
        help=f"side in pixels of the picture that is used (default: {SIZE}; with --quick {QUICK_SIZE})",
    )
    command.add_argument(
        "--directions",
        type=int,
        help=f"number of random directions for each check (default: {DIRECTIONS}; with --quick {QUICK_DIRECTIONS})",
    )
    command.add_argument("--seed", type=int, default=0, help="seed of all that is random (default: 0)")
    command.add_argument(
        "--convolution",
        choices=("all", *BACKENDS),
        default="all",
        help="which convolution to check: all that the device has (default), the plain one or the fast one",
    )
    command.add_argument(
        "--break",
        dest="planted",
        metavar="NAME",
        help=f"plant a mistake first, one of --list-breaks, or '{SURPRISE}', which --seed draws and nobody tells you",
    )
    command.add_argument("--list-breaks", action="store_true", help="list the mistakes that can be planted, and stop")
    command.add_argument("--reveal", action="store_true", help=f"say which mistake '--break {SURPRISE}' planted")
    command.add_argument("-q", "--quiet", action="store_true", help="no progress line")
    add_weights_and_device(command)


def run(options):
    """Print the table of gradient checks, of gradients as they are or with a mistake."""
    if options.list_breaks:
        for one in BREAKS.values():
            print(f"{one.name:{NAME_WIDTH}}  {one.verdict:9}  {one.mistake}")
        return 0
    name = surprise(options.seed) if options.planted == SURPRISE else options.planted
    with nullcontext() if name is None else planted(name) as mistake:
        failed = _check(options)
    if mistake is None:
        return 1 if failed else 0
    print()
    if options.planted == SURPRISE and not options.reveal:
        print("Which mistake is it? --list-breaks has all of them; --reveal says which one it was.")
    else:
        print(f"Planted was {mistake.name} ({mistake.verdict}): {mistake.mistake}.")
        if not failed:
            print("No line failed: " + ("the gradient is right all the same." if mistake.redundant else NOT_REACHED))
    return 1 if failed else 0


def _check(options):
    """Check all gradients, print the table, and return how many checks failed."""
    size, directions = (QUICK_SIZE, QUICK_DIRECTIONS) if options.quick else (SIZE, DIRECTIONS)
    checks = check_gradients(
        options.weights,
        size=size if options.size is None else options.size,
        directions=directions if options.directions is None else options.directions,
        seed=options.seed,
        device=options.device,
        convolution=options.convolution,
        quick=options.quick,
    )
    print(f"{'gradient':{WIDTH}}  convolution  method     error    allowed", flush=True)
    total, wrong = len(checks.planned), 0
    with progress_bar(total, options.quiet, bar_format=BAR) as bar:
        for planned in checks.planned:
            bar.set_postfix_str(planned.name)
            check = next(checks)
            wrong += not check.passed
            bar.write(_line(check))
            sys.stdout.flush()
            bar.update()
    print(f"{total} checks, {wrong} wrong")
    return wrong


def _line(check):
    """Return a check's line of the table."""
    numbers = f"{check.error:.1e}  {check.tolerance:.0e}"
    return f"{check.name:{WIDTH}}  {check.convolution or '-':11}  {check.method:9}  {numbers}  {check.verdict}"
