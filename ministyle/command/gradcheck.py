"""`gradcheck`: checks of all gradients, and the gradient laboratory, which breaks one first."""

from contextlib import nullcontext

from ..checks.breaks import BREAKS, SURPRISE, planted, surprise
from ..checks.gradients import check_gradients
from ..network import BACKENDS
from .parser import add_command, add_weights_and_device

WIDTH = 55  # of the column with the gradients' names
NAME_WIDTH = 23  # of the column with the mistakes' names
NOT_REACHED = "these checks do not go through the place where it was planted."


def add(commands):
    """Add the command."""
    command = add_command(commands, "gradcheck", "check all gradients against finite differences", run)
    command.add_argument(
        "--size", type=int, default=32, help="side in pixels of the picture that is used (default: 32)"
    )
    command.add_argument(
        "--directions", type=int, default=3, help="number of random directions for each check (default: 3)"
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
    to_do = check_gradients(
        options.weights,
        size=options.size,
        directions=options.directions,
        seed=options.seed,
        device=options.device,
        convolution=options.convolution,
    )
    print(f"{'gradient':{WIDTH}}  convolution  method     error    allowed")
    checks = []
    for check in to_do:
        checks.append(check)
        verdict = "ok" if check.passed else "WRONG"
        numbers = f"{check.error:.1e}  {check.tolerance:.0e}"
        where = check.convolution or "-"
        print(f"{check.name:{WIDTH}}  {where:11}  {check.method:9}  {numbers}  {verdict}", flush=True)
    wrong = sum(not check.passed for check in checks)
    print(f"{len(checks)} checks, {wrong} wrong")
    return wrong
