"""Tests of the table of guards: it fits the code. `python tests/guards.py` takes each guard out."""

import pytest
from guards import GUARDS, ROOT


@pytest.mark.parametrize("guard", GUARDS, ids=lambda guard: guard.name)
def test_a_guard_stands_where_the_table_says(guard):
    assert (ROOT / "ministyle" / guard.file).read_text(encoding="utf-8").count(guard.text) == 1
    assert (ROOT / guard.tests.split()[0]).is_file()


def test_names_are_unlike():
    assert len({guard.name for guard in GUARDS}) == len(GUARDS)
