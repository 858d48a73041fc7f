"""Draw chapter 1's figure: the way of the data."""

from pathlib import Path

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
from matplotlib.patches import FancyArrowPatch, Rectangle

from ministyle.architecture import VGG19
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture
from ministyle.pictures.values import to_uint8

STYLE = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
CONTENT = "conv4_2"
BLUE, RED, GREY = "#3465a4", "#b03020", "#777777"


def main():
    """Write idea.svg beside this file."""
    matplotlib.rcParams.update({"svg.hashsalt": "ministyle", "font.size": 9, "font.family": "DejaVu Sans"})
    figure, axes = plt.subplots(figsize=(8, 3.9))
    axes.set_xlim(-19, 101)
    axes.set_ylim(-30, 31)
    axes.axis("off")
    photo = to_uint8(read_picture(shipped_path("docs/examples/chelsea.png"), 96))
    axes.imshow(photo, extent=(-18, -4, -5, 5), aspect="auto", zorder=2)
    axes.text(-11, -8, "the picture $x$", ha="center", va="top")
    places = draw_blocks(axes)
    for name, place in places.items():
        draw_tap(axes, name, place)
    axes.text(101, 25, "style loss:\nGram matrices against\nthe painting's", color=RED, va="center", ha="right")
    axes.text(101, -24, "content loss:\nactivations against\nthe photograph's", color=BLUE, va="center", ha="right")
    for y, direction, color in ((1.6, 1, GREY), (-1.6, -1, "black")):
        ends = [(-3.5, y), (1.5, y)][::direction]
        axes.add_patch(FancyArrowPatch(*ends, arrowstyle="-|>", mutation_scale=9, color=color, linewidth=1.4))
    axes.add_patch(
        FancyArrowPatch(
            (-11, 6),
            (-11, 17),
            arrowstyle="-|>",
            mutation_scale=9,
            color="black",
            connectionstyle="arc3",
            linewidth=1.4,
        )
    )
    axes.text(-11, 18.5, "L-BFGS\nchanges $x$", ha="center", va="bottom")
    axes.text(2, 27, "grey: forward, activations    black: backward, gradients", color=GREY, fontsize=8)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None}, bbox_inches="tight")


def draw_blocks(axes):
    """Draw the layers as boxes, whose heights are the map's sides and whose shades are blocks; return their places."""
    places, x, last = {}, 2.0, None
    for name, layer in VGG19.layers.items():
        if name == "conv5_2":
            break
        height = 20 / 2**layer.halvings * 0.9 + 2.2
        if layer.kind == "pool":
            x += 1.2
            continue
        block = name[4]
        axes.add_patch(
            Rectangle((x, -height / 2), 3.2, height, facecolor="#dde6ee", edgecolor="#5b6b7a", linewidth=0.8)
        )
        places[name] = (x + 1.6, height / 2)
        if block != last:
            axes.text(x + 4.4, -height / 2 - 1.2, f"conv{block}", fontsize=8, ha="right", va="top", color=GREY)
            last = block
        x += 4.6
    axes.text(x + 1, 0, "VGG-19,\nfixed weights", va="center", fontsize=8, color=GREY)
    return {name: places[name] for name in (*STYLE, CONTENT)}


def draw_tap(axes, name, place):
    """Draw the arrows between a layer and its loss."""
    x, top = place
    upward = name in STYLE
    color, sign = (RED, 1) if upward else (BLUE, -1)
    end = sign * 18.5
    for shift, ends, shade in ((-0.6, (top * sign, end), GREY), (0.6, (end, top * sign), "black")):
        arrow = FancyArrowPatch(
            (x + shift, ends[0]), (x + shift, ends[1]), arrowstyle="-|>", mutation_scale=7, color=shade, linewidth=1
        )
        axes.add_patch(arrow)
    axes.add_patch(Rectangle((x - 4, end if upward else end - 4.4), 8, 4.4, facecolor="white", edgecolor=color))
    axes.text(
        x, end + 2.2 * sign, f"$E$ {name[4:]}" if upward else "$L_{content}$", ha="center", va="center", fontsize=8
    )


if __name__ == "__main__":
    main()
