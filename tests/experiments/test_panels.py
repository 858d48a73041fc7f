"""Panels are made once, kept whole, and can be made again."""

import csv
import hashlib
import json
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import threadpoolctl
from conftest import pixels_of
from ministyle.transfer import read_pictures
from PIL import Image

from ministyle import panels
from ministyle.errors import MinistyleError
from ministyle.experiments.executors import InThisProcess
from ministyle.experiments.panels import Panel, remake, render
from ministyle.files import sha256
from ministyle.objective import Objective
from ministyle.settings import Settings
from ministyle.weights.find import find_weights
from ministyle.weights.load import load_network

SETTINGS = Settings(image_size=32, iterations=2, init="noise", style_layers=("conv1_1", "conv2_1"), bounds=True)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random):
    """A folder to work in, with a photograph and a painting."""
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "painting.png"):
        Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save(name)
    return tmp_path


@pytest.fixture
def three():
    """A transfer, a content reconstruction and a style reconstruction of another size."""
    content = replace(SETTINGS, content_layers=("conv1_1",))
    return [
        Panel("both", SETTINGS, Path("photo.png"), Path("painting.png"), factors={"kind": "transfer"}),
        Panel("content", content, content=Path("photo.png"), factors={"kind": "reconstruction"}),
        Panel("style", SETTINGS, style=Path("painting.png"), size=(16, 48), factors={"kind": "texture"}),
    ]


def source_sha256(folder):
    """Return the hash of all Python files in a folder and its subfolders, each after its name."""
    names = {os.path.relpath(os.path.join(at, name), folder) for at, _, here in os.walk(folder) for name in here}
    sources = sorted(name.replace(os.sep, "/") for name in names if name.endswith(".py"))
    assert {"panels.py", "pictures/reading.py"} < set(sources)
    return hashlib.sha256(b"".join(name.encode() + Path(folder, name).read_bytes() for name in sources)).hexdigest()


def files(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in Path(folder).rglob("*") if path.is_file()}


@pytest.fixture
def work(monkeypatch):
    """Count what is made: a list that grows with each panel. `work.before` is called first."""
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


def test_each_panel_is_a_picture_with_its_record_and_a_line_in_both_manifests(three):
    records = render(three, "out", InThisProcess())
    names = ["both", "content", "style"]
    assert set(files("out")) == {
        *(f"panels/{name}.{ending}" for name in names for ending in ("png", "json")),
        "manifest.json",
        "manifest.csv",
    }
    manifest = json.loads(Path("out/manifest.json").read_text())["panels"]
    assert manifest == records == [json.loads(Path(f"out/panels/{name}.json").read_text()) for name in names]
    with open("out/manifest.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["name"] for row in rows] == names
    assert [row["factors.kind"] for row in rows] == ["transfer", "reconstruction", "texture"]
    assert [float(row["losses.style"] or "nan") for row in rows] == pytest.approx(
        [records[0]["losses"]["style"], float("nan"), records[2]["losses"]["style"]], nan_ok=True
    )
    assert [pixels_of(f"out/panels/{name}.png").shape for name in names] == [(24, 32, 3), (24, 32, 3), (16, 48, 3)]


def test_a_record_names_settings_inputs_hashes_and_software(three):
    record, content, style = render(three, "out", InThisProcess())
    assert record["settings"]["iterations"] == 2 and record["settings"]["style_layers"] == ["conv1_1", "conv2_1"]
    assert record["inputs"]["content"]["file"] == "../photo.png"
    assert set(content["inputs"]) == {"content"} and set(style["inputs"]) == {"style"}
    assert record["software"]["numpy"] == np.__version__ and record["software"]["device"] == "cpu"
    assert {len(record[name]) for name in ("weights_sha256", "picture_sha256")} == {64}
    assert record["software"]["source_sha256"] == source_sha256(Path(panels.__file__).parent)


def test_the_losses_are_those_of_the_picture_without_alpha_and_beta(three, weights):
    """An objective of our own, with other weights, measures the finished pictures."""
    both, content, _ = render(
        [replace(panel, settings=replace(panel.settings, content_weight=0.25, style_weight=3.0)) for panel in three],
        "out",
        InThisProcess(),
    )
    photo, painting = read_pictures(SETTINGS, "photo.png", "painting.png")
    network = load_network(weights, normalised=True, device="cpu")
    objective = Objective(network, content=photo, style=painting, style_layers=SETTINGS.style_layers)
    finished = pixels_of("out/panels/both.png").astype(np.float32)
    objective(finished)
    style_loss = objective.terms["style conv1_1"] + objective.terms["style conv2_1"]
    assert both["losses"] == pytest.approx(
        {"content": objective.terms["content conv4_2"], "style": style_loss}, rel=0.05
    )
    assert both["psnr"] is None
    error = np.mean((pixels_of("out/panels/content.png").astype(float) - photo) ** 2)
    assert content["psnr"] == pytest.approx(10 * np.log10(255**2 / error))


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
            picture, outcome = panels.make_panel(
                settings, *read_pictures(settings, "photo.png", "painting.png"), None, digest
            )
            made.append((picture.tobytes(), outcome["terms"]))
    assert made[0] == made[1]


def test_what_is_there_is_not_made_again(three, work):
    seen = []
    first = render(three, "out", InThisProcess())
    again = render(three, "out", InThisProcess(), on_panel=lambda panel, record, made: seen.append((panel.name, made)))
    assert len(work) == 3
    assert first == again
    assert seen == [("both", False), ("content", False), ("style", False)]


def test_an_interrupted_experiment_goes_on_where_it_stopped(three, work):
    def interrupt(count):
        if count == 2:
            raise KeyboardInterrupt

    work.before = interrupt
    with pytest.raises(KeyboardInterrupt):
        render(three, "out", InThisProcess())
    assert [record["name"] for record in json.loads(Path("out/manifest.json").read_text())["panels"]] == [
        "both",
        "content",
    ]
    work.before = lambda count: None
    render(three, "out", InThisProcess())
    assert len(work) == 3
    render(three, "in_one_go", InThisProcess())
    assert files("out") == files("in_one_go")


def test_a_user_who_interrupts_in_the_middle_of_a_panel_does_not_keep_half_of_it(three):
    def interrupt(panel, step, pixels):
        if panel.name == "content" and step.iteration == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        render(three, "out", InThisProcess(), on_step=interrupt)
    assert {path.name for path in Path("out/panels").iterdir()} == {"both.png", "both.json"}


def test_other_settings_are_refused_before_any_work_unless_told_so(three, work):
    render(three, "out", InThisProcess())
    before = files("out")
    three[1] = replace(three[1], settings=replace(three[1].settings, iterations=3))
    with pytest.raises(MinistyleError, match=r"content\.png.*iterations \(=2\) is now 3.*--overwrite"):
        render(three, "out", InThisProcess())
    assert len(work) == 3 and files("out") == before
    render(three, "out", InThisProcess(), overwrite=True)
    assert len(work) == 4 and work[-1].iterations == 3


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
    with pytest.raises(MinistyleError, match="1 of 3 panels could not be made, the others are kept; both: the worker"):
        render(three, "out", InThisProcess())


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


def test_a_worker_with_other_weights_refuses(three):
    with pytest.raises(MinistyleError, match="is not the one that was asked for"):
        panels.make_panel(SETTINGS, *read_pictures(SETTINGS, "photo.png"), None, "0" * 64)


@pytest.mark.parametrize("name", ["both", "content", "style"])
def test_a_panel_can_be_made_again_bit_for_bit(three, name):
    render(three, "out", InThisProcess())
    picture, record, original = remake("out/manifest.json", name)
    assert picture.tobytes() == pixels_of(f"out/panels/{name}.png").tobytes()
    assert record == original
    picture, record, original = remake(Path(f"out/panels/{name}.json"))
    assert record == original


def test_a_panel_that_began_with_a_picture_too(random):
    Image.fromarray(random.integers(0, 256, (24, 32, 3), dtype=np.uint8)).save("start.png")
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
    sha256 = json.loads(text)["weights_sha256"]
    Path("out/panels/style.json").write_text(text.replace(sha256, "0" * 64))
    with pytest.raises(MinistyleError, match="is not the one that was asked for"):
        remake("out/panels/style.json")


def test_what_is_no_record_is_refused(three):
    render(three, "out", InThisProcess())
    with pytest.raises(MinistyleError, match=r"name one of the panels.*both, content, style"):
        remake("out/manifest.json")
    with pytest.raises(MinistyleError, match="'none'"):
        remake("out/manifest.json", "none")
    with pytest.raises(MinistyleError, match="there is no manifest"):
        remake("missing.json")
    Path("list.json").write_text("[1]")
    for path in ("photo.png", "list.json"):
        with pytest.raises(MinistyleError, match=path):
            remake(path)
    record = json.loads(Path("out/panels/style.json").read_text())
    del record["settings"]["init"]
    Path("out/panels/style.json").write_text(json.dumps(record))
    with pytest.raises(MinistyleError, match="damaged"):
        remake("out/panels/style.json")
