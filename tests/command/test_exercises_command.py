"""`exercises`."""

from pathlib import Path

import pytest
from commands import run


@pytest.fixture(autouse=True)
def in_a_folder_of_its_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def test_the_folder_is_written_and_named():
    status, out, err = run("exercises", "lab")
    assert (status, err) == (0, "")
    assert "lab" in out and "python check.py" in out
    assert {path.name for path in Path("lab").iterdir()} >= {"README.md", "check.py", "gram.py", "two_loop.py"}


def test_a_folder_with_something_in_it_is_refused():
    assert run("exercises", "full")[0] == 0
    status, _, err = run("exercises", "full")
    assert status == 2 and "'full' is not empty" in err


def test_a_file_is_no_folder():
    Path("file").write_text("mine")
    status, _, err = run("exercises", "file")
    assert status == 2 and "file" in err
