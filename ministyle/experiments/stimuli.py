"""Stimuli for experiments on perception: every combination of contents, styles and settings, one picture each.

The paper proposes such experiments: content and style can be varied independently, so one can be held constant while
the other changes.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

from ..errors import MinistyleError
from ..pictures.reading import read_picture
from ..pictures.sizes import resize, size_to_fit
from ..pictures.values import to_uint8
from ..terms import STYLE_LAYERS
from .contact_sheet import contact_sheet, literal
from .figures import nested, ratio_label, with_ratio
from .records import Panel, picture_path

THUMBNAIL = 160  # pixels, the longest side of a picture on a contact sheet


def design(contents, styles, *, settings, ratios, layers=(STYLE_LAYERS,), seeds=(0,)):
    """Return the panels of a full factorial design.

    Parameters
    ----------
    contents, styles : sequences of paths
    settings : Settings of all panels; the factors replace some of them
    ratios : sequence of float, alpha/beta
    layers : sequence of sequences of style layers
    seeds : sequence of int

    Returns
    -------
    list of Panel
        In order: seeds vary fastest, then ratios, layers, styles, and contents most slowly.

    Raises
    ------
    MinistyleError
        A value is impossible or named twice, or the seeds make no difference.
    """
    if len(seeds) > 1 and settings.init != "noise":
        raise MinistyleError(f"seeds make no difference with init (={settings.init!r}); use noise, or one seed")
    for factor, values in (
        ("contents", [Path(path).stem for path in contents]),
        ("styles", [Path(path).stem for path in styles]),
        ("ratios", list(ratios)),
        ("layers", list(map(tuple, layers))),
        ("seeds", list(seeds)),
    ):
        twice = next((value for value in values if values.count(value) > 1), None)
        if twice is not None:
            raise MinistyleError(f"{factor}: {twice!r} is named twice")
        if not values:
            raise MinistyleError(f"{factor}: name at least one")
    if min(ratios) <= 0:
        raise MinistyleError(f"ratios (={min(ratios)!r}) must be greater than 0")
    panels = []
    for content, style, names, ratio, seed in product(contents, styles, layers, ratios, seeds):
        chosen = with_ratio(replace(settings, style_layers=tuple(names), seed=seed), ratio)
        factors = {
            "content": Path(content).stem,
            "style": Path(style).stem,
            "layers": layers_label(chosen.style_layers),
            "ratio": ratio,
            "seed": seed,
        }
        name = "{content}_{style}_{layers}_{ratio:g}_{seed}".format(**factors)
        panels.append(Panel(name, chosen, content=content, style=style, factors=factors))
    return panels


def layers_label(names):
    """Return a short name for a set of style layers: "to-conv3_1" for the paper's first three, or all names."""
    return f"to-{names[-1]}" if names in nested(STYLE_LAYERS) else "+".join(names)


def parse_layers(text):
    """Return the set of style layers that a text names, such as "3", the paper's first three, or "conv1_1+conv4_1"."""
    if text.isdecimal():
        if len(text) > 9 or not 1 <= int(text) <= len(STYLE_LAYERS):
            raise MinistyleError(f"layers (={text[:40]}) must be 1 to {len(STYLE_LAYERS)}, or names joined by +")
        return STYLE_LAYERS[: int(text)]
    return tuple(text.split("+"))


def sheet_paths(panels, folder):
    """Return where the contact sheets are drawn, name of the content picture -> path."""
    contents = dict.fromkeys(panel.factors["content"] for panel in panels)
    return {content: Path(folder) / f"sheet-{content}.png" for content in contents}


def draw_sheets(panels, folder, records):
    """Draw a contact sheet for each content picture, with styles as rows and all else as columns. Return the paths."""
    folder = Path(folder)
    paths = []
    pairs = list(zip(panels, records, strict=True))
    for content, path in sheet_paths(panels, folder).items():
        rows = {}
        for panel, record in pairs:
            if panel.factors["content"] == content:
                rows.setdefault(panel.factors["style"], []).append((panel, record))
        labels = [_column_label(panel.factors) for panel, _ in next(iter(rows.values()))]
        contact_sheet(
            path,
            [
                [(_thumbnail(picture_path(folder, record)), _caption(record)) for _, record in row]
                for row in rows.values()
            ],
            title=literal(content),
            row_labels=[literal(style) for style in rows],
            column_labels=labels,
        )
        paths.append(path)
    return paths


def _column_label(factors):
    return f"{factors['layers']}\n{ratio_label(factors['ratio'])}\nseed {factors['seed']}"


def _caption(record):
    return "content {content:.3g}\nstyle {style:.3g}".format(**record["losses"])


def _thumbnail(path):
    picture = read_picture(path)
    return to_uint8(resize(picture, *size_to_fit(picture.shape[:2], min(THUMBNAIL, max(picture.shape)))))
