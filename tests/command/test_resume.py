"""`--checkpoint-every` and `--resume`; what Ctrl-C, SIGTERM and SIGKILL leave, and how a command goes on from there."""

import os
import random as chance
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np
import pytest
from commands import TRANSFER, contents, forbid_work, from_the_shell, let_happen, note_jobs, run
from conftest import pixels_of
from PIL import Image

import ministyle
from ministyle.command.progress import Progress
from ministyle.jobs.job import Job
from ministyle.pictures import writing

pytestmark = pytest.mark.usefixtures("folder")

FEW_LAYERS = ("--style-layers", "conv1_1,conv2_1", "--content-layers", "conv2_1")
COMMAND = (*TRANSFER, *FEW_LAYERS, "--iterations", "9", "--optimizer", "lbfgs", "-o", "out.png")
CHECKPOINT = Path("out.png.checkpoint")
KILLS = int(os.environ.get("MINISTYLE_KILLS", "3"))  # how many times the tests with SIGKILL kill

with_sigkill = pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="Windows has another way to kill")


def press_ctrl_c():
    raise KeyboardInterrupt


def send_sigterm():
    signal.raise_signal(signal.SIGTERM)


def at_iteration(monkeypatch, iteration, happen):
    """Have something happen at an iteration, once it has been shown."""
    update = Progress.update

    def watched(self, step, pixels):
        update(self, step, pixels)
        if step.iteration == iteration:
            happen()

    monkeypatch.setattr(Progress, "update", watched)


def interrupted(monkeypatch, *flags, iteration=4, happen=press_ctrl_c, command=COMMAND):
    """Run a command that is interrupted at an iteration; return what `run` returns."""
    with monkeypatch.context() as patch:
        at_iteration(patch, iteration, happen)
        return run(*command, *flags)


@pytest.fixture
def whole(folder):
    """The bytes of the picture that the unbroken command makes, which is not there any more."""
    assert run(*COMMAND)[0] == 0
    picture = Path("out.png").read_bytes()
    Path("out.png").unlink()
    return picture


# Ctrl-C -----------------------------------------------------------------------------------------------


def test_after_ctrl_c_the_same_command_goes_on_and_makes_the_same_picture(whole, monkeypatch):
    status, out, err = interrupted(monkeypatch)
    assert (status, err) == (1, "")
    assert out.splitlines()[-1] == ("unfinished: the same command with --resume goes on, from 'out.png.checkpoint'")
    assert "picture: out.png (32 x 24)" in out
    assert CHECKPOINT.is_file() and Path("out.png").read_bytes() != whole
    status, out, err = run(*COMMAND, "--resume")
    assert (status, err) == (0, "")
    assert out.startswith("going on from 'out.png.checkpoint', iteration 4 of 9\nL-BFGS: 9 iterations done\n9 iterat")
    assert Path("out.png").read_bytes() == whole
    assert not CHECKPOINT.exists()


def test_a_resumed_run_can_be_interrupted_and_go_on_again(whole, monkeypatch):
    for number, iteration in enumerate((2, 3, 7)):
        assert interrupted(monkeypatch, *["--resume"] * (number > 0), iteration=iteration)[0] == 1
    assert run(*COMMAND, "--resume")[0] == 0
    assert Path("out.png").read_bytes() == whole


def test_ctrl_c_before_the_next_step_of_a_resumed_run_loses_nothing(whole, monkeypatch, folder):
    interrupted(monkeypatch)
    before = contents(folder)
    with monkeypatch.context() as patch:
        patch.setattr(Job, "objective_at", lambda *_: press_ctrl_c())
        status, _, err = run(*COMMAND, "--resume")
    assert (status, err) == (130, "ministyle: interrupted\n")
    assert contents(folder) == before
    assert run(*COMMAND, "--resume")[0] == 0
    assert Path("out.png").read_bytes() == whole


def test_ctrl_c_while_the_finished_picture_is_written_does_not_lose_it(whole, monkeypatch):
    right, calls = writing.to_uint8, []

    def to_uint8(pixels):
        calls.append(None)
        if len(calls) == 1:
            press_ctrl_c()
        return right(pixels)

    monkeypatch.setattr(writing, "to_uint8", to_uint8)
    assert run(*COMMAND)[0] == 0
    assert Path("out.png").read_bytes() == whole


def test_the_progress_line_goes_on_where_it_was(monkeypatch):
    from commands import Terminal

    interrupted(monkeypatch)
    _, out, progress = run(*COMMAND, "--resume", stderr=Terminal())
    assert "4/9" in progress and "9/9" in progress and "0/9" not in progress
    assert "about" not in out  # the whole run's time would be wrong


# What --resume finds ----------------------------------------------------------------------------------


def test_without_a_checkpoint_the_run_begins_anew_and_says_so(whole):
    status, out, _ = run(*COMMAND, "--resume")
    assert status == 0 and out.startswith("there is no checkpoint 'out.png.checkpoint'; this run begins anew\n")
    assert Path("out.png").read_bytes() == whole


def test_a_finished_picture_is_not_made_again(folder, monkeypatch):
    run(*COMMAND)
    before = contents(folder)
    forbid_work(monkeypatch)
    status, out, err = run(*COMMAND, "--resume")
    assert (status, err) == (0, "")
    assert out.startswith("picture: out.png is there, and finished") and out.count("\n") == 1
    assert contents(folder) == before


def test_a_finished_picture_is_made_anew_with_overwrite(monkeypatch):
    Path("out.png").write_bytes(b"old")
    jobs = note_jobs(monkeypatch)
    assert run(*COMMAND, "--resume", "--overwrite")[0] == 0
    assert len(jobs) == 1 and pixels_of("out.png")[0, 0].tolist() == [255, 0, 0]


def test_without_resume_the_user_is_told_of_the_checkpoint_and_the_run_begins_anew(whole, monkeypatch):
    interrupted(monkeypatch)
    Path("out.png").unlink()
    status, out, err = run(*COMMAND)
    assert status == 0 and "going on" not in out
    assert "'out.png.checkpoint'" in err and "--resume would go on" in err and err.count("\n") == 1
    assert Path("out.png").read_bytes() == whole and not CHECKPOINT.exists()


def test_an_unfinished_picture_is_not_replaced_without_resume(monkeypatch, folder):
    interrupted(monkeypatch)
    before = contents(folder)
    status, _, err = run(*COMMAND)
    assert status == 2 and "--overwrite" in err
    assert contents(folder) == before


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--strength", "0.3"), "strength (=0.5) is now 0.3"),
        (("--optimizer", "adam"), "optimizer (=lbfgs) is now adam"),
    ],
)
def test_the_checkpoint_of_other_settings_is_refused_and_nothing_lost(flags, words, monkeypatch, folder):
    interrupted(monkeypatch)
    before = contents(folder)
    forbid_work(monkeypatch)
    status, out, err = run(*COMMAND, *flags, "--resume")
    assert (status, out) == (2, "")
    assert words in err and err.count("\n") == 1
    assert contents(folder) == before


def test_the_checkpoint_of_another_photograph_is_refused(monkeypatch):
    interrupted(monkeypatch)
    pixels = pixels_of("photo.png").copy()
    pixels[10:20] += 30
    Image.fromarray(pixels).save("photo.png")
    assert "another photograph" in run(*COMMAND, "--resume")[2]


def test_a_damaged_checkpoint_is_refused(monkeypatch):
    interrupted(monkeypatch)
    CHECKPOINT.write_bytes(CHECKPOINT.read_bytes()[:-100])
    status, _, err = run(*COMMAND, "--resume")
    assert status == 2 and "damaged" in err and err.count("\n") == 1


def test_scipy_s_solver_says_that_it_begins_with_an_empty_memory(monkeypatch):
    command = (*COMMAND, "--optimizer", "lbfgsb")
    interrupted(monkeypatch, command=command)
    status, out, _ = run(*command, "--resume")
    assert status == 0 and "SciPy's L-BFGS-B has to learn anew" in out
    assert "\n9 iterations, " in out


@pytest.mark.parametrize(
    "command",
    [
        ("content", "photo.png", "--image-size", "32", "--layer", "conv2_1"),
        ("texture", "painting.png", "--image-size", "48", "--layers", "conv1_1,conv2_1", "--tileable"),
    ],
)
def test_reconstructions_go_on_too(command, monkeypatch):
    command = (*command, "--optimizer", "adam", "--iterations", "9")
    assert run(*command, "-o", "whole.png")[0] == 0
    assert interrupted(monkeypatch, command=(*command, "-o", "out.png"))[0] == 1
    assert run(*command, "-o", "out.png", "--resume")[0] == 0
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()


# Files ------------------------------------------------------------------------------------------------


def test_numbered_pictures_of_the_interrupted_run_may_be_there(whole, monkeypatch):
    flags = "--save-every", "2"
    interrupted(monkeypatch, *flags, iteration=7)
    CHECKPOINT.rename("later")
    for number in (2, 4, 6):
        Path(f"out-{number}.png").unlink()
    Path("out.png").unlink()
    interrupted(monkeypatch, *flags, iteration=5)
    Path("out-6.png").write_bytes(b"of a run that was killed after it, and before its next checkpoint")
    assert run(*COMMAND, *flags, "--resume")[0] == 0
    assert Path("out.png").read_bytes() == whole
    assert pixels_of("out-6.png").shape == (24, 32, 3)


def test_a_picture_of_somebody_else_is_not_replaced_by_the_next_run_either(whole, monkeypatch):
    def appear():
        Path("out.png").write_bytes(b"precious")
        press_ctrl_c()

    status, out, _ = interrupted(monkeypatch, happen=appear)
    assert status == 1 and "picture: out-1.png" in out
    assert "-o out-1.png" in out.splitlines()[-1] and not CHECKPOINT.exists()
    assert run(*COMMAND, "-o", "out-1.png", "--resume")[0] == 0
    assert Path("out.png").read_bytes() == b"precious"
    assert Path("out-1.png").read_bytes() == whole


def test_with_0_seconds_there_is_no_checkpoint(monkeypatch, folder):
    status, out, _ = interrupted(monkeypatch, "--checkpoint-every", "0")
    assert status == 1 and "--resume" not in out and "picture: out.png" in out
    assert not CHECKPOINT.exists()


@pytest.mark.parametrize("value", ["-1", "nan", "inf", "often"])
def test_impossible_seconds_are_refused(value):
    status, _, err = run(*COMMAND, f"--checkpoint-every={value}")
    assert status == 2 and "--checkpoint-every" in err


def test_a_checkpoint_that_cannot_be_written_does_not_end_the_run(whole, monkeypatch):
    let_happen(monkeypatch, CHECKPOINT.mkdir)
    status, _, err = run(*COMMAND, "--checkpoint-every", "1e-9")
    assert status == 0 and "checkpoint' cannot be written" in err and err.count("\n") == 1
    assert Path("out.png").read_bytes() == whole


def test_a_full_disk_does_not_end_the_run(whole):
    resource = pytest.importorskip("resource")
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, limits[1]))  # the picture is smaller, the checkpoint larger
    try:
        status, _, err = run(*COMMAND, "--checkpoint-every", "1e-9")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 0 and "File too large" in err and err.count("\n") == 1
    assert Path("out.png").read_bytes() == whole
    assert {path.name for path in Path().iterdir()} == {"out.png", "photo.png", "painting.png", "start.png"}


# SIGTERM ----------------------------------------------------------------------------------------------


def test_sigterm_saves_as_ctrl_c_does_and_the_status_is_143(whole, monkeypatch):
    status, out, _ = interrupted(monkeypatch, happen=send_sigterm)
    assert status == 143
    assert "picture: out.png (32 x 24)" in out and "--resume" in out and CHECKPOINT.is_file()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert run(*COMMAND, "--resume")[0] == 0
    assert Path("out.png").read_bytes() == whole


def test_sigterm_again_does_not_disturb_the_saving(whole, monkeypatch):
    right = np.savez

    def savez(*arguments, **options):
        send_sigterm()
        right(*arguments, **options)
        send_sigterm()

    with monkeypatch.context() as patch:
        patch.setattr(np, "savez", savez)
        assert interrupted(monkeypatch, happen=send_sigterm)[0] == 143
    assert run(*COMMAND, "--resume")[0] == 0
    assert Path("out.png").read_bytes() == whole


@pytest.mark.usefixtures("early_pyramid")
def test_sigterm_between_two_scales_loses_nothing(monkeypatch):
    flags = "--image-size", "128", "--side", "shortest"
    assert run(*COMMAND, *flags, "-o", "whole.png")[0] == 0
    right = Job.objective_at

    def objective_at(self, scale, plan=None):
        if scale.reduction == 1:
            send_sigterm()
        return right(self, scale, plan)

    with monkeypatch.context() as patch:
        patch.setattr(Job, "objective_at", objective_at)
        status, out, _ = run(*COMMAND, *flags)
    assert status == 143 and "picture: out.png (171 x 128)" in out
    assert run(*COMMAND, *flags, "--resume")[0] == 0
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()


def test_sigterm_before_there_is_a_picture_ends_the_command(monkeypatch, folder):
    before = contents(folder)
    monkeypatch.setattr(Job, "objective_at", lambda *_: send_sigterm())
    assert run(*COMMAND) == (143, "", "ministyle: interrupted\n")
    assert contents(folder) == before


def test_a_caller_s_own_handler_stays(monkeypatch):
    note_jobs(monkeypatch)
    seen = []
    before = signal.signal(signal.SIGTERM, lambda *_: seen.append(None))
    try:
        let_happen(monkeypatch, send_sigterm)
        assert run(*COMMAND)[0] == 0 and len(seen) == 1
    finally:
        signal.signal(signal.SIGTERM, before)


def test_a_command_runs_in_another_thread_than_the_main_one_too(monkeypatch):
    note_jobs(monkeypatch)
    statuses = []
    thread = threading.Thread(target=lambda: statuses.append(run(*COMMAND)[0]))
    thread.start()
    thread.join()
    assert statuses == [0]


# Processes --------------------------------------------------------------------------------------------

LONG = (
    *("transfer", "photo.png", "painting.png", "-o", "out.png", *FEW_LAYERS, "--optimizer", "lbfgs"),
    *("--device", "cpu", "--image-size", "256", "--iterations", "14", "--checkpoint-every", "0.02"),
)


def start(*arguments):
    """Start a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])}
    command = [sys.executable, "-m", "ministyle", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def wait_for_checkpoint(process, after=0):
    """Wait until a process has written a checkpoint, later than `after` (nanoseconds), or has ended."""
    while process.poll() is None:
        if CHECKPOINT.exists() and CHECKPOINT.stat().st_mtime_ns > after:
            return
        time.sleep(0.002)


def end(process, number):
    """Send a signal to a process and wait; return its status and what it printed."""
    process.send_signal(number)
    out, err = process.communicate()
    return process.returncode, out, err


def what_counts(out):
    """Return what a command printed of its run, without the seconds, which differ, and whence it went on."""
    return re.sub(r", [\d.]+ s", "", out[out.index("L-BFGS: ") :])


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The pictures of the tests with processes, and what the unbroken command prints and makes of them."""
    folder = tmp_path_factory.mktemp("unbroken")
    random = np.random.default_rng(0)
    for name in ("photo", "painting"):
        small = Image.fromarray(random.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        small.resize((256, 208)).save(folder / f"{name}.png")
    before = Path.cwd()
    os.chdir(folder)
    try:
        began = time.monotonic()
        done = from_the_shell(*LONG)
        seconds = time.monotonic() - began
    finally:
        os.chdir(before)
    assert done.returncode == 0 and "128 x 104" in done.stdout  # two scales
    return folder, what_counts(done.stdout), seconds


@pytest.fixture
def long_run(unbroken, folder):
    """A folder with those pictures, and what the unbroken command prints, makes, and takes in seconds."""
    made, out, seconds = unbroken
    for name in ("photo.png", "painting.png"):
        Path(name).write_bytes((made / name).read_bytes())
    return out, (made / "out.png").read_bytes(), seconds


@pytest.mark.slow
def test_sigterm_from_outside_saves_picture_and_checkpoint(long_run):
    expected, picture, _ = long_run
    process = start(*LONG)
    wait_for_checkpoint(process)
    status, out, err = end(process, signal.SIGTERM)
    assert (status, err) == (143, "")
    assert "picture: out.png (" in out and "--resume" in out
    assert pixels_of("out.png").shape[1] == 256
    done = from_the_shell(*LONG, "--resume")
    assert done.returncode == 0 and what_counts(done.stdout) == expected
    assert Path("out.png").read_bytes() == picture


@pytest.mark.slow
@with_sigkill
@pytest.mark.parametrize("number", range(KILLS))
def test_a_run_killed_at_any_moment_goes_on_and_makes_the_same_picture(number, long_run):
    expected, picture, seconds = long_run
    process = start(*LONG)
    time.sleep(chance.Random(number).uniform(0, seconds))
    end(process, signal.SIGKILL)
    done = from_the_shell(*LONG, "--resume")
    assert done.returncode == 0
    assert "is there, and finished" in done.stdout or what_counts(done.stdout) == expected
    assert Path("out.png").read_bytes() == picture
    assert not CHECKPOINT.exists()


@pytest.mark.slow
@with_sigkill
@pytest.mark.usefixtures("long_run")
def test_a_run_killed_again_and_again_makes_the_same_picture():
    """Each time it comes a little further: long enough for a checkpoint."""
    command = (*LONG, "--iterations", str(8 * KILLS))
    expected = from_the_shell(*command, "-o", "whole.png")
    random = chance.Random(0)
    for number in range(KILLS):
        process = start(*command, "--resume")
        wait_for_checkpoint(process, CHECKPOINT.stat().st_mtime_ns if number else 0)
        time.sleep(random.uniform(0, 0.1))
        assert end(process, signal.SIGKILL)[0] == -signal.SIGKILL
    done = from_the_shell(*command, "--resume")
    assert done.returncode == 0 and done.stdout.startswith("going on from")
    assert what_counts(done.stdout).replace("out.png", "whole.png") == what_counts(expected.stdout)
    assert Path("out.png").read_bytes() == Path("whole.png").read_bytes()
