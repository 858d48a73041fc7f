"""Attack the product with damaged and hostile input; see the README beside this file."""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the package of this checkout

from kinds import KINDS
from parent import SECONDS, attack, findings, keep_inputs, table


def main():
    """Run the tool; return the exit status: 1 if something was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("kind", nargs="*", help=f"kinds of input (default: all): {', '.join(KINDS)}")
    parser.add_argument("--count", type=int, default=10_000, help="inputs of each kind (default: 10000)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is random (default: 0)")
    parser.add_argument("--only", type=int, metavar="NUMBER", help="only this input, with what came of it")
    parser.add_argument(
        "--jobs", type=int, default=os.cpu_count(), help="inputs at a time (default: one for each core)"
    )
    parser.add_argument(
        "--output", type=Path, help="folder for the inputs that did harm (default: a new temporary one)"
    )
    options = parser.parse_args()
    for kind in options.kind:
        if kind not in KINDS:
            parser.error(f"there is no kind {kind!r}; there are: {', '.join(KINDS)}")
    folder, outcomes = options.output, {}
    for kind in options.kind or KINDS:
        started = time.monotonic()
        numbers = range(options.count) if options.only is None else [options.only]
        outcomes[kind] = attack("kinds", kind, numbers, options.seed, jobs=min(options.jobs, len(numbers)))
        found = findings(outcomes[kind])
        print(f"{kind}: {len(numbers)} inputs in {time.monotonic() - started:.0f} s", flush=True)
        for (outcome, signature), those in found.items():
            shown = ", ".join(str(one.number) for one in those[:3])
            print(f"  {outcome}, {len(those)} times: {signature}; inputs {shown}", flush=True)
        if options.only is not None:
            print(f"{outcomes[kind][0].outcome}\n{outcomes[kind][0].text}")
        if found:
            folder = folder or Path(tempfile.mkdtemp(prefix="ministyle-found-"))
            keep_inputs("kinds", kind, options.seed, found, folder)
    print(f"\n{table(outcomes)}\n\nLimits: {SECONDS} s and 1 GB for an input. Seed {options.seed}.")
    if folder:
        print(f"What did harm is in '{folder}'.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
