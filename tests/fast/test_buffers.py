"""Memory for arrays: used again, never shared, and no more of it than needed."""

import subprocess
import sys

import numpy as np
import pytest

from ministyle.fast.buffers import BufferPool
from ministyle.objective import Objective
from ministyle.weights.load import load_network


def address(array):
    return array.__array_interface__["data"][0]


def test_room_is_used_again_once_nobody_refers_to_it():
    buffers = BufferPool()
    first = buffers.empty((10, 20), "float32")
    second = buffers.empty((10, 20), "float32")
    assert not np.shares_memory(first, second)
    where = address(first)
    del first
    assert address(buffers.empty((20, 9), "float32")) == where


def test_room_is_not_used_again_while_a_view_of_it_lives():
    buffers = BufferPool()
    array = buffers.empty((10, 20), "float32")
    view = array.reshape(-1)[5:].view(np.uint8)[::2]
    del array
    assert not np.shares_memory(view, buffers.empty((10, 20), "float32"))


def test_gaps_are_filled_and_neighbouring_ones_joined():
    buffers = BufferPool()
    arrays = [buffers.empty((1024,), "float32") for _ in range(4)]
    where = [address(array) for array in arrays]
    del arrays[1:3]
    small = buffers.empty((10,), "float64")
    assert address(small) == where[1]
    del small
    assert address(buffers.empty((2048,), "float32")) == where[1]
    assert address(buffers.empty((2049,), "float32")) > where[3]


def test_arrays_that_live_together_do_not_overlap(random):
    """Arrays of all sizes come and go; each keeps what was written to it."""
    buffers = BufferPool()
    living = []
    for number in range(500):
        count = int(random.integers(0, 3000)) * (100 if number % 50 == 0 else 1)
        array = buffers.empty((count,), random.choice(["float32", "float64", "bool"]))
        assert address(array) % 64 == 0
        array[...] = number % 2
        living.append((array, number % 2))
        if len(living) > 20:
            del living[int(random.integers(len(living)))]
        assert all((array == value).all() for array, value in living)


def test_no_more_is_reserved_than_the_arrays_need():
    buffers = BufferPool()
    arrays = [buffers.empty((megabytes, 2**18), "float32") for megabytes in (16, 4, 16, 4)]
    assert buffers.living_bytes() == buffers.reserved_bytes() == 40 * 2**20
    del arrays
    assert buffers.living_bytes() == 0
    assert buffers.reserved_bytes() == 40 * 2**20
    array = buffers.empty((24, 2**18), "float32")  # no arena is as long
    assert buffers.living_bytes() == array.nbytes
    assert buffers.reserved_bytes() == 40 * 2**20


def test_arenas_in_use_stay_when_the_others_are_given_back():
    buffers = BufferPool()
    kept, gone = (buffers.empty((2, 2**18), "float32") for _ in range(2))
    kept[...] = 7
    del gone
    large = buffers.empty((8, 2**18), "float32")
    large[...] = 1
    assert (kept == 7).all()
    assert buffers.reserved_bytes() == 10 * 2**20


def test_one_evaluation_after_the_other_takes_no_more_memory(weights, random):
    network = load_network(weights, device="cpu")
    pixels = random.uniform(0, 255, (64, 48, 3)).astype("float32")
    objective = Objective(network, content=pixels, style=pixels)
    taken = set()
    for _ in range(4):
        objective(pixels + 1)
        taken.add((network.backend.workers.buffers.living_bytes(), network.backend.workers.buffers.reserved_bytes()))
    assert len(taken) == 1
    assert taken.pop()[0] == 0  # not even the content picture's activations, which terms keep outside of the pool


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="asks Linux for the size of a process")
def test_an_evaluation_needs_little_more_address_space_than_memory():
    """Its arrays take 235 MB. Reserving several times as much would fail."""
    script = """
import re, resource
import numpy as np
from ministyle.weights.load import load_network
from ministyle.objective import Objective

pixels, style = np.random.default_rng(0).uniform(0, 255, (2, 512, 512, 3)).astype("float32")
network, layers = load_network(device="cpu", threads=1), ["conv1_1", "conv2_1"]
Objective(network, style=style[:64, :64], style_layers=layers)(pixels[:64, :64])  # libraries, transformed kernels
size = int(re.search(r"VmSize:\\s*(\\d+)", open("/proc/self/status").read())[1]) * 1024
resource.setrlimit(resource.RLIMIT_AS, (size + 350_000_000,) * 2)
objective = Objective(network, style=style, style_layers=layers)
print(objective(pixels).loss > 0)
try:
    network.backend.workers.buffers.empty((10**9,), "float32")
except MemoryError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "True\nno room for an array of 4000000000 bytes\n"
