"""The package's functions on small pictures, and the package itself as a user imports it."""

import dataclasses
import importlib
import io
import pkgutil

import numpy as np
import pytest
from conftest import bare_settings, sentence
from PIL import Image
from small_pictures import PAINTING, PHOTO

import ministyle
from ministyle.errors import MinistyleError
from ministyle.files import shipped_path
from ministyle.pictures.reading import read_picture
from ministyle.pictures.sizes import resize
from ministyle.settings import Settings

NTSC = np.array([[0.299, 0.587, 0.114], [0.596, -0.274, -0.322], [0.211, -0.523, 0.312]])  # RGB -> Y, I, Q


def test_no_module_is_hidden_by_a_function_of_the_same_name():
    found = 0
    for module in pkgutil.walk_packages(ministyle.__path__, "ministyle."):
        parent, _, name = module.name.rpartition(".")
        if name != "__main__":
            found += 1
            assert importlib.import_module(module.name) is getattr(importlib.import_module(parent), name), module.name
    assert found > 50


def test_the_style_moves_in_and_the_content_stays(network64):
    photo, painting = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    bare = dataclasses.asdict(bare_settings(image_size=64, iterations=25, style_weight=30.0))
    result = ministyle.transfer(photo, painting, **bare)
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
        terms = objective(picture.astype(np.float64)).terms
        content = terms["content conv4_2"]
        return content, sum(terms.values()) - content

    content, style = content_and_style(result.image)
    assert style < content_and_style(photo)[1] / 10
    assert content < content_and_style(resize(painting, 43, 64))[0] / 1.25


def test_paths_pil_images_and_arrays_give_the_same(tmp_path):
    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    Image.fromarray(PAINTING).save(tmp_path / "painting.png")
    settings = {"image_size": 32, "iterations": 2}
    results = [
        ministyle.transfer(PHOTO, PAINTING, **settings),
        ministyle.transfer(Image.fromarray(PHOTO), Image.fromarray(PAINTING), **settings),
        ministyle.transfer(tmp_path / "photo.png", str(tmp_path / "painting.png"), **settings),
    ]
    assert results[0].image.shape == (23, 32, 3)
    for result in results[1:]:
        np.testing.assert_array_equal(result.image, results[0].image)


def test_a_seed_gives_the_same_picture_again_and_another_seed_another():
    def make(seed):
        return ministyle.transfer(PHOTO, PAINTING, image_size=32, iterations=2, init="noise", seed=seed).image

    np.testing.assert_array_equal(make(1), make(1))
    assert (make(1) != make(2)).any()


def test_it_runs_on_the_device_and_gives_the_same_picture(xp, device):
    settings = {"image_size": 32, "iterations": 3, "dtype": "float64", "optimizer": "lbfgs"}
    there = ministyle.transfer(PHOTO, PAINTING, device=device, **settings)
    here = ministyle.transfer(PHOTO, PAINTING, device="cpu", **settings)
    assert type(there.image) is np.ndarray
    assert np.abs(there.image.astype(int) - here.image).max() <= 1


@pytest.mark.parametrize("preset", ministyle.PRESETS)
def test_every_preset_lowers_the_loss(preset):
    result = ministyle.transfer(PHOTO, PAINTING, preset=preset, image_size=32, side="longest", iterations=5)
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


def test_the_style_picture_can_have_a_size_of_its_own():
    def first_style_loss(**settings):
        result = ministyle.transfer(PHOTO, PAINTING, image_size=40, iterations=1, convention="mean", **settings)
        return result.history[0].terms["style conv1_1"]

    assert first_style_loss(style_size=40) == first_style_loss()
    assert first_style_loss(style_size=30) != first_style_loss()


def test_on_step_sees_every_iteration():
    steps = []
    ministyle.transfer(
        PHOTO, PAINTING, image_size=32, iterations=3, on_step=lambda step, x: steps.append((step, x.shape))
    )
    assert [step.iteration for step, _ in steps] == [0, 1, 2, 3]
    assert {shape for _, shape in steps} == {(23, 32, 3)}


def test_unknown_settings_and_presets_are_refused():
    with pytest.raises(MinistyleError, match="did you mean iterations"):
        ministyle.transfer(PHOTO, PAINTING, iteration=3)
    with pytest.raises(MinistyleError, match="gatys2016"):
        ministyle.transfer(PHOTO, PAINTING, preset="gatys2016")


def test_what_a_transfer_takes_is_said_before_it_begins():
    estimate = ministyle.estimate_transfer(PHOTO, PAINTING, preset="gatys2015", image_size=48, iterations=2)
    assert isinstance(estimate, ministyle.Estimate)
    assert estimate.size == (34, 48)
    assert estimate.seconds > 0
    more = ministyle.estimate_transfer(PHOTO, PAINTING, preset="gatys2015", image_size=96, iterations=2)
    assert more.bytes > estimate.bytes
    with pytest.raises(MinistyleError, match="did you mean iterations"):
        ministyle.estimate_transfer(PHOTO, PAINTING, iteration=3)


# Colours ------------------------------------------------------------------------------------------------


def grey_painting():
    """Return stripes of light and dark, whose effect leaves the photograph's colours within 0 to 255."""
    return np.repeat(PAINTING[:, :, :1] // 8 + 100, 3, axis=2)


def test_a_result_keeps_the_photograph_s_chrominance_where_it_is_asked_for():
    photo = resize(PHOTO.astype(np.float32), 40, 56) / 4 + 90  # far from 0 and 255
    settings = {"image_size": 56, "iterations": 16}
    kept = ministyle.transfer(photo, grey_painting(), colours="photo-luminance", **settings)
    away = ministyle.transfer(photo, grey_painting(), **settings)
    y, i, q = np.moveaxis(kept.image @ NTSC.T, 2, 0)
    before = photo @ NTSC.T
    np.testing.assert_allclose(np.stack([i, q]), np.moveaxis(before, 2, 0)[1:], atol=1)  # rounding to whole levels
    assert np.abs(y - before[:, :, 0]).mean() > 1  # light and dark did change
    assert np.abs((away.image @ NTSC.T - before)[:, :, 1:]).max() > 5  # otherwise colours change, too


def test_the_run_itself_is_in_grey_where_only_luminance_is_transferred():
    losses_then = [
        ministyle.transfer(PHOTO, painting, image_size=32, iterations=1, colours="photo-luminance").history[0].terms
        for painting in (PAINTING, np.repeat(np.round(PAINTING @ [0.30, 0.59, 0.11])[:, :, np.newaxis], 3, axis=2))
    ]
    assert losses_then[0] == pytest.approx(losses_then[1], rel=0.05)


def test_a_result_has_the_photograph_s_palette_where_it_is_asked_for():
    settings = {"image_size": 32, "iterations": 3}
    result = ministyle.transfer(PHOTO, PAINTING, colours_after="photo-match", **settings)
    stays = ministyle.transfer(PHOTO, PAINTING, **settings)
    before = ministyle.Job.of(stays.settings, PHOTO, PAINTING).photograph
    reached, away, wanted = (picture.mean(axis=(0, 1)) for picture in (result.pixels, stays.pixels, before))
    assert np.abs(reached - wanted).max() < 2 < np.abs(away - wanted).max()  # grey levels; some pixels are clipped
    assert result.history[-1].loss == stays.history[-1].loss  # the run is the same


@pytest.mark.parametrize("setting", ["colours", "colours_after"])
def test_a_picture_without_a_photograph_cannot_have_its_colours(setting):
    with pytest.raises(MinistyleError, match="come from a photograph, and there is none"):
        ministyle.reconstruct_style(PAINTING, ["conv1_1"], image_size=32, **{setting: "photo-luminance"})


# Reconstructions ------------------------------------------------------------------------------------------


def test_content_is_reconstructed_from_a_low_layer():
    """Figure 1: from conv1_1 the picture comes back nearly perfectly."""
    result = ministyle.reconstruct_content(PHOTO, "conv1_1", image_size=56, iterations=80)
    error = np.mean((result.image.astype(float) - PHOTO) ** 2)
    assert 10 * np.log10(255**2 / error) > 30  # dB
    assert list(result.history[0].terms) == ["content conv1_1", "total variation"]


def test_style_is_reconstructed_without_the_places():
    result = ministyle.reconstruct_style(PAINTING, ["conv1_1", "conv2_1"], image_size=48, iterations=40, tv_weight=0)
    assert result.image.shape == PAINTING.shape
    assert list(result.history[0].terms) == ["style conv1_1", "style conv2_1"]
    assert result.history[-1].loss < result.history[0].loss / 100
    assert np.abs(result.image.astype(float) - PAINTING).mean() > 20  # it is not the painting


@pytest.mark.parametrize("layers", ["conv3_1", "relu3_1", ["conv3_1"], ("conv3_1",)])
def test_a_style_layer_can_be_named_alone(layers):
    result = ministyle.reconstruct_style(PAINTING, layers, image_size=32, iterations=1, tv_weight=0)
    assert list(result.history[0].terms) == ["style conv3_1"]
    assert result.settings.style_layers == ("conv3_1",)


def test_content_reconstruction_comes_nearer_the_lower_the_layer():
    """Figure 1, above, from left to right."""
    original = PHOTO[:32, :48].astype(float)

    def error(layer):
        result = ministyle.reconstruct_content(original, layer, image_size=48, iterations=60)
        return np.mean((result.image - original) ** 2)

    errors = [error(layer) for layer in ("conv1_1", "conv2_1", "conv3_1", "conv4_1")]
    assert errors == sorted(errors)


def test_a_texture_may_have_any_size():
    result = ministyle.reconstruct_style(PAINTING, ["conv1_1"], size=(30, 70), image_size=48, iterations=1)
    assert result.image.shape == (30, 70, 3)


@pytest.mark.parametrize("tv_weight", [0.0, 1.0])
def test_a_tileable_texture_has_no_edge_that_its_making_knows_of(random, tv_weight):
    """Begun with a start that is moved across the edges, the whole way leads to the same picture, moved likewise."""
    start = random.uniform(0, 255, (48, 64, 3))
    settings = {
        "layers": ["conv1_1", "conv3_1", "conv5_1"],
        "size": (48, 64),
        "image_size": 48,
        "iterations": 3,
        "dtype": "float64",
        "tv_weight": tv_weight,
    }

    def make(move, **more):
        moved = np.roll(start, (-move, move), axis=(0, 1))
        return ministyle.reconstruct_style(PAINTING, init=moved, **settings, **more).image.astype(int)

    expected = np.roll(make(0, tileable=True), (-16, 16), axis=(0, 1))
    assert np.abs(make(16, tileable=True) - expected).max() <= 1  # rounding to whole levels
    assert np.abs(make(16) - np.roll(make(0), (-16, 16), axis=(0, 1))).max() > 1  # otherwise edges do matter


def test_a_tileable_texture_has_sides_of_whole_tiles():
    settings = {"image_size": 44, "iterations": 1, "tileable": True}
    assert ministyle.reconstruct_style(PAINTING, ["conv1_1"], **settings).image.shape == (48, 32, 3)
    with pytest.raises(MinistyleError, match="multiples of 16: 40 x 32"):
        ministyle.reconstruct_style(PAINTING, ["conv1_1"], size=(32, 40), **settings)


@pytest.mark.parametrize("init", ["content", "style"])
def test_a_reconstruction_cannot_begin_with_a_picture_that_is_not_there(init):
    with pytest.raises(MinistyleError, match=f"asks for a {init} picture"):
        if init == "content":
            ministyle.reconstruct_style(PAINTING, ["conv1_1"], init=init)
        else:
            ministyle.reconstruct_content(PHOTO, "conv1_1", init=init)


@pytest.mark.parametrize(
    "size", [(-1, 5), (0, 0), "a", (1,), (3.5, 20), 5, (64, 64, 3), (10**9, 10**9), (True, 64), (float("nan"), 64)]
)
def test_a_size_that_is_none_is_refused(size):
    assert f"size (={size!r}) must be (height, width)" in sentence(
        ministyle.reconstruct_style, PAINTING, "conv1_1", size=size, image_size=32
    )


@pytest.mark.parametrize("preset", [[], {}, None, 5, ("default",), np.array([1, 2])])
def test_a_preset_of_any_type_is_refused(preset):
    assert "preset (=" in sentence(ministyle.transfer, PHOTO, PAINTING, preset=preset)


@pytest.mark.parametrize("share", [0.02, 0.3, 0.6, 0.95])
@pytest.mark.parametrize("format_name", ["WEBP", "BMP", "PNG", "JPEG", "TIFF", "GIF", "PPM", "JPEG2000", "TGA"])
def test_a_truncated_photograph_is_refused_with_a_sentence(format_name, share, random):
    stream = io.BytesIO()
    Image.fromarray(random.integers(0, 256, (60, 64, 3), dtype=np.uint8)).save(stream, format_name)
    data = stream.getvalue()[: int(len(stream.getvalue()) * share)]
    refusal = sentence(ministyle.Job.of, ministyle.Settings(image_size=32), data, PAINTING)
    assert "None" not in refusal
