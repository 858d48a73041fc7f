import numpy as np
import pytest
import tqdm.auto
from small_pictures import PAINTING, PHOTO

import ministyle
from ministyle.jobs import scales


@pytest.fixture
def bars(monkeypatch):
    """The progress bars that are shown, each with all that it showed: (iteration, total)."""
    shown = []

    class Bar(tqdm.auto.tqdm):
        def __init__(self, *arguments, **options):
            self.seen = []
            shown.append(self)
            super().__init__(*arguments, mininterval=0, **options)

        def display(self, *arguments, **options):
            self.seen.append((self.n, self.total))
            return super().display(*arguments, **options)

    monkeypatch.setattr(tqdm.auto, "tqdm", Bar)
    return shown


def make(**options):
    return ministyle.transfer(PHOTO, PAINTING, image_size=32, **options)


@pytest.mark.parametrize(
    "run",
    [
        lambda **options: make(iterations=3, **options),
        lambda **options: ministyle.reconstruct_content(PHOTO, "conv1_1", image_size=32, iterations=3, **options),
        lambda **options: ministyle.reconstruct_style(PAINTING, "conv1_1", image_size=32, iterations=3, **options),
    ],
)
def test_the_bar_goes_from_nothing_to_the_last_iteration(bars, run):
    run(progress=True)
    [bar] = bars
    assert [n for n, _ in dict.fromkeys(bar.seen)] == [0, 1, 2, 3]
    assert {total for _, total in bar.seen} == {3}


def test_the_total_counts_all_scales_of_a_pyramid(bars, monkeypatch):
    monkeypatch.setattr(scales, "COARSEST", 32)
    monkeypatch.setattr(scales, "NARROWEST", 16)
    result = ministyle.transfer(PHOTO, PAINTING, image_size=64, iterations=2, progress=True)
    [bar] = bars
    assert len({step.size for step in result.history}) == 2
    assert bar.seen[0] == (0, 3)  # half of the iterations, then all of them
    assert bar.seen[-1] == (3, 3)


def test_without_being_asked_nothing_is_shown(bars, capfd):
    make(iterations=1)
    assert bars == []
    assert capfd.readouterr() == ("", "")


def test_a_run_that_is_stopped_early_is_complete(bars):
    steps = []

    def stop(step, pixels):
        steps.append((step.iteration, pixels.shape))
        return step.iteration == 2

    result = make(iterations=9, progress=True, on_step=stop)
    [bar] = bars
    assert result.stopped
    assert steps == [(0, (23, 32, 3)), (1, (23, 32, 3)), (2, (23, 32, 3))]
    assert bar.seen[-1] == (2, 2)
    assert bar.seen[0] == (0, 9)


def test_an_interrupted_run_leaves_the_bar_where_it_is_and_returns_the_picture(bars):
    def interrupt(step, pixels):
        if step.iteration == 2:
            raise KeyboardInterrupt

    result = make(iterations=9, progress=True, on_step=interrupt)
    [bar] = bars
    assert result.interrupted
    assert bar.seen[-1] == (2, 9)


def test_it_changes_nothing_about_the_picture(bars):
    np.testing.assert_array_equal(make(iterations=2, progress=True).pixels, make(iterations=2).pixels)


def test_it_shows_the_loss(bars):
    result = make(iterations=2, progress=True)
    assert f"{result.history[-1].loss:.4g}" in str(bars[0])
