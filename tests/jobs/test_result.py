import base64
import copy
import dataclasses
import io
import math
import pickle
import re
import sys
from html.parser import HTMLParser

import numpy as np
import pytest
from conftest import pixels_of, sentence
from distributed.protocol import deserialize, serialize
from PIL import Image
from small_pictures import PAINTING, PHOTO

import ministyle
from ministyle.errors import MinistyleError
from ministyle.jobs.job import Job
from ministyle.jobs.result import Result
from ministyle.settings import Settings
from ministyle.solvers import Step

TERMS = {"content conv4_2": 0.5, "style conv1_1": 0.25, "style conv2_1": 0.125, "total variation": 0.125}


def steps(*losses, size, first=0):
    """Return steps with these losses; half of each is content, and there are two style terms."""
    return [
        Step(first + i, first + i + 1, loss, {name: share * loss for name, share in TERMS.items()}, 2.0 * i, size)
        for i, loss in enumerate(losses)
    ]


@pytest.fixture
def result(random):
    """A result of two scales."""
    history = [*steps(1000.0, 100.0, 10.0, size=(12, 20)), *steps(100.0, 1.0, size=(24, 40), first=2)]
    pixels = random.uniform(0, 255, (24, 40, 3)).astype(np.float32)
    return Result(pixels, history, "a <b> & c: it ended", True, Settings(image_size=40))


def changed(result, **changes):
    """Return an equal result, copied through and through, but for the changes."""
    return dataclasses.replace(copy.deepcopy(result), **changes)


# The picture ---------------------------------------------------------------------------------------------


def test_the_png_has_every_pixel(result):
    with Image.open(io.BytesIO(result._repr_png_())) as picture:
        assert picture.format == "PNG"
        np.testing.assert_array_equal(np.asarray(picture), np.rint(result.pixels))


def test_it_becomes_a_pil_image(result):
    picture = result.to_pil()
    assert (picture.mode, picture.size) == ("RGB", (40, 24))
    np.testing.assert_array_equal(np.asarray(picture), np.rint(result.pixels))


def test_it_is_saved_and_replaces_a_file_only_if_it_may(result, tmp_path):
    path = tmp_path / "out.png"
    result.save(path)
    np.testing.assert_array_equal(pixels_of(path), np.rint(result.pixels))
    other = changed(result, pixels=255 - result.pixels)
    assert "exists" in sentence(other.save, path)
    np.testing.assert_array_equal(pixels_of(path), np.rint(result.pixels))
    other.save(str(path), overwrite=True)
    np.testing.assert_array_equal(pixels_of(path), np.rint(other.pixels))


# In a notebook -------------------------------------------------------------------------------------------


class Page(HTMLParser):
    """The elements and the text of a piece of HTML, whose elements must all be closed in order."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open = [], "", []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag not in ("img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data

    def all(self, tag):
        """Return the attributes of all elements of a kind."""
        return [attributes for name, attributes in self.elements if name == tag]


def test_the_html_shows_picture_size_time_loss_and_how_it_ended(result):
    page = Page(result._repr_html_())
    [shown] = page.all("img")
    assert (shown["width"], shown["height"]) == ("40", "24")
    kind, data = shown["src"].split(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(data))) as picture:
        assert kind == f"data:{Image.MIME[picture.format]}"
        assert picture.size == (40, 24)
        assert abs(np.asarray(picture).mean(axis=(0, 1)) - result.pixels.mean(axis=(0, 1))).max() < 3
    for said in ("40 x 24 pixels", "3 iterations", "2.0 s", "100 -> 1", "a <b> & c: it ended"):
        assert said in page.text


def test_the_curve_has_a_line_for_each_scale_on_a_logarithmic_axis(result):
    page = Page(result._repr_html_())
    [frame] = page.all("svg")
    width, height = (float(frame[side]) for side in ("width", "height"))
    lines = [[tuple(map(float, point.split(","))) for point in line["points"].split()] for line in page.all("polyline")]
    # Losses of 1000, 100, 10 at iterations 0 to 2, then 100 and 1 at 2 and 3: a third of the height for each power.
    expected = [[(0, 0), (1, 1), (2, 2)], [(2, 1), (3, 3)]]
    for line, points in zip(lines, expected, strict=True):
        np.testing.assert_allclose(line, [(x * width / 3, y * height / 3) for x, y in points], atol=0.1)


@pytest.mark.parametrize("losses", [(1.0,), (1.0, 1.0), (1.0, 0.0)])
def test_a_curve_can_be_flat_or_a_point_or_reach_zero(result, losses):
    page = Page(changed(result, history=steps(*losses, size=(24, 40)))._repr_html_())
    [line] = page.all("polyline")
    numbers = [float(number) for number in re.split("[ ,]", line["points"])]
    assert len(numbers) == 2 * len(losses)
    assert all(map(math.isfinite, numbers))


def test_it_says_in_one_line_what_it_is(result):
    assert "\n" not in repr(result)
    assert len(repr(result)) < 120
    for said in ("Result", "40 x 24 pixels", "3 iterations", "it ended"):
        assert said in repr(result)


# Equality ------------------------------------------------------------------------------------------------


def test_equal_values_make_equal_results(result):
    assert result == changed(result)
    assert hash(result) == hash(changed(result))
    assert len({result, changed(result)}) == 1


@pytest.mark.parametrize(
    "change",
    [
        {"pixels": np.zeros((24, 40, 3), np.float32)},
        {"pixels": np.zeros((12, 20, 3), np.float32)},
        {"history": steps(1.0, size=(24, 40))},
        {"message": "it ended otherwise"},
        {"completed": False},
        {"settings": Settings(image_size=40, seed=1)},
        {"settings": Settings(image_size=40, init=PHOTO)},
        {"interrupted": True},
        {"stopped": True},
        {"band_rows": 16},
    ],
    ids=lambda change: next(iter(change)),
)
def test_any_other_value_makes_another_result(result, change):
    assert result != changed(result, **change)
    assert changed(result, **change) == changed(result, **change)


def test_a_pixel_that_rounds_to_the_same_level_is_another_one(result):
    pixels = np.full((24, 40, 3), 100.0, np.float32)
    assert changed(result, pixels=pixels) != changed(result, pixels=pixels + np.float32(0.25))


def test_starts_that_are_arrays_are_compared_by_value(result):
    one, same, other = (Settings(image_size=40, init=picture) for picture in (PHOTO, PHOTO.copy(), PAINTING))
    assert changed(result, settings=one) == changed(result, settings=same)
    assert changed(result, settings=one) != changed(result, settings=other)


def test_it_equals_nothing_but_results(result):
    assert result != "a result"
    assert result != result.pixels.tolist()


def test_it_comes_back_from_a_pickle_as_it_was():
    made = ministyle.transfer(PHOTO, PAINTING, image_size=32, iterations=1, init=PHOTO)
    assert made.image is made.image  # which is kept, and travels along
    back = pickle.loads(pickle.dumps(made))
    assert back == made
    assert hash(back) == hash(made)
    assert back._repr_html_() == made._repr_html_()


def test_it_comes_back_from_a_cluster_as_it_was(result):
    assert deserialize(*serialize(result)) == result


# As a picture --------------------------------------------------------------------------------------------


def test_it_goes_wherever_a_picture_goes(result):
    job = Job.of(Settings(image_size=20, init=result), result, result)
    same = Job.of(Settings(image_size=20, init=result.pixels), result.pixels, result.pixels)
    assert job.size == (12, 20)
    np.testing.assert_array_equal(job.styles[0].picture, same.styles[0].picture)
    for name in ("photograph", "init"):
        np.testing.assert_array_equal(getattr(job, name), getattr(same, name))
    assert ministyle.transfer(result, result, image_size=40, iterations=1).image.shape == (24, 40, 3)


@pytest.mark.parametrize("way", ["result", "PIL image"])
def test_a_run_goes_on_from_a_result(way):
    settings = {"image_size": 32, "optimizer": "adam", "tv_weight": 0.0}
    first = ministyle.transfer(PHOTO, PAINTING, iterations=4, **settings)
    second = ministyle.transfer(
        PHOTO, PAINTING, init=first if way == "result" else first.to_pil(), iterations=1, **settings
    )
    # A start of its own, not a fresh one: rounding to whole levels is all that may lie between the two.
    assert second.history[0].loss == pytest.approx(first.history[-1].loss, rel=1e-5 if way == "result" else 0.02)
    assert second.history[0].loss < first.history[0].loss / 1.5


def test_a_start_is_kept_as_a_picture_not_with_all_that_it_came_from(result):
    settings = Settings(init=result)
    assert settings.init is result.pixels


# The plot ------------------------------------------------------------------------------------------------


def test_the_plot_shows_loss_and_terms_of_each_scale(result):
    from matplotlib.figure import Figure

    ax = Figure().subplots()
    assert result.plot(ax) is ax
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["loss", "content", "style", "total variation"]
    drawn = [line.get_xydata().tolist() for line in ax.lines if len(line.get_xdata()) != 2 or line.get_xdata()[0] != 2]
    assert drawn[0] == [[0, 1000], [1, 100], [2, 10]]
    assert drawn[1] == [[0, 500], [1, 50], [2, 5]]
    assert drawn[2] == [[0, 375], [1, 37.5], [2, 3.75]]
    drawn = [line.get_xydata().tolist() for line in ax.lines]
    assert [[2, 100], [3, 1]] in drawn
    assert [[2, 37.5], [3, 0.375]] in drawn


def test_the_plot_makes_axes_where_none_are_given(result):
    from matplotlib import pyplot

    with pyplot.rc_context({"backend": "agg"}):
        ax = result.plot()
        assert len(ax.lines) > 4
        pyplot.close(ax.figure)


def test_without_matplotlib_a_plot_is_refused_in_one_sentence(result, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(MinistyleError, match="a plot of the loss needs Matplotlib"):
        result.plot()
