"""Which part of the picture takes which style, from paintings and masks as users give them."""

from dataclasses import replace

import numpy as np
import pytest
from conftest import bare_settings, sentence
from small_pictures import PAINTING, PHOTO

from ministyle import Job, Settings, Style
from ministyle.files import shipped_path
from ministyle.jobs.regions import read_styles, uncovered
from ministyle.jobs.scales import Scale
from ministyle.objective import Objective
from ministyle.pictures.reading import read_picture
from ministyle.weights.load import load_network

SETTINGS = bare_settings(image_size=56, style_size=48, style_layers=("conv1_1", "conv2_1"), iterations=2)
OTHER = np.ascontiguousarray(PAINTING[::-1, :, ::-1])
LEFT = np.zeros(PHOTO.shape[:2], np.uint8)
LEFT[:, :28] = 255
HALF = np.zeros(PAINTING.shape[:2], np.uint8)
HALF[:24] = 255


def coloured(mask, first=(255, 0, 0), second=(0, 0, 255)):
    return np.where(mask[:, :, np.newaxis] > 0, np.uint8(first), np.uint8(second))


def read(style, content_mask=None, settings=SETTINGS, content=PHOTO):
    return read_styles(settings, style, content, content_mask, PHOTO.shape[:2])


def test_every_painting_has_its_weight_and_scale():
    settings = replace(SETTINGS, style_blend=(2, 1), style_scale=(1, 0.5), style_size=48)
    a, b = read([PAINTING, OTHER], settings=settings)
    assert (a.weight, b.weight) == (2, 1)
    assert a.picture.shape == (48, 32, 3) and b.picture.shape == (24, 16, 3)
    a, b = read([Style(PAINTING, weight=3), Style(OTHER, scale=0.5)], settings=replace(settings, style_scale=(1,)))
    assert (a.weight, b.weight) == (6, 1) and b.picture.shape == (24, 16, 3)


def test_a_content_mask_says_where_the_style_goes():
    (style,) = read(PAINTING, LEFT)
    assert (style.region == LEFT / 255).all() and style.mask is None
    assert uncovered([style]) == 0.5
    a, b = read([PAINTING, OTHER], LEFT)
    assert (a.region == LEFT / 255).all() and (b.region == 1 - LEFT / 255).all()
    assert uncovered([a, b]) == 0
    a, b = read([PAINTING, OTHER], [LEFT, LEFT])
    assert (b.region == LEFT / 255).all()
    (style,) = read(Style(PAINTING, mask=HALF, region=LEFT))
    assert (style.mask == HALF / 255).all() and (style.region == LEFT / 255).all()


def test_a_photographs_opacity_is_a_mask():
    photo = np.dstack([PHOTO, LEFT])
    (style,) = read(PAINTING, "alpha", content=photo)
    assert (style.region == LEFT / 255).all()
    assert "transparent in parts" in sentence(read, PAINTING, "alpha")
    invisible = np.dstack([PHOTO, 0 * LEFT])
    assert "transparent everywhere" in sentence(read, PAINTING, "alpha", content=invisible)


def test_in_colour_coded_masks_a_region_takes_the_style_of_its_colour():
    mask, other = coloured(HALF), coloured(HALF, (0, 0, 255), (9, 9, 9))
    styles = read([Style(PAINTING, mask=mask), Style(OTHER, mask=other)], coloured(LEFT))
    assert len(styles) == 3  # red and blue of the first painting, blue of the second
    blue, blue_too, red = styles
    assert (red.region == LEFT / 255).all() and (red.mask == HALF / 255).all()
    assert (blue.region == 1 - LEFT / 255).all() and (blue.mask == 1 - HALF / 255).all()
    assert (blue_too.region == blue.region).all() and (blue_too.mask == HALF / 255).all()
    assert (blue_too.picture == OTHER).all()


@pytest.mark.parametrize(
    ("style", "content_mask", "words"),
    [
        ([PAINTING, OTHER, PAINTING], LEFT, "3 style pictures need as many content masks, got 1"),
        ([PAINTING, OTHER, PAINTING], [LEFT, LEFT], "got 2"),
        (PAINTING, LEFT[:, :20], "content mask is 20 x 40 pixels, which are not the proportions"),
        (Style(PAINTING, mask=HALF[:20]), None, "style mask is 32 x 20 pixels"),
        (PAINTING, 0 * LEFT, "content mask is black everywhere"),
        ([PAINTING, Style(OTHER, mask=0 * HALF)], None, "style mask 2 is black everywhere"),
        ([PAINTING, OTHER], 0 * LEFT + 255, "nothing would take the second style"),
        (Style(PAINTING, mask=coloured(HALF)), None, "content mask must be so, too"),
        (PAINTING, coloured(LEFT), "the style mask must be so, too"),
        (Style(PAINTING, mask=coloured(HALF, (0, 255, 0))), coloured(LEFT), "no style mask has the colour #ff0000"),
        (Style(PAINTING, region=LEFT), LEFT, "not both"),
        (None, LEFT, "there is no style picture"),
        ([Style(PAINTING, 0), Style(OTHER, 0)], None, "must not all be 0"),
    ],
)
def test_masks_that_do_not_fit_get_their_sentence(style, content_mask, words):
    assert words in sentence(read, style, content_mask)


def test_numbers_that_do_not_fit_the_paintings_get_their_sentence():
    settings = replace(SETTINGS, style_blend=(2, 1))
    assert "style_blend has 2 numbers for 1 style picture" in sentence(read, PAINTING, settings=settings)
    settings = replace(SETTINGS, style_scale=(1, 2, 3))
    assert "style_scale has 3 numbers for 2 style pictures" in sentence(read, [PAINTING, OTHER], settings=settings)


def test_at_every_scale_the_objective_is_that_of_the_shrunk_pictures_and_masks():
    """At half the size, as far as the painting may shrink; both masks' edges lie between pixels there, too."""
    settings = replace(SETTINGS, dtype="float64", image_size=112, style_size=192)
    job = Job.of(settings, PHOTO, [Style(PAINTING, mask=HALF), OTHER], content_mask=LEFT)
    scale = Scale((40, 56), 2, 1)
    assert scale.reduced((192, 128)) == (96, 64)
    left, half = LEFT / 255, HALF.repeat(2, axis=0).repeat(2, axis=1) / 255
    a, b = (scale.shrink(one.picture) for one in job.styles)
    styles = [Style(a, mask=half, region=left), Style(b, region=1 - left)]
    layers = {"style_layers": SETTINGS.style_layers, "style_layer_weights": "geometric"}
    expected = Objective(job.network, style=styles, **layers)
    pixels = np.random.default_rng(1).uniform(0, 255, (40, 56, 3))
    found = job.objective_at(scale)(pixels).terms
    for name, value in expected(pixels).terms.items():
        assert found[name] == pytest.approx(value, rel=1e-10), name


def test_where_no_style_goes_the_photograph_stays():
    """Started from the photograph, free pixels outside the region and out of sight of it do not move."""
    settings = replace(SETTINGS, image_size=112, iterations=4, style_layers=("conv1_1",), content_layers=("conv1_1",))
    photo = PHOTO.repeat(2, axis=0).repeat(2, axis=1)
    result = Job.of(settings, photo, PAINTING, content_mask=LEFT).run()
    moved = np.abs(result.pixels - photo).max(axis=(0, 2))
    assert moved[:50].max() > 5
    assert moved[64:].max() < 1e-3


@pytest.mark.slow
def test_each_half_comes_nearer_to_its_own_painting_than_to_the_other(weights):
    """Judged by plain Gram matrices of the activations well inside each half, without any guide."""
    photo, painting = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    paintings = [read_picture(painting, 128), 255 - read_picture(painting, 128).transpose(1, 0, 2)]
    mask = np.zeros((96, 144), np.uint8)
    mask[:, :72] = 255
    settings = Settings(image_size=144, style_size=128, iterations=25, optimizer="lbfgs")
    job = Job.of(settings, read_picture(photo, 144), paintings, content_mask=mask)
    network = load_network(weights, normalised=True, device="cpu")
    layers = ("conv1_1", "conv2_1", "conv3_1")  # deeper ones see most of this small picture at each position

    def styles_of(features, columns):
        first, last = columns
        return {name: gram(F[:, round(first * F.shape[1]) : round(last * F.shape[1])]) for name, F in features.items()}

    def gram(F):
        return np.einsum("hwi,hwj->ij", F, F, optimize=True) / (F.shape[0] * F.shape[1])

    goals = [styles_of(network.features(one, layers), (0, 1)) for one in paintings]
    made = network.features(job.run().pixels, layers)
    for columns, own, other in (((0, 0.4), 0, 1), ((0.6, 1), 1, 0)):
        for name, G in styles_of(made, columns).items():
            near, far = (((G - goals[number][name]) ** 2).mean() for number in (own, other))
            assert near < far / 2, (columns, name)
