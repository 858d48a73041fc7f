"""Ctrl-C: finished panels stay, running ones stop and leave an unfinished picture, the same call goes on afterwards."""

import json
import signal
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import cupy_standin
import numpy as np
import pytest
from conftest import pixels_of
from small_experiment import SETTINGS, files, three_panels, write_pictures

from ministyle.command import main
from ministyle.experiments import panels, records
from ministyle.experiments.executors import InThisProcess, OnGpus, open_executor
from ministyle.experiments.panels import remake, render
from ministyle.experiments.records import Panel
from ministyle.network import Network

PATIENCE = 60  # seconds
LONG = 20  # iterations: enough to be interrupted in

with_signals = pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="no signal can be sent to a thread")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random):
    """A folder to work in, with a photograph and a painting."""
    monkeypatch.chdir(tmp_path)
    write_pictures(random, "photo.png", "painting.png")
    return tmp_path


@pytest.fixture
def three():
    return three_panels()


@pytest.fixture
def two_gpus(monkeypatch):
    """The stand-in for CuPy with two GPUs."""
    cupy = cupy_standin.make_module()
    cupy.cuda.runtime.getDeviceCount = lambda: 2
    monkeypatch.setitem(sys.modules, "cupy", cupy)


def press_ctrl_c():
    """Do to the main thread what Ctrl-C does, from any thread."""
    signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)


def wait_for(condition):
    """Wait until a function returns True."""
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.005)


def names_in_manifest(folder="out"):
    return [record["name"] for record in json.loads(Path(folder, "manifest.json").read_text())["panels"]]


def in_panels(folder="out"):
    return {path.name for path in Path(folder, "panels").iterdir()}


# One panel at a time ------------------------------------------------------------------------------------


def test_an_interrupted_experiment_goes_on_where_it_stopped(three, monkeypatch):
    right, made = panels.make_panel, []

    def make_panel(*arguments, **options):
        if len(made) == 2:
            made.append(None)
            raise KeyboardInterrupt
        made.append(arguments[0])
        return right(*arguments, **options)

    monkeypatch.setattr(panels, "make_panel", make_panel)
    with pytest.raises(KeyboardInterrupt):
        render(three, "out", InThisProcess())
    assert names_in_manifest() == ["both", "content"]
    render(three, "out", InThisProcess())
    assert len(made) == 4
    render(three, "in_one_go", InThisProcess())
    assert files("out") == files("in_one_go")


def test_a_panel_interrupted_in_the_middle_leaves_its_picture_as_unfinished(three):
    seen = {}

    def interrupt(panel, step, pixels):
        if panel.name == "content" and step.iteration == 1:
            seen["pixels"] = pixels
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(three, "out", InThisProcess(), on_step=interrupt)
    assert in_panels() == {"both.png", "both.json", "content.unfinished.png"}
    assert names_in_manifest() == ["both"]
    np.testing.assert_array_equal(pixels_of("out/panels/content.unfinished.png"), seen["pixels"].round())
    render(three, "out", InThisProcess())
    render(three, "in_one_go", InThisProcess())
    assert files("out") == files("in_one_go")  # the unfinished picture is gone


@with_signals
def test_ctrl_c_in_the_middle_of_an_evaluation(three, monkeypatch):
    """It may come at any line, and not only where `on_step` is called."""
    right, calls = Network.backward, []

    def backward(*arguments, **options):
        if Path("out/panels/both.json").exists():
            calls.append(None)
            if len(calls) == 2:
                press_ctrl_c()
        return right(*arguments, **options)

    monkeypatch.setattr(Network, "backward", backward)
    with pytest.raises(KeyboardInterrupt):
        render(three, "out", InThisProcess())
    assert in_panels() == {"both.png", "both.json", "content.unfinished.png"}
    monkeypatch.setattr(Network, "backward", right)
    render(three, "out", InThisProcess())
    render(three, "in_one_go", InThisProcess())
    assert files("out") == files("in_one_go")


@pytest.mark.parametrize("where", ["write_picture", "write_text"])
def test_a_finished_panel_is_kept_even_if_ctrl_c_comes_while_it_is_written(three, monkeypatch, where):
    right, calls = getattr(records, where), []

    def write(*arguments, **options):
        calls.append(None)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return right(*arguments, **options)

    monkeypatch.setattr(records, where, write)
    with pytest.raises(KeyboardInterrupt):
        render(three, "out", InThisProcess())
    assert names_in_manifest() == ["both", "content"]
    assert in_panels() == {"both.png", "both.json", "content.png", "content.json"}
    render(three, "out", InThisProcess())
    render(three, "in_one_go", InThisProcess())
    assert files("out") == files("in_one_go")


def test_an_unfinished_picture_goes_before_the_record_comes(three, monkeypatch):
    """Whoever is interrupted between the two has a panel without a record, which is made again, and nothing else."""
    Path("out/panels").mkdir(parents=True)
    Path("out/panels/both.unfinished.png").write_bytes(b"")
    right, seen = records.write_text, []

    def write_text(path, text):
        seen.append(in_panels())
        right(path, text)

    monkeypatch.setattr(records, "write_text", write_text)
    render(three[:1], "out", InThisProcess())
    assert seen[0] == {"both.png"}


def test_a_panel_is_not_made_again_half(three):
    render(three, "out", InThisProcess())

    def interrupt(step, pixels):
        if step.iteration == 1:
            raise KeyboardInterrupt

    before = files("out")
    with pytest.raises(KeyboardInterrupt):
        remake("out/manifest.json", "both", on_step=interrupt)
    assert files("out") == before


# Several GPUs -------------------------------------------------------------------------------------------


def four_panels():
    """Return a short panel and three that are long enough to be interrupted."""
    long = replace(SETTINGS, iterations=LONG)
    short = Panel("short", replace(SETTINGS, iterations=1), style=Path("painting.png"))
    return [short, *(Panel(name, long, Path("photo.png"), Path("painting.png")) for name in "abc")]


class Hands:
    """Press Ctrl-C once panels `a` and `b` are both at work and `short` has been kept."""

    def __init__(self, folder="out"):
        self.both = threading.Barrier(2, timeout=PATIENCE)
        self.short = Path(folder, "panels", "short.json")
        self.steps = {}

    def on_step(self, panel, step, pixels):
        self.steps.setdefault(panel.name, []).append(step.iteration)
        if panel.name in "ab" and step.iteration == 2:
            self.both.wait()
            if panel.name == "a":
                wait_for(self.short.exists)
                press_ctrl_c()


@pytest.mark.slow
@with_signals
def test_ctrl_c_stops_running_panels_on_several_gpus_after_their_iteration(two_gpus):
    hands = Hands()
    with pytest.raises(KeyboardInterrupt), open_executor() as executor:
        assert isinstance(executor, OnGpus)
        render(four_panels(), "out", executor, on_step=hands.on_step)
    assert in_panels() == {"short.png", "short.json", "a.unfinished.png", "b.unfinished.png"}
    assert names_in_manifest() == ["short"]
    assert set(hands.steps) == {"short", "a", "b"}
    assert max(hands.steps["a"] + hands.steps["b"]) < LONG
    with open_executor() as executor:
        render(four_panels(), "out", executor)
    with open_executor() as executor:
        render(four_panels(), "in_one_go", executor)
    assert files("out") == files("in_one_go")
    assert names_in_manifest() == ["short", "a", "b", "c"]


@pytest.mark.slow
@with_signals
def test_a_second_ctrl_c_waits_no_longer_and_loses_nothing_that_is_finished(two_gpus, monkeypatch):
    """Panel `a` takes its time to stop; `b` has stopped when Ctrl-C comes again."""
    hands, stopped, b_is_done = Hands(), threading.Event(), threading.Event()
    right_make, right_stop = panels.make_panel, OnGpus.stop

    def stop(self):
        right_stop(self)
        stopped.set()

    def make_panel(job, *arguments, **options):
        result = right_make(job, *arguments, **options)
        if stopped.is_set():
            b_is_done.set()
        return result

    def on_step(panel, step, pixels):
        hands.on_step(panel, step, pixels)
        if panel.name == "a" and step.iteration == 2:
            assert stopped.wait(PATIENCE) and b_is_done.wait(PATIENCE)
            time.sleep(0.3)  # until the future of `b` knows it
            press_ctrl_c()

    monkeypatch.setattr(OnGpus, "stop", stop)
    monkeypatch.setattr(panels, "make_panel", make_panel)
    with pytest.raises(KeyboardInterrupt), open_executor() as executor:
        render(four_panels(), "out", executor, on_step=on_step)
    assert in_panels() - {"a.unfinished.png"} == {"short.png", "short.json", "b.unfinished.png"}
    assert names_in_manifest() == ["short"]
    with open_executor() as executor:
        render(four_panels(), "out", executor)
        render(four_panels(), "in_one_go", executor)
    assert files("out") == files("in_one_go")


def test_an_error_of_the_experiment_itself_stops_the_running_panels_too(two_gpus, monkeypatch):
    """Such as a full disk: nobody waits minutes for panels that cannot be kept."""
    running = threading.Event()

    def on_step(panel, step, pixels):
        steps.append(step.iteration)
        if panel.name == "a":
            running.set()

    def keep(*_):
        assert running.wait(PATIENCE)
        raise OSError("no space left on device")

    steps = []
    monkeypatch.setattr(records, "keep", keep)
    short, *long = four_panels()
    many = replace(SETTINGS, iterations=300, optimizer="adam")  # which never stops before
    long = [replace(panel, settings=many) for panel in long]
    with pytest.raises(OSError, match="no space"), open_executor() as executor:
        render([short, *long], "out", executor, on_step=on_step)
    assert max(steps) < 300


# The command --------------------------------------------------------------------------------------------


@pytest.mark.slow
@with_signals
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_command_ends_with_130_and_the_same_command_goes_on(device, two_gpus, monkeypatch, capsys):
    flags = f"--ratios 0.1,0.2,0.3 --layers 2 --image-size 32 --iterations {LONG} --device {device} --quiet"
    command = ["grid", "--content", "photo.png", "--style", "painting.png", *flags.split()]
    right, first = panels.make_panel, Path("out/panels/photo_painting_to-conv2_1_0.1_0.json")
    pressed = threading.Event()

    def make_panel(job, digest, on_step=None):
        def watch(step, pixels):
            if job.settings.content_weight > 0.1 and step.iteration == 2 and not pressed.is_set():
                wait_for(first.exists)
                pressed.set()
                press_ctrl_c()
            return on_step(step, pixels)

        return right(job, digest, on_step=watch)

    monkeypatch.setattr(panels, "make_panel", make_panel)
    assert main([*command, "-o", "out"]) == 130
    err = capsys.readouterr().err
    assert err.startswith("ministyle: interrupted; 1 of 3 panels are kept in 'out'") and err.count("\n") == 1
    assert sum(name.endswith(".unfinished.png") for name in in_panels()) == (1 if device == "cpu" else 2)
    assert main([*command, "-o", "out"]) == 0
    assert main([*command, "-o", "in_one_go"]) == 0
    assert files("out") == files("in_one_go")
