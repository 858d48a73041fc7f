"""`remake` and `info` of a picture: made again from the record that it carries."""

import json
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from commands import QUICK, SMALL, contents, forbid_work, run
from conftest import pixels_of
from PIL import Image, PngImagePlugin

from ministyle.jobs.record import read_record

pytestmark = pytest.mark.usefixtures("folder")

GIVEN = ("--content", "photo.png", "--style", "painting.png")
COMMANDS = {
    "transfer": (("transfer", "photo.png", "painting.png", *QUICK, "--seed", "3", "--init", "noise"), GIVEN),
    "start": (
        ("transfer", "photo.png", "painting.png", *QUICK, "--init", "start.png", "--no-bounds", "--no-exif"),
        (*GIVEN, "--init", "start.png"),
    ),
    "content": (("content", "photo.png", *SMALL, "--iterations", "1", "--layer", "conv1_1,conv2_1"), GIVEN[:2]),
    "texture": (
        ("texture", "painting.png", *QUICK[:4], "--layers", "conv1_1", "--tileable", "--output-size", "48x32"),
        GIVEN[2:],
    ),
    "preset": (
        (
            "transfer",
            "photo.png",
            "painting.png",
            *QUICK,
            "--preset",
            "gatys2015",
            "--tv-weight",
            "0.001",
            "--bits",
            "16",
        ),
        GIVEN,
    ),
    "layer weights": (
        ("transfer", "photo.png", "painting.png", *SMALL, "--iterations", "1", "--style-layer-weights", "1,2,0,0.25,0"),
        GIVEN,
    ),
}


@pytest.mark.parametrize("case", COMMANDS)
def test_a_picture_is_made_again_bit_for_bit_and_by_the_command_that_info_shows(case):
    command, given = COMMANDS[case]
    assert run(*command, "-o", "out.png")[0] == 0
    status, out, err = run("remake", "out.png", *given, "-o", "again.png")
    assert (status, out, err) == (0, "picture: again.png, the same as out.png, bit for bit\n", "")
    assert Path("again.png").read_bytes() == Path("out.png").read_bytes()

    status, out, _ = run("info", "out.png")
    assert status == 0
    (line,) = [line for line in out.splitlines() if line.startswith("made by")]
    places = {"CONTENT": "photo.png", "STYLE": "painting.png", "INIT": "start.png"}
    words = [places.get(word, word) for word in shlex.split(line.removeprefix("made by"))]
    assert words[:3] == ["python", "-m", "ministyle"] and words[3] == command[0]
    assert run(*words[3:], "-o", "third.png")[0] == 0
    assert Path("third.png").read_bytes() == Path("out.png").read_bytes()


@pytest.mark.parametrize("ending", ["jpg", "webp", "tif", "avif"])
def test_a_compressed_picture_is_compared_before_it_is_compressed(ending):
    name = f"out.{ending}"
    assert run("transfer", "photo.png", "painting.png", *QUICK, "-o", name)[0] == 0
    assert "the same as" in run("remake", name, *GIVEN, "-o", "again.png")[1]
    assert run("remake", "again.png", *GIVEN, "-o", f"third.{ending}")[0] == 0
    assert np.array_equal(pixels_of(f"third.{ending}"), pixels_of(name))


def test_another_result_is_told_with_what_differed_then():
    assert run("transfer", "photo.png", "painting.png", *QUICK, "-o", "out.png")[0] == 0
    record = {**read_record("out.png"), "picture_sha256": "0" * 64}
    record["software"]["numpy"], record["blas_threads"] = "1.0", 64
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("ministyle", json.dumps(record))
    Image.open("out.png").save("other.png", pnginfo=texts)
    status, out, _ = run("remake", "other.png", *GIVEN, "-o", "again.png")
    assert status == 1
    assert "NOT the same as other.png" in out
    assert f"numpy: 1.0 then, {np.__version__} now" in out and "blas_threads: 64 then" in out


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--content", "painting.png", "--style", "painting.png"), "'painting.png' is not the content picture"),
        (("--content", "photo.png"), "say which one, with --style"),
        ((*GIVEN, "--init", "start.png"), "without any init picture"),
        (("--content", "photo.png", "--style", "missing.png"), "'missing.png' cannot be read"),
        ((*GIVEN, "--weights", "other.h5"), "not the weight file that out.png was made with"),
    ],
)
def test_another_picture_or_none_is_refused_before_the_work(flags, words, folder, monkeypatch):
    from commands import SHIPPED

    shutil.copy(SHIPPED, "other.h5")
    with open("other.h5", "ab") as file:
        file.write(b"\0")
    assert run("transfer", "photo.png", "painting.png", *QUICK, "-o", "out.png")[0] == 0
    before = contents(folder)
    forbid_work(monkeypatch)
    status, out, err = run("remake", "out.png", *flags, "-o", "again.png")
    assert (status, out) == (2, "")
    assert words in err and err.count("\n") == 1
    assert contents(folder) == before


def test_recorded_paths_need_not_be_given_and_are_shown(folder):
    assert run("transfer", "photo.png", "painting.png", *QUICK, "--record-paths", "-o", "out.png")[0] == 0
    out = run("info", "out.png")[1]
    assert f"transfer {folder / 'photo.png'} {folder / 'painting.png'} " in out
    assert "the same as" in run("remake", "out.png", "-o", "again.png")[1]
    Path("painting.png").rename("moved.png")
    assert "painting.png' cannot be read" in run("remake", "out.png", "-o", "third.png")[2]
    assert "the same as" in run("remake", "out.png", "--style", "moved.png", "-o", "third.png")[1]


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_no_name_or_path_of_a_file_stands_in_a_picture(ending, folder):
    Path("photo.png").rename("secret-name.png")
    Path("start.png").rename("secret-start.png")
    Path("painting.png").rename("secret-painting.png")
    flags = ("--init", "secret-start.png", "-o", f"out.{ending}")
    assert run("transfer", "secret-name.png", "secret-painting.png", *QUICK, *flags)[0] == 0
    data = Path(f"out.{ending}").read_bytes()
    assert b"ministyle picture 1" in data  # else the test would show nothing
    for name in ("secret", str(folder), f"/{Path.home().name}"):
        assert name.encode() not in data


def test_numbered_pictures_are_marked_as_unfinished_and_not_made_again():
    flags = "--iterations", "2", "--save-every", "1", "-o", "out.png"
    assert run("transfer", "photo.png", "painting.png", *SMALL, *flags)[0] == 0
    first, finished = read_record("out-1.png"), read_record("out.png")
    assert first["unfinished"] is True and "unfinished" not in finished
    assert (first["iterations"], finished["iterations"]) == (1, 2)
    assert first["losses"]["style"] > finished["losses"]["style"]
    assert ", unfinished" in run("info", "out-1.png")[1]
    status, _, err = run("remake", "out-1.png", *GIVEN, "-o", "again.png")
    assert status == 2 and "'out-1.png' is unfinished" in err


def test_info_shows_what_a_record_says_and_no_more_than_text():
    assert run("transfer", "photo.png", "painting.png", *QUICK, "-o", "out.png")[0] == 0
    record = {**read_record("out.png"), "message": "\x1b[31mred\n" + "x" * 1000}
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("ministyle", json.dumps(record))
    Image.new("RGB", (4, 3)).save("out.png", pnginfo=texts)
    status, out, _ = run("info", "out.png")
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0 and "\x1b" not in out and max(map(len, out.splitlines())) < 400
    assert lines["picture"] == "4 x 3, PNG"
    assert lines["content"] == f"SHA-256 {record['inputs']['content']['sha256']}" or "loss" in lines["content"]
    assert lines["numpy"] == np.__version__ and lines["device"] == "cpu"
    assert lines["message"].startswith("?[31mred?")
