"""Draw receptive fields, network.png, and mean activations, network.svg: `python docs/figures/network.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from ministyle import load_network
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture

TAPS = {  # colour of the square; row of its label, in pixels below the squares' centre
    "conv1_1": ("#ffffb2", 27),
    "conv2_1": ("#fecc5c", 17),
    "conv3_1": ("#fd8d3c", -18),
    "conv4_1": ("#66c2a5", 49),
    "conv4_2": ("#6baed6", -49),
    "conv5_1": ("white", -65),
}
CENTRE = 80, 136  # row and column of a pixel that all squares lie around, at 256 pixels
LOWEST = 0.03  # activation; where the axis of the second figure begins


def field(layer, pixel):
    """Return which position of a layer lies over a pixel, along one axis, and the first pixel that it sees."""
    spacing = 2**layer.halvings
    position = pixel // spacing
    return position, position * spacing - (layer.receptive_field - spacing) // 2


def influence(network, photograph, name, row, column):
    """Return how strongly each pixel moves the activations of a layer at one position."""
    features, tape = network.forward(photograph, [name])
    own_part = np.zeros_like(features[name])
    own_part[row, column] = 1
    return abs(network.backward(tape, {name: own_part})).sum(axis=2)


def draw_square(axes, corner, side, colour, style="-"):
    """Draw a square of pixels, given its first row and column."""
    top, first = corner
    square = {"fill": False, "edgecolor": colour, "linestyle": style, "linewidth": 1.5}
    axes.add_patch(Rectangle((first - 0.5, top - 0.5), side, side, **square))


def draw_text(axes, row, column, text, colour):
    """Write with a dark outline, so that it can be read on a photograph."""
    outline = [withStroke(linewidth=2.5, foreground="black")]
    axes.text(column, row, text, color=colour, size=9, ha="center", va="center", path_effects=outline)


def draw_fields(path):
    """Draw what one position of each tap sees of the photograph, and how much each pixel matters to the deepest one."""
    photograph = read_picture(shipped_path("docs/examples/chelsea.png"), 256)
    network = load_network(device="cpu", convolution="direct")
    layers = network.architecture.layers
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.75), layout="constrained")
    left.imshow(photograph / 255)
    for name, (colour, down) in TAPS.items():
        side = layers[name].receptive_field
        draw_square(left, [field(layers[name], pixel)[1] for pixel in CENTRE], side, colour)
        draw_text(left, CENTRE[0] + 2 + down, CENTRE[1], f"{name}: {side}", colour)
    (row, top), (column, first) = (field(layers["conv5_1"], pixel) for pixel in CENTRE)
    strength = influence(network, photograph, "conv5_1", row, column)
    right.imshow(strength, cmap="gray", vmax=np.quantile(strength, 0.998))
    draw_square(right, (top, first), 156, "white")
    draw_square(right, (top + 39, first + 39), 78, "white", "--")
    middle = strength[top + 39 : top + 117, first + 39 : first + 117].sum() / strength.sum()
    draw_text(right, top + 127, first + 78, f"{middle:.0%} within 78 x 78", "white")
    draw_text(right, top + 8, first + 78, "156 x 156", "white")
    for axes in (left, right):
        axes.set(xticks=[], yticks=[])
    figure.savefig(path, dpi=92)


def draw_means(path):
    """Draw how mean activations of the photograph are distributed over the filters of each layer, in both networks."""
    photograph = read_picture(shipped_path("docs/examples/chelsea.png"), 128)
    figure, panels = plt.subplots(1, 2, figsize=(8, 3.9), sharey=True, layout="constrained")
    for axes, title, normalised in zip(panels, ("raw network", "normalised network"), (False, True), strict=True):
        network = load_network(device="cpu", convolution="direct", normalised=normalised)
        features = network.features(photograph, network.layers)
        for x, F in enumerate(features.values()):
            means = np.maximum(F.mean(axis=(0, 1)), LOWEST)
            low, high = np.quantile(means, (0.1, 0.9))
            axes.plot((x, x), (means.min(), means.max()), color="0.6", linewidth=1)
            axes.plot((x, x), (low, high), color="#2166ac", linewidth=5, solid_capstyle="butt")
            axes.plot(x, F.mean(), "o", color="#b2182b", markersize=4)
        axes.axhline(1, color="0.3", linewidth=0.8, linestyle="--", zorder=0)
        axes.set_yscale("log")
        axes.set_ylim(LOWEST, 2000)
        axes.set_xticks(range(len(features)), [name.removeprefix("conv") for name in features], rotation=90)
        axes.set_title(title, size=11)
        axes.grid(axis="y", color="0.92")
        axes.set_axisbelow(True)
    panels[0].set_ylabel("mean activation of a filter")
    figure.savefig(path, metadata={"Date": None})


def main():
    """Draw both figures."""
    plt.rcParams.update({"svg.hashsalt": "ministyle", "font.size": 10})
    draw_fields(Path(__file__).with_suffix(".png"))
    draw_means(Path(__file__).with_suffix(".svg"))


if __name__ == "__main__":
    main()
