"""The count of memory against what is measured, and limits that are kept."""

import subprocess
import sys
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from ministyle.cost.memory import evaluation_bytes, rows_within, run_bytes
from ministyle.errors import MinistyleError
from ministyle.fast.buffers import BufferPool
from ministyle.objective import CONTENT_LAYERS, STYLE_LAYERS, Objective
from ministyle.settings import Settings
from ministyle.weights.load import load_network


def test_with_the_default_layers_it_is_what_docs_performance_derives():
    assert evaluation_bytes(CONTENT_LAYERS, STYLE_LAYERS) == 928


@pytest.mark.parametrize("convolution", ["winograd", "direct"])
@pytest.mark.parametrize(
    ("content_layers", "style_layers"),
    [(CONTENT_LAYERS, STYLE_LAYERS), (("conv1_2",), ()), ((), ("conv2_1", "conv3_1")), (("conv3_2",), ("conv1_1",))],
)
def test_the_count_is_what_an_evaluation_allocates(
    content_layers, style_layers, convolution, weights, random, monkeypatch
):
    """With memory that is given back at once, Python's own bookkeeping sees the largest sum of living arrays."""
    monkeypatch.setattr(BufferPool, "empty", lambda self, shape, dtype: np.empty(shape, dtype))
    network = load_network(weights, device="cpu", threads=1, convolution=convolution)
    picture = random.uniform(0, 255, (256, 256, 3)).astype("float32")
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


def test_twice_the_bytes_of_a_number_take_nearly_twice_the_memory():
    single, double = (evaluation_bytes(CONTENT_LAYERS, STYLE_LAYERS, itemsize) for itemsize in (4, 8))
    assert 1.7 * single < double < 2 * single  # masks stay as they are


def test_without_need_there_are_no_bands_and_with_it_as_high_ones_as_fit():
    settings = Settings()
    assert rows_within(20e9, 1024, 1024, settings) is None
    for limit in (7e9, 6.5e9):
        rows = rows_within(limit, 2048, 2048, settings)
        assert rows % 64 == 0
        assert run_bytes(2048, 2048, settings, rows=rows) <= limit
        assert run_bytes(2048, 2048, settings, rows=rows + 64) > limit


def test_a_limit_that_cannot_be_kept_is_refused_with_one_that_can():
    with pytest.raises(MinistyleError, match=r"max_memory \(=1 GB\).*2048 x 1024.*takes (\d\.\d) GB") as refusal:
        rows_within(1e9, 1024, 2048, Settings())
    enough = float(str(refusal.value).split("takes ")[1].split(" GB")[0]) + 0.1
    assert rows_within(enough * 1e9, 1024, 2048, Settings()) == 64
    assert rows_within((enough - 0.5) * 1e9, 1024, 2048, replace(Settings(), history_size=2)) is not None


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the peak")
@pytest.mark.parametrize("optimizer", ["lbfgsb", "lbfgs", "adam"])
def test_a_whole_run_takes_what_was_said_before(optimizer):
    script = f"""
import numpy, re, ministyle
content, style = numpy.random.default_rng(0).uniform(0, 255, (2, 448, 448, 3))
ministyle.transfer(content, style, image_size=448, iterations=11, device="cpu", optimizer={optimizer!r})
# Not getrusage, whose peak begins with that of the process that started this one.
print(int(re.search(r"VmHWM:\\s*(\\d+) kB", open("/proc/self/status").read())[1]) * 1024)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert run_bytes(448, 448, Settings(optimizer=optimizer)) == pytest.approx(int(done.stdout), rel=0.15)
