"""`figure 1`, `figure 2`, `figure 3`."""

import json
import re
import shutil
from pathlib import Path

import pytest
from commands import QUICK, SMALL, contents, run
from conftest import pixels_of

from ministyle.experiments import figures, panels, records
from ministyle.weights import load

pytestmark = pytest.mark.usefixtures("folder")

FIGURE_2 = ("figure", "2", "photo.png", "painting.png", *QUICK)


def test_a_figure_is_a_sheet_and_a_folder_of_panels_and_goes_on_where_it_stopped():
    status, out, _ = run(*FIGURE_2)
    assert status == 0
    assert "1 of 1  painting  content " in out and "sheet: figure2/figure2.png" in out
    assert contents(Path("figure2")).keys() == {"figure2.png", "manifest.csv", "manifest.json"}
    assert pixels_of("figure2/panels/painting.png").shape == (24, 32, 3)
    before = contents(Path("figure2"))
    status, out, _ = run(*FIGURE_2)
    assert status == 0 and "(was there)" in out
    assert contents(Path("figure2")) == before


def test_an_interrupted_figure_says_what_is_kept(monkeypatch):
    make = panels.make_panel

    def make_one(*arguments, **options):
        if Path("figure2/panels/painting.json").exists():
            raise KeyboardInterrupt
        return make(*arguments, **options)

    monkeypatch.setattr(panels, "make_panel", make_one)
    shutil.copy("painting.png", "second.png")
    status, _, err = run(*FIGURE_2[:4], "second.png", *QUICK)
    assert status == 130
    assert err.startswith("ministyle: interrupted; 1 of 2 panels are kept in 'figure2'") and err.count("\n") == 1


def test_figures_1_and_3_are_made_with_the_flags_given(monkeypatch):
    monkeypatch.setattr(figures, "STYLE_LAYERS", ("conv1_1", "conv2_1"))
    monkeypatch.setattr(figures, "CONTENT_LAYERS", ("conv1_1",))
    flags = *SMALL, "--iterations", "1", "--seed", "5", "-q"
    assert run("figure", "1", "photo.png", "painting.png", *flags, "--no-originals", "-o", "one")[0] == 0
    assert run("figure", "3", "photo.png", "painting.png", *flags, "--ratios", "0.5,2", "-o", "three")[0] == 0
    one, three = (json.loads(Path(f"{name}/manifest.json").read_text())["panels"] for name in ("one", "three"))
    assert len(one) == 3 and len(three) == 4
    assert {record["settings"]["seed"] for record in (*one, *three)} == {5}
    assert [record["settings"]["content_weight"] for record in three] == [0.5, 2, 0.5, 2]


def test_colours_are_for_figures_of_a_photograph_and_a_painting():
    assert run(*FIGURE_2, "--colours", "photo-luminance")[0] == 0
    (record,) = json.loads(Path("figure2/manifest.json").read_text())["panels"]
    assert record["settings"]["colours"] == "photo-luminance"
    status, _, err = run("figure", "1", "photo.png", "painting.png", "--colours", "photo-luminance")
    assert status == 2 and "--colours" in err and not Path("figure1").exists()


def test_a_pyramid_that_was_asked_for_in_vain_is_said_to_be():
    flags = *QUICK, "--init", "content"
    for more, said in [(("--pyramid",), 1), ((), 0), (("--pyramid", "--side", "shortest"), 0)]:
        status, _, err = run("figure", "2", "photo.png", "painting.png", *flags, *more, "-q", "--overwrite")
        assert status == 0 and err.count("--pyramid changes nothing below") == said


@pytest.fixture
def timed(monkeypatch):
    """Return a list of the jobs whose evaluations are timed; a pixel of each takes 100 seconds."""
    jobs = []
    monkeypatch.setattr("ministyle.cost.estimate._time_evaluations", lambda job: jobs.append(job) or 100.0)
    return jobs


def hours_in(text):
    """Return the hours of an estimate."""
    hours, minutes = re.search(r"about (\d+) h (\d+) min", text).groups()
    return int(hours) + int(minutes) / 60


@pytest.mark.parametrize(
    ("command", "panels", "kinds"),
    [
        # Figure 1 has ten different sets of layers, figure 3 has five, whatever the ratio.
        (("figure", "1", "photo.png", "painting.png"), 10, 10),
        (("figure", "2", "photo.png", "painting.png", "start.png"), 2, 1),
        (("figure", "3", "photo.png", "painting.png"), 20, 5),
        (("grid", "--content", "photo.png", "--style", "painting.png", "--layers", "1,3", "--seeds", "0,1,2"), 6, 2),
    ],
)
def test_an_estimate_times_each_kind_of_panel_once_and_writes_nothing(
    command, panels, kinds, timed, folder, monkeypatch
):
    loaded = []
    load_weights = load.load_weights
    monkeypatch.setattr(load, "load_weights", lambda path: loaded.append(path) or load_weights(path))
    before = contents(folder)
    status, out, err = run(*command, *SMALL, "--estimate")
    assert (status, err) == (0, "")
    assert re.fullmatch(rf"{panels} panels to make: about .* and \d\.\d GB\n", out)
    assert len(timed) == kinds and len(loaded) == (2 if "1" in command[:2] else 1)  # figure 1 uses the raw one, too
    assert contents(folder) == before and not [path for path in folder.iterdir() if path.is_dir()]


def test_an_estimate_of_large_panels_decodes_small_pictures(timed, monkeypatch):
    decoded = []
    read = records.read_picture
    monkeypatch.setattr(
        records, "read_picture", lambda *args, **options: decoded.append(read(*args, **options)) or decoded[-1]
    )
    assert run("figure", "2", "photo.png", "painting.png", "start.png", "--image-size", "12000", "--estimate")[0] == 0
    assert decoded and max(max(picture.shape) for picture in decoded) <= 256
    assert max(timed[0].size) == 12000


def test_panels_that_are_there_are_not_estimated(timed):
    assert run(*FIGURE_2)[0] == 0
    both = *FIGURE_2[:4], "start.png", *QUICK
    out = run(*both, "--estimate")[1]
    assert re.fullmatch(r"1 panel to make: .*, 1 there already\n", out)
    assert run(*FIGURE_2, "--estimate")[1] == "0 panels to make, 1 there already\n"
    assert hours_in(run(*both, "--estimate", "-o", "new")[1]) == pytest.approx(2 * hours_in(out), rel=0.05)


def test_an_estimate_refuses_what_the_run_would_refuse(timed):
    assert run(*FIGURE_2)[0] == 0
    status, _, err = run(*FIGURE_2, "--seed", "9", "--estimate")
    assert status == 2 and "made differently" in err
    assert run(*FIGURE_2, "--seed", "9", "--estimate", "--overwrite")[1].startswith("1 panel to make: ")
