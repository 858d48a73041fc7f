"""Contact sheets: every picture is there, pixel for pixel, where it belongs."""

import sys

import numpy as np
import pytest
from conftest import pixels_of

from ministyle.errors import MinistyleError, check_matplotlib
from ministyle.experiments.contact_sheet import contact_sheet, literal, power_of_ten


def find(picture, sheet):
    """Return the one place (row, column) where a picture lies in a sheet."""
    (place,) = places(picture, sheet)
    return place


def places(picture, sheet):
    """Return all such places."""
    windows = np.lib.stride_tricks.sliding_window_view(sheet, picture.shape)[:, :, 0]
    return [tuple(place) for place in np.argwhere((windows == picture).all(axis=(2, 3, 4)))]


@pytest.fixture
def pictures(random):
    return [random.integers(0, 256, shape, dtype=np.uint8) for shape in ((24, 32, 3), (24, 32, 3), (10, 7, 3))]


def test_pictures_keep_their_pixels_and_their_places(pictures, tmp_path):
    path = tmp_path / "sheet.png"
    a, b, c = pictures
    contact_sheet(
        path,
        [[(a, "one"), (b, "two\nlines")], [(None, ""), (c, "small")]],
        title="Title",
        row_labels=("first", "second"),
        column_labels=("left", "right"),
    )
    sheet = pixels_of(path)
    (row_a, column_a), (row_b, column_b), (row_c, column_c) = (find(picture, sheet) for picture in pictures)
    assert row_a == row_b and column_a < column_b
    assert row_c > row_a + 24
    assert abs(column_c + 3.5 - (column_b + 16)) <= 1  # centred in its column
    assert (sheet[0] == 255).all() and (sheet[:, 0] == 255).all()
    below = sheet[row_a + 24 : row_c, column_a : column_a + 32]
    assert (below < 128).any()  # the caption


def test_a_cell_is_wide_enough_for_what_is_written_below_it(pictures, tmp_path):
    def width(caption):
        contact_sheet(tmp_path / "sheet.png", [[(picture, caption) for picture in pictures]])
        return pixels_of(tmp_path / "sheet.png").shape[1]

    assert width("a caption much longer than its picture is wide") > width("short") + 3 * 100


def test_texts_from_file_names_are_shown_as_they_are(tmp_path, pictures):
    contact_sheet(tmp_path / "sheet.png", [[(pictures[0], literal("a$b_{$ \\x"))]], title=literal("$\\nonsense$"))
    assert literal("plain_name") == "plain_name"


def test_powers_of_ten():
    assert power_of_ten(1e-3) == "$10^{-3}$"
    assert power_of_ten(1) == "$10^{0}$"
    assert power_of_ten(0.025) == r"$2.5\times10^{-2}$"


def test_without_matplotlib_a_sheet_is_refused_in_one_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MinistyleError, match="extra plot"):
        check_matplotlib("a contact sheet")
