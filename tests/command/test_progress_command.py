"""The progress line, plain lines where there is no terminal, and what is printed and saved on the way."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from commands import TRANSFER, Terminal, contents, let_happen, note_jobs, run
from conftest import pixels_of

from ministyle.command import progress
from ministyle.experiments.records import Panel
from ministyle.jobs.job import Job
from ministyle.jobs.result import Result
from ministyle.settings import Settings
from ministyle.solvers import Step

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


@pytest.mark.parametrize(("flags", "shown"), [((), True), (("--quiet",), False), (("-q",), False)])
def test_the_progress_line_is_for_terminals_and_quiet_silences_it(flags, shown, jobs):
    status, out, progress = run(*TRANSFER, "--iterations", "2", *flags, stderr=Terminal())
    assert status == 0 and "picture: " in out
    assert ("2/2" in progress and "loss 2," in progress) if shown else progress == ""


def test_where_nobody_looks_a_short_run_has_no_progress(jobs):
    _, _, err = run(*TRANSFER, "--iterations", "2")
    assert err == ""


@pytest.fixture
def clock(monkeypatch):
    """Have time stand still between iterations; return a list whose number is how many seconds each takes."""
    seconds, now = [1.0], [0.0]

    def monotonic():
        now[0] += seconds[0]
        return now[0]

    monkeypatch.setattr(progress.time, "monotonic", monotonic)
    return seconds


def made_up_run(scales):
    """Return a function that takes the place of `Job.run`: nothing but the steps at some scales."""

    def run_steps(self, on_step=None):
        pixels = np.full((*self.size, 3), 100.0)
        steps = [Step(0, 1, 8.0, {"style": 8.0}, 0.0, scales[0].size)]
        steps += [
            replace(steps[0], iteration=i, loss=8 / 2**i, size=scale.size)
            for i, scale in enumerate((one for one in scales for _ in range(one.iterations)), 1)
        ]
        for step in steps:
            on_step(step, pixels)
        return Result(pixels, steps, "the solver's own words", True, self.settings)

    return run_steps


def lines_of(monkeypatch, *flags):
    """Return what a run without a terminal prints on standard error, line by line."""
    monkeypatch.setattr(Job, "run", lambda self, on_step=None, **_: made_up_run(self.scales)(self, on_step))
    status, _, err = run(*TRANSFER, *flags, "--overwrite")
    assert status == 0 and "\r" not in err
    return err.splitlines()


def test_without_a_terminal_there_is_a_line_at_every_tenth_of_the_work(clock, monkeypatch):
    clock[0] = 2.0  # seconds
    lines = lines_of(monkeypatch, "--iterations", "100")
    assert [line.split("  ")[0] for line in lines] == [f"{percent:3}%" for percent in range(10, 101, 10)]
    assert lines[4] == " 50%  iteration 50 of 100, loss 7.105e-15, 2 min left"
    assert lines_of(monkeypatch, "--iterations", "100", "-q") == []


def test_slow_iterations_have_a_line_every_half_minute(clock, monkeypatch):
    clock[0] = 10.0
    lines = lines_of(monkeypatch, "--iterations", "40")
    assert [int(line.split()[2]) for line in lines] == [
        3,
        4,
        7,
        8,
        11,
        12,
        15,
        16,
        19,
        20,
        23,
        24,
        27,
        28,
        31,
        32,
        35,
        36,
        39,
        40,
    ]


def test_lines_are_never_close_together(clock, monkeypatch):
    clock[0] = 0.1
    assert lines_of(monkeypatch, "--iterations", "49") == []  # less than 5 seconds
    assert len(lines_of(monkeypatch, "--iterations", "120")) == 2  # at 50 and 100 %, say


@pytest.mark.usefixtures("early_pyramid")
def test_lines_count_the_work_of_small_scales_as_little(clock, monkeypatch):
    clock[0] = 5.0
    lines = lines_of(monkeypatch, "--image-size", "128", "--side", "shortest", "--iterations", "4")
    # Two iterations at a quarter of the pixels: 0.5 of 4.5.
    assert lines[0] == " 11%  iteration 2 of 6, loss 2, 80 s left"


def test_a_figure_without_a_terminal_has_lines_for_its_panels(capsys, monkeypatch, clock):
    clock[0] = 3.0
    panel = Panel("conv1_1", Settings(image_size=32, iterations=20), content="photo.png")
    with progress.PanelProgress(
        [panel, replace(panel, name="there"), replace(panel, name="last")], quiet=False
    ) as shown:
        shown.panel(replace(panel, name="there"), {"losses": {}}, made=False)
        for one in (panel, replace(panel, name="last")):
            for iteration in range(21):
                shown.step(one, Step(iteration, iteration, 1.0, {}, 0.0, (32, 32)), None)
            shown.panel(one, {"losses": {}}, made=True)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split("  ")[0] for line in lines] == [f"{percent:3}%" for percent in range(10, 101, 10)]
    assert "conv1_1: iteration 4 of 20, loss 1, " in lines[0] and "last: iteration 20 of 20" in lines[-1]


def test_before_the_work_begins_a_terminal_is_told_how_long_it_takes(jobs):
    _, out, _ = run(*TRANSFER, stderr=Terminal())
    assert out.startswith("32 x 24 pixels: about ")
    _, out, _ = run(*TRANSFER, "--overwrite", "--quiet", stderr=Terminal())
    assert "about" not in out


@pytest.mark.usefixtures("early_pyramid")
def test_the_line_of_a_pyramid_counts_the_iterations_of_all_scales():
    flags = "--image-size", "128", "--side", "shortest", "--iterations", "4", "--pyramid"
    _, _, progress = run(*TRANSFER, *flags, stderr=Terminal())
    assert "6/6" in progress


def test_print_every_prints_the_loss_and_its_terms(jobs):
    _, out, _ = run(*TRANSFER, "--print-every", "2")
    lines = [line for line in out.splitlines() if line.startswith("iteration ")]
    assert [line.split(":")[0] for line in lines] == ["iteration 0", "iteration 2"]
    assert "loss 2 " in lines[1] and "content conv4_2 1 " in lines[1] and "style conv2_1 0.25" in lines[1]


def test_the_solver_s_terms_add_up_to_the_loss_printed():
    _, out, _ = run(*TRANSFER, "--iterations", "1", "--print-every", "1", "--tv-weight", "3")
    lines = [line for line in out.splitlines() if line.startswith("iteration ")]
    assert len(lines) == 2
    for line in lines:
        loss, *terms = [float(part.split()[-1]) for part in line.split(": ")[1].split("  ")]
        assert len(terms) == 7  # one content layer, five style layers, total variation
        assert sum(terms) == pytest.approx(loss, rel=1e-3)


def test_save_every_writes_numbered_pictures(folder):
    before = set(contents(folder))
    status, _, _ = run(*TRANSFER, "--iterations", "11", "--save-every", "5", "-o", "out.png")
    assert status == 0
    assert set(contents(folder)) - before == {"out-05.png", "out-10.png", "out.png"}
    pictures = [pixels_of(name).astype(float) for name in ("out-05.png", "out-10.png", "out.png")]
    assert all(picture.shape == (24, 32, 3) for picture in pictures)
    distances = [np.abs(picture - pictures[-1]).mean() for picture in pictures]
    assert distances[0] > distances[1] > 0


def test_numbered_pictures_have_the_colours_of_the_finished_one():
    flags = "--iterations", "2", "--save-every", "2", "--colours", "photo-luminance", "-o", "out.png"
    assert run(*TRANSFER, *flags)[0] == 0
    assert np.array_equal(pixels_of("out-2.png"), pixels_of("out.png"))


def test_a_numbered_picture_that_cannot_be_written_does_not_end_the_run(jobs, monkeypatch):
    let_happen(monkeypatch, lambda: Path("out-1.png").mkdir())
    status, out, err = run(*TRANSFER, "--iterations", "2", "--save-every", "1", "-o", "out.png")
    assert status == 0 and "picture: out.png" in out
    assert "'out-1.png'" in err and err.count("\n") == 1
    assert Path("out-2.png").is_file() and Path("out.png").is_file()
