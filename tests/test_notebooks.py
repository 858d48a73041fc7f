"""The notebooks run from top to bottom, and are stored with what they show."""

import nbclient
import nbformat
import pytest

from ministyle.files import shipped_path

LEAST = {"predict": 9, "see": 9, "use": 5}  # pictures that a notebook shows
NOTEBOOKS = sorted(shipped_path("docs/notebooks").glob("*.ipynb"))


def shown(notebook):
    """Return how many pictures each cell of code shows."""
    return [
        sum(any(kind.startswith("image/") for kind in output.get("data", {})) for output in cell.outputs)
        for cell in notebook.cells
        if cell.cell_type == "code"
    ]


def test_all_are_there():
    assert [path.stem for path in NOTEBOOKS] == list(LEAST)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_it_runs_and_shows_as_many_pictures_as_are_stored(path):
    stored = nbformat.read(path, as_version=4)
    fresh = nbformat.read(path, as_version=4)
    for cell in fresh.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    nbclient.NotebookClient(fresh, timeout=600, resources={"metadata": {"path": path.parent}}).execute()
    assert shown(fresh) == shown(stored)
    assert sum(shown(stored)) >= LEAST[path.stem]
    assert path.stat().st_size < 300_000
