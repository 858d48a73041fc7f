"""Draw Gram matrices of a photograph, of its shuffled blocks and of a painting: `python docs/figures/style.py`."""

from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import PowerNorm

from ministyle import load_network
from ministyle.files import shipped_path
from ministyle.losses import gram_matrix
from ministyle.pictures.reading import read_picture

SIZE = 128  # pixels
BLOCK = 8  # pixels
LAYERS = ("conv1_1", "conv2_1")
GREYS = plt.get_cmap("gray_r", 12)
STEP = 8  # grey levels from one shade to the next; few shades and greys keep the file small


def shuffled_blocks(pixels):  # (H, W, 3) -> (H, W, 3)
    """Put a picture's blocks of 8x8 pixels in a random order."""
    height, width = (side // BLOCK for side in pixels.shape[:2])
    blocks = pixels.reshape(height, BLOCK, width, BLOCK, 3).swapaxes(1, 2)  # (rows, columns, BLOCK, BLOCK, 3)
    blocks = np.random.default_rng(0).permutation(blocks.reshape(height * width, BLOCK, BLOCK, 3))
    return blocks.reshape(height, width, BLOCK, BLOCK, 3).swapaxes(1, 2).reshape(pixels.shape)


def main():
    """Draw the figure."""
    photograph, painting = (
        read_picture(shipped_path(f"docs/examples/{name}"), SIZE) for name in ("chelsea.png", "painting.jpg")
    )
    height, width = (side // BLOCK * BLOCK for side in photograph.shape[:2])
    photograph = photograph[:height, :width]
    pictures = {"photograph": photograph, "its blocks shuffled": shuffled_blocks(photograph), "painting": painting}
    network = load_network(device="cpu", convolution="direct")
    figure, panels = plt.subplots(3, 3, figsize=(8, 7.6), layout="constrained", height_ratios=(0.75, 1, 1))
    for axes, (name, picture) in zip(panels[0], pictures.items(), strict=True):
        axes.imshow(picture // STEP * STEP / 255, interpolation="nearest")
        axes.set_title(name, size=11)
    features = [network.features(picture, LAYERS) for picture in pictures.values()]
    for row, layer in zip(panels[1:], LAYERS, strict=True):
        matrices = [gram_matrix(F[layer]) / (F[layer].shape[0] * F[layer].shape[1]) for F in features]
        largest = max(G.max() for G in matrices)
        for axes, G in zip(row, matrices, strict=True):
            axes.imshow(G, cmap=GREYS, norm=PowerNorm(1 / 3, 0, largest), interpolation="nearest")
            distance = np.linalg.norm(G - matrices[0]) / np.linalg.norm(matrices[0])
            axes.set_xlabel(f"distance {distance:.2f}", size=10)
        row[0].set_ylabel(f"$G/M$ at {layer}", size=11)
    for axes in panels.flat:
        axes.set(xticks=[], yticks=[])
    figure.savefig(Path(__file__).with_suffix(".png"), dpi=100, pil_kwargs={"optimize": True})


if __name__ == "__main__":
    main()
