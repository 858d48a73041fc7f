"""Every setting has a flag, and the help says what it means."""

import dataclasses
import re

import pytest
from commands import SHIPPED, note_jobs, run

from ministyle.settings import GROUPS, PRESETS, Settings

pytestmark = pytest.mark.usefixtures("folder")

FLAGS = [
    ("image_size", "64", 64),
    ("side", "shortest", "shortest"),
    ("style_size", "48", 48),
    ("init", "start.png", "start.png"),
    ("seed", "7", 7),
    ("noise_std", "40", 40.0),
    ("convolution", "direct", "direct"),
    ("threads", "3", 3),
    ("iterations", "9", 9),
    ("strength", "0.25", 0.25),
    ("content_weight", "2.5", 2.5),
    ("style_weight", "1e4", 1e4),
    ("tv_weight", "3", 3.0),
    ("tv_edge", "5", 5.0),
    ("content_layers", "conv3_1,relu4_2", ("conv3_1", "relu4_2")),
    (
        "style_layers",
        "conv1_1,conv2_1,conv3_1,conv4_1,conv4_2",
        ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2"),
    ),
    ("style_layer_weights", "equal", "equal"),
    ("style_layer_weights", "1,0.5,2,1e-3,0", (1.0, 0.5, 2.0, 0.001, 0.0)),
    ("content_layer_weights", "2", (2.0,)),
    ("style_scale", "0.5", (0.5,)),
    ("style_blend", "2", (2.0,)),
    ("covariance_weight", "2", 2.0),
    ("mean_weight", "3", 3.0),
    ("convention", "literal", "literal"),
    ("pooling", "max", "max"),
    ("border", "replicate", "replicate"),
    ("optimizer", "lbfgs", "lbfgs"),
    ("learning_rate", "2.5", 2.5),
    ("history_size", "5", 5),
    ("ftol", "1e-5", 1e-5),
    ("gtol", "0.25", 0.25),
    ("weights", str(SHIPPED), str(SHIPPED)),
    ("max_memory", "2GB", 2.0),
    ("max_memory", "1500 mb", 1.5),
    ("max_memory", "1.5", 1.5),
    ("max_megapixels", "200", 200.0),
    ("dtype", "float64", "float64"),
    ("colours", "photo-luminance", "photo-luminance"),
    ("colours", "photo-match", "photo-match"),
    ("colours_after", "photo-match", "photo-match"),
    ("device", "cpu", "cpu"),
]
SWITCHES = [field.name for field in dataclasses.fields(Settings) if field.type is bool]


@pytest.fixture
def jobs(monkeypatch):
    """What is asked for; none of it is done."""
    return note_jobs(monkeypatch)


@pytest.mark.parametrize(("name", "text", "value"), FLAGS, ids=lambda value: str(value)[:20])
def test_a_flag_reaches_its_setting_and_touches_no_other(name, text, value, jobs):
    status, _, err = run("transfer", "photo.png", "painting.png", "--" + name.replace("_", "-"), text)
    assert (status, err) == (0, "")
    assert [job.settings for job in jobs] == [Settings.from_preset("default", **{name: value})]
    if name != "style_layer_weights":  # of which one is the default
        assert jobs[0].settings != Settings()


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(("prefix", "value"), [("--", True), ("--no-", False)])
def test_a_switch_can_be_set_and_unset(name, prefix, value, jobs):
    assert run("transfer", "photo.png", "painting.png", prefix + name)[0] == 0
    assert jobs[0].settings == Settings.from_preset("default", **{name: value})


def test_every_setting_has_a_flag():
    assert {name for name, _, _ in FLAGS} | set(SWITCHES) == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("preset", PRESETS)
def test_without_flags_the_preset_decides(preset, jobs):
    assert run("transfer", "photo.png", "painting.png", "--preset", preset)[0] == 0
    assert [job.settings for job in jobs] == [Settings.from_preset(preset)]


def test_the_help_gives_every_setting_s_meaning_and_default(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    _, out, _ = run("transfer", "--help")
    for field in dataclasses.fields(Settings):
        assert field.metadata["help"] in out
        assert field.default is None or field.metadata["source"] in out
    assert f"(default: {Settings().image_size};" in out and "(default: conv1_1,conv2_1,conv3_1,conv4_1,conv5_1;" in out
    assert "(default: off;" in out and "(default: on;" in out


def test_the_help_of_the_demo_gives_its_own_defaults(monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    _, out, _ = run("demo", "--help")
    assert "(default: ministyle-demo.png)" in out and "CONTENT-STYLE.png" not in out


def sections(out):
    """Return {title: text} of a help; what stands before the first title is that of ""."""
    _, *parts = re.split(r"^(\S[^\n]*):$", "\n" + out, flags=re.MULTILINE)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def flags_in(text):
    return re.findall(r"^  (?:-\w(?: \w+)?, )?(--[\w-]+)", text, re.MULTILINE)


@pytest.mark.parametrize("columns", ["80", "120"])
def test_the_help_has_the_settings_in_groups_that_say_what_they_do(columns, monkeypatch):
    monkeypatch.setenv("COLUMNS", columns)
    _, out, _ = run("transfer", "--help")
    found = sections(out)
    for title, (line, names) in GROUPS.items():
        assert line in found[title]
        assert flags_in(found[title]) == ["--" + name.replace("_", "-") for name in names]
    assert [title for title in found if title in GROUPS] == list(GROUPS)
    assert flags_in(found["pictures"]) == ["--style", "--content-mask", "--style-mask", "--frames"]
    files = ["--history", "--evolution", "--bits", "--record-paths", "--alpha", "--no-exif"]
    assert flags_in(found["output"]) == ["--output", "--overwrite", "--save-every", *files]
    said = ["--estimate", "--list-layers", "--print-every", "--checkpoint-every", "--resume", "--quiet", "--verbose"]
    assert flags_in(found["while it runs"]) == said
    assert flags_in(found["options"]) == ["--help"]
    assert max(map(len, out.splitlines())) <= int(columns)


@pytest.mark.parametrize("command", ["transfer", "demo", "content", "texture", "figure 1", "figure 2", "grid"])
def test_the_help_begins_with_what_must_be_given_and_no_list_of_flags(command):
    _, out, _ = run(*command.split(), "--help")
    usage = out.split("\n\n")[0]
    required = " --content DIR --style DIR" if command == "grid" else ""
    assert usage.startswith(f"usage: ministyle {command}{required} [FLAG ...]")
    assert "--image-size" not in usage and "\n" not in usage


def test_a_group_of_which_nothing_is_left_has_no_title():
    _, out, _ = run("figure", "1", "--help")
    assert "colours" not in sections(out) and "style" in sections(run("grid", "--help")[1])


@pytest.mark.parametrize(
    ("line", "flag", "meant"),
    [
        ("--vesion", "--vesion", "--version"),
        ("-version", "-version", "--version"),
        ("--hlep transfer photo.png painting.png", "--hlep", "--help"),
        ("transfer --stength 0.3", "--stength", "--strength"),
        ("transfer --stength=0.3 photo.png painting.png", "--stength", "--strength"),
        ("transfer photo.png painting.png --stength 0.3", "--stength", "--strength"),
        ("figure --hepl 1", "--hepl", "--help"),
        ("figure 2 --ration 1 photo.png painting.png", "--ration", "--ratios"),
    ],
)
def test_a_misspelt_flag_is_answered_with_what_was_meant_wherever_it_stands(line, flag, meant):
    status, out, err = run(*line.split())
    assert (status, out) == (2, "")
    assert err.startswith(f"ministyle: there is no flag {flag}; did you mean {meant}?") and err.count("\n") == 1


def test_a_missing_command_is_said_to_be_missing():
    assert run()[2] == "ministyle: the following arguments are required: COMMAND; see 'ministyle --help'\n"


def test_after_two_dashes_names_of_files_may_begin_with_them(jobs):
    status, _, err = run("transfer", "--image-size", "32", "--", "--photo.png", "painting.png")
    assert status == 2 and "there is no picture '--photo.png'" in err
    assert run("transfer", "--", "photo.png", "painting.png")[0] == 0
