"""The notebooks run from top to bottom, and are stored with what they show."""

import nbclient
import nbformat
import pytest
from conftest import pixels_of

from ministyle.files import shipped_path

NOTEBOOKS = {path.stem: path for path in sorted(shipped_path("docs/notebooks").glob("*.ipynb"))}
LEAST = {"predict": 9, "see": 9, "use": 6}  # pictures that a notebook shows
# What a notebook is run with, in place of what it has: smaller pictures and fewer steps, so that nobody waits.
QUICK = {
    "predict": {"SIZE = 128": "SIZE = 64", '"iterations": 60': '"iterations": 3'},
    "see": {},
    "use": {'"image_size": 128': '"image_size": 64', '"image_size": 240': '"image_size": 160'},
}
# What Colab has: a dialogue that puts the chosen files into the current folder, and one that hands a file out.
COLAB = """
import sys, types
offered = [["photo.png"], []]  # the second dialogue is cancelled
downloads = []
google, colab, dialogues = (types.ModuleType(name) for name in ("google", "google.colab", "google.colab.files"))
google.colab, colab.files = colab, dialogues
dialogues.upload = lambda: {name: open(name, "rb").read() for name in offered.pop(0)}
dialogues.download = downloads.append
sys.modules.update({"google": google, "google.colab": colab, "google.colab.files": dialogues})
"""


def shown(notebook):
    """Return how many pictures each cell of code shows."""
    return [
        sum(any(kind.startswith("image/") for kind in output.get("data", {})) for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def execute(notebook, folder, parameters=None):
    """Run a notebook in a folder; code may follow on the cell with the tag "parameters", as papermill does it."""
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    if parameters:
        [place] = [k for k, cell in enumerate(notebook.cells) if "parameters" in cell.metadata.get("tags", [])]
        notebook.cells.insert(place + 1, nbformat.v4.new_code_cell(parameters))
    nbclient.NotebookClient(notebook, timeout=600, resources={"metadata": {"path": folder}}).execute()
    return notebook


def printed(notebook):
    """Return all that a notebook prints."""
    outputs = (output for cell in notebook.cells if cell.cell_type == "code" for output in cell.outputs)
    return "".join(output.text for output in outputs if output.output_type == "stream")


def test_all_are_there_and_small():
    assert list(NOTEBOOKS) == ["colab", *LEAST]
    assert all(path.stat().st_size < 300_000 for path in NOTEBOOKS.values())


@pytest.mark.slow
@pytest.mark.parametrize("name", LEAST)
def test_it_runs_and_shows_as_many_pictures_as_are_stored(name):
    path = NOTEBOOKS[name]
    stored, fresh = (nbformat.read(path, as_version=4) for _ in range(2))
    for usual, quick in QUICK[name].items():
        assert sum(cell.source.count(usual) for cell in fresh.cells) == 1
        for cell in fresh.cells:
            cell.source = cell.source.replace(usual, quick)
    assert shown(execute(fresh, path.parent)) == shown(stored)
    assert sum(shown(stored)) >= LEAST[name]


@pytest.mark.slow
def test_colab_repaints_the_projects_pictures(tmp_path):
    stored, fresh = (nbformat.read(NOTEBOOKS["colab"], as_version=4) for _ in range(2))
    execute(fresh, tmp_path, "SIZE, ITERATIONS = 48, 2")
    assert sum(shown(fresh)) == sum(shown(stored)) == 2
    assert pixels_of(tmp_path / "repainted.png").shape == (32, 48, 3)
    assert "100%" in printed(fresh) and "2/2" in printed(fresh)
    assert "picture: repainted.png (48 x 32)" in printed(fresh)


@pytest.mark.slow
def test_on_colab_pictures_come_from_the_user_and_the_result_goes_to_them(folder):
    notebook = nbformat.read(NOTEBOOKS["colab"], as_version=4)
    notebook.cells.append(nbformat.v4.new_code_cell("print('downloaded:', *downloads)"))
    execute(notebook, folder, COLAB + "UPLOAD, SIZE, ITERATIONS, OUTPUT = True, 32, 1, 'mine.png'")
    assert "downloaded: mine.png" in printed(notebook)
    assert pixels_of(folder / "mine.png").shape == (24, 32, 3)  # as the user's photograph, and not the cat
