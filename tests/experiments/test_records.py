"""What a record says, and that a damaged one is refused in one sentence."""

import csv
import hashlib
import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import pixels_of, sentence
from small_experiment import SETTINGS, files, three_panels, write_pictures

import ministyle
from ministyle.command import main
from ministyle.errors import MinistyleError
from ministyle.experiments import panels, records, stimuli
from ministyle.experiments.executors import InThisProcess
from ministyle.experiments.panels import remake, render
from ministyle.experiments.records import Panel


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random):
    """A folder to work in, with a photograph and a painting."""
    monkeypatch.chdir(tmp_path)
    write_pictures(random, "photo.png", "painting.png")
    return tmp_path


@pytest.fixture
def three():
    return three_panels()


def source_sha256(folder):
    """Return the hash of all Python files in a folder and its subfolders, each after its name."""
    names = {os.path.relpath(os.path.join(at, name), folder) for at, _, here in os.walk(folder) for name in here}
    sources = sorted(name.replace(os.sep, "/") for name in names if name.endswith(".py"))
    assert {"network.py", "experiments/panels.py", "pictures/reading.py"} < set(sources)
    return hashlib.sha256(b"".join(name.encode() + Path(folder, name).read_bytes() for name in sources)).hexdigest()


def change(path, function):
    """Let a function change what a JSON file holds."""
    content = json.loads(Path(path).read_text())
    function(content)
    Path(path).write_text(json.dumps(content))


def no_work(monkeypatch):
    """Let the test fail if a panel is made from now on."""

    def make_panel(*_, **__):
        raise AssertionError("a panel is made")

    monkeypatch.setattr(panels, "make_panel", make_panel)


# What a record says -------------------------------------------------------------------------------------


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
    assert record["software"]["source_sha256"] == source_sha256(Path(ministyle.__file__).parent)
    assert record["picture_sha256"] == hashlib.sha256(pixels_of("out/panels/both.png").tobytes()).hexdigest()
    assert record["inputs"]["style"]["sha256"] == hashlib.sha256(Path("painting.png").read_bytes()).hexdigest()


def test_numpy_scalars_as_settings_and_factors_stand_in_a_record_as_plain_numbers(monkeypatch):
    settings = replace(SETTINGS, iterations=np.int64(1), style_weight=np.float32(0.5), bounds=np.bool_(True))
    factors = {
        "seed": np.int64(7),
        "ratio": np.float32(0.25),
        "kept": np.bool_(True),
        "name": np.str_("grey"),
        np.int32(3): 1,
    }
    panel = Panel("numbers", settings, style="painting.png", size=(np.int64(16), np.int32(32)), factors=factors)
    (record,) = render([panel], "out", InThisProcess())
    assert record["factors"] == {"seed": 7, "ratio": 0.25, "kept": True, "name": "grey", "3": 1}
    assert record["size"] == [16, 32]
    assert {name: record["settings"][name] for name in ("iterations", "style_weight", "bounds")} == {
        "iterations": 1,
        "style_weight": 0.5,
        "bounds": True,
    }
    no_work(monkeypatch)
    plain = replace(SETTINGS, iterations=1, style_weight=0.5)
    assert render([Panel("numbers", plain, style="painting.png", size=(16, 32))], "out", InThisProcess()) == [record]


def test_a_design_may_have_numpy_scalars_as_values():
    panels = stimuli.design(
        ["photo.png"],
        ["painting.png"],
        settings=replace(SETTINGS, iterations=1),
        ratios=np.array([0.5]),
        seeds=np.arange(2),
    )
    records = render(panels, "out", InThisProcess())
    assert [record["factors"]["seed"] for record in records] == [0, 1]
    assert [record["settings"]["content_weight"] for record in records] == [0.5, 0.5]


@pytest.mark.parametrize(
    ("panel", "words"),
    [
        (Panel("x", SETTINGS, style="painting.png", factors={"noise": np.zeros(2)}), "not ndarray"),
        (
            Panel("x", replace(SETTINGS, init=np.zeros((8, 8, 3))), style="painting.png"),
            "init picture of a panel must be a file",
        ),
        (Panel("x", SETTINGS, content=np.zeros((8, 8, 3))), "content picture of a panel must be a file"),
    ],
)
def test_what_cannot_stand_in_a_record_is_refused_before_any_work(panel, words, monkeypatch):
    no_work(monkeypatch)
    assert words in sentence(render, [panel], "out", InThisProcess())


# Records of earlier versions ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("setting", "default", "other"),
    [
        ("tf32", False, True),
        ("colours", "painting", "photo-luminance"),
        ("gtol", 0.0, 0.5),
        ("content_layers", ["conv4_2"], ["conv3_1"]),
    ],
)
def test_a_setting_that_is_newer_than_a_record_counts_as_its_default(three, monkeypatch, setting, default, other):
    records = render(three, "out", InThisProcess())
    for name in ("both", "style"):
        change(f"out/panels/{name}.json", removed(f"settings.{setting}"))
    before = files("out/panels")
    no_work(monkeypatch)
    again = render(three, "out", InThisProcess())
    assert [record["picture_sha256"] for record in again] == [record["picture_sha256"] for record in records]
    assert files("out/panels") == before
    three[0] = replace(three[0], settings=replace(three[0].settings, **{setting: other}))
    words = sentence(render, three, "out", InThisProcess())
    assert f"{setting} (={default}) is now {other}" in words and "both.png" in words
    assert files("out/panels") == before


def test_a_panel_is_made_again_from_a_record_that_is_older_than_a_setting(three):
    render(three, "out", InThisProcess())
    change("out/panels/both.json", lambda record: record["settings"].pop("tf32"))
    _, record, original = remake("out/panels/both.json")
    assert record["picture_sha256"] == original["picture_sha256"]
    assert record["settings"]["tf32"] is False and "tf32" not in original["settings"]


@pytest.mark.parametrize(("setting", "before", "default"), [("border", "zero", "mirror"), ("tv_edge", 1e9, None)])
def test_a_record_older_than_a_setting_counts_as_what_was_done_then(three, monkeypatch, setting, before, default):
    """Not as the default of today, which no panel of that time was made with."""
    three = [replace(panel, settings=replace(panel.settings, **{setting: before}, tv_weight=0.1)) for panel in three]
    records = render(three, "out", InThisProcess())
    for name in ("both", "content", "style"):
        change(f"out/panels/{name}.json", removed(f"settings.{setting}"))
    _, again, _ = remake("out/panels/both.json")
    assert again["picture_sha256"] == records[0]["picture_sha256"] and again["settings"][setting] == before
    no_work(monkeypatch)
    assert [record["name"] for record in render(three, "out", InThisProcess())] == ["both", "content", "style"]
    today = getattr(ministyle.Settings(), setting) if default is None else default
    three[0] = replace(three[0], settings=replace(three[0].settings, **{setting: today}))
    assert f"{setting} (={before}) is now {today}" in sentence(render, three, "out", InThisProcess())


# Damaged records ----------------------------------------------------------------------------------------


def replaced(part, value):
    """Return a function that replaces a part of a record, named as "settings.seed" is."""

    def damage(record):
        *way, last = part.split(".")
        for name in way:
            record = record[name]
        record[last] = value

    return damage


def removed(part):
    def damage(record):
        *way, last = part.split(".")
        for name in way:
            record = record[name]
        del record[last]

    return damage


def damages():
    """Yield (id, damage), for every part of a record: it is missing, and it is of another type."""
    parts = ("name", "file", "inputs", "settings", "losses", "software", "weights_sha256", "picture_sha256", "factors")
    for part in (*parts, "inputs.style.file", "inputs.style.sha256", "losses.style", "software.device"):
        yield f"no {part}", removed(part)
        for value in (None, [1], {"a": {}}, True):
            if not (part in ("factors", "settings") and isinstance(value, dict)):
                yield f"{part} {value}", replaced(part, value)
    for size in (5, [5], [5, "6"], [16, -48], [0, 48], "16", {"height": 16}):
        yield f"size {size}", replaced("size", size)
    for psnr in ("loud", [1], 30.0):
        yield f"psnr {psnr}", replaced("psnr", psnr)
    for inputs in ({"frame": {"file": "a.png", "sha256": "0"}}, {"style": "painting.png"}):
        yield f"inputs {inputs}", replaced("inputs", inputs)


DAMAGES = dict(damages())


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A folder in which one panel has been made: {name: bytes} of all its files, the pictures included."""
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        write_pictures(np.random.default_rng(0), "photo.png", "painting.png")
        render([three_panels()[2]], "out", InThisProcess())
    return files(folder)


@pytest.fixture
def experiment(finished, folder):
    """Put the finished experiment into the test's folder."""
    for name, content in finished.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(content)


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_record_is_refused_in_one_sentence(experiment, damage, monkeypatch, capsys):
    change("out/panels/style.json", damage)
    change("out/manifest.json", lambda manifest: damage(manifest["panels"][0]))
    no_work(monkeypatch)
    assert "style.json" in sentence(render, [three_panels()[2]], "out", InThisProcess())
    for path in ("out/panels/style.json", "out/manifest.json"):
        words = sentence(remake, path)
        assert path in words and "damaged" in words
        assert main(["remake", path, "-o", "again.png"]) == 2
        assert capsys.readouterr().err == f"ministyle: {words}\n"


@pytest.mark.parametrize("setting", ["init", "iterations", "style_layers", "device"])
@pytest.mark.parametrize("value", [{"a": 1}, [[1]], "nonsense", -1, None])
def test_a_damaged_setting_is_refused_in_one_sentence(experiment, setting, value, monkeypatch):
    change("out/panels/style.json", replaced(f"settings.{setting}", value))
    no_work(monkeypatch)
    words = sentence(render, [three_panels()[2]], "out", InThisProcess())
    assert f"{setting} (={value}) is now" in words
    assert setting in sentence(remake, "out/panels/style.json") or value == "nonsense"


@pytest.mark.parametrize("panels", [None, {}, [], "style", 3, [1], [None], [[]]])
def test_a_manifest_without_a_list_of_panels_is_refused(experiment, panels, capsys):
    change("out/manifest.json", lambda manifest: manifest.update(panels=panels))
    assert "'out/manifest.json' is damaged" in sentence(remake, "out/manifest.json")
    assert main(["remake", "out/manifest.json", "-o", "again.png"]) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_the_command_that_goes_on_with_an_experiment_refuses_a_damaged_record(random, capsys):
    command = ["figure", "2", "photo.png", "painting.png", "--image-size", "32", "--iterations", "1", "--device", "cpu"]
    assert main([*command, "--quiet"]) == 0
    capsys.readouterr()
    for damage in (
        removed("inputs"),
        removed("settings"),
        replaced("losses.content", "small"),
        removed("losses.style"),
    ):
        intact = Path("figure2/panels/painting.json").read_bytes()
        change("figure2/panels/painting.json", damage)
        assert main([*command, "--quiet"]) == 2
        err = capsys.readouterr().err
        assert err.startswith("ministyle: 'figure2/panels/painting.json' is damaged") and err.count("\n") == 1
        Path("figure2/panels/painting.json").write_bytes(intact)
    assert main([*command, "--quiet"]) == 0


def test_a_record_under_another_panels_name_is_refused(three):
    render(three, "out", InThisProcess())
    Path("out/panels/both.json").write_bytes(Path("out/panels/style.json").read_bytes())
    assert "both.json' is the record of another panel, 'style'" in sentence(render, three, "out", InThisProcess())


def test_what_is_no_record_is_refused(three):
    render(three, "out", InThisProcess())
    with pytest.raises(MinistyleError, match=r"name one of the panels in 'out/manifest.json': both, content, style"):
        remake("out/manifest.json")
    with pytest.raises(MinistyleError, match="not 'none'"):
        remake("out/manifest.json", "none")
    with pytest.raises(MinistyleError, match="there is no manifest"):
        remake("missing.json")
    Path("list.json").write_text("[1]")
    Path("other.json").write_text('{"format": "other", "panels": []}')
    for path in ("photo.png", "list.json", "other.json", "out"):
        with pytest.raises(MinistyleError, match=path):
            remake(path)
    manifest = Path("out/manifest.json").read_text()
    Path("later.json").write_text(manifest.replace("ministyle panels 1", "ministyle panels 2"))
    with pytest.raises(MinistyleError, match=r"'later\.json' is not a record of panels that this version can read"):
        remake("later.json")
    change("out/panels/style.json", removed("settings.init"))
    with pytest.raises(MinistyleError, match="damaged"):
        remake("out/panels/style.json")


# Records that strangers wrote ---------------------------------------------------------------------------


BAD_NAMES = ["", ".", "..", "../photo", "/photo", "a/b", "a\\b", "a\nb", "a\x1b]0;owned\x07", "a\x9b2J", "a\u202eb"]


@pytest.mark.parametrize("name", [*BAD_NAMES, "a\udcff"])
def test_a_panel_has_a_name_that_can_be_a_file_s(name):
    assert "cannot be named" in sentence(Panel, name, SETTINGS, style="painting.png")


@pytest.mark.parametrize("name", ["Der Schrei (1893)", "星月夜", "a..b", "100 %; $x$"])
def test_letters_of_all_languages_make_a_name(name):
    assert Panel(name, SETTINGS, style="painting.png").name == name


@pytest.mark.parametrize("name", BAD_NAMES)
def test_no_record_has_another_name(experiment, name, capsys):
    change("out/manifest.json", lambda manifest: manifest["panels"][0].update(name=name, file=f"panels/{name}.png"))
    assert "has no valid name" in sentence(remake, "out/manifest.json")


@pytest.mark.parametrize(
    "file", ["/etc/motd", "../photo.png", "panels/../../photo.png", "panels/both.png", "style.png"]
)
def test_the_file_of_a_record_is_the_panel_s_own(experiment, file):
    change("out/panels/style.json", replaced("file", file))
    change("out/manifest.json", lambda manifest: replaced("file", file)(manifest["panels"][0]))
    for path in ("out/panels/style.json", "out/manifest.json"):
        assert "has no valid file" in sentence(remake, path)
    assert "has no valid file" in sentence(render, [three_panels()[2]], "out", InThisProcess())


@pytest.mark.parametrize("place", ["photo.png", "out/other.png"])
def test_no_link_puts_another_picture_on_a_contact_sheet(experiment, place):
    """A panel that is a link is made again, in place of the link."""
    panel, path = three_panels()[2], Path("out/panels/style.png")
    original = path.read_bytes()
    path.rename(place)
    path.symlink_to(Path(place).absolute())
    record = json.loads(Path("out/panels/style.json").read_text())
    assert "is not in 'out/panels'" in sentence(records.picture_path, Path("out"), record)
    render([panel], "out", InThisProcess())
    assert not path.is_symlink() and path.read_bytes() == Path(place).read_bytes() == original


def test_a_folder_of_panels_that_may_not_be_written_to_is_refused_before_the_work(experiment, monkeypatch):
    no_work(monkeypatch)
    monkeypatch.setattr(os, "access", lambda path, mode: Path(path) != Path("out/panels"))
    assert "no permission to write" in sentence(render, three_panels(), "out", InThisProcess())


def test_the_folder_of_panels_may_be_a_link_as_to_a_larger_disk(experiment, monkeypatch):
    Path("out/panels").rename("elsewhere")
    Path("out/panels").symlink_to(Path("elsewhere").absolute())
    no_work(monkeypatch)
    (record,) = render([three_panels()[2]], "out", InThisProcess())
    assert records.picture_path(Path("out"), record) == Path("out/panels/style.png")


@pytest.mark.parametrize(
    ("part", "value"),
    [
        ("unfinished", True),
        ("inputs.content mask", {"file": "../photo.png", "sha256": "0"}),
        ("inputs.style 2", {"file": "../photo.png", "sha256": "0"}),
        ("size", [10**30, 16]),
        ("size", [True, True]),
        ("losses", {"style": 10**400}),
    ],
)
def test_what_no_panel_has_is_refused(experiment, part, value):
    change("out/panels/style.json", replaced(part, value))
    words = f"has no valid {part.partition('.')[0]}"
    assert words in sentence(remake, "out/panels/style.json")
    assert words in sentence(render, [three_panels()[2]], "out", InThisProcess())


def test_a_record_that_is_nested_deeply_is_refused(experiment):
    text = Path("out/panels/style.json").read_text().rstrip().removesuffix("}")
    for depth in (30, 900, 100_000):
        Path("deep.json").write_text(text + ', "terms": ' + depth * "[" + depth * "]" + "}")
        assert "'deep.json' cannot be read as a record" in sentence(remake, "deep.json")


@pytest.mark.parametrize("suffix", [".json", ".png"])
@pytest.mark.parametrize("kind", ["pipe", "device"])
def test_what_may_never_end_is_no_record(suffix, kind, capsys):
    """Run in the test's own process: it hangs where a pipe is opened."""
    path = Path(f"endless{suffix}")
    if kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/zero")
    assert main(["remake", str(path), "-o", "again.png"]) == 2
    assert f"'{path}'" in (said := capsys.readouterr().err) and "only files are read" in said and said.count("\n") == 1


@pytest.mark.parametrize("file", ["/dev/zero", "../pipe", "../missing.png", "a\0b", "..", 5000 * "a"])
def test_a_record_may_name_anything_as_the_picture_it_was_made_from(experiment, file):
    os.mkfifo("pipe")
    change("out/panels/style.json", replaced("inputs.style.file", file))
    assert "the style picture" in sentence(remake, "out/panels/style.json")


def test_a_file_that_is_too_large_is_no_record(monkeypatch):
    with open("large.json", "wb") as file:
        file.truncate(10**10)  # of which nothing is on the disk
    assert "'large.json' has more than 100 MB" in sentence(remake, "large.json")


def test_a_manifest_can_be_opened_in_a_spreadsheet():
    """No cell of it is a formula; numbers stay numbers."""
    factors = {"text": "=HYPERLINK(1)", "at": "@a", "tab": "\ta", "minus": "-a", "number": -3, "plus": "+1"}
    render([Panel("=1+1", SETTINGS, style="painting.png", factors=factors)], "out", InThisProcess())
    change("out/panels/=1+1.json", lambda record: record.update({"=cmd": "x"}))
    render([Panel("b", SETTINGS, style="painting.png")], "out", InThisProcess())
    with open("out/manifest.csv", newline="") as file:
        _, row = csv.DictReader(file)
    assert row["name"] == "'=1+1"
    expected = {"text": "'=HYPERLINK(1)", "at": "'@a", "tab": "'\ta", "minus": "'-a", "number": "-3", "plus": "'+1"}
    assert {name: row[f"factors.{name}"] for name in factors} == expected
    assert row["'=cmd"] == "x"
    assert remake("out/manifest.json", "=1+1")[2]["name"] == "=1+1"  # the other manifest has it as it is


def test_a_picture_whose_name_is_no_text_is_recorded_and_found_again():
    """Such as a name in Latin-1 on a file system of today: bytes that UTF-8 does not hold."""
    name = os.fsdecode(b"Fl\xfcsse.png")
    Path("painting.png").rename(name)
    render([Panel("rivers", SETTINGS, style=name)], "out", InThisProcess())
    _, record, original = remake("out/manifest.json")
    assert original["inputs"]["style"]["file"] == f"../{name}"
    assert record["picture_sha256"] == original["picture_sha256"]
    assert "Fl\\udcfcsse.png" in Path("out/manifest.csv").read_text()


# Two experiments in one folder --------------------------------------------------------------------------


def test_the_manifests_list_all_panels_of_the_folder_the_latest_call_s_first(three, monkeypatch):
    first = render(three[1:], "out", InThisProcess())
    assert render(three[:1], "out", InThisProcess())[0]["name"] == "both"
    assert [record["name"] for record in json.loads(Path("out/manifest.json").read_text())["panels"]] == [
        *("both", "content", "style")
    ]
    with open("out/manifest.csv", newline="") as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["both", "content", "style"]
    no_work(monkeypatch)
    assert render(three[1:], "out", InThisProcess()) == first
    assert [record["name"] for record in json.loads(Path("out/manifest.json").read_text())["panels"]] == [
        *("content", "style", "both")
    ]


def test_only_whole_panels_count_as_another_experiment_s(three):
    render(three[1:], "out", InThisProcess())
    Path("out/panels/content.png").unlink()
    Path("out/panels/notes.json").write_text("{}")
    render(three[:1], "out", InThisProcess())
    panels = json.loads(Path("out/manifest.json").read_text())["panels"]
    assert [record["name"] for record in panels] == ["both", "style"]


def of_another_panel(record):
    record.update(name="content", file="panels/content.png")


@pytest.mark.parametrize(
    "damage", [removed("losses"), replaced("name", "content"), replaced("size", "large"), of_another_panel]
)
def test_another_experiment_s_damaged_record_is_noticed_before_the_work(three, damage, monkeypatch):
    render(three[2:], "out", InThisProcess())
    change("out/panels/style.json", damage)
    before, begun = files("out"), []
    monkeypatch.setattr(panels, "make_panel", lambda *_, **__: begun.append(1))
    assert "out/panels/style.json'" in sentence(render, three[:1], "out", InThisProcess())
    assert begun == [] and files("out") == before
