"""`gradcheck`: checks of all gradients."""

from ..checks.gradients import check_gradients
from ..network import BACKENDS
from .parser import add_command, add_weights_and_device

WIDTH = 55  # of the column with the gradients' names


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
    add_weights_and_device(command)


def run(options):
    """Print the table of gradient checks."""
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
    return 1 if wrong else 0
