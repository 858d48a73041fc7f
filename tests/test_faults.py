"""Faults for real: a full disk, a folder that goes away, a kill at any moment. Each costs no more than it must.

Processes of their own meet them. A limit on the size of files stands for a full disk where none can be made: the system
refuses to write on in the same place. SIGTERM and kills of a single picture are in `command/test_resume.py`.
"""

import json
import multiprocessing
import os
import random as chance
import shutil
import signal
import subprocess
import sys
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from conftest import pixels_of

import ministyle

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="Windows has other limits and signals")

QUICK = ("--image-size", "32", "--iterations", "2", "--style-layers", "conv1_1", "--device", "cpu", "-q")
TRANSFER = ("transfer", "photo.png", "painting.png", *QUICK)
GRID = ("grid", "--content", "photo.png", "--style", "painting.png", "--layers", "1", *QUICK[:4], "-q", "-o", "out")
KILLS = int(os.environ.get("MINISTYLE_KILLS", "3"))


def limit_files(size):
    """Return what a process does before it begins, so that no file of its can be larger, in bytes."""
    import resource

    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def start(*arguments, **options):
    """Start a command in a process of its own, whose temporary folder is `tmp`, in the current one."""
    Path("tmp").mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "PYTHONPATH": str(Path(ministyle.__file__).parents[1]),
        "PYTHONDONTWRITEBYTECODE": "1",  # which the limit would damage
        "TMPDIR": str(Path("tmp").absolute()),
    }
    command = [sys.executable, "-m", "ministyle", *arguments]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True, env=environment, **options)


def run(*arguments, **options):
    """Run a command so; return its status, standard output and standard error."""
    process = start(*arguments, **options)
    out, err = process.communicate(timeout=300)
    return process.returncode, out, err


def files(folder="."):
    """Return what all files hold, {path: bytes}, and empty folders as None."""
    paths = {path for path in Path(folder).rglob("*") if not path.is_dir() or not any(path.iterdir())}
    return {str(path): None if path.is_dir() else path.read_bytes() for path in sorted(paths)}


def sentences(err):
    """Return the lines of standard error, having checked that each is a sentence of ours."""
    lines = err.splitlines()
    assert lines and all(line.startswith("ministyle: ") for line in lines), err
    return lines


# A disk is full -----------------------------------------------------------------------------------------


def test_a_picture_that_cannot_be_written_leaves_the_old_one_and_no_stray_file(folder):
    Path("tmp").mkdir()
    Path("out.png").write_bytes(b"precious")
    before = files()
    status, _, err = run(*TRANSFER, "--overwrite", "-o", "out.png", preexec_fn=limit_files(500))
    assert status == 2
    assert "'out.png' cannot be written: File too large" in sentences(err)[0]
    assert files() == before


def test_what_is_written_on_the_way_costs_no_picture_where_it_cannot_be_written(folder):
    """Checkpoint, history, and what was there of the history."""
    Path("log.csv").write_text("")
    flags = ("--checkpoint-every", "0.001", "--history", "log.csv", "--overwrite", "-o", "out.png")
    # the history has a row of some 100 bytes for each iteration, the picture some 5000, the checkpoint more
    status, _, err = run(*TRANSFER, "--iterations", "120", *flags, preexec_fn=limit_files(8000))
    assert status == 0
    said = sentences(err)
    assert sum("'out.png.checkpoint' cannot be written: File too large; the run goes on" in line for line in said) == 1
    assert sum("history 'log.csv' cannot be written: File too large" in line for line in said) == 1 and len(said) == 2
    assert pixels_of("out.png").shape == (24, 32, 3)
    assert Path("log.csv").read_text().startswith("picture,iteration")
    assert set(files()) == {"photo.png", "painting.png", "start.png", "out.png", "log.csv", "tmp"}


@pytest.mark.parametrize(
    ("limit", "panels", "manifests"),
    [
        (500, 0, {"manifest.json", "manifest.csv"}),  # which are short as long as there is no panel
        (4000, 2, set()),
        (10_000, 2, {"manifest.json", "manifest.csv"}),  # all but the sheet
    ],
)
def test_an_experiment_keeps_what_could_be_written_and_goes_on_from_there(limit, panels, manifests, folder):
    command = (*GRID, "--seeds", "0,1")
    status, _, err = run(*command, preexec_fn=limit_files(limit))
    assert status == 2 and len(sentences(err)) == 1 and "cannot be written: File too large" in err
    assert not [path for path in files() if ".ministyle-" in path]
    assert [len(list(Path("out/panels").glob(kind))) for kind in ("*.png", "*.json")] == [panels, panels]
    assert {path.name for path in Path("out").iterdir() if path.is_file()} == manifests
    made = files("out/panels")
    assert run(*command)[0] == 0
    assert made.items() <= files("out/panels").items()
    shutil.move("out", "interrupted")
    assert run(*command)[0] == 0
    assert list(files("out").values()) == list(files("interrupted").values())


@pytest.fixture
def small_disk(folder):
    """A folder on a file system of its own, of 64 kB; where none can be made, the test is left out."""
    Path("disk").mkdir()
    mount = shutil.which("mount")
    if (
        not mount
        or subprocess.run(
            [mount, "-t", "tmpfs", "-o", "size=64k", "tmpfs", "disk"], capture_output=True, check=False
        ).returncode
    ):
        pytest.skip("no file system can be mounted here")
    yield Path("disk")
    subprocess.run(["umount", "disk"], check=True)


def test_on_a_full_disk_the_picture_goes_to_another_place(small_disk):
    with pytest.raises(OSError, match="No space left"), open(small_disk / "filling", "wb", buffering=0) as file:
        while True:
            file.write(bytes(1024))
    status, out, err = run(*TRANSFER, "-o", "disk/out.png")
    assert status == 0
    assert sentences(err) == ["ministyle: 'disk/out.png' cannot be written: No space left on device"]
    (elsewhere,) = Path("tmp").rglob("out.png")
    assert f"picture: {elsewhere.absolute()} " in out and pixels_of(elsewhere).shape == (24, 32, 3)
    assert {path.name for path in small_disk.iterdir()} == {"filling"}


# Folders ------------------------------------------------------------------------------------------------


def remove_when_running(process, folder, sign):
    """Remove a folder as soon as a file shows that a command is at work."""
    while not Path(sign).exists() or not Path(sign).stat().st_size:
        assert process.poll() is None
        time.sleep(0.002)
    shutil.rmtree(folder)


def test_a_folder_that_goes_away_does_not_cost_the_picture(folder):
    Path("sub").mkdir()
    process = start(*TRANSFER, "--iterations", "60", "--history", "log.csv", "-o", "sub/out.png")
    remove_when_running(process, "sub", "log.csv")
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0
    assert len(sentences(err)) == 1 and "there is no folder 'sub'" in err
    (elsewhere,) = Path("tmp").rglob("out.png")
    assert f"picture: {elsewhere.absolute()} " in out and pixels_of(elsewhere).shape == (24, 32, 3)


def test_an_experiment_whose_folder_goes_away_ends_with_a_sentence(folder):
    process = start(*GRID, "--seeds", ",".join(map(str, range(40))))
    first = "out/panels/photo_painting_to-conv1_1_0.1_0.json"
    while not Path(first).exists():
        assert process.poll() is None
        time.sleep(0.002)
    os.rename("out", "gone")
    _, err = process.communicate(timeout=300)
    assert process.returncode == 2 and len(sentences(err)) == 1 and "cannot be written" in err
    assert Path("gone/panels/photo_painting_to-conv1_1_0.1_0.png").exists() and not Path("out").exists()


@pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("command", [(*TRANSFER, "-o", "locked/out.png"), (*GRID[:-1], "locked")])
def test_a_folder_that_is_read_only_is_noticed_before_the_work(command, folder):
    Path("locked/panels").mkdir(parents=True)
    for path in ("locked/panels", "locked"):
        os.chmod(path, 0o555)
    try:
        status, out, err = run(*command)
    finally:
        for path in ("locked", "locked/panels"):
            os.chmod(path, 0o755)
    assert (status, out) == (2, "") and len(sentences(err)) == 1 and "no permission to write" in err
    assert not any(path.is_file() for path in Path("locked").rglob("*"))


# Kills --------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_an_experiment_killed_again_and_again_is_the_same_in_the_end(folder):
    """Whatever is there in between is whole: a record, a picture, a manifest."""
    command = (*GRID, "--seeds", ",".join(map(str, range(4 * KILLS))))
    random = chance.Random(0)
    for number in range(1, KILLS + 1):
        process = start(*command)
        while process.poll() is None and len(list(Path("out/panels").glob("*.json"))) < number:
            time.sleep(0.002)
        time.sleep(random.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        process.communicate()
        for path in Path("out").rglob("*.json"):
            if not path.name.startswith("."):
                json.loads(path.read_text())
        for path in Path("out/panels").glob("[!.]*.png"):
            assert pixels_of(path).shape == (24, 32, 3)
    assert run(*command)[0] == 0
    shutil.move("out", "killed")
    assert run(*command)[0] == 0
    strays = [path for path in files("killed") if ".ministyle-" in path]
    assert len(strays) <= KILLS  # of the killed, which the next one removes after an hour
    killed = {path.removeprefix("killed/"): content for path, content in files("killed").items() if path not in strays}
    assert killed == {path.removeprefix("out/"): content for path, content in files("out").items()}


# Threads and processes ----------------------------------------------------------------------------------


def make(seed):
    """Make a small picture, bit for bit the same wherever it is made."""
    random = np.random.default_rng(seed)
    content, style = random.integers(0, 256, (2, 24, 32, 3), dtype=np.uint8)
    options = {"image_size": 32, "iterations": 3, "device": "cpu", "threads": 2, "style_layers": "conv1_1"}
    return ministyle.transfer(content, style, **options).image.tobytes()


def test_transfers_in_threads_and_in_spawned_processes_make_the_same_pictures():
    expected = [make(seed) for seed in range(3)]
    with ThreadPoolExecutor(3) as threads:
        assert list(threads.map(make, range(3))) == expected
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as processes:
        assert list(processes.map(make, range(3))) == expected
