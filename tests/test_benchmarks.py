"""The benchmarks measure what they say, whatever the time it takes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

sys.path.insert(0, str(ROOT))


def contender(**job):
    command = [sys.executable, "-m", "benchmarks.contenders", json.dumps(job)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def evaluate(**options):
    return contender(job="evaluate", contender="ministyle", size=80, evaluations=1, **options)


def test_every_step_on_the_way_to_the_fast_convolution_computes_the_same_loss():
    from benchmarks.variants import STEPS

    losses = {name: evaluate(variant=name)["loss"] for name, *_ in STEPS}
    for name, loss in losses.items():
        assert loss == pytest.approx(losses["direct"], rel=1e-5), name


def test_pytorch_computes_the_same_loss():
    pytest.importorskip("torch")
    for layout in ("torch contiguous", "torch channels_last"):
        theirs = contender(job="evaluate", contender=layout, size=80, evaluations=1)["loss"]
        assert theirs == pytest.approx(evaluate()["loss"], rel=1e-5)


def test_times_and_memory_are_those_of_the_process():
    figures = evaluate()
    assert len(figures["seconds"]) == 1
    assert 0 < figures["seconds"][0] < 60
    assert figures["peak_bytes"] > 100e6  # at least the weights


def test_the_solvers_share_is_what_is_left_of_the_time():
    figures = contender(job="optimise", contender="ministyle", size=48, evaluations=3)
    assert 0 < figures["solver"] < figures["total"]
    seconds, evaluations, losses = zip(*figures["steps"], strict=True)
    assert list(seconds) == sorted(seconds)
    assert evaluations[0] == 1 and evaluations[-1] == figures["evaluations"]
    assert losses[-1] < losses[0]


def test_operations_are_those_of_nine_products():
    from benchmarks.report import operations, total_operations

    assert operations("conv1_1", 512) == 2 * 9 * 3 * 64 * 512 * 512
    assert operations("conv3_1", 512) == 2 * 9 * 128 * 256 * 128 * 128
    assert operations("conv5_1", 512) == 2 * 9 * 512 * 512 * 32 * 32
    assert operations("pool2", 512) == 0
    assert total_operations(1024) == 4 * total_operations(512)
    assert total_operations(512) == pytest.approx(2 * 189e9, rel=0.01)


def test_tables_show_medians_spread_and_ratios():
    from benchmarks import report

    def runs(*seconds):
        return [{"seconds": [second, 9 * second, second], "peak_bytes": 5e8} for second in seconds]

    contenders = {
        "ministyle": runs(0.25, 0.5, 0.75),
        "torch contiguous": runs(2.0),
        "torch channels_last": runs(1.5),
        "sgemm": [{"rate": 1e12}],
    }
    text = report.tables({"machine": {"processor": "abacus"}, "compare": {512: contenders}})
    assert "processor: abacus" in text
    assert "| 512 | ministyle | 0.500 | 0.250 to 0.750 | 3.00 | 76% | 500 |" in text
    assert "| 512 | torch contiguous | 2.000 | 2.000 to 2.000 | 0.75 |" in text


def test_the_command_writes_results_that_the_report_can_read_again(tmp_path):
    flags = ["--runs", "1", "--evaluations", "1", "--sizes", "32,48", "--only", "layers,steps"]
    command = [sys.executable, "-m", "benchmarks", "-o", str(tmp_path), *flags]
    printed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert (tmp_path / "steps.png").stat().st_size > 1000
    again = [sys.executable, "-m", "benchmarks.report", str(tmp_path)]
    assert subprocess.run(again, cwd=ROOT, check=True, capture_output=True, text=True).stdout.strip() == printed.strip()
    assert "| conv5_1 | F(2x2, 3x3), one strip for all threads |" in printed
