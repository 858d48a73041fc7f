"""What is said before a run. How near it comes is measured, see docs/performance.md, and not asserted here."""

import math
import re
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from conftest import bare_settings

from ministyle.cost import estimate as module
from ministyle.cost.estimate import Estimate, estimate, memory_warning
from ministyle.cost.memory import make_plan, run_bytes, style_bytes
from ministyle.errors import MinistyleError
from ministyle.jobs.job import Job
from ministyle.solvers import SOLVERS

CPU = bare_settings(device="cpu")


def job_of(settings, *sizes, **options):
    """Return a job whose photograph and painting, as far as they have sizes, are black."""
    pictures = [None if size is None else np.zeros((*size, 3), np.float32) for size in sizes]
    settings = settings if sizes[0] else replace(settings, init="noise")
    return Job.of(settings, *pictures, **options)


@pytest.fixture
def seen(monkeypatch):
    """Have every pixel that the network sees take a microsecond; return a list of what is evaluated."""
    seen, clock = [], SimpleNamespace(now=0.0)

    def compose_objective(network, settings, content, styles):
        def objective(pixels):
            seen.append((pixels.shape, None if content is None else content.shape, *(s.picture.shape for s in styles)))
            clock.now += 1e-6 * math.prod(side + 2 * network.margin for side in pixels.shape[:2])
            return 0.0, pixels

        return objective

    monkeypatch.setattr(module, "compose_objective", compose_objective)
    monkeypatch.setattr(module.time, "perf_counter", lambda: clock.now)
    return seen


@pytest.mark.parametrize(
    ("size", "sample"),
    [((300, 600), (128, 256)), ((100, 60), (100, 60)), ((2000, 40), (256, 16)), ((20, 400), (16, 256))],
)
def test_evaluations_are_timed_on_a_small_picture_of_the_same_proportions(size, sample, seen):
    settings = replace(CPU, image_size=max(size))
    found = estimate(job_of(settings, size, (40, 40)))
    assert set(seen) == {((*sample, 3),) * 3} and len(seen) > 2
    assert found.size == size and found.seconds > 0
    painting = (max(size), max(size))  # it is scaled, too
    assert found.bytes == make_plan(settings, size, style_sizes=[painting]).bytes


def test_time_grows_with_pixels_and_iterations(seen):
    def seconds(side, iterations):
        return estimate(
            job_of(replace(CPU, image_size=side, iterations=iterations), (side, side), (side, side))
        ).seconds

    base = seconds(1000, 200)
    assert (
        200 < base < 200 * 1.5
    )  # an evaluation of a million pixels takes a second, an iteration hardly ever two of them
    assert seconds(2000, 200) == pytest.approx(4 * base, rel=0.02)
    assert seconds(1000, 400) == pytest.approx(2 * base, rel=0.05)


def test_bounds_take_time_with_scipy_s_solver(seen):
    def seconds(**settings):
        job = job_of(replace(CPU, image_size=1000, iterations=200, **settings), (1000, 1000), (1000, 1000))
        return estimate(job).seconds

    free, bound = (SOLVERS["lbfgsb"].picture_seconds(10, 200, bounds) for bounds in (False, True))
    assert seconds(bounds=True) - seconds(bounds=False) == pytest.approx(1000 * 1000 * (bound - free))
    assert seconds(bounds=True, optimizer="adam") == pytest.approx(seconds(bounds=False, optimizer="adam"))


def test_the_scales_of_a_pyramid_are_added_up(seen):
    flat, pyramid = (
        estimate(job_of(replace(CPU, image_size=1024, pyramid=pyramid), (1024, 1024), (1024, 1024))).seconds
        for pyramid in (False, True)
    )
    assert pyramid / flat == pytest.approx(1 + 0.5 / 4 + 0.5 / 16 + 0.5 / 64, rel=0.02)


def test_the_sample_and_the_picture_both_count_with_their_mirror_images(seen):
    """It takes a larger share of the sample than of the picture, and each has the time of its own."""

    def seconds(border):
        settings = replace(CPU, image_size=1024, iterations=200, border=border)
        return estimate(job_of(settings, (1024, 1024), (1024, 1024))).seconds

    assert seconds("mirror") == pytest.approx(seconds("zero") * ((1024 + 32) / 1024) ** 2, rel=0.01)


def test_bands_take_longer_and_less(seen):
    settings = replace(CPU, image_size=2048)
    whole = estimate(job_of(settings, (2048, 2048), (2048, 2048)))
    banded = estimate(job_of(replace(settings, max_memory=7.0), (2048, 2048), (2048, 2048)))
    assert whole.band_rows is None and banded.band_rows % 64 == 0
    assert banded.bytes <= 7e9 < whole.bytes
    # Two passes forward and one back instead of one and one, over rows that overlap.
    assert 1.4 < banded.seconds / whole.seconds < 4


def test_a_large_painting_takes_time_of_its_own(seen):
    def seconds(side):
        return estimate(job_of(replace(CPU, image_size=64, style_size=side), (64, 64), (side, side))).seconds

    assert seconds(2000) - seconds(1000) == pytest.approx(1.5, rel=0.01)  # three million pixels, forward only


def test_halves_and_sizes_are_taken_into_account(seen):
    both = estimate(job_of(replace(CPU, image_size=64), (48, 64), (48, 64)))
    settings = replace(CPU, image_size=64, init="noise")
    alone = estimate(job_of(settings, None, (48, 64), size=(96, 128)))
    assert both.size == (48, 64) and alone.size == (96, 128)
    assert alone.bytes == run_bytes((96, 128), settings, content=False, style_sizes=[(48, 64)])


def test_the_margin_of_a_tileable_texture_is_taken_into_account(seen):
    settings = replace(CPU, image_size=320, init="noise")
    found = estimate(job_of(settings, None, (320, 320), size=(64, 64), tileable=True))
    assert found.bytes == style_bytes((64, 64), settings, content=False, style_sizes=[(576, 576)])


def test_a_real_job_is_estimated():
    job = job_of(replace(CPU, image_size=32, iterations=10), (24, 32), (24, 32))
    found = job.estimate()
    assert found.size == (24, 32) and 0 < found.seconds < 600 and 1e8 < found.bytes < 1e9


@pytest.mark.parametrize(
    ("seconds", "shown"), [(12.3, "12 s"), (89.0, "89 s"), (91.0, "2 min"), (3000, "50 min"), (7500, "2 h 5 min")]
)
def test_it_reads_as_one_would_say_it(seconds, shown):
    assert str(Estimate(seconds, 1.24e9, (300, 400), None)) == f"400 x 300 pixels: about {shown} and 1.2 GB"
    assert str(Estimate(seconds, 1e9, (3, 4), 64)).endswith(", in bands of 64 rows")


# Warnings ---------------------------------------------------------------------------------------------------


def test_no_warning_where_there_is_room():
    assert memory_warning(job_of(replace(CPU, image_size=1024), (1024, 1024), (1024, 1024)), available=4e9) is None


def test_a_warning_names_the_largest_size_that_fits_and_the_banded_way():
    settings = replace(CPU, image_size=2048, style_size=512)
    job = job_of(settings, (1024, 2048), (512, 512))
    warning = memory_warning(job, available=4.06e9)
    largest = int(re.search(r"--image-size (\d+) would fit", warning)[1])

    def bytes_of(image_size):
        return make_plan(settings, (image_size // 2, image_size), style_sizes=[(512, 512)]).bytes

    assert largest % 16 == 0 and bytes_of(largest) <= 4.06e9 < bytes_of(largest + 16)
    assert "2048 x 1024 pixels take about" in warning and "4.1 GB are free" in warning
    assert "--max-memory 4.0GB works in bands" in warning
    assert "bands" not in memory_warning(job, available=1e9)  # not even so


def test_the_painting_grows_with_the_picture_unless_it_has_a_size_of_its_own():
    """A panorama beside a square: most of the memory goes to the painting."""

    def largest(**style_size):
        warning = memory_warning(
            job_of(replace(CPU, image_size=2000, **style_size), (200, 2000), (2000, 2000)), available=2e9
        )
        found = re.search(r"--image-size (\d+) would fit", warning)
        return found and int(found[1])

    assert 1000 < largest() < 1500
    assert largest(style_size=2000) is None


def test_a_size_of_its_own_is_what_a_texture_is_advised_to_change():
    settings = replace(CPU, image_size=256, init="noise")
    job = job_of(settings, None, (256, 256), size=(1000, 2000))
    warning = memory_warning(job, available=2e9)
    width, height = map(int, re.search(r"--output-size (\d+)x(\d+) would fit", warning).groups())
    assert width % 16 == height % 16 == 0 and width == pytest.approx(2 * height, abs=32)
    assert run_bytes((height, width), settings, content=False, style_sizes=[(256, 256)]) <= 2e9
    assert "--image-size" not in warning
    smaller = replace(settings, image_size=2000)
    assert "--image-size" in memory_warning(job_of(smaller, None, (1000, 2000)), available=2e9)


def test_a_tileable_texture_is_not_sent_into_bands():
    settings = replace(CPU, image_size=1024, init="noise")
    job = job_of(settings, None, (1024, 1024), tileable=True)
    warning = memory_warning(job, available=2e9)
    largest = int(re.search(r"--image-size (\d+) would fit", warning)[1])
    assert "bands" not in warning
    assert make_plan(settings, (largest,) * 2, content=False, style_sizes=[(largest + 256,) * 2]).bytes <= 2e9


def test_a_warning_with_nothing_to_offer_still_warns():
    warning = memory_warning(job_of(replace(CPU, image_size=64), (64, 64), (64, 64)), available=1e6)
    assert "0.0 GB are free" in warning and "would fit" not in warning and ";" not in warning


# A sketch ----------------------------------------------------------------------------------------------------

SKETCHES = {
    "photograph and painting": ({"image_size": 900}, (400, 600), (300, 500), {}),
    "shortest side": ({"image_size": 700, "side": "shortest"}, (400, 601), (307, 500), {}),
    "painting of a size of its own": ({"image_size": 400, "style_size": 1400}, (400, 600), (300, 500), {}),
    "painting scaled": ({"image_size": 400, "style_scale": (3.0,)}, (400, 600), (300, 500), {}),
    "pyramid": ({"image_size": 1100, "pyramid": True, "border": "mirror"}, (400, 600), (300, 501), {}),
    "own size": ({"image_size": "content"}, (400, 611), (300, 500), {}),
    "mask": (
        {"image_size": 900},
        (400, 600),
        (300, 500),
        {"content_mask": np.tile([0, 255], (40, 30)).astype("uint8")},
    ),
    "small": ({"image_size": 100}, (400, 600), (300, 500), {}),
    "texture": ({"image_size": 901}, None, (303, 500), {}),
    "texture of a size": ({"image_size": 600}, None, (300, 500), {"size": (700, 444)}),
    "tileable": ({"image_size": 600}, None, (300, 500), {"tileable": True}),
    "bands": ({"image_size": 2000, "max_memory": 4.5}, (400, 600), (300, 500), {}),
    "start": ({"image_size": 900, "init": np.zeros((700, 700, 3), "uint8")}, (400, 600), (300, 500), {}),
}


@pytest.mark.parametrize("case", SKETCHES)
def test_a_sketch_is_estimated_as_the_job_itself(case, seen):
    changes, *sizes, options = SKETCHES[case]
    settings = replace(CPU, **changes)
    whole, sketch = (job_of(settings, *sizes, **options, sketch=one) for one in (False, True))
    expected, found = estimate(whole), estimate(sketch)
    assert (found.size, found.band_rows) == (expected.size, expected.band_rows)
    assert found.bytes == pytest.approx(expected.bytes, rel=0.01)
    assert found.seconds == pytest.approx(expected.seconds, rel=0.02)
    warnings = [re.sub(r"\d+(\.\d+)?", "", str(memory_warning(job, 0.5e9))) for job in (whole, sketch)]
    assert warnings[0] == warnings[1]


def test_a_sketch_holds_small_pictures_and_cannot_be_run():
    mask = np.full((400, 600), 200, np.uint8)
    settings = replace(CPU, image_size=20_000, style_size=30_000, init=np.zeros((900, 900, 3), np.uint8))
    sketch = job_of(settings, (400, 600), (300, 500), content_mask=mask, sketch=True)
    assert sketch.size == (13333, 20_000)
    (style,) = sketch.styles
    assert max(*sketch.photograph.shape, *style.picture.shape, *style.region.shape, *sketch.init.shape) <= 256
    with pytest.raises(MinistyleError, match="sketch"):
        job_of(replace(CPU, image_size=32, iterations=1), (24, 32), (30, 32), sketch=True).run()
