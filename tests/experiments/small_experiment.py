"""A small experiment: two pictures, three panels made from them, and the files that it leaves."""

from dataclasses import replace
from pathlib import Path

import numpy as np
from conftest import bare_settings
from PIL import Image

from ministyle.experiments.records import Panel

SETTINGS = bare_settings(image_size=32, iterations=2, init="noise", style_layers=("conv1_1", "conv2_1"), bounds=True)


def write_pictures(random, *names):
    """Write a picture of noise, 24 x 32, under each name, in the folder that the test works in."""
    for name in names:
        Path(name).parent.mkdir(exist_ok=True)
        Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(name)


def three_panels():
    """Return a transfer, a content reconstruction and a style reconstruction of another size."""
    content = replace(SETTINGS, content_layers=("conv1_1",))
    return [
        Panel("both", SETTINGS, Path("photo.png"), Path("painting.png"), factors={"kind": "transfer"}),
        Panel("content", content, content=Path("photo.png"), factors={"kind": "reconstruction"}),
        Panel("style", SETTINGS, style=Path("painting.png"), size=(16, 48), factors={"kind": "texture"}),
    ]


def files(folder):
    """Return what the files of a folder and its subfolders hold: name -> bytes."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}
