"""What the commands that make one picture say and write."""

import re
import shutil
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from commands import (
    SHIPPED,
    SMALL,
    TOO_LONG,
    TRANSFER,
    Terminal,
    contents,
    forbid_work,
    let_happen,
    note_jobs,
    run,
)
from conftest import pixels_of
from PIL import Image

from ministyle.jobs.record import read_record
from ministyle.objective import Evaluation, Objective
from ministyle.pictures import reading
from ministyle.weights import load

pytestmark = pytest.mark.usefixtures("folder")


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


@pytest.fixture
def no_work(monkeypatch):
    forbid_work(monkeypatch)


def test_the_terms_of_a_kind_are_added_up(jobs):
    _, out, _ = run(*TRANSFER)
    lines = [line.split() for line in out.splitlines()]
    assert out.splitlines()[0] == "the solver's own words"
    assert ["loss", "8", "->", "2"] in lines
    assert ["content", "4", "->", "1"] in lines
    assert ["style", "3", "->", "0.75"] in lines
    assert ["total", "variation", "1", "->", "0.25"] in lines


@pytest.mark.usefixtures("early_pyramid")
def test_a_pyramid_is_reported_scale_by_scale():
    status, out, _ = run(*TRANSFER, "--image-size", "128", "--side", "shortest", "--iterations", "4", "--pyramid")
    assert status == 0
    assert re.search(r"^loss, 86 x 64 +\S+ -> +\S+\n6 iterations, \d+ evaluations", out, re.MULTILINE)
    assert "(171 x 128)" in out


def test_verbose_names_the_weights(jobs):
    assert f"weights: {SHIPPED}" in run(*TRANSFER, "-v")[1]
    assert "weights:" not in run(*TRANSFER, "--overwrite")[1]


# Where the picture goes ------------------------------------------------------------------------------------


@pytest.mark.parametrize("flags", [("-o", "old.png"), ("--save-every", "1", "-o", "out.png")])
def test_an_existing_picture_is_refused_before_any_work_and_kept(flags, folder, no_work):
    Path("old.png").write_bytes(b"precious")
    Path("out-2.png").write_bytes(b"precious")
    before = contents(folder)
    status, out, err = run(*TRANSFER, "--iterations", "3", *flags)
    assert (status, out) == (2, "")
    assert "--overwrite" in err and err.count("\n") == 1
    assert contents(folder) == before


def test_an_existing_picture_is_replaced_when_told_so(jobs):
    Path("old.png").write_bytes(b"precious")
    assert run(*TRANSFER, "-o", "old.png", "--overwrite")[0] == 0
    assert pixels_of("old.png").shape == (24, 32, 3)


@pytest.mark.parametrize("output", ["out.xbm", "missing/out.png", f"{TOO_LONG}.png", "photo.png"])
def test_an_impossible_output_is_refused_before_any_work(output, no_work):
    assert run(*TRANSFER, "--overwrite", "-o", output)[0] == 2


def test_a_file_that_appears_during_the_work_is_kept_and_so_is_the_picture(jobs, monkeypatch):
    def files_appear():
        Path("out.png").write_bytes(b"precious")
        Path("out-1.png").write_bytes(b"precious, too")

    let_happen(monkeypatch, files_appear)
    status, out, _ = run(*TRANSFER, "-o", "out.png")
    assert status == 0
    assert Path("out.png").read_bytes() == b"precious"
    assert Path("out-1.png").read_bytes() == b"precious, too"
    assert "picture: out-2.png" in out
    assert pixels_of("out-2.png").shape == (24, 32, 3)


def test_a_picture_that_can_no_longer_be_written_lands_in_a_temporary_folder(jobs, folder, monkeypatch):
    Path("sub").mkdir()
    Path("temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    let_happen(monkeypatch, lambda: shutil.rmtree("sub"))
    status, out, err = run(*TRANSFER, "-o", "sub/out.png")
    (written,) = Path("temporary").glob("*/*")
    assert status == 0
    assert err.startswith("ministyle: output 'sub/out.png' cannot be written") and err.count("\n") == 1
    assert written.name == "out.png" and pixels_of(written)[0, 0].tolist() == [255, 0, 0]
    assert f"picture: {folder / written} (32 x 24)" in out


# What it costs ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("command", "size"),
    [
        (TRANSFER, "32 x 24"),
        (("demo", "--image-size", "32"), "32 x 21"),
        (("content", "photo.png", *SMALL), "32 x 24"),
        (("texture", "photo.png", *SMALL, "--output-size", "64x48"), "64 x 48"),
        (("transfer", "panorama.png", "painting.png", "--image-size", "400"), "400 x 20"),
        ((*TRANSFER, "--image-size", "256", "--style-size", "60", "--pyramid"), "256 x 192"),
    ],
)
def test_an_estimate_can_be_had_alone(command, size, no_work, folder):
    Image.new("RGB", (2000, 100)).save("panorama.png")
    before = contents(folder)
    status, out, err = run(*command, "--estimate")
    assert (status, err) == (0, "")
    assert re.fullmatch(rf"{size} pixels: about \d+ (s|min) and \d\.\d GB", out.splitlines()[-1])
    assert contents(folder) == before


def test_an_estimate_counts_the_painting(no_work):
    command = *TRANSFER, "--image-size", "64", "--style-size", "4000", "--estimate"
    gigabytes = [
        float(re.search(r"and (\d+\.\d) GB", run(*command, *flags)[1])[1]) for flags in ((), ("--max-memory", "3"))
    ]
    assert gigabytes[0] > 8 and gigabytes[1] <= 3


def test_too_little_memory_is_said_before_the_work_begins(jobs, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1e8))
    status, _, err = run(*TRANSFER)
    assert status == 0 and len(jobs) == 1
    assert re.match(r"ministyle: 32 x 24 pixels take about 0\.\d GB, and 0\.1 GB are free", err)
    assert err.count("\n") == 1


def test_a_gpu_with_too_little_memory_is_warned_of(monkeypatch):
    import cupy_standin

    module = cupy_standin.make_module()
    module.cuda.runtime.memGetInfo = lambda: (10**8, 8 * 10**9)
    monkeypatch.setitem(sys.modules, "cupy", module)
    _, _, err = run(*TRANSFER, "--estimate")
    assert "0.1 GB are free" in err


def test_a_command_decodes_each_picture_once_and_loads_the_network_once(monkeypatch):
    decoded, loaded = [], []
    decode, load_weights = reading._decoded, load.load_weights
    monkeypatch.setattr(reading, "_decoded", lambda *args: decoded.append(args) or decode(*args))
    monkeypatch.setattr(load, "load_weights", lambda *args: loaded.append(args) or load_weights(*args))
    status, out, _ = run(*TRANSFER, "--init", "start.png", "--iterations", "1", stderr=Terminal())
    assert status == 0 and " pixels: about " in out
    assert len(decoded) == 3 and len(loaded) == 1
    assert run("content", "photo.png", *SMALL, "--iterations", "1")[0] == 0  # its error is told, too
    assert len(decoded) == 4


# What goes wrong on the way ----------------------------------------------------------------------------------


def infinite_loss(pixels):
    return Evaluation(np.float64(np.inf), np.zeros_like(pixels), {})


def infinite_gradient(pixels):
    return Evaluation(np.float64(1.0), np.full_like(pixels, np.inf), {})


def not_a_number(pixels):
    return Evaluation(np.float64(np.nan), np.full_like(pixels, np.nan), {})


def interrupted(pixels):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (infinite_loss, "loss (=inf)"),
        (infinite_gradient, "loss (=1) or gradient not finite"),
        (not_a_number, "loss (=nan)"),
        (interrupted, "interrupted"),
    ],
)
def test_a_run_that_breaks_off_still_writes_its_last_good_picture(trouble, message, monkeypatch):
    evaluate = Objective.__call__

    def evaluate_until_the_second_iteration(self, pixels):
        return trouble(pixels) if Path("out-2.png").exists() else evaluate(self, pixels)

    monkeypatch.setattr(Objective, "__call__", evaluate_until_the_second_iteration)
    status, out, err = run(*TRANSFER, "--iterations", "9", "--save-every", "1", "-o", "out.png")
    assert (status, err) == (1, "")
    assert message in out.splitlines()[0] and out.splitlines()[1].startswith("2 iterations, ")
    assert "picture: out.png (32 x 24)" in out
    assert np.array_equal(pixels_of("out.png"), pixels_of("out-2.png"))
    assert not np.array_equal(pixels_of("out.png"), pixels_of("out-1.png"))
    assert read_record("out.png")["unfinished"] is True
    assert not Path("out-3.png").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (("--image-size", "239", "--pyramid"), True),
        (("--image-size", "240", "--pyramid"), False),
        (("--image-size", "239"), False),  # it is only the default
        (("--image-size", "239", "--no-pyramid"), False),
    ],
)
def test_a_pyramid_that_was_asked_for_in_vain_is_said_to_be(flags, said, jobs):
    status, _, err = run("transfer", "photo.png", "painting.png", *flags)
    assert status == 0
    assert err == (said * "ministyle: --pyramid changes nothing below 240 x 96 pixels\n")
