"""Draw `painting-2.jpg`, flat shapes like leaded glass, and the masks `mask-*.png`.

    python docs/examples/draw_shapes.py [FOLDER]

Lengths are in pixels of the finished picture, x to the right and y down; colours are RGB in 0..255.
All random numbers come from one seeded generator, so every run draws the same pictures.
"""

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

WIDTH, HEIGHT = 512, 384
SUPERSAMPLING = 3  # drawn this many times larger, then reduced: that is the antialiasing
SEED = 1872
COLUMNS, ROWS = 10, 8  # of the grid that the panes' centres begin with
DISORDER = 0.42  # how far a centre strays from its place in the grid, as a share of the grid's spacing
LEAD = 6  # half the width of the lead between panes
BLACK = (24, 18, 22)
PANES = np.array([(196, 28, 44), (250, 240, 214), (226, 88, 84), (30, 112, 74), (246, 176, 178), (150, 190, 120)])

PHOTOGRAPH = 451, 300  # width and height of chelsea.png
PAINTING = 768, 576  # of painting.jpg
CAT = [(0, 128), (28, 112), (38, 0), (402, 0), (362, 72), (366, 140), (342, 196), (322, 222), (322, 262), (340, 300)]
CAT += [(0, 300)]  # the cat's outline in that photograph, a polygon
SWIRL = 262, 250, 150  # centre and radius of the large swirl in painting.jpg


def panes(generator):
    """Return the painting: every pixel has the colour of the nearest centre, and is black halfway between two."""
    rows, columns = np.mgrid[-1 : ROWS + 1, -1 : COLUMNS + 1]
    spacing = np.array([WIDTH / COLUMNS, HEIGHT / ROWS])
    centres = np.stack([columns.ravel(), rows.ravel()], axis=1) + 0.5
    centres = (centres + generator.uniform(-DISORDER, DISORDER, centres.shape)) * spacing  # (n, 2)
    colours = PANES[generator.integers(0, len(PANES), len(centres))]
    x = (np.arange(WIDTH * SUPERSAMPLING) + 0.5) / SUPERSAMPLING
    picture = np.empty((HEIGHT * SUPERSAMPLING, WIDTH * SUPERSAMPLING, 3), np.uint8)
    for row in range(len(picture)):
        y = (row + 0.5) / SUPERSAMPLING
        distances = np.hypot(x[:, None] - centres[:, 0], y - centres[:, 1])  # (W, n)
        nearest, second = np.partition(distances, 1, axis=1)[:, :2].T
        picture[row] = np.where((second - nearest < LEAD)[:, None], BLACK, colours[distances.argmin(axis=1)])
    return Image.fromarray(picture).resize((WIDTH, HEIGHT), Image.Resampling.BOX)


def masks():
    """Return the masks, name -> picture: white is what counts."""
    x, y, radius = SWIRL
    cat, left, swirl = (Image.new("L", size) for size in (PHOTOGRAPH, PHOTOGRAPH, PAINTING))
    ImageDraw.Draw(cat).polygon(CAT, fill=255)
    ImageDraw.Draw(left).rectangle((0, 0, PHOTOGRAPH[0] // 2, PHOTOGRAPH[1]), fill=255)
    ImageDraw.Draw(swirl).ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    return {"mask-cat": cat, "mask-left": left, "mask-swirl": swirl}


def main():
    """Draw the pictures and write them to the folder named on the command line."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent
    panes(np.random.default_rng(SEED)).save(folder / "painting-2.jpg", quality=88)
    for name, mask in masks().items():
        mask.save(folder / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
