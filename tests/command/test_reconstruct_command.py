"""`content` and `texture`."""

import numpy as np
import pytest
from commands import SMALL, note_jobs, run
from conftest import pixels_of

from ministyle.pictures.reading import read_picture
from ministyle.settings import Settings

pytestmark = pytest.mark.usefixtures("folder")


def test_content_is_reconstructed_from_the_layer_asked_for_and_its_error_reported():
    status, out, _ = run("content", "photo.png", "--layer", "relu1_1", *SMALL, "--iterations", "40")
    assert status == 0
    assert "picture: photo-content.png (32 x 24)" in out
    made = pixels_of("photo-content.png").astype(float)
    error = np.mean((made - read_picture("photo.png", 32)) ** 2)
    assert f"PSNR against the original: {10 * np.log10(255**2 / error):.1f} dB" in out
    assert error < 25**2


def test_a_texture_has_the_size_asked_for():
    flags = "--layers", "conv1_1,conv2_1", *SMALL, "--iterations", "1"
    assert run("texture", "painting.png", *flags, "--output-size", "40x24")[0] == 0
    assert pixels_of("painting-texture.png").shape == (24, 40, 3)
    assert run("texture", "painting.png", *flags, "--output-size", "32", "--tileable", "-o", "tile.png")[0] == 0
    assert pixels_of("tile.png").shape == (32, 32, 3)


def test_reconstructions_have_presets_of_their_own_and_layers_as_their_flags_say(monkeypatch):
    jobs = note_jobs(monkeypatch)
    for command in (
        ("content", "photo.png", "--seed", "4"),
        ("content", "photo.png", "--layer", "conv3_2", "--preset", "gatys2015"),
        ("texture", "photo.png"),
        ("texture", "photo.png", "--layers", "conv1_1,conv2_2", "--tileable"),
    ):
        assert run(*command, "--overwrite")[0] == 0
    assert [job.settings for job in jobs] == [
        Settings.from_preset("content-reconstruction", seed=4),
        Settings.from_preset("gatys2015", content_layers="conv3_2"),
        Settings.from_preset("texture"),
        Settings.from_preset("texture", style_layers=("conv1_1", "conv2_2")),
    ]
    assert [(job.photograph is None, not job.styles) for job in jobs] == 2 * [(False, True)] + 2 * [(True, False)]
    assert [(job.size, job.tileable) for job in jobs[2:]] == [((192, 256), False), ((192, 256), True)]


def test_colours_are_not_for_reconstructions():
    for command in ("content", "texture"):
        status, out, err = run(command, "photo.png", "--colours", "photo-luminance")
        assert (status, out) == (2, "")
        assert "--colours" in err and err.count("\n") == 1
