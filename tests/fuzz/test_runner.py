"""The tool that attacks the product is tested itself: faults are planted, and each must be noticed as what it is."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import parent
import planted
import pytest
from kinds import KINDS

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the tool needs Linux's limits and /proc")
NAMES = [fault.__name__ for fault in planted.FAULTS]


@pytest.fixture(scope="module")
def outcomes():
    """What the tool says of all faults, one after the other."""
    numbers = range(len(planted.FAULTS))
    return parent.attack("planted", "planted", numbers, 0, jobs=2, seconds=3, megabytes=200, grace=1)


@pytest.mark.parametrize("number", range(len(NAMES)), ids=NAMES)
def test_a_fault_is_counted_as_what_it_is(outcomes, number):
    assert outcomes[number].number == number
    assert outcomes[number].outcome == list(planted.FAULTS.values())[number], outcomes[number]


def test_the_table_has_each_fault_under_its_heading(outcomes):
    head, _, row = (line.strip("| ").split(" | ") for line in parent.table({"planted": outcomes}).splitlines())
    counts = dict(zip(head, row, strict=True))
    assert counts["kind"] == "planted" and counts["inputs"] == str(len(planted.FAULTS))
    assert [counts[name] for name in ("right results", "refused", "crashes", "hangs", "tracebacks")] == list("11332")
    assert [counts[name] for name in ("over memory", "files written", "warnings", "wrong")] == list("3428")
    assert float(counts["longest, s"]) >= 3 and float(counts["most, MB"]) > 260


def test_a_crash_and_a_hang_say_where(outcomes):
    for name in ("abort", "loop"):
        assert f"in {name}" in outcomes[NAMES.index(name)].text


def test_faults_of_one_kind_at_one_place_are_one_finding(outcomes):
    twice = [*outcomes, *outcomes]
    assert all(len(those) % 2 == 0 for those in parent.findings(twice).values())
    assert len(parent.findings(twice)) == len(parent.findings(outcomes)) <= len(planted.FAULTS) - 2


def test_a_seed_that_is_refused_and_an_allowed_child():
    (refused, other) = parent.attack("planted", "refused seed", range(2), 0)
    assert (refused.outcome, other.outcome) == ("wrong", "refused")
    (child,) = parent.attack("planted", "children", [1], 0)
    assert child.outcome == "right"


def test_what_did_harm_is_kept_with_the_command_that_repeats_it(outcomes, tmp_path):
    number = NAMES.index("abort")
    parent.keep_inputs("planted", "planted", 5, parent.findings([outcomes[number]]), tmp_path)
    assert (tmp_path / f"planted-{number}/files/input").read_bytes() == b"abort"
    about = (tmp_path / f"planted-{number}/about.txt").read_text()
    assert about.startswith("crash: SIGABRT") and f"run.py planted --seed 5 --only {number}" in about


DIGESTS = """
import hashlib, json, sys
from kinds import KINDS
def digest(kind, number, seeds):
    files = kind.files(kind.input(3, number, seeds))
    return hashlib.sha256(b"".join(name.encode() + files[name] for name in sorted(files))).hexdigest()
print(json.dumps({name: [digest(kind, number, seeds) for number in range(0, 120, 7)]
                  for name, kind in KINDS.items() for seeds in [kind.seeds()]}))
"""


def test_an_input_depends_on_its_number_alone():
    """Two processes, in which texts have other hashes, make the same inputs; and other numbers other inputs."""
    folder = Path(parent.__file__).parent
    digests = []
    for salt in "12":
        path = os.pathsep.join([str(folder), str(parent.ROOT)])
        environment = {**os.environ, "PYTHONHASHSEED": salt, "PYTHONPATH": path}
        done = subprocess.run([sys.executable, "-c", DIGESTS], env=environment, capture_output=True, check=True)
        digests.append(json.loads(done.stdout))
    assert digests[0] == digests[1]
    assert set(digests[0]) == set(KINDS)
    assert all(len(set(those)) > 0.8 * len(those) for those in digests[0].values())
    assert not any(hashlib.sha256(b"").hexdigest() in those for those in digests[0].values())
