"""Draw what three layers see in the example photograph: `python docs/figures/content.py`."""

from pathlib import Path

import matplotlib.pyplot as plt

from ministyle import load_network
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture

SIZE = 128  # pixels
LAYERS = ("conv1_1", "conv3_1", "conv4_2")


def main():
    """Draw the figure."""
    photograph = read_picture(shipped_path("docs/examples/chelsea.png"), SIZE)
    network = load_network(device="cpu", convolution="direct")
    features = network.features(photograph, LAYERS)
    figure, panels = plt.subplots(2, 2, figsize=(8, 6.2), layout="constrained")
    height, width, _ = photograph.shape
    panels[0, 0].imshow(photograph / 255)
    panels[0, 0].set_title(f"photograph: {height} x {width} pixels", size=11)
    for axes, name in zip(panels.flat[1:], LAYERS, strict=True):
        F = features[name]
        height, width, filters = F.shape
        axes.imshow(F.mean(axis=2), cmap="gray")  # none is negative
        axes.set_title(f"{name}: {filters} filters, {height} x {width} positions", size=11)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100)


if __name__ == "__main__":
    main()
