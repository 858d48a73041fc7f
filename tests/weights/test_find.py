"""Tests of the search for the weight file."""

from pathlib import Path

import platformdirs
import pytest
from weight_files import SHIPPED, assert_one_sentence, copy_package, run_copy

from ministyle.errors import MinistyleError
from ministyle.weights.file import load_weights
from ministyle.weights.find import find_weights, user_path

FIND = "from ministyle.weights.find import find_weights; print(find_weights())"


def test_the_users_own_file_lies_in_the_users_data_folder():
    assert user_path().parent == Path(platformdirs.user_data_dir("ministyle", appauthor=False))


@pytest.mark.parametrize(
    ("present", "found"),
    [
        ("argument variable user", "argument"),
        ("argument variable", "argument"),
        ("argument user", "argument"),
        ("variable user", "variable"),
        ("variable", "variable"),
        ("user", "user"),
        ("", "shipped"),
    ],
)
def test_search_order_is_argument_then_variable_then_user_data_then_shipped(tmp_path, monkeypatch, present, found):
    user = Path(platformdirs.user_data_dir("ministyle", appauthor=False)) / "vgg19-float32.h5"
    places = {"argument": tmp_path / "argument.h5", "variable": tmp_path / "variable.h5", "user": user}
    for name in present.split():
        places[name].parent.mkdir(parents=True, exist_ok=True)
        places[name].touch()
    if "variable" in present:
        monkeypatch.setenv("MINISTYLE_WEIGHTS", str(places["variable"]))
    argument = places["argument"] if "argument" in present else None
    assert find_weights(argument) == {**places, "shipped": SHIPPED}[found]


@pytest.mark.parametrize("function", [find_weights, load_weights])
@pytest.mark.parametrize("there", ["nothing", "a folder"])
def test_a_file_asked_for_and_missing_is_never_replaced_by_another(tmp_path, monkeypatch, function, there):
    path = tmp_path / "absent.h5"
    if there == "a folder":
        path.mkdir()
    with pytest.raises(MinistyleError) as caught:
        function(path)
    assert_one_sentence(caught.value, path)
    monkeypatch.setenv("MINISTYLE_WEIGHTS", str(path))
    with pytest.raises(MinistyleError, match="MINISTYLE_WEIGHTS") as caught:
        function()
    assert_one_sentence(caught.value, path)


def test_without_any_file_the_error_names_all_ways_to_one(tmp_path):
    copy_package(tmp_path)
    done = run_copy(tmp_path, "-m", "ministyle", "info")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for way in ("--weights", "MINISTYLE_WEIGHTS", "weights import"):
        assert way in done.stderr


def test_an_installed_packages_own_file_comes_before_a_folder_beside_the_package(tmp_path):
    copy_package(tmp_path)
    inside, beside = tmp_path / "ministyle/shipped/weights/vgg19.h5", tmp_path / "weights/vgg19.h5"
    for path, expected in ((beside, beside), (inside, inside)):
        path.parent.mkdir(parents=True)
        path.touch()
        assert run_copy(tmp_path, "-c", FIND).stdout.strip() == str(expected)


@pytest.mark.parametrize("name", [5000 * "a", "zero\0byte.h5"])
def test_a_name_that_no_file_can_have_is_no_file(name):
    with pytest.raises(MinistyleError, match="there is no file"):
        find_weights(name)
