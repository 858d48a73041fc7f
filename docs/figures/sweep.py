"""Draw how activations go forward through the taps, and gradients back: `python docs/figures/sweep.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.patches import Circle, FancyBboxPatch

FORWARD, BACKWARD = "0.25", "#b2182b"
STEPS = [  # from top to bottom: operations on the way, what they lead to, what looks at it
    (None, "picture $x$", "total variation"),
    ("mirror image, preprocessing, conv1_1", "$F$ at conv1_1", "style loss"),
    ("conv1_2, pool1, conv2_1", "$F$ at conv2_1", "style loss"),
    ("conv2_2, pool2, conv3_1", "$F$ at conv3_1", "style loss"),
    ("conv3_2, 3_3, 3_4, pool3, conv4_1", "$F$ at conv4_1", "style loss"),
    ("conv4_2", "$F$ at conv4_2", "content loss"),
    ("conv4_3, 4_4, pool4, conv5_1", "$F$ at conv5_1", "style loss"),
]
COLUMN, LOSS, SUM = 1.0, 4.0, 6.4  # inches from the left: activations, losses, gradients
ROW = 1.0  # inches from one tap to the next
WIDTH, HEIGHT = 1.5, 0.4  # of a box, inches


def box(axes, x, y, text, colour):
    """Draw a box around a text, with its centre at a point."""
    corner = x - WIDTH / 2, y - HEIGHT / 2
    style = {"boxstyle": "round,pad=0,rounding_size=0.08", "facecolor": "white", "edgecolor": colour}
    axes.add_patch(FancyBboxPatch(corner, WIDTH, HEIGHT, **style))
    axes.text(x, y, text, ha="center", va="center", size=11)


def arrow(axes, start, end, colour, width):
    """Draw an arrow from one point to another."""
    style = {"arrowstyle": "-|>", "color": colour, "linewidth": width, "mutation_scale": 10 + 2 * width}
    axes.annotate("", end, start, arrowprops={**style, "shrinkA": 0, "shrinkB": 0})


def main():
    """Draw the figure."""
    plt.rcParams["svg.hashsalt"] = "ministyle"
    figure, axes = plt.subplots(figsize=(8, 7.6))
    axes.set(xlim=(0, 8), ylim=(-0.5, 7.1))
    axes.axis("off")
    for x, text in ((COLUMN, "forward"), (LOSS, "losses"), (SUM, "backward")):
        axes.text(x, 6.75, text, ha="center", size=11, weight="bold")
    last = len(STEPS) - 1
    for number, (operations, activations, loss) in enumerate(STEPS):
        y = 6.1 - ROW * number
        box(axes, COLUMN, y, activations, FORWARD)
        box(axes, LOSS, y, loss, "0.6")
        arrow(axes, (COLUMN + WIDTH / 2, y), (LOSS - WIDTH / 2, y), FORWARD, 1)
        arrow(axes, (LOSS + WIDTH / 2, y), (SUM - 0.2, y), BACKWARD, 2.5)
        axes.text(SUM, y, "+", ha="center", va="center", size=16, color=BACKWARD)
        axes.add_patch(Circle((SUM, y), 0.19, fill=False, edgecolor=BACKWARD, linewidth=1.5))
        name = r"$\partial L / \partial x$" if number == 0 else "$g$ at " + activations.split()[-1]
        axes.text(SUM + 0.3, y, name, va="center", size=11)
        if operations:
            arrow(axes, (COLUMN, y + 0.78), (COLUMN, y + 0.22), FORWARD, 1)
            axes.text(COLUMN + 0.1, y + 0.5, operations, va="center", size=10, color=FORWARD)
            arrow(axes, (SUM, y + 0.2), (SUM, y + 0.8), BACKWARD, 2.5)
            axes.text(SUM - 0.12, y + 0.5, f"$J_{{{number}}}^\\top$", ha="right", va="center", size=11, color=BACKWARD)
    axes.text(SUM, 6.1 - ROW * last - 0.4, "the sweep begins with zeros", ha="center", size=10, color=BACKWARD)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None}, bbox_inches="tight")


if __name__ == "__main__":
    main()
