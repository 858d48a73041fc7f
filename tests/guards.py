"""Take each guard out, one at a time, and see a test fail: `python tests/guards.py [PART OF A FILE OR NAME ...]`.

A guard that no test misses may be lost in the next change. Most guards are refusals, an `if` that ends in `raise`;
those in the files of `MEETS_STRANGERS` are found here. Where one has several conditions joined by `or`, each counts.
`GUARDS` lists the others. This works on copies of the package, one for each core, and prints a table. It takes half an
hour; `test_guards.py` only checks that the table below still fits the code.
"""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from queue import SimpleQueue

ROOT = Path(__file__).resolve().parent.parent
# What meets files from strangers, and the tests that should miss a refusal there, beside those of the file's own name.
MEETS_STRANGERS = {
    "formats/*.py": "tests/formats tests/weights/test_own.py",
    "weights/*.py": "tests/weights",
    "pictures/*.py": "tests/pictures",
    "files.py": "tests/test_files.py",
    "jobs/checkpoint.py": "tests/jobs/test_checkpoint.py tests/command/test_resume.py",
    "jobs/re[cm]*.py": "tests/command/test_remake_command.py tests/jobs/test_saved.py",
    "experiments/records.py": "tests/experiments/test_records.py tests/experiments/test_panels.py",
    "command/output.py": "tests/command/test_output.py tests/command/test_evolution.py",
    "command/standard_input.py": "tests/command/test_standard_input.py",
}


@dataclass(frozen=True)
class Guard:
    """A guard and how to take it out.

    Attributes
    ----------
    name : str, what it guards against, or the condition of a refusal
    file : str, under `ministyle/`
    text : str, that stands there once
    without : str, what stands there without the guard
    tests : str, arguments of pytest: some of these tests must fail then
    """

    name: str
    file: str
    text: str
    without: str
    tests: str


GUARDS = (
    Guard(
        "a weight file from a stranger is read in the process itself",
        "weights/file.py",
        "read_own(path) if known else",
        "read_own(path) if True else",
        "tests/weights/test_own.py",
    ),
    Guard(
        "the file that is read directly is not known by its checksum",
        "weights/known.py",
        "f87a7352b35debd9",
        "f87a7352b35debd8",
        "tests/weights/test_known.py",
    ),
    Guard(
        "a child has no limit of memory",
        "weights/isolated.py",
        '"RLIMIT_AS": limits.bytes,',
        "",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "a child has no limit of time of its own",
        "weights/isolated.py",
        '"RLIMIT_CPU": int(limits.seconds) + 1,',
        "",
        "tests/weights/test_isolated.py",
    ),
    Guard("a child opens files", "weights/isolated.py", '"RLIMIT_NOFILE": 3,', "", "tests/weights/test_isolated.py"),
    Guard(
        "a child that hangs is waited for",
        "weights/isolated.py",
        "process.wait(limits.seconds)",
        "process.wait(70)",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "Ctrl-C leaves a child behind",
        "weights/isolated.py",
        "process.kill()",
        "pass",
        "tests/weights/test_isolated.py -k ctrl_c",
    ),
    Guard(
        "what a child sends back is believed",
        "weights/isolated.py",
        "    check_layers(\n        {name: shape",
        "    str(\n        {name: shape",
        "tests/weights/test_isolated.py",
    ),
    Guard(
        "what a file claims is not compared with the architecture before reading",
        "weights/own.py",
        'check_layers(shapes, dtypes, attributes.get("network"))',
        "",
        "tests/weights/test_own.py",
    ),
    Guard(
        "pipes are waited for",
        "files.py",
        "    if stat.S_ISREG(mode):",
        "    if True:",
        "tests/test_files.py",
    ),
    Guard(
        "filters the wrong way round are taken as they are",
        "weights/importing.py",
        "(published.likeness.mend(kernel), bias)",
        "(kernel, bias)",
        "tests/weights/test_published.py",
    ),
    Guard(
        "the order of channels is not looked at",
        "weights/importing.py",
        "expects.in_order(published.likeness.channel_order)",
        "expects",
        "tests/weights/test_published.py",
    ),
    Guard(
        "a weight file is written by HDF5 itself, which crashes where the disk is full",
        "weights/file.py",
        "temporary.write_bytes(content.getbuffer())",
        "_write(weights, temporary)",
        "tests/weights/test_weight_file.py -k full",
    ),
    Guard(
        "a pickle runs what it names",
        "formats/pickles.py",
        "        if full not in self.names:",
        "        if full not in self.names:\n            import importlib\n\n"
        "            found = getattr(importlib.import_module(module), name)\n"
        "            self.names = {**self.names, full: found}\n            return found\n        if False:",
        "tests/formats/test_pickles.py",
    ),
    Guard(
        "a pickle asks for more bytes than there are",
        "formats/pickles.py",
        "pickletools.genops(_Bounded(file))",
        "pickletools.genops(file)",
        "tests/formats/test_pickles.py",
    ),
    Guard(
        "Pillow opens formats that start programs",
        "pictures/opening.py",
        'Image.open(stream, "r", known)',
        'Image.open(stream, "r")',
        "tests/pictures/test_limits.py tests/pictures/test_reading.py",
    ),
    Guard(
        "what decoders raise is a traceback",
        "errors.py",
        "    except Exception as error:\n        reason",
        "    except ZeroDivisionError as error:\n        reason",
        "tests/pictures/test_reading.py",
    ),
    Guard(
        "sentences have several lines",
        "errors.py",
        'line = printable(" ".join(sentence.split()))',
        "line = printable(sentence)",
        "tests/fuzz/test_fuzz.py -k settings",
    ),
    Guard(
        "names steer the terminal",
        "command/terminal.py",
        "printable(text.removeprefix(start))",
        "text.removeprefix(start)",
        "tests/command/test_terminal.py",
    ),
    Guard(
        "cells of tables are formulas",
        "experiments/records.py",
        'table_cell(row.get(column, ""))',
        'row.get(column, "")',
        "tests/experiments/test_records.py",
    ),
    Guard(
        "an output is the weight file",
        "command/output.py",
        'taken[_identity(find_weights(weights))] = "the weight file"',
        "",
        "tests/command/test_output.py",
    ),
    Guard(
        "BLAS keeps one thread after several transfers in threads",
        "arrays.py",
        "self._users[threading.get_ident()] += change",
        "self._users[0] = max(0, change)",
        "tests/test_arrays.py",
    ),
    Guard(
        "a killed program's half-written files stay for ever",
        "files.py",
        "        _sweep(path.parent.absolute())",
        "        pass",
        "tests/test_files.py",
    ),
    Guard(
        "the decoder of WebP takes memory for whatever a file claims",
        "pictures/opening.py",
        "        if size is not None:  # its decoder",
        "        if False:  # its decoder",
        "tests/pictures/test_limits.py",
    ),
    Guard(
        "masks are read in full",
        "pictures/masks.py",
        "read_picture(source, LARGEST, at_most=True, max",
        "read_picture(source, max",
        "tests/pictures/test_masks.py tests/pictures/test_limits.py",
    ),
    Guard(
        "whatever comes by the network is taken",
        "weights/fetch.py",
        "pooch.retrieve(url, known.checksum,",
        "pooch.retrieve(url, None,",
        "tests/weights/test_fetch.py",
    ),
    Guard(
        "a manifest forgets the panels that another experiment made",
        "experiments/panels.py",
        "[*own, *records.others(folder, plans)]",
        "own",
        "tests/experiments/test_panels.py tests/experiments/test_records.py",
    ),
    Guard(
        "SIGTERM loses the picture so far",
        "command/termination.py",
        "signal.signal(signal.SIGTERM, interrupt)",
        "pass",
        "tests/command/test_resume.py tests/test_faults.py",
    ),
    Guard(
        "an estimate decodes whole pictures",
        "jobs/regions.py",
        "    if not sketch:\n        picture = read_picture(",
        "    if True:\n        picture = read_picture(",
        "tests/cost/test_estimate.py -k sketch",
    ),
)


def refusals():
    """Return a `Guard` for each condition of each refusal in the files that meet files from strangers."""
    found = []
    for pattern, tests in MEETS_STRANGERS.items():
        for path in sorted((ROOT / "ministyle").glob(pattern)):
            source = path.read_text(encoding="utf-8")
            own = f"tests/{path.parent.name}/test_{path.stem}.py"
            chosen = f"{own} {tests}" if (ROOT / own).is_file() else tests
            file = str(path.relative_to(ROOT / "ministyle"))
            found += [Guard(name, file, source, without, chosen) for name, without in _without_each(source)]
    return found


def _without_each(source):
    """Yield, for each condition of each refusal in a module, its line and words, and the module without it."""
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.If) and isinstance(node.body[-1], ast.Raise):
            test = node.test
            conditions = test.values if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or) else [test]
            for condition in conditions:
                others = [one for one in conditions if one is not condition]
                node.test = ast.BoolOp(ast.Or(), others) if others else ast.Constant(False)
                yield f"{node.lineno}: {ast.unparse(condition)}", ast.unparse(tree)
            node.test = test


def take_out(guard, folder):
    """Take a guard out of a copy of the package, and return whether a test fails."""
    path = folder / "ministyle" / guard.file
    whole = path.read_text(encoding="utf-8")
    path.write_text(whole.replace(guard.text, guard.without), encoding="utf-8")
    try:
        environment = os.environ | {"PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
        command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *guard.tests.split()]
        status = subprocess.run(command, cwd=folder, env=environment, capture_output=True, timeout=200).returncode
        return status == 1 or status < 0  # 1: a test failed; below 0: a test brought the process down
    except subprocess.TimeoutExpired:  # a test that hangs is noticed as well
        return True
    finally:
        path.write_text(whole, encoding="utf-8")


def main(parts):
    """Take out the guards whose names or files hold one of some words, or all; return how many no test misses."""
    chosen = [
        guard
        for guard in (*GUARDS, *refusals())
        if not parts or any(part in f"{guard.file} {guard.name}" for part in parts)
    ]
    workers = os.cpu_count() or 1
    folders = SimpleQueue()
    with tempfile.TemporaryDirectory() as name, ThreadPoolExecutor(workers) as pool:
        for number in range(workers):
            ignored = shutil.ignore_patterns(".git", ".venv", "_build", "*cache*", "*.egg-info")
            folders.put(shutil.copytree(ROOT, Path(name) / str(number), ignore=ignored))

        def noticed(guard):
            folder = folders.get()
            try:
                return take_out(guard, folder)
            finally:
                folders.put(folder)

        missed = 0
        for guard, fails in zip(chosen, pool.map(noticed, chosen), strict=True):
            missed += not fails
            print(f"| `{guard.file}` | {guard.name} | {'fails' if fails else 'STILL PASSES'} |", flush=True)
    print(f"{len(chosen)} guards, {missed} that no test misses")
    return missed


if __name__ == "__main__":
    sys.exit(min(1, main(sys.argv[1:])))
