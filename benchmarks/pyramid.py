"""The default picture, coarse to fine, against PyTorch: `python -m benchmarks.pyramid FOLDER`.

How long do we take to make a picture with the default settings, and how long does PyTorch's L-BFGS take to reach the
same loss? All runs are in processes of their own, one after the other:

1. ministyle with its default settings, and again with its own L-BFGS. Seconds count from the start of the process, so
   they include importing, the network, the targets and the small scales.
2. PyTorch, which minimises the same loss at full size, beginning with the photograph, and stops when its picture's loss
   is that of our default picture. Seconds count from its second evaluation.

PyTorch's solver knows no bounds, so its pixels leave 0 to 255, and a picture is saved with pixels cut off there. It
runs twice: as it is, and with its pixels clamped before each evaluation, as PyTorch's tutorial does. The losses are
those of the pictures that would be saved. The better run counts.
"""

import argparse
import importlib.util
import json
import subprocess
import sys
import time
from pathlib import Path

from ministyle.files import shipped_path
from ministyle.settings import Settings

from .report import markdown, plot

OURS = {"ministyle": {}, "ministyle, lbfgs": {"optimizer": "lbfgs"}}
THEIRS = {"torch": "cut", "torch, clamped": "clamp"}  # see `pytorch.minimise`
OWN_PAIR = "docs/examples/chelsea.png", "docs/examples/painting.jpg"


def main(arguments=None):
    """Run everything, write `pyramid.json` and a plot for each pair of pictures, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pyramid", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder for the results")
    parser.add_argument(
        "--pair",
        nargs=2,
        action="append",
        default=[],
        metavar=("PHOTO", "PAINTING"),
        help="another pair beside the project's own; can be given several times",
    )
    parser.add_argument("--size", type=int, default=Settings().image_size, help="longest side (default: %(default)s)")
    parser.add_argument("--evaluations", type=int, default=200, help="of PyTorch, at most (default: %(default)s)")
    options = parser.parse_args(arguments)
    if importlib.util.find_spec("torch") is None:
        parser.error("there is no PyTorch to compare with; install it by 'pip install torch'")
    options.folder.mkdir(parents=True, exist_ok=True)
    results = {}
    for content, style in [[str(shipped_path(picture)) for picture in OWN_PAIR], *options.pair]:
        name = f"{Path(content).stem}-{Path(style).stem}"
        results[name] = race(name, content, style, options)
        (options.folder / "pyramid.json").write_text(json.dumps(results) + "\n")
    show(options.folder)


def race(name, content, style, options):
    """Return {contender: figures} for a pair of pictures."""
    common = {"content": str(Path(content).resolve()), "style": str(Path(style).resolve()), "image_size": options.size}
    figures = {}
    for contender, changes in OURS.items():
        figures[contender] = run(f"{name}: {contender}", job="picture", began=time.time(), **common, **changes)
    more = {"goal": figures["ministyle"]["loss"], "evaluations": options.evaluations}
    for contender, bounds in THEIRS.items():
        figures[contender] = run(f"{name}: {contender}", job="reach", bounds=bounds, **common, **more)
    return figures


def run(title, **spec):
    """Do a job in a process of its own, and return its figures."""
    print(f"   {title}", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.contenders", json.dumps(spec)]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout)


def show(folder):
    """Print the table of a folder's results, and draw the plots."""
    results = json.loads((folder / "pyramid.json").read_text())
    theirs = "PyTorch, s", "which", "evaluations", "its loss"
    heads = "pictures", "px", "loss", *theirs, "ministyle, s", "ratio", "with lbfgs, s", "its loss"
    print(markdown(heads, [_row(name, figures) for name, figures in results.items()]))
    for name, figures in results.items():
        plot(folder / f"pyramid-{name}.png", _draw, name, figures)


def _row(name, figures):
    """Return the table's row for a pair of pictures."""
    ours, lbfgs = (figures[contender] for contender in OURS)
    which = min(THEIRS, key=lambda contender: _order(figures[contender], ours["loss"]))
    theirs = figures[which]
    height, width = ours["size"]
    seconds, evaluations, loss = theirs["steps"][-1]
    more, less = ("", "") if loss <= ours["loss"] else ("> ", "< ")  # it stopped before it was there
    return (
        name,
        f"{width} x {height}",
        f"{ours['loss']:.4g}",
        f"{more}{seconds:.1f}",
        which.removeprefix("torch, ").replace("torch", "as it is"),
        evaluations,
        f"{loss:.4g}",
        f"{ours['total']:.1f}",
        f"{less}{ours['total'] / seconds:.2f}",
        f"{lbfgs['total']:.1f}",
        f"{lbfgs['loss']:.4g}",
    )


def _order(run, goal):
    """Return what sorts PyTorch's runs: the quickest to reach the goal first, or else the one that came closest."""
    seconds, _, loss = run["steps"][-1]
    return (False, seconds) if loss <= goal else (True, loss)


def _draw(axes, name, figures):
    """Draw loss against time."""
    goal = figures["ministyle"]["loss"]
    for contender, run in figures.items():
        seconds, _, losses = zip(*run["steps"], strict=True)
        axes.plot(seconds, losses, label=contender.replace("torch", "PyTorch"))
    axes.axhline(goal, color="0.6", linewidth=0.8)
    height, width = figures["ministyle"]["size"]
    title = f"{name}, {width} x {height} pixels"
    axes.set(xlabel="seconds", ylabel="loss", yscale="log", ylim=(goal * 0.95, goal * 4), title=title)
    axes.legend(frameon=False)


if __name__ == "__main__":
    main()
