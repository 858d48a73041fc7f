"""Coarse to fine against PyTorch: `python -m benchmarks.pyramid FOLDER` takes some ten minutes on two cores.

PyTorch's L-BFGS makes 300 evaluations at 512 pixels, beginning with the photograph. How long do we take to reach its
loss? Both run in processes of their own, one after the other. Our time counts from the beginning, PyTorch's from its
second evaluation.
"""

import json
import subprocess
import sys
from pathlib import Path

from .report import plot

SIZE = 512
EVALUATIONS = 300
ITERATIONS = 220


def main(folder):
    """Run both, write `pyramid.json` and `pyramid.png`, and print a table."""
    torch = run(job="optimise", contender="torch channels_last", size=SIZE, evaluations=EVALUATIONS)
    ours = run(job="pyramid", size=SIZE, iterations=ITERATIONS, optimizer="lbfgs", history_size=30)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "pyramid.json").write_text(json.dumps({"torch": torch, "ministyle": ours}) + "\n")
    show(folder)


def show(folder):
    """Print the table of a folder's results, and draw the plot."""
    results = json.loads((folder / "pyramid.json").read_text())
    theirs = [(seconds, loss) for seconds, _, loss in results["torch"]["steps"]]
    ours = [(seconds, loss) for seconds, _, loss, side in results["ministyle"]["steps"] if side == SIZE]
    _, goal = theirs[-1]
    print("| loss | PyTorch, s | ministyle, coarse to fine, s | ratio |")
    print("| --- | --- | --- | --- |")
    for factor in (1.5, 1.2, 1.1, 1.05, 1.0):
        reached = [next((t for t, loss in run if loss <= goal * factor), None) for run in (theirs, ours)]
        seconds, ratio = (f"{reached[1]:.0f}", f"{reached[1] / reached[0]:.2f}") if reached[1] else ("not reached", "")
        print(f"| {goal * factor:.2f} | {reached[0]:.0f} | {seconds} | {ratio} |")
    plot(folder / "pyramid.png", _draw, {"PyTorch": theirs, "ministyle, coarse to fine": ours}, goal)


def _draw(axes, runs, goal):
    """Draw loss against time."""
    for name, run in runs.items():
        axes.plot(*zip(*run, strict=True), label=name)
    axes.axhline(goal, color="0.6", linewidth=0.8)
    axes.set(xlabel="seconds", ylabel="loss", yscale="log", ylim=(goal * 0.95, goal * 4), title=f"{SIZE} pixels")
    axes.legend(frameon=False)


def run(**spec):
    """Do a job in a process of its own, and return its figures."""
    command = [sys.executable, "-m", "benchmarks.contenders", json.dumps(spec)]
    done = subprocess.run(command, cwd=Path(__file__).parent.parent, check=True, capture_output=True, text=True)
    return json.loads(done.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
