"""The scripts in docs/examples run."""

import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import pixels_of
from PIL import Image

SCRIPT = Path(__file__).parents[1] / "docs" / "examples" / "tell_styles_apart.py"


@pytest.mark.slow
def test_stripes_and_spots_of_the_same_colours_are_told_apart_by_gram_matrices(tmp_path, random, capsys):
    """Each picture is the same everywhere, and a histogram sees no difference between them."""
    y, x = np.mgrid[:64, :128]
    pictures = {"stripes": (x + y) // 4 % 2, "checks": (x // 4 + y // 4) % 2}
    for name, pattern in pictures.items():
        Image.fromarray(np.repeat((200 * pattern + 20)[:, :, np.newaxis], 3, axis=2).astype(np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    main = runpy.run_path(str(SCRIPT))["main"]
    main([*(str(tmp_path / f"{name}.png") for name in pictures), "--image-size", "128", "--patch", "32"])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "patches tried: 18; chance: 50%"
    table = {
        cells[1].strip(): [cell.strip() for cell in cells[2:-1]] for cells in (line.split("|") for line in lines[2:])
    }
    assert table["features"] == ["stripes", "checks", "all", "all, in grey"]
    assert table["Gram matrices, conv1_1 to conv5_1"] == ["100%"] * 4
    assert table["histogram of colours"][2] != "100%"


@pytest.mark.slow
def test_the_painting_that_comes_with_the_project_can_be_drawn_again(tmp_path):
    """The random numbers are seeded; another version of Pillow may draw a little differently."""
    script = SCRIPT.with_name("draw_painting.py")
    subprocess.run([sys.executable, script, tmp_path / "painting.jpg"], check=True)
    drawn, shipped = (pixels_of(folder / "painting.jpg").astype(int) for folder in (tmp_path, script.parent))
    assert np.abs(drawn - shipped).mean() < 2


@pytest.mark.slow
def test_the_second_painting_and_the_masks_can_be_drawn_again(tmp_path):
    script = SCRIPT.with_name("draw_shapes.py")
    subprocess.run([sys.executable, script, tmp_path], check=True)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["mask-cat.png", "mask-left.png", "mask-swirl.png", "painting-2.jpg"]
    for name in names:
        drawn, shipped = (pixels_of(folder / name).astype(int) for folder in (tmp_path, script.parent))
        assert np.abs(drawn - shipped).mean() < 2, name
