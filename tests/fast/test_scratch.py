"""The count of scratch memory against what threads keep."""

import threading
import tracemalloc

import numpy as np
import pytest

from ministyle.architecture import VGG19
from ministyle.fast.scratch import kernel_bytes, scratch_bytes
from ministyle.fast.winograd import Convolution
from ministyle.fast.workers import Workers
from ministyle.objective import Objective
from ministyle.weights.load import load_network


@pytest.fixture
def kept(monkeypatch):
    """Watch scratch memory: (thread, name) -> bytes that the thread keeps under this name."""
    scratch, kept = Workers.scratch, {}

    def watched(self, name, shape, dtype):
        array = scratch(self, name, shape, dtype)
        kept[threading.get_ident(), name] = array.base.nbytes
        return array

    monkeypatch.setattr(Workers, "scratch", watched)
    return kept


def layers_as_far_as(last, height, width):
    """Return the feature maps and channels of VGG-19's convolutions."""
    channels_in = 3
    for layer in VGG19.layers.values():
        if layer.kind == "convolution":
            yield *layer.size(height, width), channels_in, layer.channels
            channels_in = layer.channels
        if layer.name == last:
            return


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("size", [(256, 256), (67, 90), (40, 300)])
def test_the_count_is_what_one_thread_keeps_after_an_evaluation(weights, random, kept, size, dtype):
    network = load_network(weights, device="cpu", threads=1, dtype=dtype)
    pixels, content, style = random.uniform(0, 255, (3, *size, 3)).astype(dtype)
    Objective(network, content=content, style=style)(pixels)
    itemsize = {"float32": 4, "float64": 8}[dtype]
    assert scratch_bytes(layers_as_far_as("conv5_1", *size), 1, itemsize) == sum(kept.values())


def test_several_threads_keep_no_more_than_the_count(weights, random, kept):
    network = load_network(weights, device="cpu", threads=2)
    pixels, style = random.uniform(0, 255, (2, 256, 256, 3)).astype("float32")
    Objective(network, style=style)(pixels)
    assert sum(kept.values()) <= scratch_bytes(layers_as_far_as("conv5_1", 256, 256), 2)


@pytest.mark.parametrize("channels", [(3, 64), (16, 8), (256, 512)])
@pytest.mark.parametrize("size", [(1, 1), (5, 90), (48, 37), (130, 9)])
def test_each_convolution_is_counted(random, kept, channels, size):
    kernel, bias = random.normal(size=(3, 3, *channels)), random.normal(size=channels[1])
    convolution = Convolution(kernel, bias, Workers(1))
    _, positive = convolution.forward(random.normal(size=(*size, channels[0])))
    convolution.backward(random.normal(size=(*size, channels[1])), positive)
    assert scratch_bytes([(*size, *channels)], 1, 8) == sum(kept.values())


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("channels", [(3, 64), (64, 64), (128, 256)])
@pytest.mark.parametrize("sizes", [[(20, 24)], [(16, 16)], [(20, 24), (16, 16), (40, 30)]])
def test_the_count_of_kernels_is_what_a_convolution_keeps(sizes, channels, dtype, random):
    channels_in, channels_out = channels
    kernel = random.standard_normal((3, 3, *channels)).astype(dtype)
    workers = Workers(threads=1)
    convolution = Convolution(kernel, np.zeros(channels_out, dtype), workers)
    maps = [(*size, *channels) for size in sizes]
    tracemalloc.start()
    try:
        for size in sizes:
            _, cache = convolution.forward(random.standard_normal((*size, channels_in)).astype(dtype))
            convolution.backward(random.standard_normal((*size, channels_out)).astype(dtype), cache)
        del cache
        taken, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    counted = kernel_bytes(sizes, *channels, kernel.itemsize) + scratch_bytes(maps, 1, kernel.itemsize)
    assert counted == pytest.approx(taken, rel=0.02, abs=5e4)  # the small matrices of the transforms come on top
