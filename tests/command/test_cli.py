import dataclasses
import errno
import hashlib
import io
import json
import math
import os
import re
import shutil
import subprocess
import sys
import tempfile
from itertools import islice
from pathlib import Path
from types import SimpleNamespace

import h5py
import numpy as np
import PIL
import psutil
import pytest
import scipy
import threadpoolctl
import tqdm
from conftest import pixels_of
from ministyle.transfer import Result
from PIL import Image
from scipy import signal

import ministyle
from ministyle import cli, flags
from ministyle.checks.gradients import Check
from ministyle.errors import MinistyleError
from ministyle.files import shipped_path
from ministyle.objective import Objective
from ministyle.pictures.reading import read_picture
from ministyle.settings import PRESETS, Settings
from ministyle.solvers import Step
from ministyle.weights.keras import KERAS_SHA256

SMALL = ("--image-size", "32")  # the photograph becomes 32 x 24: conv5_1 still has positions
TRANSFER = ("transfer", "photo.png", "painting.png", *SMALL)
SHIPPED = shipped_path("weights/vgg19.h5")
TOO_LONG = "a" * 300  # file systems allow a name 255 bytes


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, random):
    """A folder to work in, with a photograph (48 x 36) and a painting (32 x 40)."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:36, :48]
    Image.fromarray(np.stack([5 * x, 7 * y, x + y], axis=2).astype(np.uint8)).save("photo.png")
    Image.fromarray(random.integers(0, 256, (40, 32, 3), dtype=np.uint8)).save("painting.png")
    return tmp_path


@pytest.fixture
def run(capsys):
    """Return a function that runs a command and returns its status, standard output and standard error."""

    def run(*arguments):
        try:
            status = cli.main([str(argument) for argument in arguments])
        except SystemExit as end:
            status = end.code
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def requests(monkeypatch):
    """Have `transfer` only note what is asked of it and hand back a red picture; return the notes."""
    notes = []

    def transfer(content, style, *, preset, on_step, **settings):
        notes.append({"content": content, "style": style, "preset": preset, **settings})
        pixels = np.full((24, 32, 3), (255.0, 0.0, 0.0))
        terms = {"content conv4_2": 4.0, "style conv1_1": 2.0, "style conv2_1": 1.0, "total variation": 1.0}
        steps = [
            Step(i, i + 1, 8 / 2**i, {name: term / 2**i for name, term in terms.items()}, 0.0, (24, 32))
            for i in range(3)
        ]
        for step in steps:
            on_step(step, pixels - 100 + step.iteration)
        return Result(pixels.astype(np.uint8), steps, "the solver's own words", True, None)

    monkeypatch.setattr(cli, "transfer", transfer)
    return notes


@pytest.fixture
def no_work(monkeypatch):
    """Fail if any work begins."""
    monkeypatch.setattr(cli, "transfer", lambda *_, **__: pytest.fail("the work began"))


@pytest.fixture
def meanwhile(monkeypatch):
    """Return a function that has something happen as soon as `transfer` has begun."""
    work = cli.transfer

    def meanwhile(happen):
        def transfer(*arguments, **options):
            happen()
            return work(*arguments, **options)

        monkeypatch.setattr(cli, "transfer", transfer)

    return meanwhile


def from_the_shell(*arguments, stdout=subprocess.PIPE):
    """Run a command in a process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])}
    command = [sys.executable, "-m", "ministyle", *arguments]
    return subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment, check=False)


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


# Making pictures -------------------------------------------------------------------------------------


def test_a_transfer_from_the_shell_writes_the_picture_and_says_so():
    done = from_the_shell(*TRANSFER, "--iterations", "3", "-o", "out.png", "--device", "cpu")
    assert done.returncode == 0
    assert done.stderr == ""  # no progress line where nobody looks
    lines = done.stdout.splitlines()
    assert lines[0].startswith("L-BFGS-B: ")
    assert lines[1].startswith("3 iterations, ")
    word, before, arrow, after = lines[2].split()
    assert (word, arrow) == ("loss", "->")
    assert float(after) < float(before) / 2
    assert lines[-1] == "picture: out.png (32 x 24)"
    assert pixels_of("out.png").shape == (24, 32, 3)


def test_an_error_from_the_shell_is_one_line_and_status_2():
    done = from_the_shell("transfer", "missing.png", "painting.png")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "ministyle: there is no picture 'missing.png'\n"


def test_the_command_makes_the_picture_that_the_library_makes(run):
    options = {"iterations": 2, "init": "noise", "seed": 5, "style_weight": 50.0, "pooling": "max", "tv_weight": 0.1}
    flags = [text for name, value in options.items() for text in ("--" + name.replace("_", "-"), value)]
    assert run(*TRANSFER, *flags, "-o", "out.png")[0] == 0
    result = ministyle.transfer("photo.png", "painting.png", image_size=32, **options)
    assert np.array_equal(pixels_of("out.png"), result.image)


def test_the_terms_of_a_kind_are_added_up(requests, run):
    _, out, _ = run(*TRANSFER)
    lines = [line.split() for line in out.splitlines()]
    assert out.splitlines()[0] == "the solver's own words"
    assert ["loss", "8", "->", "2"] in lines
    assert ["content", "4", "->", "1"] in lines
    assert ["style", "3", "->", "0.75"] in lines
    assert ["total", "variation", "1", "->", "0.25"] in lines


def test_without_a_name_the_output_is_called_after_both_pictures(requests, run):
    Path("sub").mkdir()
    shutil.move("photo.png", "sub/my.photo.png")
    status, out, _ = run("transfer", "sub/my.photo.png", "painting.png")
    assert status == 0
    assert "picture: my.photo-painting.png (32 x 24)" in out
    assert pixels_of("my.photo-painting.png")[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize("flags", [("-o", "old.png"), ("--save-every", "1", "-o", "out.png")])
def test_an_existing_picture_is_refused_before_any_work_and_kept(flags, folder, no_work, run):
    Path("old.png").write_bytes(b"precious")
    Path("out-2.png").write_bytes(b"precious")
    before = contents(folder)
    status, out, err = run(*TRANSFER, "--iterations", "3", *flags)
    assert (status, out) == (2, "")
    assert "--overwrite" in err and err.count("\n") == 1
    assert contents(folder) == before


def test_an_existing_picture_is_replaced_when_told_so(requests, run):
    Path("old.png").write_bytes(b"precious")
    assert run(*TRANSFER, "-o", "old.png", "--overwrite")[0] == 0
    assert pixels_of("old.png").shape == (24, 32, 3)


@pytest.mark.parametrize("output", ["out.xbm", "missing/out.png", f"{TOO_LONG}.png", "photo.png"])
def test_an_impossible_output_is_refused_before_any_work(output, no_work, run):
    assert run(*TRANSFER, "--overwrite", "-o", output)[0] == 2


def test_a_file_that_appears_during_the_work_is_kept_and_so_is_the_picture(requests, meanwhile, run):
    def files_appear():
        Path("out.png").write_bytes(b"precious")
        Path("out-1.png").write_bytes(b"precious, too")

    meanwhile(files_appear)
    status, out, _ = run(*TRANSFER, "-o", "out.png")
    assert status == 0
    assert Path("out.png").read_bytes() == b"precious"
    assert Path("out-1.png").read_bytes() == b"precious, too"
    assert "picture: out-2.png" in out
    assert pixels_of("out-2.png").shape == (24, 32, 3)


def test_a_picture_that_can_no_longer_be_written_lands_in_a_temporary_folder(
    requests, meanwhile, folder, run, monkeypatch
):
    Path("sub").mkdir()
    Path("temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder / "temporary"))
    meanwhile(lambda: shutil.rmtree("sub"))
    status, out, err = run(*TRANSFER, "-o", "sub/out.png")
    (written,) = Path("temporary").glob("*/*")
    assert status == 0
    assert err.startswith("ministyle: output 'sub/out.png' cannot be written") and err.count("\n") == 1
    assert written.name == "out.png" and pixels_of(written)[0, 0].tolist() == [255, 0, 0]
    assert f"picture: {folder / written} (32 x 24)" in out


def test_a_numbered_picture_that_cannot_be_written_does_not_end_the_run(requests, meanwhile, run):
    meanwhile(lambda: Path("out-1.png").mkdir())
    status, out, err = run(*TRANSFER, "--iterations", "2", "--save-every", "1", "-o", "out.png")
    assert status == 0 and "picture: out.png" in out
    assert "'out-1.png'" in err and err.count("\n") == 1
    assert Path("out-2.png").is_file() and Path("out.png").is_file()


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_closed_pipe_does_not_cost_the_picture(unbuffered, monkeypatch):
    monkeypatch.setenv("PYTHONUNBUFFERED", unbuffered)
    reading, writing = os.pipe()
    os.close(reading)  # as `| head` does once it has seen enough
    done = from_the_shell(*TRANSFER, "--iterations", "2", "--print-every", "1", "-o", "out.png", stdout=writing)
    os.close(writing)
    assert done.returncode != 0 and "Traceback" not in done.stderr
    assert pixels_of("out.png").shape == (24, 32, 3)


def test_save_every_writes_numbered_pictures(folder, run):
    before = set(contents(folder))
    status, _, _ = run(*TRANSFER, "--iterations", "11", "--save-every", "5", "-o", "out.png")
    assert status == 0
    assert set(contents(folder)) - before == {"out-05.png", "out-10.png", "out.png"}
    pictures = [pixels_of(name).astype(float) for name in ("out-05.png", "out-10.png", "out.png")]
    assert all(picture.shape == (24, 32, 3) for picture in pictures)
    distances = [np.abs(picture - pictures[-1]).mean() for picture in pictures]
    assert distances[0] > distances[1] > 0


def test_print_every_prints_the_loss_and_its_terms(requests, run):
    _, out, _ = run(*TRANSFER, "--print-every", "2")
    lines = [line for line in out.splitlines() if line.startswith("iteration ")]
    assert [line.split(":")[0] for line in lines] == ["iteration 0", "iteration 2"]
    assert "loss 2 " in lines[1] and "content conv4_2 1 " in lines[1] and "style conv2_1 0.25" in lines[1]


def test_the_solver_s_terms_add_up_to_the_loss_printed(run):
    _, out, _ = run(*TRANSFER, "--iterations", "1", "--print-every", "1", "--tv-weight", "3")
    for line in [line for line in out.splitlines() if line.startswith("iteration ")]:
        loss, *terms = [float(part.split()[-1]) for part in line.split(": ")[1].split("  ")]
        assert len(terms) == 7  # one content layer, five style layers, total variation
        assert sum(terms) == pytest.approx(loss, rel=1e-3)


def test_a_pyramid_is_reported_level_by_level(folder, run):
    status, out, _ = run(*TRANSFER, "--image-size", "128", "--side", "shortest", "--iterations", "4", "--pyramid")
    assert status == 0
    assert re.search(r"^loss, 86 x 64 +\S+ -> +\S+\n6 iterations, \d+ evaluations", out, re.MULTILINE)
    assert "(171 x 128)" in out


@pytest.mark.parametrize("optimizer", ["lbfgs", "adam"])
def test_every_optimizer_lowers_the_loss_and_saves_what_it_makes(optimizer, folder, run):
    status, out, _ = run(*TRANSFER, "--iterations", "8", "--save-every", "4", "--optimizer", optimizer, "-o", "out.png")
    before, after = (float(number) for number in re.search(r"^loss +(\S+) -> +(\S+)", out, re.MULTILINE).groups())
    assert status == 0 and after < before / 2
    assert pixels_of("out-4.png").shape == pixels_of("out.png").shape


def test_a_gpu_with_too_little_memory_is_warned_of(folder, run, monkeypatch):
    import cupy_standin

    module = cupy_standin.make_module()
    module.cuda.runtime.memGetInfo = lambda: (600 * 10**6, 8 * 10**9)
    monkeypatch.setitem(sys.modules, "cupy", module)
    _, _, err = run(*TRANSFER, "--image-size", "512", "--estimate")
    assert "0.6 GB are free" in err


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(("flags", "shown"), [((), True), (("--quiet",), False), (("-q",), False)])
def test_the_progress_line_is_for_terminals_and_quiet_silences_it(flags, shown, requests, run, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    status, out, _ = run(*TRANSFER, "--iterations", "2", *flags)
    assert status == 0 and "picture: " in out
    progress = sys.stderr.getvalue()
    assert ("2/2" in progress and "loss 2," in progress) if shown else progress == ""


def test_where_nobody_looks_there_is_no_progress_line(requests, run):
    _, _, err = run(*TRANSFER, "--iterations", "2")
    assert err == ""


def test_before_the_work_begins_a_terminal_is_told_how_long_it_takes(requests, run, monkeypatch):
    monkeypatch.setattr(sys, "stderr", Terminal())
    _, out, _ = run(*TRANSFER)
    assert out.startswith("32 x 24 pixels: about ")
    _, out, _ = run(*TRANSFER, "--overwrite", "--quiet")
    assert "about" not in out


@pytest.mark.parametrize(
    ("command", "size"),
    [
        (TRANSFER, "32 x 24"),
        (("demo", "--image-size", "32"), "32 x 21"),
        (("content", "photo.png", *SMALL), "32 x 24"),
        (("texture", "photo.png", *SMALL, "--output-size", "64x48"), "64 x 48"),
    ],
)
def test_an_estimate_can_be_had_alone(command, size, no_work, folder, run):
    before = contents(folder)
    status, out, err = run(*command, "--estimate")
    assert (status, err) == (0, "")
    assert re.fullmatch(rf"{size} pixels: about \d+ s and \d\.\d GB", out.splitlines()[-1])
    assert contents(folder) == before


def test_too_little_memory_is_said_before_the_work_begins(requests, run, monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1e8))
    status, _, err = run(*TRANSFER)
    assert status == 0 and len(requests) == 1
    assert err.startswith("ministyle: 32 x 24 pixels take about 0.5 GB, and 0.1 GB are free") and err.count("\n") == 1


def test_verbose_names_the_weights(requests, run):
    assert f"weights: {SHIPPED}" in run(*TRANSFER, "-v")[1]
    assert "weights:" not in run(*TRANSFER, "--overwrite")[1]


def test_the_demo_repaints_the_project_s_own_picture(run, requests):
    status, out, _ = run("demo")
    assert status == 0
    assert Path(requests[0]["content"]).is_file() and Path(requests[0]["style"]).is_file()
    assert "picture: ministyle-demo.png" in out and Path("ministyle-demo.png").is_file()


def test_the_demo_takes_the_flags_of_a_run(run):
    status, out, _ = run("demo", *SMALL, "--iterations", "1", "-o", "mine.png")
    assert status == 0 and "picture: mine.png" in out
    assert max(pixels_of("mine.png").shape) == 32


# Reconstructions and experiments ----------------------------------------------------------------------


def test_content_is_reconstructed_from_the_layer_asked_for_and_its_error_reported(run):
    status, out, _ = run("content", "photo.png", "--layer", "relu1_1", *SMALL, "--iterations", "40")
    assert status == 0
    assert "picture: photo-content.png (32 x 24)" in out
    made = pixels_of("photo-content.png").astype(float)
    error = np.mean((made - read_picture("photo.png", 32)) ** 2)
    assert f"PSNR against the original: {10 * np.log10(255**2 / error):.1f} dB" in out
    assert error < 25**2


def test_a_texture_has_the_size_asked_for(run):
    flags = "--layers", "conv1_1,conv2_1", *SMALL, "--iterations", "1"
    assert run("texture", "painting.png", *flags, "--output-size", "40x24")[0] == 0
    assert pixels_of("painting-texture.png").shape == (24, 40, 3)
    assert run("texture", "painting.png", *flags, "--output-size", "32", "--tileable", "-o", "tile.png")[0] == 0
    assert pixels_of("tile.png").shape == (32, 32, 3)


def test_reconstructions_have_presets_of_their_own_and_layers_as_their_flags_say(run, monkeypatch):
    asked = []

    def note(image, layers, **settings):
        asked.append((layers, {name: settings[name] for name in settings if name != "on_step"}))
        raise MinistyleError("enough")

    monkeypatch.setattr(cli, "reconstruct_content", note)
    monkeypatch.setattr(cli, "reconstruct_style", note)
    run("content", "photo.png", "--seed", "4")
    run("content", "photo.png", "--layer", "conv3_2", "--preset", "gatys2015")
    run("texture", "photo.png")
    run("texture", "photo.png", "--layers", "conv1_1,conv2_2", "--tileable")
    five = "conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv5_1"
    assert asked == [
        (("conv4_2",), {"preset": "content-reconstruction", "seed": 4}),
        (("conv3_2",), {"preset": "gatys2015"}),
        (five, {"preset": "texture", "size": None, "tileable": False}),
        (("conv1_1", "conv2_2"), {"preset": "texture", "size": None, "tileable": True}),
    ]


QUICK = (*SMALL, "--iterations", "1", "--style-layers", "conv1_1")
FIGURE_2 = ("figure", "2", "photo.png", "painting.png", *QUICK)


def test_a_figure_is_a_sheet_and_a_folder_of_panels_and_goes_on_where_it_stopped(run):
    status, out, _ = run(*FIGURE_2)
    assert status == 0
    assert "1 of 1  painting  content " in out and "sheet: figure2/figure2.png" in out
    assert contents(Path("figure2")).keys() == {"figure2.png", "manifest.csv", "manifest.json"}
    assert pixels_of("figure2/panels/painting.png").shape == (24, 32, 3)
    before = contents(Path("figure2"))
    status, out, _ = run(*FIGURE_2)
    assert status == 0 and "(was there)" in out
    assert contents(Path("figure2")) == before


def test_an_interrupted_figure_says_what_is_kept(run, monkeypatch):
    make = cli.panels.make_panel

    def make_one(*arguments, **options):
        if Path("figure2/panels/painting.json").exists():
            raise KeyboardInterrupt
        return make(*arguments, **options)

    monkeypatch.setattr(cli.panels, "make_panel", make_one)
    shutil.copy("painting.png", "second.png")
    status, _, err = run(*FIGURE_2[:4], "second.png", *QUICK)
    assert status == 130
    assert err.startswith("ministyle: interrupted; 1 of 2 panels are kept in 'figure2'") and err.count("\n") == 1


def test_figures_1_and_3_are_made_with_the_flags_given(run, monkeypatch):
    monkeypatch.setattr(cli.figures, "STYLE_LAYERS", ("conv1_1", "conv2_1"))
    monkeypatch.setattr(cli.figures, "CONTENT_LAYERS", ("conv1_1",))
    flags = *SMALL, "--iterations", "1", "--seed", "5", "-q"
    assert run("figure", "1", "photo.png", "painting.png", *flags, "--no-originals", "-o", "one")[0] == 0
    assert run("figure", "3", "photo.png", "painting.png", *flags, "--ratios", "0.5,2", "-o", "three")[0] == 0
    one, three = (json.loads(Path(f"{name}/manifest.json").read_text())["panels"] for name in ("one", "three"))
    assert len(one) == 3 and len(three) == 4
    assert {record["settings"]["seed"] for record in (*one, *three)} == {5}
    assert [record["settings"]["content_weight"] for record in three] == [0.5, 2, 0.5, 2]


def test_a_grid_has_every_combination_and_a_stimulus_can_be_made_again(run):
    levels = "--ratios", "0.1,1", "--layers", "1,conv2_1", "--seeds", "0,3"
    status, out, _ = run(
        "grid", "--content", "photo.png", "--style", "painting.png", *levels, *QUICK[:-2], "-o", "grid"
    )
    assert status == 0 and "8 of 8" in out and "sheet: grid/sheet-photo.png" in out
    records = json.loads(Path("grid/manifest.json").read_text())["panels"]
    assert len({record["picture_sha256"] for record in records}) == 8
    name = records[5]["name"]
    status, out, _ = run("remake", "grid/manifest.json", name, "-o", "again.png")
    assert status == 0 and f"the same as {name}, bit for bit" in out
    assert Path("again.png").read_bytes() == Path(f"grid/panels/{name}.png").read_bytes()


def test_a_stimulus_that_comes_out_otherwise_is_status_1_and_says_what_changed(run):
    run(*FIGURE_2)
    path = Path("figure2/panels/painting.json")
    record = json.loads(path.read_text())
    record["picture_sha256"] = "0" * 64
    record["software"]["numpy"] = "1.0"
    path.write_text(json.dumps(record))
    status, out, _ = run("remake", path, "-o", "again.png")
    assert status == 1 and "NOT the same as painting" in out
    assert f"numpy: 1.0 then, {np.__version__} now" in out.splitlines()
    assert Path("again.png").is_file()


def test_compare_prints_distances_layer_by_layer(run):
    flags = "--image-size", "32", "--layers", "conv2_1,relu1_1", "--device", "cpu"
    status, out, _ = run("compare", "photo.png", "painting.png", *flags)
    assert status == 0
    _, *rows = [line.split() for line in out.splitlines()]
    expected = ministyle.compare("photo.png", "painting.png", ["conv2_1", "conv1_1"], image_size=32)
    assert [row[0] for row in rows] == ["conv2_1", "conv1_1"]
    for row, distance in zip(rows, expected, strict=True):
        numbers = distance.content, distance.relative_content, distance.style, distance.relative_style
        assert [float(cell) for cell in row[1:]] == pytest.approx(numbers, rel=2e-3, abs=1e-3)


# Settings and flags ----------------------------------------------------------------------------------

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
    ("content_weight", "2.5", 2.5),
    ("style_weight", "1e4", 1e4),
    ("tv_weight", "3", 3.0),
    ("content_layers", "conv3_1,relu4_2", ("conv3_1", "relu4_2")),
    (
        "style_layers",
        "conv1_1,conv2_1,conv3_1,conv4_1,conv4_2",
        ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2"),
    ),
    ("style_layer_weights", "equal", "equal"),
    ("style_layer_weights", "1,0.5,2,1e-3,0", (1.0, 0.5, 2.0, 0.001, 0.0)),
    ("convention", "literal", "literal"),
    ("pooling", "max", "max"),
    ("optimizer", "lbfgs", "lbfgs"),
    ("learning_rate", "2.5", 2.5),
    ("history_size", "5", 5),
    ("ftol", "1e-5", 1e-5),
    ("gtol", "0.25", 0.25),
    ("weights", str(SHIPPED), str(SHIPPED)),
    ("max_memory", "2GB", 2.0),
    ("max_memory", "1500 mb", 1.5),
    ("max_memory", "1.5", 1.5),
    ("dtype", "float64", "float64"),
    ("device", "cpu", "cpu"),
]
SWITCHES = [field.name for field in dataclasses.fields(Settings) if field.type is bool]


@pytest.mark.parametrize(("name", "text", "value"), FLAGS, ids=lambda value: str(value)[:20])
def test_a_flag_reaches_its_setting_and_touches_no_other(name, text, value, requests, run):
    status, _, err = run("transfer", "photo.png", "painting.png", "--" + name.replace("_", "-"), text)
    assert (status, err) == (0, "")
    assert requests == [{"content": "photo.png", "style": "painting.png", "preset": "default", name: value}]


@pytest.mark.parametrize("name", SWITCHES)
@pytest.mark.parametrize(("prefix", "value"), [("--", True), ("--no-", False)])
def test_a_switch_can_be_set_and_unset(name, prefix, value, requests, run):
    assert run("transfer", "photo.png", "painting.png", prefix + name)[0] == 0
    assert requests[0][name] is value


def test_every_setting_has_a_flag():
    assert {name for name, _, _ in FLAGS} | set(SWITCHES) == {field.name for field in dataclasses.fields(Settings)}


@pytest.mark.parametrize("preset", PRESETS)
def test_without_flags_the_preset_decides(preset, requests, run):
    assert run("transfer", "photo.png", "painting.png", "--preset", preset)[0] == 0
    assert requests == [{"content": "photo.png", "style": "painting.png", "preset": preset}]


def commands(parser, name="ministyle"):
    """List a parser and all below it."""
    found = [(name, parser)]
    for action in parser._actions:
        if isinstance(action.choices, dict) and all(
            hasattr(choice, "parse_args") for choice in action.choices.values()
        ):
            for word, command in action.choices.items():
                found += commands(command, f"{name} {word}")
    return found


COMMANDS = dict(commands(flags.make_parser()))


@pytest.mark.parametrize("command", COMMANDS)
def test_every_flag_has_a_help_text(command):
    own = [action for action in COMMANDS[command]._actions if action.option_strings]
    assert own
    assert [action.option_strings for action in own if not action.help] == []


@pytest.mark.parametrize("command", COMMANDS)
def test_help_can_be_asked_of_every_command(command, run):
    status, out, err = run(*command.split()[1:], "--help")
    assert (status, err) == (0, "")
    assert out.startswith(f"usage: {command}")


def test_the_help_gives_every_setting_s_meaning_and_default(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    _, out, _ = run("transfer", "--help")
    for field in dataclasses.fields(Settings):
        assert field.metadata["help"] in out
        assert field.default is None or field.metadata["source"] in out
    assert "(default: 384;" in out and "(default: conv1_1,conv2_1,conv3_1,conv4_1,conv5_1;" in out


def test_the_help_of_the_demo_gives_its_own_defaults(run, monkeypatch):
    monkeypatch.setenv("COLUMNS", "1000")
    _, out, _ = run("demo", "--help")
    assert "(default: ministyle-demo.png)" in out and "CONTENT-STYLE.png" not in out
    meanings = {field.name: field.metadata["help"] for field in dataclasses.fields(Settings)}
    for name, value in flags.DEMO_SETTINGS.items():
        assert f"{meanings[name]} (default: {value})" in out


def test_the_version_is_the_package_s(run):
    assert run("--version") == (0, f"ministyle {ministyle.__version__}\n", "")


# What is refused -------------------------------------------------------------------------------------


def not_ours():
    with h5py.File("other.h5", "w") as file:
        file["numbers"] = np.arange(3)


BAD_RUNS = {
    "photograph missing": (("transfer", "missing.png", "painting.png"), "'missing.png'"),
    "painting missing": (("transfer", "photo.png", "missing.png"), "'missing.png'"),
    "name of two lines": (("transfer", "no\nsuch.png", "painting.png"), "'no such.png'"),
    "name too long": (("transfer", "photo.png", TOO_LONG, "-o", "out.png"), "cannot be read"),
    "folder": (("transfer", "photo.png", "sub"), "'sub' is a folder"),
    "text": (("transfer", "text.jpg", "painting.png"), "'text.jpg' is not a picture"),
    "empty": (("transfer", "photo.png", "empty.png"), "'empty.png' is empty"),
    "truncated": (("transfer", "half.png", "painting.png"), "'half.png' is damaged"),
    "too thin": (("transfer", "thin.png", "painting.png", *SMALL), "too small"),
    "layer unknown": ((*TRANSFER, "--content-layers", "conv9_9"), "'conv9_9'"),
    "layer not in the weights": ((*TRANSFER, "--style-layers", "conv5_2"), "weights import FILE --dtype float32"),
    "layer twice": ((*TRANSFER, "--style-layers", "conv1_1,relu1_1"), "twice"),
    "no layer": ((*TRANSFER, "--content-layers", ""), "content_layers"),
    "weights too few": ((*TRANSFER, "--style-layer-weights", "1,2"), "2 numbers for 5 style layers"),
    "weights no numbers": ((*TRANSFER, "--style-layer-weights", "1,x"), "'1,x'"),
    "weights negative": ((*TRANSFER, "--style-layer-weights", "1,2,3,4,-5"), "style_layer_weights (=-5.0)"),
    "weights nan": ((*TRANSFER, "--style-layer-weights", "1,2,3,4,nan"), "style_layer_weights (=nan)"),
    "nan": ((*TRANSFER, "--content-weight", "nan"), "content_weight (=nan)"),
    "infinity": ((*TRANSFER, "--style-weight", "inf"), "style_weight (=inf)"),
    "overflow": ((*TRANSFER, "--style-weight", "1e308"), "not finite"),
    "negative": ((*TRANSFER, "--tv-weight", "-1"), "tv_weight (=-1.0)"),
    "no number": ((*TRANSFER, "--style-weight", "much"), "'much'"),
    "no iterations": ((*TRANSFER, "--iterations", "0"), "iterations (=0)"),
    "too small": (("transfer", "photo.png", "painting.png", "--image-size", "1"), "image_size (=1)"),
    "too large": ((*TRANSFER, "--image-size", "100000000000"), "image_size (=100000000000)"),
    "history too long": ((*TRANSFER, "--history-size", "1000000000"), "history_size (=1000000000)"),
    "memory in words": ((*TRANSFER, "--max-memory", "much"), "'much'"),
    "memory 0": ((*TRANSFER, "--max-memory", "0MB"), "max_memory (=0.0)"),
    "memory too little": ((*TRANSFER, "--max-memory", "100MB"), "max_memory (=0.1 GB) is too little for 32 x 24"),
    "no whole number": ((*TRANSFER, "--iterations", "1.5"), "'1.5'"),
    "no choice": ((*TRANSFER, "--pooling", "median"), "'median'"),
    "preset unknown": ((*TRANSFER, "--preset", "mine"), "'mine'"),
    "flag unknown": ((*TRANSFER, "--colour"), "--colour"),
    "flag abbreviated": ((*TRANSFER, "--iter", "3"), "--iter"),
    "command unknown": (("paint",), "'paint'"),
    "no command": ((), "COMMAND"),
    "no pictures": (("transfer",), "content, style"),
    "every 0": ((*TRANSFER, "--save-every", "0"), "'0'"),
    "every -1": ((*TRANSFER, "--print-every", "-1"), "'-1'"),
    "every word": ((*TRANSFER, "--print-every", "often"), "'often'"),
    "weight file missing": ((*TRANSFER, "--weights", "missing.h5"), "'missing.h5'"),
    "weight file's name too long": ((*TRANSFER, "--weights", f"{TOO_LONG}.h5"), f"{TOO_LONG}.h5"),
    "weight file no HDF5": ((*TRANSFER, "--weights", "text.jpg"), "'text.jpg' cannot be read"),
    "weight file not ours": ((*TRANSFER, "--weights", "other.h5"), "'other.h5' is not a ministyle weight file"),
    "start missing": ((*TRANSFER, "--init", "missing.png"), "'missing.png'"),
    "start no picture": ((*TRANSFER, "--init", "text.jpg"), "'text.jpg' is not a picture"),
    "output folder missing": ((*TRANSFER, "-o", "missing/out.png"), "no folder 'missing'"),
    "output a folder": ((*TRANSFER, "-o", "sub.png"), "'sub.png' is a folder"),
    "output without ending": ((*TRANSFER, "-o", "picture"), "'picture' must end in"),
    "output of another kind": ((*TRANSFER, "-o", "out.xbm"), "'out.xbm' must end in"),
    "output's name too long": ((*TRANSFER, "-o", f"{TOO_LONG}.png"), "cannot be written"),
    "numbered output's name too long": (
        (*TRANSFER, "--iterations", "1", "--save-every", "1", "-o", "a" * 250 + ".png"),
        "a-1.png' cannot be written",
    ),
    "output the photograph": ((*TRANSFER, "--overwrite", "-o", "photo.png"), "one of the input pictures"),
    "output the painting": ((*TRANSFER, "--overwrite", "-o", "sub/../painting.png"), "one of the input pictures"),
    "output the start": (
        (*TRANSFER, "--init", "thin.png", "--overwrite", "-o", "thin.png"),
        "one of the input pictures",
    ),
    "no CuPy": ((*TRANSFER, "--device", "cuda"), "CuPy is not installed"),
    "device unknown": ((*TRANSFER, "--device", "tpu"), "'tpu'"),
    "content: layer unknown": (("content", "photo.png", "--layer", "conv9_9"), "'conv9_9'"),
    "content: no such flag": (("content", "photo.png", "--style-weight", "3"), "--style-weight"),
    "texture: no size": (("texture", "photo.png", "--output-size", "0x3"), "'0'"),
    "texture: size of words": (("texture", "photo.png", "--output-size", "large"), "'large'"),
    "texture: not in tiles": (
        ("texture", "photo.png", *SMALL, "--tileable", "--output-size", "40x24"),
        "multiples of 16: 40 x 24",
    ),
    "texture: init content": (("texture", "photo.png", *SMALL, "--init", "content"), "asks for a content picture"),
    "figure: no number": (("figure",), "NUMBER"),
    "figure: another number": (("figure", "4", "photo.png", "painting.png"), "'4'"),
    "figure: picture missing": (("figure", "1", "photo.png", "missing.png"), "'missing.png'"),
    "figure: no painting": (("figure", "2", "photo.png"), "painting"),
    "figure: too many ratios": (("figure", "2", "photo.png", "painting.png", "--ratios", "1,2"), "2 ratios for 1"),
    "figure: ratio 0": (("figure", "3", "photo.png", "painting.png", "--ratios", "0"), "'0'"),
    "figure: ratio no number": (("figure", "3", "photo.png", "painting.png", "--ratios", "1:10"), "'1:10'"),
    "figure: same name twice": (("figure", "2", "photo.png", "painting.png", "./painting.png"), "same name"),
    "figure: into a folder of pictures": (("figure", "1", "photo.png", "painting.png", "-o", "."), "other files"),
    "figure: into a file": (("figure", "1", "photo.png", "painting.png", "-o", "photo.png"), "'photo.png' cannot be"),
    "grid: no folder": (("grid", "--content", "missing", "--style", "painting.png"), "'missing'"),
    "grid: empty folder": (("grid", "--content", "sub", "--style", "painting.png"), "no picture in folder 'sub'"),
    "grid: nothing": (("grid",), "--content"),
    "grid: layers": (("grid", "--content", "photo.png", "--style", "painting.png", "--layers", "9"), "layers (=9)"),
    "grid: seeds": (("grid", "--content", "photo.png", "--style", "painting.png", "--seeds", "a"), "'a'"),
    "grid: seed negative": (("grid", "--content", "photo.png", "--style", "painting.png", "--seeds", "-1"), "seed"),
    "grid: no scheduler": (
        ("grid", "--content", "photo.png", "--style", "painting.png", "--scheduler", "nonsense://1"),
        "no Dask scheduler at 'nonsense://1'",
    ),
    "remake: no manifest": (("remake", "missing.json", "-o", "out.png"), "'missing.json'"),
    "remake: no record": (("remake", "text.jpg", "-o", "out.png"), "'text.jpg' cannot be read as a record"),
    "compare: missing": (("compare", "photo.png", "missing.png"), "'missing.png'"),
    "compare: layer": (("compare", "photo.png", "painting.png", "--layers", "conv9_9"), "'conv9_9'"),
    "compare: too small": (("compare", "photo.png", "painting.png", "--image-size", "4"), "too small"),
    "gradcheck too small": (("gradcheck", "--size", "8"), "size (=8)"),
    "gradcheck no directions": (("gradcheck", "--directions", "0"), "directions (=0)"),
    "gradcheck seed negative": (("gradcheck", "--seed", "-1"), "seed (=-1)"),
    "gradcheck no CuPy": (("gradcheck", "--device", "cuda"), "CuPy is not installed"),
    "info weights missing": (("info", "--weights", "missing.h5"), "'missing.h5'"),
    "no action": (("weights",), "ACTION"),
    "import missing": (("weights", "import", "missing.h5"), "'missing.h5'"),
    "import another file": (("weights", "import", "other.h5", "-o", "new.h5"), KERAS_SHA256),
    "import no HDF5": (
        ("weights", "import", "text.jpg", "--no-verify", "-o", "new.h5"),
        "'text.jpg' is damaged or",
    ),
    "import no VGG": (
        ("weights", "import", "other.h5", "--no-verify", "-o", "new.h5"),
        "'other.h5' is damaged or",
    ),
    "normalise into nothing": (("weights", "normalise", "photo.png", "--into", "missing.h5"), "'missing.h5'"),
    "normalise into another file": (("weights", "normalise", "photo.png", "--into", "other.h5"), "'other.h5' is not"),
    "normalise missing": (("weights", "normalise", "missing.png", "--into", "copy.h5"), "'missing.png'"),
}


@pytest.mark.parametrize("case", BAD_RUNS)
def test_bad_input_ends_with_one_sentence_status_2_and_no_file(case, folder, run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)  # as if it were not installed
    Path("sub").mkdir()
    Path("sub.png").mkdir()
    Path("empty.png").touch()
    Path("text.jpg").write_text("Starry Night")
    Path("half.png").write_bytes(Path("painting.png").read_bytes()[:1500])
    Image.new("RGB", (480, 2)).save("thin.png")
    not_ours()
    arguments, words = BAD_RUNS[case]
    if "copy.h5" in arguments:
        shutil.copy(SHIPPED, "copy.h5")
    before = contents(folder)
    status, out, err = run(*arguments)
    assert status == 2
    assert err.startswith("ministyle: ") and err.endswith("\n") and err.count("\n") == 1
    assert words in err
    assert contents(folder) == before
    assert out == "" or arguments[0] == "info"  # which begins with what is sure


def test_a_lack_of_memory_is_said_in_one_sentence(run, monkeypatch):
    def greedy(*_, **__):
        raise MemoryError("Unable to allocate 7 TiB")

    monkeypatch.setattr(cli, "transfer", greedy)
    status, out, err = run(*TRANSFER)
    assert (status, out) == (2, "")
    assert "memory" in err and "--image-size" in err and err.count("\n") == 1


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (OSError(errno.ENAMETOOLONG, "File name too long", "long.h5"), "long.h5: File name too long"),
        (OSError(errno.ENOSPC, "No space left on device"), "output: No space left on device"),
    ],
)
def test_what_the_system_refuses_is_said_in_one_sentence(error, said, run, monkeypatch):
    def refused(*_, **__):
        raise error

    monkeypatch.setattr(cli, "transfer", refused)
    assert run(*TRANSFER) == (2, "", f"ministyle: {said}\n")


def test_an_error_of_the_program_itself_is_not_hushed_up(run, monkeypatch):
    monkeypatch.setattr(cli, "transfer", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run(*TRANSFER)


# What goes wrong on the way --------------------------------------------------------------------------


def infinite_loss(pixels):
    return math.inf, np.zeros_like(pixels)


def infinite_gradient(pixels):
    return 1.0, np.full_like(pixels, np.inf)


def not_a_number(pixels):
    return math.nan, np.full_like(pixels, np.nan)


def interrupted(pixels):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("trouble", "message"),
    [
        (infinite_loss, "loss (=inf)"),
        (infinite_gradient, "loss (=1) or gradient not finite"),
        (not_a_number, "loss (=nan)"),
        (interrupted, "interrupted"),
    ],
)
def test_a_run_that_breaks_off_still_writes_its_last_good_picture(trouble, message, run, monkeypatch):
    evaluate = Objective.__call__

    def evaluate_until_the_second_iteration(self, pixels):
        return trouble(pixels) if Path("out-2.png").exists() else evaluate(self, pixels)

    monkeypatch.setattr(Objective, "__call__", evaluate_until_the_second_iteration)
    status, out, err = run(*TRANSFER, "--iterations", "9", "--save-every", "1", "-o", "out.png")
    assert (status, err) == (1, "")
    assert message in out.splitlines()[0] and out.splitlines()[1].startswith("2 iterations, ")
    assert "picture: out.png (32 x 24)" in out
    assert Path("out.png").read_bytes() == Path("out-2.png").read_bytes()
    assert Path("out.png").read_bytes() != Path("out-1.png").read_bytes()
    assert not Path("out-3.png").exists()


def test_an_interruption_before_there_is_a_picture_says_so(folder, run, monkeypatch):
    def interrupt(*_, **__):
        raise KeyboardInterrupt

    before = contents(folder)
    monkeypatch.setattr(cli, "transfer", interrupt)
    assert run(*TRANSFER) == (130, "", "ministyle: interrupted\n")
    assert contents(folder) == before


# Weights, gradients, information ---------------------------------------------------------------------


def test_info_shows_what_a_report_of_a_problem_needs(run, monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    status, out, err = run("info")
    assert (status, err) == (0, "")
    shown = dict(line.split(maxsplit=1) for line in out.splitlines() if not line.startswith(" "))
    assert shown["ministyle"] == ministyle.__version__
    modules = {"numpy": np, "scipy": scipy, "h5py": h5py, "pillow": PIL, "threadpoolctl": threadpoolctl, "tqdm": tqdm}
    assert {name: shown[name] for name in modules} == {name: module.__version__ for name, module in modules.items()}
    assert shown["Python"].startswith("{}.{}.{}".format(*sys.version_info))
    assert "threads" in shown["BLAS"]
    assert shown["GPU"].startswith("none: CuPy is not installed") and shown["device"] == "cpu"
    assert shown["weights"] == str(SHIPPED)
    assert hashlib.sha256(SHIPPED.read_bytes()).hexdigest() in out
    assert KERAS_SHA256 in out and "CC BY 4.0" in out


def test_info_looks_at_the_file_it_is_given(run, monkeypatch):
    shutil.copy(SHIPPED, "copy.h5")
    assert ["weights", "copy.h5"] in [line.split() for line in run("info", "--weights", "copy.h5")[1].splitlines()]
    monkeypatch.setenv("MINISTYLE_WEIGHTS", "copy.h5")
    assert ["weights", "copy.h5"] in [line.split() for line in run("info")[1].splitlines()]


def test_gradcheck_finds_the_gradients_right(run, monkeypatch):
    check = cli.gradcheck.check_gradients  # its slow part, the whole network, is left to its own tests
    monkeypatch.setattr(cli.gradcheck, "check_gradients", lambda *args, **options: islice(check(*args, **options), 13))
    status, out, _ = run("gradcheck", "--size", "16", "--directions", "1", "--device", "cpu")
    header, *rows, summary = out.splitlines()
    assert status == 0
    assert header.split() == ["gradient", "method", "error", "allowed"]
    assert len(rows) == 13 and all(row.endswith("  ok") for row in rows)
    assert summary == f"{len(rows)} checks, 0 wrong"


@pytest.mark.parametrize("error", [2e-7, math.inf, math.nan])
def test_gradcheck_fails_where_one_gradient_is_wrong(error, run, monkeypatch):
    checks = [Check("pooling", "adjoint", 1e-16, 1e-8), Check("convolution", "direction", error, 1e-7)]
    monkeypatch.setattr(cli.gradcheck, "check_gradients", lambda *_, **__: checks)
    status, out, _ = run("gradcheck")
    assert status == 1
    _, pooling, convolution, summary = out.splitlines()
    assert pooling.split() == ["pooling", "adjoint", "1.0e-16", "1e-08", "ok"]
    assert convolution.split()[0] == "convolution" and convolution.split()[-1] == "WRONG"
    assert summary == "2 checks, 1 wrong"


def test_gradcheck_is_passed_its_flags(run, monkeypatch):
    asked = []

    def check_gradients(weights, **options):
        asked.append((weights, options))
        return [Check("none", "adjoint", 0.0, 1.0)]

    monkeypatch.setattr(cli.gradcheck, "check_gradients", check_gradients)
    flags = "--size", "20", "--directions", "2", "--seed", "9", "--device", "cpu", "--weights", "w.h5"
    assert run("gradcheck", *flags)[0] == 0
    options = {"size": 20, "directions": 2, "seed": 9, "device": "cpu", "convolution": "direct"}
    assert asked == [("w.h5", options)]


def test_a_weight_file_is_imported_but_not_over_another(run, random):
    kernel, bias = random.standard_normal((3, 3, 3, 64)).astype(np.float16), np.arange(64.0)
    with h5py.File("keras.h5", "w") as file:
        file["block1_conv1/kernel"], file["block1_conv1/bias"] = kernel, bias
    Path("old.h5").write_bytes(b"precious")
    command = "weights", "import", "keras.h5", "--no-verify", "-o", "old.h5"
    status, _, err = run(*command)
    assert status == 2 and "'old.h5' exists" in err and err.count("\n") == 1
    assert Path("old.h5").read_bytes() == b"precious"
    status, out, _ = run(*command, "--overwrite")
    assert status == 0 and "weights: old.h5" in out
    with h5py.File("old.h5") as file:
        assert np.array_equal(file["conv1_1/kernel"], kernel) and np.array_equal(file["conv1_1/bias"], bias)


def test_normalise_measures_mean_activations_and_leaves_the_weights_alone(run):
    shutil.copy(SHIPPED, "copy.h5")
    shipped = SHIPPED.read_bytes()
    status, out, _ = run("weights", "normalise", "photo.png", "--into", "copy.h5", "--image-size", "48")
    assert status == 0 and "copy.h5" in out
    assert SHIPPED.read_bytes() == shipped
    bgr = pixels_of("photo.png")[:, :, ::-1] - np.array([103.939, 116.779, 123.68])
    with h5py.File("copy.h5") as copy, h5py.File(SHIPPED) as original:
        layers = [name for name in original if "kernel" in original[name]]
        assert len(layers) == 13
        for name in layers:
            assert copy[name]["mean_activation"].shape == copy[name]["bias"].shape
            assert all(np.array_equal(copy[name][part], original[name][part]) for part in ("kernel", "bias"))
        assert list(copy.attrs["mean_activation_photographs"]) == ["photo.png"]
        assert copy.attrs["mean_activation_image_size"] == 48
        kernel, bias = (copy["conv1_1"][part][...].astype(float) for part in ("kernel", "bias"))
        measured = copy["conv1_1"]["mean_activation"][...]
    for n in range(0, 64, 8):
        planes = [signal.correlate(bgr[:, :, c], kernel[:, :, c, n], mode="same", method="direct") for c in range(3)]
        expected = np.maximum(sum(planes) + bias[n], 0).mean()
        assert measured[n] == pytest.approx(max(expected, measured.mean() / 1000), rel=1e-3)
