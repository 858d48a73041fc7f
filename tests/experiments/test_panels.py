"""Panels are made once, and can be made again."""

import gc
import json
import os
import sys
import weakref
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import cupy_standin
import numpy as np
import pytest
import threadpoolctl
from conftest import pixels_of
from PIL import Image
from small_experiment import SETTINGS, files, three_panels, write_pictures

from ministyle.errors import MinistyleError
from ministyle.experiments import panels
from ministyle.experiments.executors import InThisProcess, OnGpus, open_executor
from ministyle.experiments.panels import remake, render
from ministyle.experiments.records import Panel
from ministyle.files import sha256
from ministyle.jobs import job as jobs
from ministyle.jobs.job import Job
from ministyle.objective import Objective
from ministyle.terms import BALANCE
from ministyle.weights.find import find_weights
from ministyle.weights.load import load_network


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
def work(monkeypatch):
    """Count what is made: a list of jobs that grows with each panel. `work.before` is called first."""
    right = panels.make_panel

    class Work(list):
        before = staticmethod(lambda count: None)

    work = Work()

    def make_panel(*arguments, **options):
        work.before(len(work))
        work.append(arguments[0])
        return right(*arguments, **options)

    monkeypatch.setattr(panels, "make_panel", make_panel)
    return work


@pytest.fixture
def two_gpus(monkeypatch):
    """The stand-in for CuPy with two GPUs."""
    cupy = cupy_standin.make_module()
    cupy.cuda.runtime.getDeviceCount = lambda: 2
    monkeypatch.setitem(sys.modules, "cupy", cupy)


def test_the_losses_are_those_of_the_picture_without_alpha_and_beta(three, weights):
    """An objective of our own, with other weights, measures the finished pictures."""
    both, content, _ = render(
        [replace(panel, settings=replace(panel.settings, content_weight=0.25, style_weight=3.0)) for panel in three],
        "out",
        InThisProcess(),
    )
    photo, painting = (np.asarray(Image.open(name), np.float32) for name in ("photo.png", "painting.png"))
    network = load_network(weights, normalised=True, device="cpu")
    of_layers = {name: getattr(SETTINGS, name) for name in ("style_layers", "style_layer_weights")}
    objective = Objective(network, content=photo, style=painting, **of_layers)
    terms = objective(pixels_of("out/panels/both.png").astype(np.float32)).terms
    style_loss = terms["style conv1_1"] + terms["style conv2_1"]
    assert both["losses"] == pytest.approx({"content": terms["content conv4_2"], "style": style_loss}, rel=0.05)
    assert both["psnr"] is None
    error = np.mean((pixels_of("out/panels/content.png").astype(float) - photo) ** 2)
    assert content["psnr"] == pytest.approx(10 * np.log10(255**2 / error))


def test_relative_losses_are_without_the_strength(three, weights):
    """From 0, the photograph and the painting's style, to 1, a blank and the photograph's style."""
    settings = replace(SETTINGS, convention="relative", strength=0.8, content_weight=0.25, style_weight=3.0)
    (both,) = render([replace(three[0], settings=settings)], "out", InThisProcess())
    photo, painting = (np.asarray(Image.open(name), np.float32) for name in ("photo.png", "painting.png"))
    network = load_network(weights, normalised=True, device="cpu")
    options = {"convention": "relative", "style_weight": 1 / BALANCE}
    options |= {name: getattr(SETTINGS, name) for name in ("style_layers", "style_layer_weights")}
    objective = Objective(network, content=photo, style=painting, **options)
    terms = objective(pixels_of("out/panels/both.png").astype(np.float32)).terms
    style_loss = terms["style conv1_1"] + terms["style conv2_1"]
    assert both["losses"] == pytest.approx({"content": terms["content conv4_2"], "style": style_loss}, rel=0.05)


@pytest.mark.parametrize(("strength", "kind"), [(0.0, "content"), (1.0, "style")])
def test_a_panel_of_content_or_style_alone_has_no_loss_of_the_other(three, strength, kind, monkeypatch):
    settings = replace(SETTINGS, convention="relative", strength=strength)
    panel = replace(three[0], settings=settings)
    (record,) = render([panel], "out", InThisProcess())
    assert set(record["losses"]) == {kind}
    monkeypatch.setattr(panels, "make_panel", None)
    assert render([panel], "out", InThisProcess()) == [record]  # which is not damaged


def test_a_folder_says_nothing_of_when_and_how_it_was_made(three):
    render(three, "a", InThisProcess())
    # As `executors` does for several GPUs: BLAS's number of threads is one for the whole process.
    with threadpoolctl.threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(3) as executor:
        render(three, "b", executor)
    assert files("a") == files("b")


@pytest.mark.parametrize("convolution", ["winograd", "direct"])
def test_not_a_bit_depends_on_the_number_of_blas_threads(convolution):
    """A cluster's workers have one, a single machine as many as it has cores."""
    settings = replace(SETTINGS, image_size=96, convolution=convolution, style_layers=("conv1_2", "conv3_1"))
    digest = sha256(find_weights())
    made = []
    for threads in (1, 2):
        with threadpoolctl.threadpool_limits(threads, user_api="blas"):
            picture, outcome = panels.make_panel(Job.of(settings, "photo.png", "painting.png"), digest)
            made.append((picture.tobytes(), outcome["terms"]))
    assert made[0] == made[1]


def test_what_is_there_is_not_made_again(three, work):
    seen = []
    first = render(three, "out", InThisProcess())
    again = render(three, "out", InThisProcess(), on_panel=lambda panel, record, made: seen.append((panel.name, made)))
    assert len(work) == 3
    assert first == again
    assert seen == [("both", False), ("content", False), ("style", False)]


def test_other_settings_are_refused_before_any_work_unless_told_so(three, work):
    render(three, "out", InThisProcess())
    before = files("out")
    three[1] = replace(three[1], settings=replace(three[1].settings, iterations=3))
    with pytest.raises(MinistyleError, match=r"content\.png.*iterations \(=2\) is now 3.*--overwrite"):
        render(three, "out", InThisProcess())
    assert len(work) == 3 and files("out") == before
    render(three, "out", InThisProcess(), overwrite=True)
    assert len(work) == 4 and work[-1].settings.iterations == 3


def test_another_picture_under_the_same_name_is_refused(three):
    render(three, "out", InThisProcess())
    Image.new("RGB", (32, 24), "red").save("painting.png")
    with pytest.raises(MinistyleError, match="another style picture"):
        render(three, "out", InThisProcess())


@pytest.mark.parametrize("damage", [lambda path: path.unlink(), lambda path: path.write_bytes(b"half")])
def test_a_panel_whose_picture_is_lost_or_damaged_is_made_again(three, work, damage):
    render(three, "out", InThisProcess())
    before = files("out")
    damage(Path("out/panels/content.png"))
    render(three, "out", InThisProcess())
    assert len(work) == 4 and files("out") == before


def test_threads_make_no_difference_and_are_not_asked_about(three, work):
    render(three, "out", InThisProcess())
    render([replace(panel, settings=replace(panel.settings, threads=1)) for panel in three], "out", InThisProcess())
    assert len(work) == 3


def test_one_that_fails_does_not_cost_the_others(three):
    three.insert(1, Panel("impossible", replace(SETTINGS, style_weight=1e308), style=Path("painting.png")))
    with pytest.raises(
        MinistyleError, match=r"1 of 4 panels could not be made, the others are kept; impossible: .*not"
    ):
        render(three, "out", InThisProcess())
    assert {path.stem for path in Path("out/panels").iterdir()} == {"both", "content", "style"}
    assert len(json.loads(Path("out/manifest.json").read_text())["panels"]) == 3


def test_a_worker_that_breaks_is_reported_like_any_other_failure(three, work):
    def die(count):
        if count == 0:
            work.append(None)
            raise RuntimeError("the worker died")

    work.before = die
    with pytest.raises(
        MinistyleError, match=r"1 of 3 panels could not be made.*both: RuntimeError\('the worker died'\)"
    ):
        render(three, "out", InThisProcess())


@pytest.mark.parametrize(
    ("error", "words"), [(ZeroDivisionError, r"ZeroDivisionError\(\)"), (MemoryError, "there is not enough memory")]
)
def test_a_failure_without_words_has_the_name_of_its_kind_or_a_sentence(error, words, three, work):
    def die(count):
        work.append(None)
        raise error

    work.before = die
    with pytest.raises(MinistyleError, match=f"both: {words}"):
        render(three, "out", InThisProcess())


def failing_panels():
    """Return panels that fail in several ways, each with a network in memory."""
    infinite = replace(SETTINGS, style_weight=1e308)
    missing = replace(SETTINGS, style_layers=("conv5_4",))  # not among the weights
    return [
        Panel("infinite", infinite, style=Path("painting.png")),
        Panel("missing", missing, style=Path("painting.png")),
        Panel("broken", SETTINGS, style=Path("painting.png")),
        Panel("broken too", SETTINGS, Path("photo.png"), Path("painting.png")),
    ]


def break_down(panel, step, pixels):
    """Fail with an error that comes from another one; this one and the function that it comes from form a cycle."""

    def fail():
        try:
            raise ValueError("the cause")
        except ValueError as error:
            cause = error
            raise cause from None

    if panel.name.startswith("broken"):
        try:
            fail()
        except ValueError as error:
            raise RuntimeError(f"{panel.name} of {pixels.shape}") from error


@pytest.fixture
def networks(monkeypatch):
    """Weak references to all networks that are loaded, while nothing in a cycle is freed.

    It would be freed at some time, but by then a GPU's memory may be full.
    """
    networks = []

    def load(*arguments, **options):
        network = load_network(*arguments, **options)
        networks.append(weakref.ref(network))
        return network

    monkeypatch.setattr(jobs, "load_network", load)
    gc.collect()
    gc.disable()
    yield networks
    gc.enable()


@pytest.fixture(params=["in this process", "on GPUs", "in plain threads"])
def executor(request):
    """Each kind of executor that works in this process."""
    if request.param == "in plain threads":
        with threadpoolctl.threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(2) as executor:
            yield executor
        return
    if request.param == "on GPUs":
        request.getfixturevalue("two_gpus")
    with open_executor() as executor:
        assert isinstance(executor, OnGpus if request.param == "on GPUs" else InThisProcess)
        yield executor


def test_failed_panels_do_not_keep_their_networks_alive(executor, networks):
    """An error refers to all that the functions had in memory through which it came, and so do its causes."""
    with pytest.raises(MinistyleError, match="4 of 4 panels could not be made"):
        render(failing_panels(), "out", executor, on_step=break_down)
    assert len(networks) == 4
    assert [network() for network in networks] == [None] * 4


def test_finished_panels_do_not_keep_their_networks_alive(executor, networks, three):
    render(three, "out", executor)
    assert len(networks) == 3
    assert [network() for network in networks] == [None] * 3


def test_a_folder_of_something_else_is_left_alone(three, folder, work):
    before = files(folder)
    with pytest.raises(MinistyleError, match="holds other files"):
        render(three, folder, InThisProcess())
    with pytest.raises(MinistyleError, match="cannot be used"):
        render(three, "photo.png", InThisProcess())
    assert files(folder) == before and not work


def test_pictures_and_names_are_checked_before_any_work(three, work):
    for bad, words in (
        (Panel("both", SETTINGS, Path("photo.png")), "same name"),
        (Panel("other", SETTINGS, Path("missing.png")), r"missing\.png"),
        (Panel("a" * 300, SETTINGS, Path("photo.png")), "cannot be written"),
    ):
        with pytest.raises(MinistyleError, match=words):
            render([*three, bad], "out", InThisProcess())
    assert not work


def test_a_worker_with_other_weights_refuses():
    with pytest.raises(MinistyleError, match="is not the one that was asked for"):
        panels.make_panel(Job.of(SETTINGS, "photo.png"), "0" * 64)


@pytest.mark.parametrize("name", ["both", "content", "style"])
def test_a_panel_can_be_made_again_bit_for_bit(three, name):
    render(three, "out", InThisProcess())
    picture, record, original = remake("out/manifest.json", name)
    assert picture.tobytes() == pixels_of(f"out/panels/{name}.png").tobytes()
    assert record == original
    picture, record, original = remake(Path(f"out/panels/{name}.json"))
    assert record == original


def test_a_panel_that_began_with_a_picture_too(random):
    write_pictures(random, "start.png")
    panel = Panel("begun", replace(SETTINGS, init="start.png"), Path("photo.png"), Path("painting.png"))
    (record,) = render([panel], "out", InThisProcess())
    assert set(record["inputs"]) == {"content", "style", "init"}
    os.rename("start.png", "moved.png")
    with pytest.raises(MinistyleError, match=r"start\.png"):
        remake("out/manifest.json")
    _, again, _ = remake("out/manifest.json", init="moved.png")
    assert again["picture_sha256"] == record["picture_sha256"]


def test_a_panel_is_not_made_again_from_other_pictures_or_weights(three):
    render(three, "out", InThisProcess())
    Image.new("RGB", (32, 24), "red").save("photo.png")
    with pytest.raises(MinistyleError, match="is not the content picture that both was made from"):
        remake("out/manifest.json", "both")
    text = Path("out/panels/style.json").read_text()
    digest = json.loads(text)["weights_sha256"]
    Path("out/panels/style.json").write_text(text.replace(digest, "0" * 64))
    with pytest.raises(MinistyleError, match="is not the one that was asked for"):
        remake("out/panels/style.json")
