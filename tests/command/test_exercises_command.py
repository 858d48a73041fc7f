"""`exercises`."""

from pathlib import Path

from commands import run


def test_the_folder_is_written_and_named():
    status, out, err = run("exercises", "lab")
    assert (status, err) == (0, "")
    assert "lab" in out and "python check.py" in out
    assert {path.name for path in Path("lab").iterdir()} >= {"README.md", "check.py", "gram.py", "two_loop.py"}


def test_a_folder_with_something_in_it_is_refused():
    assert run("exercises", "lab")[0] == 0
    status, _, err = run("exercises", "lab")
    assert status == 2 and "'lab' is not empty" in err


def test_a_file_is_no_folder():
    Path("lab").write_text("mine")
    status, _, err = run("exercises", "lab")
    assert status == 2 and "lab" in err
