"""What is said before a run. How near it comes is measured, see docs/performance.md, and not asserted here."""

import re

import numpy as np
import pytest

from ministyle import estimate as module
from ministyle.cost.estimate import Estimate, estimate, memory_warning
from ministyle.cost.memory import run_bytes
from ministyle.settings import Settings

SETTINGS = Settings(image_size=32, iterations=10)


@pytest.fixture
def pictures(random):
    return random.uniform(0, 255, (2, 24, 32, 3)).astype("float32")


@pytest.fixture
def one_microsecond(monkeypatch):
    """Have every pixel of an evaluation take a microsecond."""
    monkeypatch.setattr(module, "_time_evaluations", lambda *_: (1e-6, "cpu"))


def test_evaluations_are_timed_on_a_small_picture_of_the_same_proportions(random, monkeypatch):
    seen = []
    compose = module.compose_objective

    def watched(network, settings, content, style, size):
        objective, rows = compose(network, settings, content, style, size)

        class Watched:
            network = objective.network

            def __call__(self, pixels):
                seen.append(pixels.shape)
                return objective(pixels)

        return Watched(), rows

    monkeypatch.setattr(module, "compose_objective", watched)
    content = random.uniform(0, 255, (300, 600, 3)).astype("float32")
    found = estimate(Settings(), content, content[:40, :40])
    assert set(seen) == {(128, 256, 3)} and len(seen) > 2
    assert found.size == (300, 600) and found.seconds > 0 and found.bytes == run_bytes(300, 600, Settings())


def test_time_grows_with_pixels_and_iterations(one_microsecond):
    def seconds(side, iterations):
        picture = np.zeros((side, side, 3), np.float32)
        return estimate(Settings(iterations=iterations), picture, picture).seconds

    base = seconds(1000, 200)
    assert 200 < base < 200 * 1.4  # one evaluation of a million pixels takes a second, and an iteration is rarely more
    assert seconds(2000, 200) == pytest.approx(4 * base, rel=0.02)
    assert seconds(1000, 400) == pytest.approx(2 * base, rel=0.05)


def test_bands_take_longer_and_less(one_microsecond):
    picture = np.zeros((2048, 2048, 3), np.float32)
    whole = estimate(Settings(), picture, picture)
    banded = estimate(Settings(max_memory=7.0), picture, picture)
    assert whole.band_rows is None and banded.band_rows % 64 == 0
    assert banded.bytes <= 7e9 < whole.bytes
    # Two passes forward and one back instead of one and one, over rows that overlap.
    assert 1.4 < banded.seconds / whole.seconds < 4


def test_halves_and_sizes_are_taken_into_account(pictures, one_microsecond):
    content, style = pictures
    both, alone = estimate(SETTINGS, content, style), estimate(SETTINGS, None, style, size=(48, 64))
    assert both.size == (24, 32) and alone.size == (48, 64)
    assert alone.bytes == run_bytes(48, 64, SETTINGS, content=False)


@pytest.mark.parametrize(
    ("seconds", "shown"), [(12.3, "12 s"), (89.0, "89 s"), (91.0, "2 min"), (3000, "50 min"), (7500, "2 h 5 min")]
)
def test_it_reads_as_one_would_say_it(seconds, shown):
    assert str(Estimate(seconds, 1.24e9, (300, 400), None)) == f"400 x 300 pixels: about {shown} and 1.2 GB"
    assert str(Estimate(seconds, 1e9, (3, 4), 64)).endswith(", in bands of 64 rows")


def test_no_warning_where_there_is_room():
    assert memory_warning(Settings(), (1024, 1024), True, True, available=4e9) is None


def test_a_warning_names_the_largest_size_that_fits_and_the_banded_way():
    settings = Settings(image_size=2048)
    warning = memory_warning(settings, (1024, 2048), True, True, available=4e9)
    largest = int(re.search(r"--image-size (\d+) would fit", warning)[1])
    assert run_bytes(largest // 2, largest, settings) <= 4e9 < run_bytes(largest // 2 + 8, largest + 16, settings)
    assert "2048 x 1024 pixels take about" in warning and "4.0 GB are free" in warning
    assert "--max-memory 4.0GB works in bands" in warning
    assert "bands" not in memory_warning(settings, (1024, 2048), True, True, available=1e9)  # not even so


def test_a_warning_with_nothing_to_offer_still_warns():
    assert "would fit" not in memory_warning(Settings(), (64, 64), True, True, available=1e6)
