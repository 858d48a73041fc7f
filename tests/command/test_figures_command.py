"""`figure 1`, `figure 2`, `figure 3`."""

import json
import shutil
from pathlib import Path

import pytest
from commands import QUICK, SMALL, contents, run
from conftest import pixels_of

from ministyle.experiments import figures, panels

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
