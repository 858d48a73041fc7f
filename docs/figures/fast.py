"""Draw one tile on its way through F(4x4, 3x3), and what each idea is worth: `python docs/figures/fast.py`.

The tile is a real one, for one of conv1_2's 64 input channels and one of its 64 filters. The kernel is taken in
hundredths. It and the activations are rounded to whole numbers, so all others are computed from numbers that are shown.
"""

import json
from pathlib import Path
from statistics import median

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle

from ministyle import load_network
from ministyle.fast.winograd import transforms
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture

RESULTS = Path(__file__).parents[1] / "results" / "performance.json"
SIZE = 128  # pixels
CHANNEL, FILTER = 48, 30  # of conv1_2: what it reads, and what it writes
TILE = 7, 13  # down and across: the edge of an eye
TILE_COLOUR, NEIGHBOURS = "#b2182b", "#e08214"
STEPS = {  # the steps of docs/performance.md
    "direct": "nine matrix products",
    "winograd": "F(4x4, 3x3), one thread",
    "strips": "in strips",
    "stacks": "small products",
    "memory": "memory used again",
    "threads": "on all cores",
    "together": "one strip for all",
}


def read_example():
    """Return one channel of conv1_1's activations (H, W), and conv1_2's kernel for it in hundredths (3, 3), rounded."""
    network = load_network(device="cpu", convolution="direct")
    photograph = read_picture(shipped_path("docs/examples/chelsea.png"), SIZE)
    features = network.features(photograph, ["conv1_1"])["conv1_1"][:, :, CHANNEL]
    kernel = network.weights.layers["conv1_2"][0][:, :, CHANNEL, FILTER]
    return features.astype(float).round(), (100 * kernel.astype(float)).round()


def draw_numbers(axes, matrix, title, digits=0):
    """Draw a matrix as shaded cells with its numbers."""
    largest = np.abs(matrix).max()
    axes.imshow(matrix, cmap="RdBu_r", vmin=-1.6 * largest, vmax=1.6 * largest)  # pale enough for black numbers
    for (row, column), number in np.ndenumerate(matrix):
        text = f"{round(number, digits) + 0.0:.{digits}f}"  # + 0.0 makes 0 of -0
        axes.text(column, row, text, ha="center", va="center", size=9)
    axes.set_title(title, size=10)
    finish(axes)


def draw_map(axes, features, tile):
    """Draw the feature map around the tile, with the tile and its neighbours to the right and below."""
    top, left = tile
    margin = 3
    around = features[top - margin : top + 10 + margin, left - margin : left + 10 + margin]
    axes.imshow(around, cmap="gray")
    for down, across, colour in ((4, 0, NEIGHBOURS), (0, 4, NEIGHBOURS), (0, 0, TILE_COLOUR)):
        corner = across + margin - 0.5, down + margin - 0.5
        axes.add_patch(Rectangle(corner, 6, 6, fill=False, edgecolor=colour, linewidth=2.5))
    outputs = margin + 0.5, margin + 0.5
    axes.add_patch(Rectangle(outputs, 4, 4, fill=False, edgecolor=TILE_COLOUR, linewidth=1.5, linestyle=":"))
    axes.set_title("tiles overlap by two", size=10)
    finish(axes)


def draw_steps(axes):
    """Draw how long a loss and its gradient take after each step."""
    steps = json.loads(RESULTS.read_text(encoding="utf-8"))["steps"]
    times = [median(median(run["seconds"]) for run in steps[name]) for name in STEPS]
    bars = axes.barh(list(STEPS.values()), times, color="0.6")
    axes.bar_label(bars, [f"{time:.2f}" for time in times], padding=3, size=9)
    axes.invert_yaxis()
    axes.margins(x=0.15)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=9)
    axes.set_title("seconds for loss and gradient, 512 pixels", size=10)


def finish(axes):
    """Take the ticks away."""
    axes.set(xticks=[], yticks=[])


def main():
    """Draw the figure."""
    plt.rcParams["svg.hashsalt"] = "ministyle"
    features, kernel = read_example()
    A_T, G, B_T = transforms(4)
    top, left = (4 * number - 1 for number in TILE)
    tile = features[top : top + 6, left : left + 6]
    transformed_tile, transformed_kernel = B_T @ tile @ B_T.T, G @ kernel @ G.T
    products = transformed_kernel * transformed_tile
    figure = plt.figure(figsize=(8, 8.2), layout="constrained")
    above, below = figure.subfigures(2, 1, height_ratios=[2, 1])
    axes = above.subplot_mosaic([["map", "tile", "read"], ["kernel", "transformed", "products"]])
    axes |= below.subplot_mosaic([["outputs", "steps"]], width_ratios=[1, 1.25])
    draw_map(axes["map"], features, (top, left))
    draw_numbers(axes["tile"], tile, "tile $d$")
    draw_numbers(axes["read"], transformed_tile, r"transformed, $B^\top d\,B$")
    draw_numbers(axes["kernel"], kernel, "kernel $g$, in hundredths")
    draw_numbers(axes["transformed"], transformed_kernel, r"transformed, $G\,g\,G^\top$", 1)
    draw_numbers(axes["products"], products, "their 36 products")
    draw_numbers(axes["outputs"], A_T @ products @ A_T.T, r"outputs, $A^\top [\ldots] A$")
    draw_steps(axes["steps"])
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


if __name__ == "__main__":
    main()
