"""A few hundred damaged inputs of each kind: every one ends in a right result, or is refused in one sentence."""

import sys

import parent
import pytest
from kinds import KINDS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tool needs Linux's limits and /proc")
COUNT = 200


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_damaged_input_ends_in_a_right_result_or_one_sentence(kind):
    outcomes = parent.attack("kinds", kind, range(COUNT), 0, jobs=2)
    assert len(outcomes) == COUNT
    found = {key: [one.number for one in those] for key, those in parent.findings(outcomes).items()}
    found.pop(("warning", "printed by a library in C"), None)  # libtiff's own words about a damaged TIFF
    assert not found, f"python tests/fuzz/run.py {kind} --only NUMBER shows more"
    assert {one.outcome for one in outcomes} >= set(parent.GOOD)  # and not all inputs are refused, or all taken
