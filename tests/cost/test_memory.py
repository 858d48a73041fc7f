"""The count of memory against what is measured, and limits that are kept."""

import json
import os
import subprocess
import sys
import tracemalloc
from dataclasses import asdict, replace
from pathlib import Path

import numpy as np
import pytest
from conftest import bare_settings

import ministyle
from ministyle.cost.memory import PROGRAM, evaluation_bytes, forward_bytes, make_plan, run_bytes, style_bytes
from ministyle.errors import MinistyleError
from ministyle.fast.buffers import BufferPool
from ministyle.objective import CONTENT_LAYERS, STYLE_LAYERS, Objective
from ministyle.settings import Settings
from ministyle.terms import style_statistics
from ministyle.weights.load import load_network

CPU = bare_settings(device="cpu", threads=2)


def test_with_the_default_layers_it_is_what_docs_performance_derives():
    assert evaluation_bytes(CONTENT_LAYERS, STYLE_LAYERS) == 928


def peak_of(work):
    """Return the most bytes that living arrays take while `work` is done."""
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        work()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    return peak - before


@pytest.fixture
def picture(random, monkeypatch):
    """A picture, while memory is given back at once, so that Python's bookkeeping sees the sum of living arrays."""
    monkeypatch.setattr(BufferPool, "empty", lambda self, shape, dtype: np.empty(shape, dtype))
    return random.uniform(0, 255, (256, 256, 3)).astype("float32")


@pytest.mark.parametrize("convolution", ["winograd", "direct"])
@pytest.mark.parametrize(
    ("content_layers", "style_layers"),
    [(CONTENT_LAYERS, STYLE_LAYERS), (("conv1_2",), ()), ((), ("conv2_1", "conv3_1")), (("conv3_2",), ("conv1_1",))],
)
def test_the_count_is_what_an_evaluation_allocates(content_layers, style_layers, convolution, weights, picture):
    network = load_network(weights, device="cpu", threads=1, convolution=convolution)
    halves = {"content": picture if content_layers else None, "style": picture if style_layers else None}
    options = {"content_layers": content_layers or CONTENT_LAYERS, "style_layers": style_layers or STYLE_LAYERS}
    Objective(network, **halves, **options)(picture)  # kernels are transformed when they are first needed
    tracemalloc.start()
    try:
        objective = Objective(network, **halves, **options)
        tracemalloc.reset_peak()
        objective(picture)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    # Temporary arrays of the losses and strips come on top.
    counted = evaluation_bytes(content_layers, style_layers, plain=convolution == "direct")
    assert 0.95 < peak / picture[:, :, 0].size / counted < 1.35


@pytest.mark.parametrize("convolution", ["winograd", "direct"])
@pytest.mark.parametrize("layers", [STYLE_LAYERS, ("conv4_2",), ("conv2_1", "conv3_1"), ("conv1_1",)])
def test_the_count_is_what_gram_matrices_take(layers, convolution, weights, picture):
    network = load_network(weights, device="cpu", threads=1, convolution=convolution)
    style_statistics(network, picture, layers)
    peak = peak_of(lambda: style_statistics(network, picture, layers))
    counted = forward_bytes(layers, plain=convolution == "direct")
    assert 0.92 < peak / picture[:, :, 0].size / counted < 1.15


def test_twice_the_bytes_of_a_number_take_nearly_twice_the_memory():
    single, double = (evaluation_bytes(CONTENT_LAYERS, STYLE_LAYERS, itemsize) for itemsize in (4, 8))
    assert 1.7 * single < double < 2 * single  # masks stay as they are


# What enters the count ---------------------------------------------------------------------------------------


def test_every_thread_has_memory_of_its_own():
    bytes_of = [run_bytes((512, 512), replace(CPU, threads=threads)) for threads in (1, 2, 4)]
    assert bytes_of[1] - bytes_of[0] > 10e6
    assert bytes_of[2] - bytes_of[1] == pytest.approx(2 * (bytes_of[1] - bytes_of[0]))
    plain = [run_bytes((512, 512), replace(CPU, threads=threads, convolution="direct")) for threads in (1, 4)]
    assert plain[0] == plain[1]  # BLAS has threads of its own


def test_without_the_fast_convolution_there_are_no_transformed_kernels():
    settings = replace(CPU, optimizer="adam")
    plain, fast, first_layer = (
        run_bytes((64, 64), replace(settings, **changes))
        for changes in ({"convolution": "direct"}, {}, {"content_layers": "conv1_1"})
    )
    assert plain < first_layer < PROGRAM + 20e6 < fast - 40e6


def test_a_pyramid_keeps_the_kernels_of_all_scales():
    flat, pyramid = (
        run_bytes((512, 512), replace(CPU, pyramid=pyramid), style_sizes=[(512, 512)]) for pyramid in (False, True)
    )
    assert 40e6 < pyramid - flat < 100e6


def test_bounds_take_memory_with_scipy_s_solver():
    free, bound = (run_bytes((512, 512), replace(CPU, bounds=bounds)) for bounds in (False, True))
    assert bound - free > 512 * 512 * 300
    assert run_bytes((512, 512), replace(CPU, bounds=True, optimizer="adam")) < free


def test_the_mirror_image_around_a_picture_is_counted():
    """Of the picture and of the painting, at their peaks; the solver and the pictures' files do not grow."""
    free, seen = (replace(CPU, border=border, optimizer="adam", convolution="direct") for border in ("zero", "mirror"))
    around = (512 + 32) * (640 + 32) - 512 * 640
    each = evaluation_bytes(CONTENT_LAYERS, STYLE_LAYERS, plain=True)
    sizes = {"style_sizes": [(600, 400)]}
    taken = [run_bytes((512, 640), settings, **sizes) for settings in (free, seen)]
    assert taken[1] - taken[0] == pytest.approx(around * each, rel=1e-9)
    around = (600 + 32) * (400 + 32) - 600 * 400
    taken = [style_bytes((512, 640), settings, content=False, **sizes) for settings in (free, seen)]
    assert taken[1] - taken[0] == pytest.approx(around * (forward_bytes(STYLE_LAYERS, plain=True) + 12), rel=1e-9)


def test_a_large_painting_beside_a_small_photograph_is_counted():
    def bytes_of(style_side):
        return make_plan(CPU, (384, 384), style_sizes=[(style_side, style_side)]).bytes

    assert bytes_of(384) < 0.8e9
    assert bytes_of(4000) > 10e9
    assert bytes_of(4000) == style_bytes((384, 384), CPU, style_sizes=[(4000, 4000)])
    limited = make_plan(CPU, (384, 384), style_sizes=[(4000, 4000)], limit=2.5e9)
    assert limited.bytes <= 2.5e9 and limited.rows is None and limited.style_rows % 64 == 0


def test_the_photograph_s_activations_are_there_while_the_painting_is_looked_at():
    with_photograph, without = (
        style_bytes((2048, 2048), CPU, content=content, style_sizes=[(2048, 2048)]) for content in (True, False)
    )
    assert with_photograph - without == pytest.approx(2048 * 2048 * (32 + 12))


# Plans -------------------------------------------------------------------------------------------------------


def test_without_need_there_are_no_bands_and_with_it_as_high_ones_as_fit():
    assert make_plan(CPU, (1024, 1024), limit=20e9).rows is None
    for limit in (7e9, 6.5e9):
        plan = make_plan(CPU, (2048, 2048), limit=limit)
        assert plan.rows % 64 == 0 and plan.in_bands
        assert plan.bytes == run_bytes((2048, 2048), CPU, rows=plan.rows) <= limit
        assert run_bytes((2048, 2048), CPU, rows=plan.rows + 64) > limit


def test_the_painting_s_bands_are_as_high_as_fit():
    sizes = {"content": True, "style_sizes": [(4000, 2000)]}
    for limit in (1.6e9, 2e9):
        plan = make_plan(CPU, (256, 256), style_sizes=[(4000, 2000)], limit=limit)
        assert plan.rows is None and plan.style_rows % 64 == 0 and plan.in_bands
        assert plan.bytes == style_bytes((256, 256), CPU, **sizes, rows=plan.style_rows) <= limit
        assert style_bytes((256, 256), CPU, **sizes, rows=plan.style_rows + 64) > limit


def test_the_height_of_bands_is_found_without_trying_all(monkeypatch):
    """A picture as high as a side can be has a thousand heights. The oracle tries them."""
    size, heights, calls = (65500, 64), range(64, 65500, 64), []
    without = run_bytes(size, CPU)
    taken = {rows: run_bytes(size, CPU, rows=rows) for rows in heights}

    def counted(*arguments, **options):
        calls.append(options)
        return run_bytes(*arguments, **options)

    monkeypatch.setattr("ministyle.cost.memory.run_bytes", counted)
    lowest, largest = taken[64], max(taken.values())
    for limit in [*np.linspace(lowest, without - 1, 40), taken[heights[-1]] - 1, largest - 1]:
        if limit < without:
            expected = max(rows for rows in heights if taken[rows] <= limit)
            plan = make_plan(CPU, size, limit=limit)
            assert (plan.rows, plan.bytes) == (expected, taken[expected])
    assert len(calls) < 42 * 20


def test_the_limit_is_the_settings_own_unless_another_is_named():
    settings = replace(CPU, max_memory=7.0)
    assert make_plan(settings, (2048, 2048)) == make_plan(CPU, (2048, 2048), limit=7e9)
    assert make_plan(settings, (2048, 2048), limit=20e9) == make_plan(CPU, (2048, 2048))


def test_a_limit_that_cannot_be_kept_is_refused_with_one_that_can():
    with pytest.raises(MinistyleError, match=r"max_memory \(=1 GB\).*2048 x 1024.*takes (\d\.\d) GB") as refusal:
        make_plan(CPU, (1024, 2048), limit=1e9)
    enough = float(str(refusal.value).split("takes ")[1].split(" GB")[0]) + 0.1
    assert make_plan(CPU, (1024, 2048), limit=enough * 1e9).rows is not None
    assert make_plan(replace(CPU, history_size=2), (1024, 2048), limit=(enough - 0.5) * 1e9).in_bands


@pytest.mark.parametrize(("settings", "way"), [(CPU, "--image-size"), (replace(CPU, style_size=4000), "--style-size")])
def test_a_painting_that_is_too_large_even_in_bands_is_named_as_the_reason(settings, way):
    with pytest.raises(MinistyleError, match=f"a style picture of 4000 x 4000 pixels.* a smaller {way} takes"):
        make_plan(settings, (256, 256), style_sizes=[(4000, 4000)], limit=1e9)


# Whole runs --------------------------------------------------------------------------------------------------

SCRIPT = """
import json, re, sys
import numpy
from ministyle.jobs.job import Job
from ministyle.settings import Settings

case = json.loads(sys.argv[1])
random = numpy.random.default_rng(0)
photograph, painting = (
    None if size is None else random.integers(0, 256, (*size, 3), dtype=numpy.uint8)
    for size in (case["content"], case["style"])
)
job = Job.of(Settings(**case["settings"]), photograph, painting, **case["options"])
job.run()
# Not getrusage, whose peak begins with that of the process that started this one.
peak = int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) * 1024
plan = job.plan_at(job.scales[-1])
print(json.dumps([peak, plan.bytes, plan.rows, plan.style_rows]))
"""


def measure(settings, content, style, **options):
    """Run a job in a process of its own; return the peak of its memory, what was said, and the heights of bands."""
    case = {"settings": asdict(settings), "content": content, "style": style, "options": options}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(case)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": str(Path(ministyle.__file__).parents[1])},
    )
    return json.loads(done.stdout)


on_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
QUICK = replace(CPU, iterations=4, history_size=2)
DEFAULTS = Settings(device="cpu", threads=2)
QUICK_DEFAULTS = replace(DEFAULTS, iterations=4, history_size=2)


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["lbfgsb", "lbfgs", "adam"])
def test_a_whole_run_takes_what_was_said_before(optimizer):
    settings = replace(CPU, image_size=448, iterations=5, history_size=4, optimizer=optimizer)  # so many pairs fill it
    taken, said, *_ = measure(settings, (448, 448), (448, 448))
    assert said == pytest.approx(taken, rel=0.15)


CASES = {
    "the settings are the defaults": (replace(DEFAULTS, image_size=448, iterations=11), (448, 448), (448, 448), {}),
    "the defaults meet a panorama": (replace(QUICK_DEFAULTS, image_size=1000), (160, 1000), (160, 1000), {}),
    "the defaults meet a large painting": (
        replace(QUICK_DEFAULTS, image_size=256, style_size=1000),
        (256, 256),
        (1000, 1000),
        {},
    ),
    "the defaults make a texture": (replace(QUICK_DEFAULTS, image_size=384, init="noise"), None, (384, 384), {}),
    "small": (replace(QUICK, image_size=256), (256, 256), (256, 256), {}),
    "four threads": (replace(QUICK, image_size=384, threads=4), (384, 384), (384, 384), {}),
    "plain convolution": (
        replace(QUICK, image_size=256, convolution="direct", optimizer="adam"),
        (256, 256),
        (256, 256),
        {},
    ),
    "bounds": (replace(QUICK, image_size=448, bounds=True), (448, 448), (448, 448), {}),
    "painting somewhat larger": (replace(QUICK, image_size=320, style_size=512), (320, 320), (512, 512), {}),
    "painting far larger": (replace(QUICK, image_size=128, style_size=1500), (128, 128), (1500, 1500), {}),
    "panorama beside a square": (replace(QUICK, image_size=1000), (100, 1000), (1000, 1000), {}),
    "source of a texture": (replace(QUICK, image_size=600, init="noise"), None, (600, 600), {"size": (128, 128)}),
    "tileable": (replace(QUICK, image_size=256, init="noise"), None, (256, 256), {"tileable": True}),
    "reconstruction from a low layer": (
        replace(QUICK, image_size=400, content_layers="conv1_2", init="noise"),
        (400, 400),
        None,
        {},
    ),
}


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize("case", CASES)
def test_what_is_said_is_what_is_taken_also_where(case):
    settings, content, style, options = CASES[case]
    taken, said, *_ = measure(settings, content, style, **options)
    assert said == pytest.approx(taken, rel=0.15)


@on_linux
@pytest.mark.slow
@pytest.mark.parametrize("limit", [1.1, 1.4])
def test_a_limit_is_kept_while_the_painting_is_looked_at(limit):
    settings = replace(QUICK, image_size=128, style_size=1500, max_memory=limit)
    taken, said, rows, style_rows = measure(settings, (128, 128), (1500, 1500))
    assert said <= limit * 1e9 and rows is None and style_rows is not None
    assert taken < 1.05 * limit * 1e9
