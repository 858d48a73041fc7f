"""Contact sheets of all pairs and candidates, with names and without."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

GAP = 8
LABEL = 34


def draw(path, rows, *, row_names=None, column_names=None, captions=None):
    """Lay out pictures in rows and columns and write them as a file.

    Parameters
    ----------
    path : path of the file
    rows : list of lists of uint8 arrays (H, W, 3), or None for an empty cell
    row_names, column_names : lists of str, optional
    captions : list of lists of str, optional, shown below the pictures
    """
    pictures = [picture for row in rows for picture in row if picture is not None]
    width, height = max(p.shape[1] for p in pictures), max(p.shape[0] for p in pictures)
    left = 110 if row_names else GAP
    top = LABEL if column_names else GAP
    cell = height + (LABEL if captions else GAP)
    sheet = Image.new("RGB", (left + len(rows[0]) * (width + GAP), top + len(rows) * cell), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for column, name in enumerate(column_names or []):
        pen.text((left + column * (width + GAP), 4), name, "black", font)
    for number, row in enumerate(rows):
        y = top + number * cell
        if row_names:
            pen.text((4, y + 4), row_names[number].replace("-", "\n"), "black", font)
        for column, picture in enumerate(row):
            x = left + column * (width + GAP)
            if picture is not None:
                sheet.paste(Image.fromarray(np.ascontiguousarray(picture)), (x, y))
            if captions:
                pen.text((x, y + height + 2), captions[number][column], "black", font)
    sheet.save(path)
