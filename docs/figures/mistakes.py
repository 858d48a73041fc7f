"""Draw chapter 12's figure: L-BFGS with the right gradient, and with mistakes planted."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt

import ministyle
from ministyle.checks.breaks import planted
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture
from ministyle.solvers import minimise

SIZE = 64
ITERATIONS = 40
SHOWN = ("kernel-not-rotated", "pool-whole", "gram-half", "gram-of-another-picture", "channels-as-they-come")


def main():
    """Write mistakes.svg beside this file."""
    matplotlib.rcParams.update({"svg.hashsalt": "ministyle", "font.size": 9})
    figure, axes = plt.subplots(figsize=(8, 3.8))
    axes.plot(*run(None), color="black", linewidth=2, label="right")
    for name in SHOWN:
        axes.plot(*run(name), linewidth=1.2, label=name)
    axes.set(xlabel="evaluations", ylabel="loss", yscale="log")
    axes.legend(frameon=False, fontsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None}, bbox_inches="tight")


def run(name):
    """Return evaluations and losses of a short run, with a mistake planted or, if the name is None, without."""
    photo, painting = (
        read_picture(shipped_path(f"docs/examples/{file}"), SIZE) for file in ("chelsea.png", "painting.jpg")
    )
    history = []
    if name is None:
        solve(photo, painting, history)
    else:
        with planted(name):
            solve(photo, painting, history)
    return zip(*history, strict=True)


def solve(photo, painting, history):
    """Minimise the paper's loss from the photograph; add (evaluations, loss) of each step to `history`."""
    network = ministyle.load_network(normalised=True, device="cpu")
    objective = ministyle.Objective(network, content=photo, style=painting, content_weight=1.0, style_weight=30.0)
    minimise(
        objective,
        photo,
        iterations=ITERATIONS,
        optimizer="lbfgs",
        on_step=lambda step, _: history.append((step.evaluations, step.loss)),
    )


if __name__ == "__main__":
    main()
