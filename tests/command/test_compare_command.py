"""`compare`."""

import pytest
from commands import run

import ministyle

pytestmark = pytest.mark.usefixtures("folder")


def test_compare_prints_distances_layer_by_layer():
    flags = "--image-size", "32", "--layers", "conv2_1,relu1_1", "--device", "cpu"
    status, out, _ = run("compare", "photo.png", "painting.png", *flags)
    assert status == 0
    _, *rows = [line.split() for line in out.splitlines()]
    expected = ministyle.compare("photo.png", "painting.png", ["conv2_1", "conv1_1"], image_size=32)
    assert [row[0] for row in rows] == ["conv2_1", "conv1_1"]
    for row, distance in zip(rows, expected, strict=True):
        numbers = distance.content, distance.relative_content, distance.style, distance.relative_style
        assert [float(cell) for cell in row[1:]] == pytest.approx(numbers, rel=2e-3, abs=1e-3)


def test_compare_takes_the_default_preset_s_layers_and_the_network_asked_for():
    rows = [
        run("compare", "photo.png", "painting.png", "--image-size", "32", *flags)[1].splitlines()[1:]
        for flags in ((), ("--no-normalised",), ("--pooling", "max"))
    ]
    assert all(len({row.split()[0] for row in table}) == len(table) == 6 for table in rows)
    assert rows[0] != rows[1] != rows[2] != rows[0]
