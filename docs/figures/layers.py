"""Draw a convolution of five numbers forward and backward, and its matrices: `python docs/figures/layers.py`.

The matrices come from `ministyle.layers` itself. Column q of J is what `convolution_forward` makes of a 1 at position q
and zeros elsewhere. Column p of the lower matrices is what `convolution_backward` makes of a 1 at output p.
"""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from ministyle.layers import convolution_backward, convolution_forward

COLOURS = {"a": "#92c5de", "b": "#d9d9d9", "c": "#f4a582"}
STRONG = {"a": "#2166ac", "b": "0.35", "c": "#b2182b"}  # for lines and letters on white
VALUES = {"a": 1, "b": 10, "c": 100}  # each sum of letters is another number
TITLES = {"zero": "zeros", "periodic": "periodic", "replicate": "replicate"}
LENGTH = 5


def matrices(border):
    """Return the matrices of the forward and the backward function, as arrays of letters such as "a+b"."""
    kernel = np.zeros((3, 3, 1, 1))
    kernel[1, :, 0, 0] = list(VALUES.values())
    units = np.eye(LENGTH).reshape(LENGTH, 1, LENGTH, 1)
    forward = [convolution_forward(unit, kernel, border=border)[0].ravel() for unit in units]
    backward = [convolution_backward(unit, (kernel, border)).ravel() for unit in units]
    return [np.vectorize(letters)(np.stack(columns, axis=1).astype(int)) for columns in (forward, backward)]


def letters(number):
    """Return which letters add up to a number: 11 is "a+b"."""
    return "+".join(letter for letter, value in VALUES.items() if number // value % 10)


def draw_arrows(axes, backward):
    """Draw which numbers an output reads, or the same arrows turned round, with those of one number in bold."""
    ends = [(q, p) for p in range(LENGTH) for q in (p - 1, p, p + 1) if 0 <= q < LENGTH]
    for q, p in ends:
        letter = "abc"[q - p + 1]
        bold = (q if backward else p) == 1
        style = {"color": STRONG[letter], "linewidth": 2.5 if bold else 0.8, "alpha": 1 if bold else 0.5}
        start, end = ((p, 0), (q, 1)) if backward else ((q, 1), (p, 0))
        arrow = {"arrowstyle": "-|>", "mutation_scale": 14 if bold else 8, "shrinkA": 10, "shrinkB": 10, **style}
        axes.annotate("", end, start, arrowprops=arrow)
        if bold:
            height = 0.64 if backward else 0.36
            x, y = p + (q - p) * height, height
            background = {"boxstyle": "circle,pad=0.12", "facecolor": "white", "edgecolor": "none"}
            axes.text(x, y, letter, ha="center", va="center", size=12, color=STRONG[letter], bbox=background)
    for height, name in enumerate("ug" if backward else "yx"):
        for position in range(LENGTH):
            axes.text(position, height, f"${name}_{position}$", ha="center", va="center", size=12)
    axes.set(xlim=(-0.4, LENGTH - 0.6), ylim=(-0.15, 1.15))
    axes.axis("off")


def draw_matrix(axes, matrix):
    """Draw a matrix of letters as coloured cells; a cell with two letters has two colours."""
    for (row, column), text in np.ndenumerate(matrix):
        parts = text.split("+") if text else []
        for number, letter in enumerate(parts):
            width = 1 / len(parts)
            corner = column - 0.5 + number * width, row - 0.5
            axes.add_patch(Rectangle(corner, width, 1, facecolor=COLOURS[letter]))
        axes.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="white", linewidth=1))
        size = 9 if len(parts) > 1 else 11
        axes.text(column, row, text or "0", ha="center", va="center", size=size, color="0" if text else "0.7")
    axes.set(xlim=(-0.5, LENGTH - 0.5), ylim=(LENGTH - 0.5, -0.5), aspect="equal", xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_color("0.6")


def main():
    """Draw the figure."""
    plt.rcParams["svg.hashsalt"] = "ministyle"
    figure = plt.figure(figsize=(6.4, 7))
    for left, title, formula, backward in (
        (0.06, "forward", "$y_1 = a x_0 + b x_1 + c x_2$", False),
        (0.54, "backward", "$g_1 = c u_0 + b u_1 + a u_2$", True),
    ):
        axes = figure.add_axes((left, 0.7, 0.44, 0.22))
        draw_arrows(axes, backward)
        axes.set_title(title, size=12, weight="bold")
        axes.text((LENGTH - 1) / 2, -0.3, formula, ha="center", va="top", size=12)
    for number, (border, title) in enumerate(TITLES.items()):
        for below, matrix in enumerate(matrices(border)):
            axes = figure.add_axes((0.09 + 0.31 * number, 0.315 - 0.3 * below, 0.28, 0.27))
            draw_matrix(axes, matrix)
            if not below:
                axes.set_title(title, size=12)
            if not number:
                axes.set_ylabel(("$J$", r"$J^\top$")[below], rotation=0, size=13, labelpad=14, va="center")
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
