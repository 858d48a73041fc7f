"""The paper's figures 1 to 3, made from anybody's pictures.

A figure is a table of panels with their settings, in the rows and columns of the paper's figure. `panels.render` makes
the panels, and `draw` draws the figure.
"""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from ..errors import MinistyleError
from ..jobs.scales import with_own_size
from ..pictures.reading import read_picture
from ..pictures.sizes import resize, size_to_fit
from ..pictures.values import to_uint8
from ..settings import PRESETS, Settings
from ..terms import STYLE_LAYERS
from .contact_sheet import contact_sheet, literal, power_of_ten
from .records import Panel, picture_path

CONTENT_LAYERS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")  # figure 1, a to e
LETTERS = "abcdefghijklmnopqrstuvwxyz"
# Figure 3's columns. The captions' ratios belong to losses with other factors, which are not known. With ours, such
# pictures need ratios a hundred times as large, see docs/deviations.md.
CAPTION_RATIOS = (1e-5, 1e-4, 1e-3, 1e-2)
RATIOS = (1e-3, 1e-2, 1e-1, 1.0)
RATIO = 1e-1  # figure 2; the caption's 1e-3
INSET = 0.3  # of a panel's width, the painting in figure 2


@dataclass(frozen=True)
class Original:
    """A picture that is shown unchanged, beside the panels made from it."""

    path: Path
    settings: Settings


@dataclass(frozen=True)
class Figure:
    """A table of panels with labels.

    Attributes
    ----------
    name : str
    title : str
    rows : tuple of tuples of Panel or Original
    row_labels, column_labels : tuples of str
    caption : function of (Panel, record) that returns the text below the panel
    inset : bool, show the style picture in a corner of each panel
    """

    name: str
    title: str
    rows: tuple
    row_labels: tuple
    column_labels: tuple
    caption: object
    inset: bool = False

    @property
    def panels(self):
        """All panels, row by row."""
        return [cell for row in self.rows for cell in row if isinstance(cell, Panel)]


def figure_1(photo, painting, *, settings, originals=True):
    """Content reconstructions from each of five layers, and style reconstructions from growing sets of layers.

    Content comes from the raw network, with a relative loss and more total variation, as in the preset
    `content-reconstruction`.

    Parameters
    ----------
    photo, painting : path
    settings : Settings; the layers are set here
    originals : bool, show photo and painting as well

    Returns
    -------
    Figure
    """
    preset = PRESETS["content-reconstruction"]
    variation = settings.tv_weight / PRESETS["texture"]["tv_weight"]  # as many times as settings have the texture's
    own = {
        "normalised": preset["normalised"],
        "convention": preset["convention"],
        "tv_weight": preset["tv_weight"] * variation,
    }
    content, style = [], []
    for letter, layer in zip(LETTERS, CONTENT_LAYERS, strict=False):
        chosen = replace(settings, content_layers=(layer,), **own)
        content.append(Panel(f"content-{letter}-{layer}", chosen, content=photo, factors={"layer": layer}))
    for letter, layers in zip(LETTERS, nested(STYLE_LAYERS), strict=False):
        chosen = replace(settings, style_layers=layers)
        factors = {"layers": "+".join(layers)}
        style.append(Panel(f"style-{letter}-{layers[-1]}", chosen, style=painting, factors=factors))
    labels = LETTERS[: len(CONTENT_LAYERS)]
    if originals:
        content, style = [Original(photo, settings), *content], [Original(painting, settings), *style]
        labels = ("original", *labels)
    return Figure(
        "figure1",
        "Reconstructions of content and of style",
        (tuple(content), tuple(style)),
        ("content", "style"),
        tuple(labels),
        _caption_1,
    )


def _caption_1(panel, record):
    if panel.content is not None:
        return f"{panel.factors['layer']}: PSNR {record['psnr']:.1f} dB"
    first, last = panel.settings.style_layers[0], panel.settings.style_layers[-1]
    layers = first if first == last else f"{first} to {last}"
    return f"{layers}: {_loss('style', record)}"


def figure_2(photo, paintings, *, settings, ratios=(RATIO,), originals=True, columns=2):
    """One photograph in several styles, each panel with its painting in a corner.

    Parameters
    ----------
    photo : path
    paintings : sequence of paths
    settings : Settings; the ratio of content and style weight is set here
    ratios : sequence of float, alpha/beta: one for all paintings, or one for each
    originals : bool, show photo and paintings as well
    columns : int, of the table

    Returns
    -------
    Figure
    """
    if len(ratios) not in (1, len(paintings)):
        raise MinistyleError(f"there are {len(ratios)} ratios for {len(paintings)} paintings")
    cells = [Original(photo, settings)] if originals else []
    ratios = list(ratios) * (len(paintings) if len(ratios) == 1 else 1)
    for painting, ratio in zip(paintings, ratios, strict=True):
        name = Path(painting).stem
        factors = {"style": name, "ratio": ratio}
        cells.append(Panel(name, with_ratio(settings, ratio), content=photo, style=painting, factors=factors))
    rows = tuple(tuple(cells[i : i + columns]) for i in range(0, len(cells), columns))
    return Figure("figure2", "One photograph in several styles", rows, (), (), _caption_2, inset=originals)


def _caption_2(panel, record):
    return f"{literal(panel.factors['style'])}: {ratio_label(panel.factors['ratio'])}\n{_losses(record)}"


def figure_3(photo, painting, *, settings, ratios=RATIOS):
    """One painting's style, from growing sets of layers (rows), at several ratios of alpha and beta (columns).

    Parameters
    ----------
    photo, painting : path
    settings : Settings; style layers and the ratio of the weights are set here
    ratios : sequence of float, alpha/beta

    Returns
    -------
    Figure
    """
    rows = []
    for layers in nested(STYLE_LAYERS):
        row = []
        for ratio in ratios:
            chosen = with_ratio(replace(settings, style_layers=layers), ratio)
            factors = {"layers": "+".join(layers), "ratio": ratio}
            row.append(Panel(f"{layers[-1]}-{ratio:g}", chosen, content=photo, style=painting, factors=factors))
        rows.append(tuple(row))
    return Figure(
        "figure3",
        "Growing sets of style layers (down) by the ratio of content to style (across)",
        tuple(rows),
        tuple(layers[0] if len(layers) == 1 else f"{layers[0]}\nto {layers[-1]}" for layers in nested(STYLE_LAYERS)),
        tuple(_column_label(ratio, ratios) for ratio in ratios),
        lambda panel, record: _losses(record),
    )


def _column_label(ratio, ratios):
    """Label a column with the ratio that is used here, and with the paper's ratio if one corresponds to it."""
    label = ratio_label(ratio)
    if tuple(ratios) == RATIOS:
        label += f"\n(the paper's caption: {power_of_ten(CAPTION_RATIOS[RATIOS.index(ratio)])})"
    return label


def ratio_label(ratio):
    """Return a ratio of content and style weight as a text for labels and captions."""
    return rf"$\alpha/\beta$ = {power_of_ten(ratio)}"


def nested(layers):
    """Return growing sets of layers: the first, the first two, and so on."""
    return tuple(layers[: count + 1] for count in range(len(layers)))


def with_ratio(settings, ratio):
    """Return settings with this alpha/beta. Beta is 1, so that the style term is the style loss itself.

    The weight of the total variation keeps its ratio to alpha: much content shows the noise in smooth places, which it
    should remove, and a style loss of few layers alone is soon so small that the same weight would blur strokes.

    Raises
    ------
    MinistyleError
        The ratio is not greater than 0. With 0 a panel would have no content loss for its caption.
    """
    if not ratio > 0:
        raise MinistyleError(f"ratio (={ratio!r}) must be greater than 0")
    share = ratio / settings.content_weight if settings.content_weight else 1.0
    return replace(settings, content_weight=ratio, style_weight=1.0, tv_weight=settings.tv_weight * share)


def sheet_path(figure, folder):
    """Return where a figure is drawn."""
    return Path(folder) / f"{figure.name}.png"


def draw(figure, folder, records):
    """Draw a figure whose panels have been made; return the path of the PNG file.

    Parameters
    ----------
    figure : Figure
    folder : path of the experiment
    records : list of records, as `panels.render` returns them
    """
    folder = Path(folder)
    record_of = {record["name"]: record for record in records}

    def cell(content):
        if isinstance(content, Original):
            return _scaled(content.path, content.settings), literal(Path(content.path).stem)
        record = record_of[content.name]
        picture = to_uint8(read_picture(picture_path(folder, record)))
        if figure.inset:
            picture = _with_inset(picture, content)
        return picture, figure.caption(content, record)

    path = sheet_path(figure, folder)
    rows = [[cell(content) for content in row] for row in figure.rows]
    contact_sheet(path, rows, title=figure.title, row_labels=figure.row_labels, column_labels=figure.column_labels)
    return path


def _scaled(path, settings):
    size = with_own_size(settings, path).image_size
    return to_uint8(read_picture(path, size, settings.side, max_megapixels=settings.max_megapixels))


def _with_inset(picture, panel):
    """Lay the painting, in a white frame, over the lower left corner, as in the paper."""
    painting = read_picture(panel.style, max_megapixels=panel.settings.max_megapixels)
    height, width = size_to_fit(painting.shape[:2], max(1, round(INSET * max(picture.shape))))
    framed = np.full((height + 4, width + 4, 3), 255, np.uint8)
    framed[2:-2, 2:-2] = to_uint8(resize(painting, height, width))
    height, width = (min(a, b) for a, b in zip(framed.shape[:2], picture.shape[:2], strict=True))
    picture = picture.copy()
    picture[-height:, :width] = framed[-height:, :width]
    return picture


def _losses(record):
    return f"{_loss('content', record)}, {_loss('style', record)}"


def _loss(kind, record):
    return f"{kind} {record['losses'][kind]:.3g}"
