"""The progress line, and what is printed and saved on the way."""

from pathlib import Path

import numpy as np
import pytest
from commands import TRANSFER, Terminal, contents, let_happen, note_jobs, run
from conftest import pixels_of

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


def test_where_nobody_looks_there_is_no_progress_line(jobs):
    _, _, err = run(*TRANSFER, "--iterations", "2")
    assert err == ""


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
