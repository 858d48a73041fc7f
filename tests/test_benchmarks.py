"""The benchmarks measure what they say, whatever the time it takes."""

import ast
import json
import os
import subprocess
import sys
import time
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
PAIR = [str(ROOT / "docs" / "examples" / name) for name in ("chelsea.png", "painting.jpg")]

sys.path.insert(0, str(ROOT))


def contender(**job):
    command = [sys.executable, "-m", "benchmarks.contenders", json.dumps(job)]
    return json.loads(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)


def evaluate(**options):
    return contender(job="evaluate", contender="ministyle", size=80, evaluations=1, **options)


def test_no_two_modules_import_each_other():
    uses = {}
    for path in (ROOT / "benchmarks").glob("*.py"):
        imports = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.ImportFrom)]
        own = [node for node in imports if node.level == 1]
        uses[path.stem] = {node.module or name.name for node in own for name in node.names}
    assert uses["pytorch"] and "pytorch" in uses["contenders"]
    list(TopologicalSorter(uses).static_order())  # raises CycleError where there is a circle


@pytest.mark.slow
def test_every_step_on_the_way_to_the_fast_convolution_computes_the_same_loss():
    from benchmarks.variants import STEPS

    losses = {name: evaluate(variant=name)["loss"] for name, *_ in STEPS}
    for name, loss in losses.items():
        assert loss == pytest.approx(losses["direct"], rel=1e-5), name


@pytest.mark.slow
def test_pytorch_computes_the_same_loss_and_gradient():
    pytest.importorskip("torch")
    for layout in ("torch contiguous", "torch channels_last"):
        theirs = contender(job="evaluate", contender=layout, size=80, evaluations=1)["loss"]
        assert theirs == pytest.approx(evaluate()["loss"], rel=1e-5)
    from benchmarks import contenders, pytorch

    content, style = contenders.pictures(48)
    pixels = (content + style) / 2
    _, theirs = pytorch.Objective(content, style)(pixels)
    objective, network = contenders._ministyle(content, style, device="cpu")
    _, ours = objective(network.to_device(pixels))
    assert np.abs(theirs - ours).max() / np.abs(ours).max() < 1e-4


@pytest.mark.slow
def test_pytorch_minimises_the_same_loss():
    pytest.importorskip("torch")
    figures = contender(job="optimise", contender="torch contiguous", size=48, evaluations=4)
    assert figures["evaluations"] == len(figures["steps"]) == 4
    ours = contender(job="optimise", contender="ministyle", size=48, evaluations=4)
    assert figures["steps"][0][2] == pytest.approx(ours["steps"][0][2], rel=1e-5)  # the photograph's


def default_job(size):
    from ministyle import Job, Settings

    return Job.of(Settings(image_size=size), *PAIR)


@pytest.mark.slow
def test_pytorch_computes_the_loss_and_gradient_of_the_default_settings(random):
    pytest.importorskip("torch")
    from benchmarks import pytorch

    job = default_job(80)
    assert job.size == (53, 80)
    pixels = (job.photograph + random.uniform(0, 60, job.photograph.shape)).astype(np.float32)
    loss, theirs = pytorch.Objective.of(job, layout="channels_last")(pixels)
    ours = job.objective_at(job.scales[-1])(pixels)
    assert "total variation" in ours.terms
    assert loss == pytest.approx(float(ours.loss), rel=1e-5)
    assert np.abs(theirs - ours.gradient).max() / np.abs(ours.gradient).max() < 1e-4


def test_what_all_contenders_compute_does_not_depend_on_the_default_settings():
    from benchmarks import contenders, task
    from ministyle import Job, Settings

    content, style = contenders.pictures(48)
    objective, network = contenders._ministyle(content, style)
    assert {term.name: term.weight for term in objective.terms} == pytest.approx(task.TERM_WEIGHTS)
    fixed = {"convention": "mean", "border": "zero", "content_weight": 1.0, "style_weight": 30.0, "tv_weight": 0.0}
    fixed["style_layer_weights"] = "equal"
    job = Job.of(Settings(image_size=48, **fixed), content, style)
    pixels = network.to_device((content + style) / 2)
    assert objective(pixels).loss == job.objective_at(job.scales[-1])(pixels).loss


@pytest.mark.slow
@pytest.mark.parametrize("bounds", [None, "cut", "clamp"])
def test_pytorch_stops_where_its_picture_s_loss_is_the_goal(bounds):
    pytest.importorskip("torch")
    import torch

    from benchmarks import pytorch

    job = default_job(48)
    start = (2 * (job.photograph - 70)).clip(0, 255)  # with pixels at both bounds
    objective = pytorch.Objective.of(job)
    seen = []

    def note(x):
        seen.append((type(objective).loss(objective, x), x.detach().clone()))
        return seen[-1][0]

    objective.loss = note
    whole = pytorch.minimise(objective, start, 12, bounds=bounds)
    losses = [loss for *_, loss in whole["steps"]]
    assert whole["evaluations"] == len(losses) == 12 and losses == sorted(losses, reverse=True)
    assert losses[-1] < losses[0] / 1.5
    pictures = [(loss, x) for loss, x in seen[1:] if bounds != "cut" or not loss.requires_grad]
    assert len(pictures) == 12
    assert losses == [min(loss.item() for loss, _ in pictures[: n + 1]) for n in range(12)]
    outside = max(float((x - x.clamp(0, 255)).abs().max()) for _, x in pictures)
    assert outside > 1 if bounds is None else outside == 0
    assert whole["free"] == min(loss.item() for loss, x in seen[1:] if loss.requires_grad)
    figures = pytorch.minimise(objective, start, 12, goal=losses[8], bounds=bounds)
    assert figures["evaluations"] == 1 + losses.index(losses[8]) and figures["steps"][-1][2] == losses[8]
    assert torch.is_grad_enabled()


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


@pytest.mark.slow
def test_the_default_picture_is_timed_from_the_start_of_its_process():
    content, style = PAIR
    began = time.time()
    changes = {"iterations": 2, "optimizer": "lbfgs"}
    figures = contender(job="picture", content=content, style=style, began=began - 100, image_size=256, **changes)
    seconds, evaluations, losses = zip(*figures["steps"], strict=True)
    assert figures["size"] == [170, 256] and len(losses) == 2  # of the half size and of the start there is nothing
    assert list(seconds) == sorted(seconds) and 100 < seconds[0] and seconds[-1] <= figures["total"]
    assert figures["total"] < 100 + time.time() - began
    assert evaluations[0] > 3 and evaluations[-1] > evaluations[0]  # those of the half size are counted
    assert figures["loss"] == losses[-1] < losses[0]


@pytest.mark.parametrize("convolution", ["winograd", "direct"])
def test_the_times_of_the_layers_are_parts_of_the_evaluation(convolution):
    from benchmarks.report import LAYERS

    figures = contender(job="layers", size=48, evaluations=1, convolution=convolution)
    parts = [figures[f"{layer} {direction}"] for layer in LAYERS for direction in ("forward", "backward")]
    assert figures["plain"] == (convolution == "direct")
    assert LAYERS[0] == "conv1_1" and LAYERS[-1] == "conv5_1" and len(LAYERS) == 13 + 4
    assert all(part > 0 for part in parts)
    assert 0.2 * figures["evaluation"] < sum(parts) < figures["evaluation"]


def test_tf32_has_10_bits_of_mantissa_and_rounds_halves_to_even():
    from benchmarks.tf32 import tf32

    step = 2.0**-10  # of the numbers from 1 to 2
    given = [1, 1 + step, 1 + step / 2, 1 + 3 * step / 2, 1 + 0.4 * step, 1 + 0.6 * step, -1 - 0.6 * step, 0]
    expected = [1, 1 + step, 1, 1 + 2 * step, 1, 1 + step, -1 - step, 0]
    np.testing.assert_array_equal(tf32(np.float32(given)), np.float32(expected))


@pytest.mark.slow
def test_rounding_to_tf32_changes_the_loss_a_little_and_is_undone_afterwards(monkeypatch):
    from benchmarks import tf32

    monkeypatch.setattr(tf32, "SIZE", 32)
    (exact, gradient), (rounded, coarse), (again, _) = (tf32.evaluate("float32", flag) for flag in (False, True, False))
    assert again == exact
    assert 1e-7 < abs(rounded / exact - 1) < 1e-2
    assert 1e-4 < np.linalg.norm(coarse - gradient) / np.linalg.norm(gradient) < 0.1


@pytest.mark.slow
def test_our_solver_is_set_against_scipys_on_every_problem(monkeypatch, capsys):
    from benchmarks import solvers

    monkeypatch.setattr(solvers, "SIZE", 32)
    monkeypatch.setattr(solvers, "EVALUATIONS", 4)
    solvers.main()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in capsys.readouterr().out.splitlines()]
    assert len(rows) == 2 + 5 * 2 + 3 + 3 * 2
    assert len({name for name, *_ in rows[2:]}) == 5 + 3 + 3
    for _, _, theirs, ours, ratio in rows[2:]:
        assert 1 <= int(theirs) <= 4
        assert ratio == "not reached" or float(ratio) == pytest.approx(int(ours) / int(theirs), abs=0.01)


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


@pytest.fixture
def no_matplotlib(tmp_path):
    """Return an environment in which Matplotlib cannot be imported."""
    hidden = tmp_path / "hidden" / "matplotlib"
    hidden.mkdir(parents=True)
    (hidden / "__init__.py").write_text("raise ImportError('hidden')")
    return {**os.environ, "PYTHONPATH": str(hidden.parent)}


def run_module(name, *arguments, **options):
    command = [sys.executable, "-m", name, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, **options)


@pytest.mark.slow
def test_the_command_keeps_its_results_without_matplotlib_and_the_report_draws_them_later(tmp_path, no_matplotlib):
    out = tmp_path / "out"
    flags = ["--runs", "1", "--evaluations", "1", "--sizes", "32,48", "--only", "layers,steps"]
    done = run_module("benchmarks", "-o", out, *flags, env=no_matplotlib)
    assert done.stderr.startswith("no plots: Matplotlib is not installed")  # before the work begins
    assert "Traceback" not in done.stderr and "steps.png is not drawn: Matplotlib" in done.stderr
    assert {path.name for path in out.iterdir()} == {"results.json"}
    assert "| conv5_1 | F(2x2, 3x3), one strip for all threads |" in done.stdout
    assert "## steps" in done.stdout
    report = run_module("benchmarks.report", out)
    assert report.stdout.strip() == done.stdout.strip()
    assert (out / "steps.png").stat().st_size > 1000


def test_an_unknown_benchmark_is_refused_before_the_others_run(tmp_path):
    command = [sys.executable, "-m", "benchmarks", "-o", str(tmp_path / "out"), "--only", "startup,speed"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 2 and "there is no benchmark 'speed'" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_default_picture_races_with_pytorch(tmp_path, capsys):
    pytest.importorskip("torch")
    from benchmarks import pyramid

    pyramid.main([str(tmp_path), "--size", "48", "--evaluations", "3"])
    ours, lbfgs, theirs, clamped = json.loads((tmp_path / "pyramid.json").read_text())["chelsea-painting"].values()
    assert theirs["evaluations"] == 3 == clamped["evaluations"]
    start = theirs["steps"][0][2]
    assert start == clamped["steps"][0][2] > ours["loss"] != lbfgs["loss"] < start
    assert f"| chelsea-painting | 48 x 32 | {ours['loss']:.4g} | > " in capsys.readouterr().out


def pyramid_results(theirs, clamped):
    """Return made-up results: ours reaches 90 in 5 s."""
    ours = {"size": [341, 512], "steps": [[2.0, 4, 200.0], [4.5, 5, 90.0]], "loss": 90.0, "total": 5.0}
    return {
        "cat-waves": {
            "ministyle": ours,
            "ministyle, lbfgs": {**ours, "loss": 95.0, "total": 4.0},
            "torch": {"steps": theirs},
            "torch, clamped": {"steps": clamped},
        }
    }


def test_more_pairs_join_the_projects_own(tmp_path, monkeypatch, capsys):
    from benchmarks import pyramid

    given = []

    def race(name, content, style, options):
        given.append((content, style, options.size))
        return pyramid_results([[1.0, 1, 90.0]], [[1.0, 1, 90.0]])["cat-waves"]

    monkeypatch.setattr(pyramid.importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(pyramid, "race", race)
    monkeypatch.setattr(pyramid, "plot", lambda *_: None)
    pyramid.main([str(tmp_path), "--pair", "a/dog.jpg", "b/oil.png", "--pair", "fox.jpg", "ink.png", "--size", "96"])
    assert given == [(*PAIR, 96), ("a/dog.jpg", "b/oil.png", 96), ("fox.jpg", "ink.png", 96)]
    names = [line.split(" | ")[0] for line in capsys.readouterr().out.splitlines()[2:]]
    assert names == ["| chelsea-painting", "| dog-oil", "| fox-ink"]


@pytest.mark.parametrize(
    ("theirs", "clamped", "row"),
    [
        ([[20.0, 40, 89.0]], [[25.0, 50, 88.0]], "90 | 20.0 | as it is | 40 | 89 | 5.0 | 0.25 |"),
        ([[20.0, 40, 91.0]], [[25.0, 50, 90.0]], "90 | 25.0 | clamped | 50 | 90 | 5.0 | 0.20 |"),
        ([[20.0, 40, 92.0]], [[25.0, 50, 91.0]], "90 | > 25.0 | clamped | 50 | 91 | 5.0 | < 0.20 |"),
    ],
)
def test_the_better_of_pytorchs_runs_counts(tmp_path, monkeypatch, capsys, theirs, clamped, row):
    from benchmarks import pyramid

    (tmp_path / "pyramid.json").write_text(json.dumps(pyramid_results(theirs, clamped)))
    monkeypatch.setattr(pyramid, "plot", lambda *_: None)
    pyramid.show(tmp_path)
    assert f"| cat-waves | 512 x 341 | {row} 4.0 | 95 |" in capsys.readouterr().out


def test_the_pyramids_table_is_printed_without_matplotlib_too(tmp_path, monkeypatch, capsys):
    from benchmarks import pyramid

    results = pyramid_results([[1.0, 1, 400.0], [10.0, 2, 90.0]], [[1.0, 1, 400.0], [20.0, 2, 90.0]])
    (tmp_path / "pyramid.json").write_text(json.dumps(results))
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "matplotlib.figure", None)
        pyramid.show(tmp_path)
    out, err = capsys.readouterr()
    assert "| 5.0 | 0.50 |" in out and err == "pyramid-cat-waves.png is not drawn: Matplotlib is not installed\n"
    assert not (tmp_path / "pyramid-cat-waves.png").exists()
    pyramid.show(tmp_path)
    assert capsys.readouterr() == (out, "")
    assert (tmp_path / "pyramid-cat-waves.png").stat().st_size > 1000


def test_the_pyramid_says_before_it_begins_that_pytorch_is_missing(tmp_path, monkeypatch, capsys):
    from benchmarks import pyramid

    monkeypatch.setattr(pyramid.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit):
        pyramid.main([str(tmp_path / "out")])
    assert "there is no PyTorch" in capsys.readouterr().err and not (tmp_path / "out").exists()
