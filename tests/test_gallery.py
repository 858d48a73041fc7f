"""docs/gallery.md shows the pictures of docs/gallery, and they were made by the commands that stand there."""

import re
import runpy
from pathlib import Path

import pytest
from PIL import Image

from ministyle.command import make_parser
from ministyle.command.parser import settings_of
from ministyle.files import sha256
from ministyle.jobs.record import as_read, by_role, read_record, recorded_settings, settings_to_record

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs/gallery.md").read_text(encoding="utf-8")
FOLDER = ROOT / "docs/gallery"
COMMANDS = re.findall(r"^    python -m ministyle (.+) -o (.+)\.png$", PAGE, re.MULTILINE)


@pytest.fixture(scope="module")
def maker():
    return runpy.run_path(str(ROOT / "docs/make_gallery.py"))


def test_the_page_is_up_to_date(maker):
    assert maker["page"]() == PAGE, "docs/gallery.md is out of date; make it with: python docs/make_gallery.py"


def test_every_picture_is_shown_and_has_its_command_once():
    there = sorted(path.stem for path in FOLDER.iterdir())
    assert sorted(set(re.findall(r"\]\(gallery/(.+?)\.jpg\)", PAGE))) == there
    assert sorted(name for _, name in COMMANDS) == there


def test_every_row_has_two_to_four_pictures_and_says_what_one_sees(maker):
    for row in maker["ROWS"]:
        assert 2 <= len(row.pictures) <= 4 and row.seen.endswith("."), row.title


def test_the_pictures_are_small():
    pictures = list(FOLDER.iterdir())
    assert sum(path.stat().st_size for path in pictures) < 1e6
    for path in pictures:
        with Image.open(path) as picture:
            assert picture.format == "JPEG" and picture.width <= 192, path.name


@pytest.mark.parametrize(("command", "name"), COMMANDS, ids=[name for _, name in COMMANDS])
def test_a_picture_was_made_by_its_command(command, name):
    options = make_parser().parse_args(command.split())
    record = read_record(FOLDER / f"{name}.jpg")
    assert recorded_settings(record) == as_read(settings_to_record(settings_of(options)))
    assert not record.get("unfinished")
    files = {
        "content": options.content,
        **by_role("style", options.style),
        **by_role("content mask", options.content_mask),
        **by_role("style mask", options.style_mask),
    }
    hashes = {role: picture["sha256"] for role, picture in record["inputs"].items()}
    assert hashes == {role: sha256(ROOT / file) for role, file in files.items()}


def test_every_flag_of_a_picture_stands_below_it(maker):
    """But for those that all commands have, unless a row changes them."""
    for row in maker["ROWS"]:
        for picture in row.pictures:
            assert set(re.findall(r"--[\w-]+", picture.caption)) >= set(re.findall(r"--[\w-]+", picture.flags)) or (
                picture.caption.startswith("the same")
            )
