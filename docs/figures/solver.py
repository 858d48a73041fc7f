"""Draw two line searches of a real run, and the loss against evaluations: `python docs/figures/solver.py`.

Above stand the first two searches of our L-BFGS that needed two trials. All their curves are evaluations of the loss
along the search direction. Below, several solvers begin with the photograph.
"""

from itertools import pairwise
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ministyle import Objective, load_network
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture
from ministyle.solvers import minimise
from ministyle.solvers.line_search import DECREASE, FLATTER

SIZE = 64  # pixels, the longest side
EVALUATIONS = 120
STEP = 256.0  # what gradient descent multiplies the gradient by; with twice that, the loss explodes
RED, BLUE = "#b2182b", "#2166ac"
RUNS = {  # label -> optimizer, settings, how its line is drawn
    "Adam, rate 10": ("adam", {"learning_rate": 10.0}, {"color": BLUE, "linewidth": 1.5}),
    "Adam, rate 4": ("adam", {"learning_rate": 4.0}, {"color": BLUE, "linewidth": 1.5, "linestyle": ":"}),
    "L-BFGS, 1 pair": ("lbfgs", {"history_size": 1}, {"color": RED, "linewidth": 1.5, "linestyle": ":"}),
    "L-BFGS, 10 pairs": ("lbfgs", {"history_size": 10}, {"color": RED, "linewidth": 2}),
}


class Recorder:
    """An objective that keeps what it has computed: pixels, loss and gradient of each evaluation."""

    def __init__(self, objective):
        self.objective = objective
        self.network = objective.network
        self.calls = []

    def __call__(self, pixels):
        """Evaluate, and keep it."""
        evaluation = self.objective(pixels)
        self.calls.append((pixels, float(evaluation.loss), evaluation.gradient))
        return evaluation


def gradient_descent(objective, x):
    """Return the losses of steps of fixed length against the gradient."""
    losses = []
    for _ in range(EVALUATIONS):
        loss, gradient = objective(x)
        losses.append(float(loss))
        x = x - np.float32(STEP) * gradient
    return losses


def hard_searches(calls, history):
    """Yield each search that needed several trials: its number, and (pixels, loss, gradient) of start and trials."""
    for number, (before, after) in enumerate(pairwise(history), 1):
        search = calls[before.evaluations - 1 : after.evaluations]
        if number > 1 and len(search) > 2:
            yield number, search


def draw_search(axes, objective, number, search):
    """Draw the loss along a search direction, both conditions, and the trials in their order."""
    x, loss, gradient = search[0]
    direction = search[1][0] - x  # the first trial is at step 1, once there are pairs
    slope = float((gradient * direction).sum())
    steps = np.linspace(0, 1.12, 57)
    here = [objective(x + np.float32(t) * direction) for t in steps]
    losses = np.array([float(one.loss) for one in here])
    slopes = np.array([float((one.gradient * direction).sum()) for one in here])
    line = loss + DECREASE * steps * slope
    good = (losses <= line) & (abs(slopes) <= FLATTER * abs(slope))
    axes.axvspan(steps[good][0], steps[good][-1], color="0.9")
    axes.plot(steps, losses, color="0.2", linewidth=1.5)
    axes.plot(steps, line, color=BLUE, linewidth=1.2, linestyle="--")
    axes.plot(0, loss, "o", color="0.2", markersize=6)
    height = np.ptp(losses)
    for trial, (pixels, value, _) in enumerate(search[1:], 1):
        step = float(((pixels - x) * direction).sum() / (direction * direction).sum())
        axes.plot(step, value, "o", color=RED, markersize=15)
        axes.text(step, value, str(trial), color="white", ha="center", va="center_baseline", size=11, weight="bold")
    axes.set_ylim(losses.min() - 0.15 * height, losses.max() + 0.12 * height)
    axes.text(steps[good].mean(), losses.max(), "both conditions", ha="center")
    axes.text(0.02, loss + 0.03 * height, "low enough: below this line", color=BLUE)
    axes.set_title(f"line search number {number}", size=11)
    axes.set_xlabel("step $t$")


def main():
    """Draw the figure."""
    plt.rcParams.update({"svg.hashsalt": "ministyle", "font.size": 11})
    photo, painting = (
        read_picture(shipped_path(f"docs/examples/{name}"), SIZE) for name in ("chelsea.png", "painting.jpg")
    )
    network = load_network(normalised=True, device="cpu")
    objective = Objective(network, content=photo, style=painting, style_weight=30.0)
    figure, panels = plt.subplot_mosaic("ab;cc", figsize=(8, 7.4), height_ratios=(1, 1.1), layout="constrained")
    below = panels["c"]
    losses = gradient_descent(objective, photo)
    below.semilogy(range(1, EVALUATIONS + 1), losses, color="0.55", label="gradient descent")
    for label, (optimizer, settings, style) in RUNS.items():
        recorder = Recorder(objective)
        result = minimise(recorder, photo, iterations=EVALUATIONS, optimizer=optimizer, **settings)
        evaluations, losses = zip(*((step.evaluations, step.loss) for step in result.history), strict=True)
        below.plot(evaluations, losses, label=label, **style)
    below.set(xlabel="evaluations", ylabel="loss", xlim=(0, EVALUATIONS))
    below.set_yticks((200, 500, 1000, 2000), labels=("200", "500", "1000", "2000"))
    below.minorticks_off()
    below.grid(color="0.92")
    below.legend(frameon=False)
    for name, search in zip("ab", hard_searches(recorder.calls, result.history), strict=False):
        draw_search(panels[name], objective, *search)
    panels["a"].set_ylabel("loss")
    for axes in panels.values():
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
