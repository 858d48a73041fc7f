"""A record carried by a picture: what it says, and that a damaged or hostile one is refused in one sentence."""

import hashlib
import io
import json
from pathlib import Path

import numpy as np
import pytest
from conftest import sentence
from PIL import Image, PngImagePlugin

from ministyle.jobs.record import LONGEST, describe_inputs, outcome, parse, plan_picture, read_record
from ministyle.jobs.remaking import Remake
from ministyle.pictures.writing import write_picture
from ministyle.settings import Settings
from ministyle.solvers import Step

pytestmark = pytest.mark.usefixtures("folder")

STEP = Step(2, 3, 1.0, {"content conv4_2": 0.5, "style conv1_1": 0.5}, 0.1, (24, 32))
SOURCES = {"content": "photo.png", "style": "painting.png"}


def sha256(path):
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def made(settings=None, sources=SOURCES, with_paths=False, **how):
    settings = settings or Settings()
    return {
        **plan_picture(settings, describe_inputs(sources, with_paths), **how),
        **outcome(STEP, settings, message="done"),
    }


def carrying(text):
    """Write a PNG that carries a text as its record."""
    texts = PngImagePlugin.PngInfo()
    texts.add_itxt("ministyle", text, zip=len(text) < 1e6)
    Image.new("RGB", (4, 3)).save("out.png", pnginfo=texts)
    return "out.png"


def with_record(change):
    """Write a PNG with a record that a function has changed."""
    record = {**made(), "picture_sha256": "0" * 64}
    change(record)
    return carrying(json.dumps(record))


def test_a_record_names_each_picture_by_its_role_and_hash_and_no_file():
    Image.open("photo.png").save("second.png")
    sources = {"content": "photo.png", "style 1": "painting.png", "style 2": "second.png", "style mask 1": "start.png"}
    record = made(sources={**sources, "init": "start.png"}, settings=Settings(init="start.png"))
    assert record["inputs"] == {role: {"sha256": sha256(path)} for role, path in sources.items()} | {
        "init": {"sha256": sha256("start.png")}
    }
    assert "photo" not in json.dumps(record) and "start.png" not in json.dumps(record)
    assert record["settings"]["init"] is None
    write_picture("out.png", np.zeros((4, 4, 3)), record=record)
    assert read_record("out.png")["inputs"] == record["inputs"]


def test_paths_are_recorded_if_that_is_wanted(folder):
    record = made(with_paths=True)
    assert record["inputs"]["content"]["file"] == (folder / "photo.png").as_posix()


def test_bytes_and_open_files_have_the_hash_of_their_file_and_arrays_none():
    data = Path("photo.png").read_bytes()
    for source in (data, bytearray(data), io.BytesIO(data)):
        assert made(sources={"content": source})["inputs"]["content"] == {"sha256": sha256("photo.png")}
    assert made(sources={"content": np.zeros((4, 4, 3))})["inputs"]["content"] == {"sha256": None}


def test_what_is_read_is_what_was_written():
    record = made(
        size=(np.int64(24), 32), tileable=True, content_mask="alpha", output={"bits": 8, "alpha": "keep", "exif": True}
    )
    write_picture("out.tif", np.zeros((4, 4, 3)), record=record)
    read = read_record("out.tif")
    assert read.pop("picture_sha256") == hashlib.sha256(bytes(48)).hexdigest()
    assert read == json.loads(json.dumps(record, default=int))


def test_a_picture_without_a_record_is_refused():
    assert "'photo.png' cannot be read as a record" in sentence(read_record, "photo.png")


HOSTILE = {
    "deep": ('{"format": "ministyle picture 1", "inputs": ' + "[" * 90000, "recursion"),
    "deep and closed": ('{"format": "ministyle picture 1", "inputs": ' + "[" * 5000 + "]" * 5000 + "}", "recursion"),
    "rather deep": ('{"format": "ministyle picture 1", "inputs": ' + "[" * 50 + "]" * 50 + "}", "nested deeper"),
    "long": ('{"format": "ministyle picture 1", "message": "' + "x" * LONGEST + '"}', "too many"),
    "very long": ('{"format": "ministyle picture 1", "message": "' + "x" * 30_000_000 + '"}', "record"),
    "cut off": ('{"format": "ministyle picture 1", "inputs": {"con', "Unterminated"),
    "a huge number": ('{"format": "ministyle picture 1", "size": ' + "9" * 5000 + "}", "limit"),
    "of a later version": ('{"format": "ministyle picture 2"}', "this version cannot read"),
    "of a panel": ('{"format": "ministyle panels 1"}', "this version cannot read"),
    "of nothing": ('{"format": "ministyle picture 1"}', "no valid"),
}


@pytest.mark.parametrize(("text", "reason"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_text_is_refused_in_one_short_sentence(text, reason):
    refusal = sentence(read_record, carrying(text))
    assert "'out.png'" in refusal and "record" in refusal and reason in refusal and len(refusal) < 300


def test_what_is_no_dictionary_is_refused():
    assert "it is a list" in sentence(parse, '[{"format": "ministyle picture 1"}]', "manifest.json")


def replaced(part, value):
    def change(record):
        *way, last = part.split(".")
        for name in way:
            record = record[name]
        record[last] = value

    return change


WRONG = [None, 1, "text", [1], {"a": {}}, True]
PARTS = {
    "inputs": [None, 1, "text", [1], True],
    "inputs.content": [None, 1, "text", [1], {}, {"sha256": 1}, {"sha256": "0", "file": ["a"]}],
    "settings": [None, 1, "text", [1], True],
    "losses": WRONG,
    "losses.content": [None, "text", [1], 10**400, True],
    "software": WRONG,
    "weights_sha256": [None, 1, [1]],
    "picture_sha256": [None, 1, [1]],
    "size": [1, "text", [1], [0, 5], [1, "2"], {"a": 1}],
    "tileable": [1, "text", [1]],
    "unfinished": [1, "text"],
    "output": [1, "text", [1], {}, {"bits": 12, "alpha": "keep", "exif": True}, {"bits": [], "alpha": [], "exif": 1}],
    "psnr": ["text", 30.0, [1]],
}


@pytest.mark.parametrize(("part", "value"), [(part, value) for part, values in PARTS.items() for value in values])
def test_a_part_of_the_wrong_type_is_refused(part, value):
    refusal = sentence(read_record, with_record(replaced(part, value)))
    assert f"it has no valid {part.split('.')[0]}" in refusal


@pytest.mark.parametrize("role", ["frame", "content ", "style 0", "style 99999999", "../content", "STYLE", "mask"])
def test_a_role_that_does_not_exist_is_refused(role):
    assert "inputs" in sentence(
        read_record, with_record(lambda record: record["inputs"].update({role: {"sha256": "0"}}))
    )


@pytest.mark.parametrize(
    ("name", "value"), [("iterations", -1), ("init", "/etc/passwd"), ("init", None), ("seed", [[1]]), ("wrong", 1)]
)
def test_an_impossible_setting_is_refused_before_any_work(name, value):
    path = with_record(replaced(f"settings.{name}", value))
    assert name in sentence(Remake.of, path, SOURCES) or "no picture to start from" in sentence(
        Remake.of, path, SOURCES
    )
