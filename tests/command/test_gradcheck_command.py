"""`gradcheck`."""

import math
from itertools import islice

import pytest
from commands import Terminal, run

from ministyle.checks.breaks import BREAKS, surprise
from ministyle.checks.gradients import Check, Checks
from ministyle.command import gradcheck

FLAGS = "--size", "16", "--directions", "1", "--device", "cpu"
CONVOLUTIONS = {"direct", "winograd", "-"}


def some_of(checks, how_many, names=None):
    """Return the first few of `Checks`, or those of them that have certain names."""
    chosen = [i for i, planned in enumerate(checks.planned[:how_many]) if names is None or planned.name in names]
    computed = (check for i, check in enumerate(islice(checks, how_many)) if i in chosen)
    return Checks(computed, [checks.planned[i] for i in chosen])


def made_up(*checks):
    """Return `Checks` whose results are known."""
    return Checks(checks, checks)


def table(out):
    """Return the header, the cells of every row, its name apart, and the summary."""
    header, *rows, summary = out.splitlines()
    return header.split(), [row[gradcheck.WIDTH :].split() for row in rows], summary


@pytest.mark.slow
def test_gradcheck_finds_the_gradients_right_with_every_convolution():
    status, out, _ = run("gradcheck", *FLAGS)
    header, rows, summary = table(out)
    assert status == 0
    assert header == ["gradient", "convolution", "method", "error", "allowed"]
    assert all(len(row) == 5 and row[-1] == "ok" for row in rows)
    assert {row[0] for row in rows} == CONVOLUTIONS
    whole = [row[0] for row, line in zip(rows, out.splitlines()[1:], strict=False) if line.startswith("pixels to loss")]
    assert sorted(whole) == ["direct"] * 9 + ["winograd"] * 9
    assert summary == f"{len(rows)} checks, 0 wrong"


@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_gradcheck_can_be_held_to_one_convolution(convolution, monkeypatch):
    check = gradcheck.check_gradients

    def all_but_the_whole_network(*arguments, **options):  # which is slow, and comes last
        return some_of(check(*arguments, **options), 23)

    monkeypatch.setattr(gradcheck, "check_gradients", all_but_the_whole_network)
    status, out, _ = run("gradcheck", *FLAGS, "--convolution", convolution)
    _, rows, _ = table(out)
    assert status == 0 and "pixels" not in out
    assert [row[0] for row in rows] == 15 * ["-"] + 8 * [convolution]


@pytest.mark.parametrize("error", [2e-7, math.inf, math.nan])
def test_gradcheck_fails_where_one_gradient_is_wrong(error, monkeypatch):
    checks = Check("loss", "adjoint", 1e-16, 1e-8), Check("convolution", "direction", error, 1e-7, "winograd")
    monkeypatch.setattr(gradcheck, "check_gradients", lambda *_, **__: made_up(*checks))
    status, out, _ = run("gradcheck")
    assert status == 1
    _, loss, convolution, summary = out.splitlines()
    assert loss.split() == ["loss", "-", "adjoint", "1.0e-16", "1e-08", "ok"]
    assert convolution.split()[:2] == ["convolution", "winograd"] and convolution.split()[-1] == "WRONG"
    assert summary == "2 checks, 1 wrong"


def test_gradcheck_is_passed_its_flags(monkeypatch):
    asked = []

    def check_gradients(weights, **options):
        asked.append((weights, options))
        return made_up(Check("none", "adjoint", 0.0, 1.0))

    monkeypatch.setattr(gradcheck, "check_gradients", check_gradients)
    flags = "--size", "20", "--directions", "2", "--seed", "9", "--device", "cpu", "--weights", "w.h5"
    assert run("gradcheck", *flags)[0] == 0
    assert run("gradcheck", *flags, "--convolution", "direct")[0] == 0
    options = {"size": 20, "directions": 2, "seed": 9, "device": "cpu", "quick": False}
    assert asked == [("w.h5", {**options, "convolution": name}) for name in ("all", "direct")]
    assert run("gradcheck", "--quick")[0] == run("gradcheck", "--quick", "--size", "20")[0] == run("gradcheck")[0] == 0
    assert [tuple(options[name] for name in ("quick", "size", "directions")) for _, options in asked[2:]] == [
        (True, 16, 1),
        (True, 20, 1),
        (False, 32, 3),
    ]


def test_what_makes_a_line_wrong_stands_at_its_end(monkeypatch):
    checks = (
        Check("total variation", "direction", 2.0, 1e-7),
        Check("pixels to loss", "direction", 1.0, 1e-7, "direct", "because of total variation alone"),
    )
    monkeypatch.setattr(gradcheck, "check_gradients", lambda *_, **__: made_up(*checks))
    _, out, _ = run("gradcheck")
    _, own, whole, summary = out.splitlines()
    assert own.endswith("  WRONG") and whole.endswith("  WRONG, because of total variation alone")
    assert summary == "2 checks, 2 wrong"


def test_on_a_terminal_a_line_says_what_is_being_checked_of_how_many(monkeypatch):
    planned = [Check(name, "adjoint", math.nan, 1e-8) for name in ("first", "second")]
    shown_before = []

    def computed():
        for check in planned:
            shown_before.append(terminal.getvalue())
            yield Check(check.name, "adjoint", 0.0, 1e-8)

    monkeypatch.setattr(gradcheck, "check_gradients", lambda *_, **__: Checks(computed(), planned))
    terminal = Terminal()
    assert run("gradcheck", stderr=terminal)[0] == 0
    assert "0/2" in shown_before[0] and "first" in shown_before[0] and "second" not in shown_before[0]
    assert "1/2" in shown_before[1] and "second" in shown_before[1]
    terminal = Terminal()
    _, out, err = run("gradcheck", "--quiet", stderr=terminal)
    assert err == terminal.getvalue() == "" and "second" in out


# The gradient laboratory ---------------------------------------------------------------------------------


def test_the_mistakes_are_listed_with_their_verdicts():
    status, out, _ = run("gradcheck", "--list-breaks")
    lines = {line.split()[0]: line.split()[1] for line in out.splitlines()}
    assert status == 0
    assert lines == {name: "redundant" if name == "mask-twice" else "wrong" for name in BREAKS}


@pytest.fixture
def three_checks(monkeypatch):
    """Have `gradcheck` check the Gram matrix's gradient, the ReLU's and nothing else."""
    check = gradcheck.check_gradients

    def some(*arguments, **options):
        options["convolution"] = "direct"
        return some_of(check(*arguments, **options), 19, ("Gram matrix", "ReLU"))

    monkeypatch.setattr(gradcheck, "check_gradients", some)


def failing(out):
    return [line.split("  ")[0] for line in out.splitlines() if line.endswith("WRONG")]


def test_a_planted_mistake_is_named_after_the_table(three_checks):
    status, out, _ = run("gradcheck", *FLAGS, "--break", "gram-half")
    assert status == 1 and failing(out) == ["Gram matrix"]
    assert "Planted was gram-half (wrong): the Gram matrix's gradient forgets" in out.splitlines()[-1]
    status, out, _ = run("gradcheck", *FLAGS)
    assert status == 0 and "Planted" not in out


def test_a_mistake_that_changes_nothing_is_said_to_change_nothing(three_checks):
    status, out, _ = run("gradcheck", *FLAGS, "--break", "mask-twice")
    assert status == 0 and failing(out) == []
    assert "redundant" in out and out.splitlines()[-1] == "No line failed: the gradient is right all the same."


def test_a_mistake_that_no_line_goes_through_is_not_said_to_be_right(three_checks):
    status, out, _ = run("gradcheck", *FLAGS, "--break", "pool-whole")
    assert status == 0 and "right" not in out.splitlines()[-1] and "do not go through" in out.splitlines()[-1]


def test_a_surprise_keeps_its_name_until_it_is_asked_for(three_checks):
    seed = next(seed for seed in range(300) if surprise(seed) == "gram-half")
    flags = "gradcheck", *FLAGS, "--seed", str(seed), "--break", "surprise"
    status, out, _ = run(*flags)
    assert status == 1 and failing(out) == ["Gram matrix"]
    assert not any(name in out for name in BREAKS)
    _, revealed, _ = run(*flags, "--reveal")
    assert "Planted was gram-half" in revealed


def test_an_unknown_mistake_is_refused():
    status, _, err = run("gradcheck", *FLAGS, "--break", "typing")
    assert status == 2 and "'typing'" in err and "gram-half" in err
