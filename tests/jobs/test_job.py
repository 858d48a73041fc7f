"""The whole story on small pictures."""

import sys

import numpy as np
import pytest
from ministyle.transfer import starting_picture
from PIL import Image

import ministyle
from ministyle.errors import MinistyleError
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture
from ministyle.pictures.sizes import resize
from ministyle.settings import Settings


@pytest.fixture
def photo(random):
    """A smooth gradient with an edge in it."""
    picture = np.zeros((40, 56, 3), np.uint8)
    picture[:, :, 0] = np.linspace(0, 255, 56)
    picture[20:, :, 2] = 200
    return picture


@pytest.fixture
def painting(random):
    """Diagonal stripes in strong colours."""
    h, w = np.mgrid[:48, :32]
    stripes = (h + w) // 4 % 2
    return np.stack([255 * stripes, 160 * stripes, 255 - 255 * stripes], axis=2).astype(np.uint8)


def test_the_style_moves_in_and_the_content_stays(network64):
    photo, painting = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    result = ministyle.transfer(photo, painting, image_size=64, iterations=25)
    first, last = result.history[0], result.history[-1]
    assert result.image.dtype == np.uint8
    assert result.image.shape == (43, 64, 3)
    assert last.iteration == 25
    assert last.loss < first.loss / 5
    # Measured afresh, on the finished picture, with an objective of our own: nearer to the painting's style than the
    # photograph is, and nearer to the photograph's content than the painting is.
    photo, painting = (read_picture(path, 64) for path in (photo, painting))
    objective = ministyle.Objective(network64, content=photo, style=painting)

    def content_and_style(picture):
        objective(picture.astype(np.float64))
        content = objective.terms["content conv4_2"]
        return content, sum(objective.terms.values()) - content

    content, style = content_and_style(result.image)
    assert style < content_and_style(photo)[1] / 10
    assert content < content_and_style(resize(painting, 43, 64))[0] / 1.25


def test_paths_pil_images_and_arrays_give_the_same(photo, painting, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    Image.fromarray(painting).save(tmp_path / "painting.png")
    settings = {"image_size": 32, "iterations": 2}
    results = [
        ministyle.transfer(photo, painting, **settings),
        ministyle.transfer(Image.fromarray(photo), Image.fromarray(painting), **settings),
        ministyle.transfer(tmp_path / "photo.png", str(tmp_path / "painting.png"), **settings),
    ]
    assert results[0].image.shape == (23, 32, 3)
    for result in results[1:]:
        np.testing.assert_array_equal(result.image, results[0].image)


def test_a_seed_gives_the_same_picture_again_and_another_seed_another(photo, painting):
    def make(seed):
        return ministyle.transfer(photo, painting, image_size=32, iterations=2, init="noise", seed=seed).image

    np.testing.assert_array_equal(make(1), make(1))
    assert (make(1) != make(2)).any()


def test_it_runs_on_the_device_and_gives_the_same_picture(xp, device, photo, painting):
    settings = {"image_size": 32, "iterations": 3, "dtype": "float64"}
    there = ministyle.transfer(photo, painting, device=device, **settings)
    here = ministyle.transfer(photo, painting, device="cpu", **settings)
    assert type(there.image) is np.ndarray
    assert np.abs(there.image.astype(int) - here.image).max() <= 1


@pytest.mark.parametrize("preset", ministyle.PRESETS)
def test_every_preset_lowers_the_loss(photo, painting, preset):
    result = ministyle.transfer(photo, painting, preset=preset, image_size=32, side="longest", iterations=5)
    assert result.history[-1].loss < result.history[0].loss


def test_presets_are_what_they_say():
    paper = Settings.from_preset("gatys2015")
    assert (paper.init, paper.pooling, paper.normalised, paper.style_layer_weights) == (
        "noise",
        "average",
        True,
        "equal",
    )
    # The notebook: content_weights = [1e0], style_weights = [1e3 / n**2 for n in [64, 128, 256, 512, 512]]
    notebook = Settings.from_preset("gatys-pytorch")
    assert (notebook.init, notebook.pooling, notebook.normalised) == ("content", "max", False)
    assert (notebook.content_weight, notebook.style_weight, notebook.style_layer_weights) == (1, 1000, "inverse-square")
    assert (notebook.image_size, notebook.side, notebook.iterations, notebook.bounds) == (512, "shortest", 500, False)


def test_starts(photo, painting):
    content, style = photo.astype(np.float32), painting.astype(np.float32)

    def start(**settings):
        return starting_picture(Settings(**settings), content, style, content.shape[:2])

    np.testing.assert_array_equal(start(init="content"), content)
    for picture in (start(init="style"), start(init=painting)):
        assert picture.shape == content.shape
        assert np.abs(picture.mean(axis=(0, 1)) - style.mean(axis=(0, 1))).max() < 4
    noise = start(init="noise", seed=3)
    assert noise.shape == content.shape
    assert noise.min() >= 0
    assert noise.max() <= 255
    # White: neighbours have nothing to do with one another.
    centred = noise - noise.mean()
    assert abs((centred[1:] * centred[:-1]).mean()) < 0.05 * (centred**2).mean()
    np.testing.assert_array_equal(noise, start(init="noise", seed=3))


def test_the_style_picture_can_have_a_size_of_its_own(photo, painting):
    def first_style_loss(**settings):
        result = ministyle.transfer(photo, painting, image_size=40, iterations=1, **settings)
        return result.history[0].terms["style conv1_1"]

    assert first_style_loss(style_size=40) == first_style_loss()
    assert first_style_loss(style_size=30) != first_style_loss()


def test_content_is_reconstructed_from_a_low_layer(photo):
    """Figure 1: from conv1_1 the picture comes back nearly perfectly."""
    result = ministyle.reconstruct_content(photo, "conv1_1", image_size=56, iterations=80)
    error = np.mean((result.image.astype(float) - photo) ** 2)
    assert 10 * np.log10(255**2 / error) > 30  # dB
    assert list(result.history[0].terms) == ["content conv1_1"]


def test_style_is_reconstructed_without_the_places(painting, network64):
    result = ministyle.reconstruct_style(painting, ["conv1_1", "conv2_1"], image_size=48, iterations=40)
    assert result.image.shape == painting.shape
    assert list(result.history[0].terms) == ["style conv1_1", "style conv2_1"]
    assert result.history[-1].loss < result.history[0].loss / 100
    assert np.abs(result.image.astype(float) - painting).mean() > 20  # it is not the painting


def test_content_reconstruction_comes_nearer_the_lower_the_layer(photo):
    """Figure 1, above, from left to right."""
    original = photo[:32, :48].astype(float)

    def error(layer):
        result = ministyle.reconstruct_content(original, layer, image_size=48, iterations=60)
        return np.mean((result.image - original) ** 2)

    errors = [error(layer) for layer in ("conv1_1", "conv2_1", "conv3_1", "conv4_1")]
    assert errors == sorted(errors)


def test_a_texture_may_have_any_size(painting):
    result = ministyle.reconstruct_style(painting, ["conv1_1"], size=(30, 70), image_size=48, iterations=1)
    assert result.image.shape == (30, 70, 3)


def test_a_tileable_texture_has_no_edge_that_its_making_knows_of(painting, random):
    """Begun with a start that is moved across the edges, the whole way leads to the same picture, moved likewise."""
    start = random.uniform(0, 255, (48, 64, 3))
    settings = {
        "layers": ["conv1_1", "conv3_1", "conv5_1"],
        "size": (48, 64),
        "image_size": 48,
        "iterations": 3,
        "dtype": "float64",
    }

    def make(move, **more):
        moved = np.roll(start, (-move, move), axis=(0, 1))
        return ministyle.reconstruct_style(painting, init=moved, **settings, **more).image.astype(int)

    expected = np.roll(make(0, tileable=True), (-16, 16), axis=(0, 1))
    assert np.abs(make(16, tileable=True) - expected).max() <= 1  # rounding to whole levels
    assert np.abs(make(16) - np.roll(make(0), (-16, 16), axis=(0, 1))).max() > 1  # otherwise edges do matter


def test_with_little_memory_the_same_picture_is_made_in_bands(random, monkeypatch):
    photo, painting = random.uniform(0, 255, (2, 150, 64, 3))
    settings = {"image_size": 150, "iterations": 3, "dtype": "float64"}
    at_once = ministyle.transfer(photo, painting, **settings)
    monkeypatch.setattr(sys.modules["ministyle.transfer"], "band_rows", lambda *_, **__: 64)
    in_bands = ministyle.transfer(photo, painting, max_memory=1.0, **settings)
    assert (at_once.band_rows, in_bands.band_rows) == (None, 64)
    assert np.abs(at_once.image.astype(int) - in_bands.image).max() <= 1
    with pytest.raises(MinistyleError, match="cannot be made in bands"):
        ministyle.reconstruct_style(painting, ["conv1_1"], image_size=64, tileable=True, max_memory=1.0)


def test_a_tileable_texture_has_sides_of_whole_tiles(painting):
    settings = {"image_size": 44, "iterations": 1, "tileable": True}
    assert ministyle.reconstruct_style(painting, ["conv1_1"], **settings).image.shape == (48, 32, 3)
    with pytest.raises(MinistyleError, match="multiples of 16: 40 x 32"):
        ministyle.reconstruct_style(painting, ["conv1_1"], size=(32, 40), **settings)
    with pytest.raises(MinistyleError, match="tv_weight"):
        ministyle.reconstruct_style(painting, ["conv1_1"], tv_weight=1.0, **settings)


@pytest.mark.parametrize("init", ["content", "style"])
def test_a_reconstruction_cannot_begin_with_a_picture_that_is_not_there(init, painting):
    with pytest.raises(MinistyleError, match=f"asks for a {init} picture"):
        if init == "content":
            ministyle.reconstruct_style(painting, ["conv1_1"], init=init)
        else:
            ministyle.reconstruct_content(painting, "conv1_1", init=init)


def test_on_step_sees_every_iteration(photo, painting):
    steps = []
    ministyle.transfer(
        photo, painting, image_size=32, iterations=3, on_step=lambda step, x: steps.append((step, x.shape))
    )
    assert [step.iteration for step, _ in steps] == [0, 1, 2, 3]
    assert {shape for _, shape in steps} == {(23, 32, 3)}


def test_unknown_settings_and_presets_are_refused(photo, painting):
    with pytest.raises(MinistyleError, match="did you mean iterations"):
        ministyle.transfer(photo, painting, iteration=3)
    with pytest.raises(MinistyleError, match="gatys2016"):
        ministyle.transfer(photo, painting, preset="gatys2016")
