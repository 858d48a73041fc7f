"""Draw the errors of finite differences against their step: `python docs/figures/checking.py`.

On the left the function is smooth. On the right it is the package's own loss along a line through the pixels, in
float64, and the reference is its gradient. All steps are powers of two, so each value serves several differences.
"""

from functools import cache
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from ministyle import Objective, load_network
from ministyle.checks.gradients import DIRECTION_TOLERANCE
from ministyle.checks.measures import linear_region_step
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture

SIZE = 16  # pixels, the shorter side
DIFFERENCES = {  # name -> derivative at 0 of f, from its values a step h apart; and how it is drawn
    "forward": (lambda f, h: (f(h) - f(0.0)) / h, "s", "#2166ac"),
    "central": (lambda f, h: (f(h) - f(-h)) / (2 * h), "o", "#777777"),
    "five-point": (lambda f, h: (f(-2 * h) - 8 * f(-h) + 8 * f(h) - f(2 * h)) / (12 * h), "^", "#b2182b"),
}


def draw_errors(axes, function, derivative, steps):
    """Draw the relative error of all three differences against the step."""
    for name, (difference, marker, colour) in DIFFERENCES.items():
        errors = [abs(difference(function, h) / derivative - 1) for h in steps]
        axes.loglog(steps, np.maximum(errors, 1e-16), marker, color=colour, markersize=4, label=name)
    axes.set_xlabel("step $h$")
    axes.set_ylim(1e-16, 10)
    axes.grid(color="0.9")
    axes.set_axisbelow(True)


def draw_smooth(axes):
    """Draw the errors for the exponential function at 1, and each one's valley by the formulas of the chapter."""
    steps = 2.0 ** np.arange(-46, 1)
    draw_errors(axes, lambda t: float(np.exp(1 + t)), np.e, steps)
    epsilon = np.finfo(float).eps
    for order, factor, name in ((1, 1 / 2, "forward"), (2, 1 / 6, "central"), (4, 1 / 30, "five-point")):
        best = (epsilon / (order * factor)) ** (1 / (order + 1))
        axes.axvline(best, color=DIFFERENCES[name][2], linewidth=1, linestyle=":")
    axes.set_title("a smooth function, $e^{1+t}$", size=11)
    axes.set_ylabel("relative error of the derivative")
    axes.legend(fontsize=9, loc="lower left")


def draw_loss(axes):
    """Draw the errors for the loss of a small picture, along a random direction."""
    pictures = ("docs/examples/chelsea.png", "docs/examples/painting.jpg")
    content, style = (read_picture(shipped_path(path), SIZE, "shortest").astype(float) for path in pictures)
    network = load_network(dtype="float64", device="cpu", convolution="direct")
    objective = Objective(network, content=content, style=style)
    generator = np.random.default_rng(1)
    pixels = generator.uniform(0, 255, content.shape)
    direction = generator.uniform(-1, 1, content.shape)

    @cache
    def along_line(t):
        return float(objective(pixels + t * direction).loss)

    derivative = float((objective(pixels).gradient * direction).sum())
    draw_errors(axes, along_line, derivative, 2.0 ** np.arange(-36, 5))
    step = linear_region_step(network, pixels, direction, objective.layers)
    axes.axvspan(axes.get_xlim()[0], step, color="0.93", zorder=0)
    axes.set_xlim(2.0**-37, 2.0**5)
    axes.text(step / 2, 2, "no unit switches", ha="right", size=9)
    axes.axhline(DIRECTION_TOLERANCE, color="0.3", linewidth=1, linestyle="--")
    axes.text(2.0**-36, DIRECTION_TOLERANCE * 1.6, "allowed", size=9)
    axes.set_title("the loss of a small picture", size=11)
    axes.set_xlabel("step $h$, grey levels")


def main():
    """Draw the figure."""
    plt.rcParams.update({"svg.hashsalt": "ministyle", "font.size": 10})
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 4.2), sharey=True, layout="constrained")
    draw_smooth(left)
    draw_loss(right)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
