"""Factorial designs; and that a cluster, one of whose workers is killed, makes the same files."""

import os
import signal
import subprocess
import sys
from itertools import product
from pathlib import Path

import pytest
from conftest import pixels_of
from small_experiment import files, write_pictures
from test_contact_sheet import places

import ministyle
from ministyle.errors import MinistyleError
from ministyle.experiments.executors import InThisProcess
from ministyle.experiments.panels import render
from ministyle.experiments.stimuli import design, draw_sheets, parse_layers
from ministyle.pictures.folders import pictures_in
from ministyle.settings import Settings

SETTINGS = Settings.from_preset("gatys2015", image_size=32, iterations=1)
CLUSTER = """
import sys
from distributed import LocalCluster

if __name__ == "__main__":
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None, silence_logs=50) as cluster:
        print(cluster.scheduler_address, *(worker.pid for worker in cluster.workers.values()), flush=True)
        sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random):
    monkeypatch.chdir(tmp_path)
    write_pictures(random, "contents/cat.png", "contents/dog.png", "styles/old.png", "styles/new.png")
    return tmp_path


def test_a_design_has_every_combination_once():
    values = {
        "content": ["cat", "dog"],
        "style": ["new", "old"],
        "layers": [("conv1_1",), ("conv1_1", "conv2_1", "conv3_1"), ("conv4_1",)],
        "ratio": [0.01, 0.5],
        "seed": [0, 7],
    }
    panels = design(
        pictures_in("contents"),
        pictures_in("styles"),
        settings=SETTINGS,
        ratios=values["ratio"],
        layers=values["layers"],
        seeds=values["seed"],
    )
    made = [
        (
            Path(panel.content).stem,
            Path(panel.style).stem,
            panel.settings.style_layers,
            panel.settings.content_weight / panel.settings.style_weight,
            panel.settings.seed,
        )
        for panel in panels
    ]
    assert made == list(product(*values.values()))
    assert len({panel.name for panel in panels}) == 48
    assert panels[-1].factors == {"content": "dog", "style": "old", "layers": "conv4_1", "ratio": 0.5, "seed": 7}


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"ratios": (0.1, 0.1)}, r"ratios: 0\.1 is named twice"),
        ({"ratios": (0.1, 0)}, r"ratios \(=0\)"),
        ({"seeds": (1, 1)}, "seeds: 1 is named twice"),
        ({"layers": (("conv1_1",), ("conv1_1",))}, "layers: .* is named twice"),
        ({"layers": (("conv9_9",),)}, "conv9_9"),
        ({"layers": ()}, "layers: name at least one"),
        ({"contents": ("a/cat.png", "b/cat.png")}, "contents: 'cat' is named twice"),
        ({"seeds": (0, 1), "settings": Settings(init="content")}, "seeds make no difference"),
    ],
)
def test_impossible_designs_are_refused(changes, words):
    given = {"contents": ("cat.png",), "styles": ("old.png",), "settings": SETTINGS, "ratios": (0.1,), **changes}
    with pytest.raises(MinistyleError, match=words):
        design(given.pop("contents"), given.pop("styles"), **given)


def test_sets_of_layers_can_be_written_as_numbers_or_names():
    assert parse_layers("2") == ("conv1_1", "conv2_1")
    assert parse_layers("5") == ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1")
    assert parse_layers("conv1_1+conv4_1") == ("conv1_1", "conv4_1")
    for text in ("0", "6"):
        with pytest.raises(MinistyleError, match=f"={text}"):
            parse_layers(text)


def test_each_content_has_a_sheet_with_all_its_stimuli():
    panels = design(pictures_in("contents"), pictures_in("styles"), settings=SETTINGS, ratios=(0.1, 1.0))
    records = render(panels, "out", InThisProcess())
    paths = draw_sheets(panels, Path("out"), records)
    assert paths == [Path("out/sheet-cat.png"), Path("out/sheet-dog.png")]
    for path, content in zip(paths, ("cat", "dog"), strict=True):
        sheet = pixels_of(path)
        for record in records:
            there = len(places(pixels_of(Path("out") / record["file"]), sheet))
            assert there == (record["factors"]["content"] == content)


@pytest.mark.slow
def test_a_cluster_makes_the_same_files_even_if_a_worker_is_killed(folder):
    """Eight stimuli, plainly and on two workers, one of which is killed while it works."""
    environment = {**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])}
    Path("cluster.py").write_text(CLUSTER)
    flags = "--content contents --style styles --ratios 0.01,0.1 --image-size 48 --iterations 30 --device cpu"
    command = [sys.executable, "-m", "ministyle", "grid", *flags.split()]

    def grid(*more):
        return subprocess.Popen([*command, *more], env=environment, stdout=subprocess.PIPE, text=True)

    with grid("-o", "plain") as plain:
        assert "8 of 8" in plain.stdout.read()
    started = subprocess.Popen(
        [sys.executable, "cluster.py"], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    with started as cluster:
        address, victim, _ = cluster.stdout.readline().split()
        with grid("-o", "cluster", "--scheduler", address) as distributed:
            assert distributed.stdout.readline().startswith("1 of 8")
            os.kill(int(victim), signal.SIGKILL)
            assert "8 of 8" in distributed.stdout.read()
        cluster.stdin.close()
    assert (plain.returncode, distributed.returncode) == (0, 0)
    assert files("plain") == files("cluster")
    assert len(list(Path("cluster/panels").glob("*.png"))) == 8
