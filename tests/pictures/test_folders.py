"""The pictures in a folder."""

from pathlib import Path

import pytest
from PIL import Image

from ministyle.errors import MinistyleError
from ministyle.pictures.folders import pictures_in


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("contents/dog.png", "contents/cat.JPG"):
        Path(name).parent.mkdir(exist_ok=True)
        Image.new("RGB", (4, 3)).save(name)


def test_a_folders_pictures_are_found_and_nothing_else():
    for name in ("notes.txt", ".hidden.png", "print.pdf"):
        Path("contents", name).touch()
    Path("contents/more").mkdir()
    assert [path.name for path in pictures_in("contents")] == ["cat.JPG", "dog.png"]
    assert pictures_in("contents/dog.png") == [Path("contents/dog.png")]


def test_a_folder_without_pictures_is_refused():
    Path("empty").mkdir()
    for name, words in (("empty", "no picture in folder"), ("missing", "no folder or picture")):
        with pytest.raises(MinistyleError, match=words):
            pictures_in(name)
