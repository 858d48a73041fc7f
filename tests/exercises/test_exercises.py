"""The exercises: blank, every function is still to do; filled in with the package's own bodies, every one is right."""

import ast
import inspect
import subprocess
import sys

import pytest
from conftest import sentence

from ministyle.exercises.sheets import SHEETS, blanked, write_exercises

BLANKS = [(sheet, blank.function) for sheet in SHEETS for blank in sheet.blanks]
NAMES = [function.__name__ for _, function in BLANKS]


@pytest.fixture
def folder(tmp_path):
    write_exercises(tmp_path / "lab")
    return tmp_path / "lab"


def check(folder):
    """Run the check as a student does; return its status, {function: verdict} and the last line."""
    done = subprocess.run([sys.executable, "check.py"], cwd=folder, capture_output=True, text=True)
    assert done.stderr == ""
    *lines, last = done.stdout.splitlines()
    words = [line.split(maxsplit=1) for line in lines]
    return done.returncode, {name.split(".")[1]: verdict for name, verdict in words}, last


def body(function):
    """Return the source of a function below its docstring."""
    lines = inspect.getsource(function).splitlines()
    return "\n".join(lines[ast.parse("\n".join(lines)).body[0].body[0].end_lineno :])


def fill_in(folder, sheet, function, text):
    path = folder / f"{sheet.name}.py"
    source = path.read_text(encoding="utf-8")
    stub = f'    raise NotImplementedError("{function.__name__}")'
    assert source.count(stub) == 1
    path.write_text(source.replace(stub, text), encoding="utf-8")


def test_blank_everything_is_to_do(folder):
    status, verdicts, last = check(folder)
    assert status == 1
    assert verdicts == dict.fromkeys(NAMES, "to do")
    assert last == f"0 of {len(NAMES)} right"


def test_the_package_s_own_functions_are_right(folder):
    for sheet, function in BLANKS:
        fill_in(folder, sheet, function, body(function))
    status, verdicts, last = check(folder)
    assert verdicts == dict.fromkeys(NAMES, "right")
    assert status == 0 and last == f"{len(NAMES)} of {len(NAMES)} right"


WRONG = {  # function: what is replaced in its body, and by what; one mistake after the other
    "relu_backward": [("dy * cache", "dy * (dy > 0)"), ("dy * cache", "dy")],
    "average_pool_backward": [("dy / 4", "dy"), ("dy / 4", "dy / 2")],
    "max_pool_backward": [("(winner == position)", "(position == 0)"), ("dy * (winner == position)", "dy / 4")],
    "convolution_backward": [
        ("kernel[::-1, ::-1]", "kernel[::-1]"),
        ("padded[-2] += padded[-1]", "pass"),
        ("border=border)", "border='zero')"),
    ],
    "gram_backward": [("(dG + dG.T)", "(2 * dG)"), ("(dG + dG.T)", "dG")],
    "two_loops": [
        ("reversed(pairs)", "pairs"),
        ("_dot(y, d), s)", "_dot(s, d), s)"),
        ("/= curvature", "*= curvature"),
        ("d = -gradient", "d = gradient; d *= -1"),
        ("            d *= free", "            pass"),
    ],
    "transforms": [("G[-1, -1] = 1", "B[-1, -1] = 1"), ("polyfromroots(points)", "polyfromroots(points)[::-1]")],
}


@pytest.mark.parametrize(
    ("name", "right", "wrong"), [(name, *change) for name, changes in WRONG.items() for change in changes]
)
def test_a_mistake_is_not_taken_for_right(folder, name, right, wrong):
    ((sheet, function),) = [(sheet, function) for sheet, function in BLANKS if function.__name__ == name]
    text = body(function)
    assert right in text
    fill_in(folder, sheet, function, text.replace(right, wrong))
    status, verdicts, _ = check(folder)
    assert status == 1
    assert verdicts.pop(name).startswith("wrong: ")
    assert set(verdicts.values()) == {"to do"}


def test_every_function_has_a_mistake_here():
    assert set(WRONG) == set(NAMES)


@pytest.mark.parametrize(("sheet", "function"), BLANKS)
def test_of_a_blank_nothing_is_left_but_what_it_is_for(folder, sheet, function):
    source = (folder / f"{sheet.name}.py").read_text(encoding="utf-8")
    assert inspect.getdoc(function).splitlines()[0] in source
    assert body(function) not in source
    assert "# Hint: " in blanked(function, ["Think."])


def test_the_readme_names_every_function(folder):
    text = (folder / "README.md").read_text(encoding="utf-8")
    assert all(f"`{name}`" in text for name in NAMES)


def test_a_folder_with_work_in_it_is_left_alone(folder):
    (folder / "gram.py").write_text("mine", encoding="utf-8")
    assert "not empty" in sentence(write_exercises, folder)
    assert (folder / "gram.py").read_text(encoding="utf-8") == "mine"
