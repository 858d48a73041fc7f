"""The figures' panels against what the paper says of them, and their layout."""

from pathlib import Path

import numpy as np
import pytest
from conftest import pixels_of
from PIL import Image
from small_experiment import write_pictures
from test_contact_sheet import find, places

from ministyle.errors import MinistyleError
from ministyle.experiments import figures
from ministyle.experiments.executors import InThisProcess
from ministyle.experiments.figures import Original, draw, figure_1, figure_2, figure_3
from ministyle.experiments.panels import render
from ministyle.settings import Settings

SETTINGS = Settings.from_preset("gatys2015", image_size=32, iterations=1)
# The paper, figures 1 and 3: the layers of rows and panels a to e.
GROWING = [
    ("conv1_1",),
    ("conv1_1", "conv2_1"),
    ("conv1_1", "conv2_1", "conv3_1"),
    ("conv1_1", "conv2_1", "conv3_1", "conv4_1"),
    ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random):
    monkeypatch.chdir(tmp_path)
    write_pictures(random, "photo.png", "painting.png", "fresco.png")
    return tmp_path


def test_figure_1_reconstructs_content_and_style_from_the_papers_layers():
    figure = figure_1("photo.png", "painting.png", settings=SETTINGS, originals=False)
    content, style = figure.rows
    assert [panel.settings.content_layers for panel in content] == [(layers[-1],) for layers in GROWING]
    assert [panel.settings.style_layers for panel in style] == GROWING
    assert {(panel.content, panel.style) for panel in content} == {("photo.png", None)}
    assert {(panel.content, panel.style) for panel in style} == {(None, "painting.png")}
    assert {panel.settings.init for panel in figure.panels} == {"noise"}
    assert not any(panel.settings.normalised for panel in content) and all(p.settings.normalised for p in style)
    assert figure.column_labels == ("a", "b", "c", "d", "e")


def test_figure_2_has_a_panel_for_each_painting_and_the_photograph_first():
    figure = figure_2("photo.png", ["painting.png", "fresco.png"], settings=SETTINGS, ratios=(0.1, 0.01))
    first, *others = [cell for row in figure.rows for cell in row]
    assert isinstance(first, Original) and first.path == "photo.png"
    assert [panel.style for panel in others] == ["painting.png", "fresco.png"]
    assert [p.settings.content_weight / p.settings.style_weight for p in others] == [0.1, 0.01]
    assert {panel.settings.content_layers for panel in others} == {("conv4_2",)}
    assert {panel.settings.style_layers for panel in others} == {GROWING[-1]}


def test_figure_2_takes_one_ratio_or_as_many_as_paintings():
    figure = figure_2("photo.png", ["painting.png", "fresco.png"], settings=SETTINGS, ratios=(0.5,))
    assert [panel.settings.content_weight for panel in figure.panels] == [0.5, 0.5]
    for ratios in (np.array([0.5]), np.array([0.5, 0.5])):
        figure = figure_2("photo.png", ["painting.png", "fresco.png"], settings=SETTINGS, ratios=ratios)
        assert [panel.settings.content_weight for panel in figure.panels] == [0.5, 0.5]
    with pytest.raises(MinistyleError, match="3 ratios for 2 paintings"):
        figure_2("photo.png", ["painting.png", "fresco.png"], settings=SETTINGS, ratios=(1, 2, 3))


@pytest.mark.parametrize("make", [figure_2, figure_3])
def test_a_ratio_that_leaves_no_content_loss_is_refused(make):
    """The caption names both losses; with a weight of 0 there is none, as would be seen only after all the work."""
    paintings = ["painting.png"] if make is figure_2 else "painting.png"
    with pytest.raises(MinistyleError, match=r"ratio \(=0\) must be greater than 0"):
        make("photo.png", paintings, settings=SETTINGS, ratios=(0,))


def test_figure_3_crosses_growing_sets_of_layers_with_ratios():
    figure = figure_3("photo.png", "painting.png", settings=SETTINGS)
    assert [{panel.settings.style_layers for panel in row} for row in figure.rows] == [{layers} for layers in GROWING]
    for row in figure.rows:
        assert [p.settings.content_weight / p.settings.style_weight for p in row] == [1e-3, 1e-2, 1e-1, 1.0]
        assert [p.settings.tv_weight for p in row] == pytest.approx([1e-6, 1e-5, 1e-4, 1e-3])
    assert {panel.settings.seed for panel in figure.panels} == {0}
    assert len({panel.name for panel in figure.panels}) == 20


def test_figure_3s_columns_carry_the_ratio_used_beside_the_captions():
    figure = figure_3("photo.png", "painting.png", settings=SETTINGS)
    assert "10^{-3}" in figure.column_labels[0] and "caption: $10^{-5}$" in figure.column_labels[0]
    assert "10^{0}" in figure.column_labels[3] and "caption: $10^{-2}$" in figure.column_labels[3]
    own = figure_3("photo.png", "painting.png", settings=SETTINGS, ratios=(0.2,))
    assert "caption" not in own.column_labels[0] and r"2\times10^{-1}" in own.column_labels[0]


def place_of(name, sheet):
    return find(pixels_of(f"out/panels/{name}.png"), sheet)


def test_panels_lie_where_they_belong_in_the_figure(monkeypatch):
    monkeypatch.setattr(figures, "STYLE_LAYERS", ("conv1_1", "conv2_1"))
    figure = figure_3("photo.png", "painting.png", settings=SETTINGS, ratios=(0.1, 1.0))
    path = draw(figure, "out", render(figure.panels, "out", InThisProcess()))
    assert path == Path("out/figure3.png")
    sheet = pixels_of(path)
    places = [[place_of(panel.name, sheet) for panel in row] for row in figure.rows]
    (top_left, top_right), (bottom_left, _) = places
    assert top_left[0] == top_right[0] and top_left[1] < top_right[1]
    assert top_left[1] == bottom_left[1] and top_left[0] < bottom_left[0]


@pytest.mark.parametrize("originals", [True, False])
def test_originals_are_shown_or_left_out(originals, monkeypatch):
    monkeypatch.setattr(figures, "CONTENT_LAYERS", ("conv1_1",))
    monkeypatch.setattr(figures, "STYLE_LAYERS", ("conv1_1",))
    figure = figure_1("photo.png", "painting.png", settings=SETTINGS, originals=originals)
    sheet = pixels_of(draw(figure, "out", render(figure.panels, "out", InThisProcess())))
    for name in ("photo.png", "painting.png"):
        assert len(places(pixels_of(name), sheet)) == originals


def test_the_painting_lies_in_a_corner_of_its_panel():
    figure = figure_2("photo.png", ["painting.png"], settings=SETTINGS)
    sheet = pixels_of(draw(figure, "out", render(figure.panels, "out", InThisProcess())))
    panel = pixels_of("out/panels/painting.png")
    row, column = find(panel[:10], sheet)  # what is above the painting is untouched
    shown = sheet[row : row + 24, column : column + 32]
    np.testing.assert_array_equal(shown[:, 16:], panel[:, 16:])
    inset = shown[24 - 2 - 8 : 24 - 2, 2:12].astype(float)  # a third of the panel's width, in a frame of 2 pixels
    small = np.asarray(Image.fromarray(pixels_of("painting.png")).resize((10, 8), Image.Resampling.LANCZOS), float)
    assert np.abs(inset - small).mean() < 2
