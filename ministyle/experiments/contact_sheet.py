"""Contact sheets: pictures in rows and columns, with labels around and captions below, pixel for pixel."""

import math

import numpy as np

from ..errors import printable
from ..files import new_file

DPI = 100
GAP = 12  # pixels between pictures
SMALL, LARGE = 9, 11  # points


def contact_sheet(path, rows, *, title="", row_labels=(), column_labels=()):
    """Draw a contact sheet and write it as PNG.

    Pictures are not resized; a small one is centred in its cell. Texts may contain Matplotlib's formulas, such as
    "$10^{-3}$". A text that comes from a file name must go through `literal` first.

    Parameters
    ----------
    path : path of the PNG file, replaced if it is there
    rows : list of lists of (uint8 array (H, W, 3) or None, caption), a caption of one or more lines
    title : str
    row_labels, column_labels : sequence of str, as many as there are rows and columns, or none
    """
    from matplotlib.figure import Figure

    cells = [cell for row in rows for cell in row]
    pictures = [picture for picture, _ in cells if picture is not None]
    # All cells have the same size. The largest picture fits into it, and so do the texts around any picture.
    below = [_extent(caption) for _, caption in cells]
    above = [_extent(label) for label in column_labels]
    beside = [_extent(label) for label in row_labels]  # turned by 90 degrees
    width = max([picture.shape[1] for picture in pictures] + [across for across, _ in below + above])
    height = max([picture.shape[0] for picture in pictures] + [across for across, _ in beside])
    captions = max(down for _, down in below) + GAP
    left = GAP + (max(down for _, down in beside) + GAP if beside else 0)
    title_width, title_height = _extent(title, LARGE)
    top = GAP + (title_height + GAP if title else 0) + (max(down for _, down in above) + GAP if above else 0)
    W = max(left + max(len(row) for row in rows) * (width + GAP), title_width + 2 * GAP)
    H = top + len(rows) * (height + captions)
    figure = Figure(figsize=(W / DPI, H / DPI), dpi=DPI, facecolor="white")

    def text(x, y, words, **style):
        figure.text(x / W, 1 - y / H, words, **{"ha": "center", "va": "top", "fontsize": SMALL, **style})

    text(W / 2, GAP, title, fontsize=LARGE)
    for column, label in enumerate(column_labels):
        text(left + column * (width + GAP) + width / 2, top - GAP // 2, label, va="bottom")
    for number, row in enumerate(rows):
        y = top + number * (height + captions)
        if row_labels:
            text(left - GAP, y + height / 2, row_labels[number], rotation=90, ha="right", va="center")
        for column, (picture, caption) in enumerate(row):
            x = left + column * (width + GAP)
            text(x + width / 2, y + height + GAP // 3, caption)
            if picture is not None:
                across, down = x + (width - picture.shape[1]) // 2, y + (height - picture.shape[0]) // 2
                figure.figimage(np.ascontiguousarray(picture), across, H - down - picture.shape[0], origin="upper")
    with new_file(path) as temporary:
        figure.savefig(temporary, dpi=DPI, format="png")


def literal(text):
    """Return a text in a form that Matplotlib shows unchanged, dollar signs included; but see `errors.printable`."""
    return printable(str(text)).replace("$", r"\$")


def power_of_ten(number):
    """Return a number as a formula: 0.001 as 10^-3, 0.002 as 2 x 10^-3."""
    mantissa, exponent = f"{number:.2e}".split("e")
    factor = f"{float(mantissa):g}"
    power = f"10^{{{int(exponent)}}}"
    return f"${power}$" if factor == "1" else rf"${factor}\times{power}$"


def _extent(text, size=SMALL):
    """Return how many pixels a text takes across and down."""
    from matplotlib.figure import Figure

    box = Figure(dpi=DPI).text(0, 0, text, fontsize=size).get_window_extent()
    return math.ceil(box.width), math.ceil(box.height)
