import sys

import numpy as np
import pytest

from ministyle import arrays
from ministyle.errors import MinistyleError


def test_array_module_is_the_one_the_array_belongs_to(xp):
    assert arrays.array_module(xp.ones(3)) is xp


def test_array_module_refuses_what_is_no_array():
    with pytest.raises(TypeError, match="got list"):
        arrays.array_module([1.0, 2.0])


def test_there_and_back_gives_the_same_numbers(xp, device):
    host = np.arange(6, dtype=np.float32).reshape(2, 3)
    there = arrays.to_device(host, device)
    assert arrays.array_module(there) is xp
    assert there.dtype == host.dtype
    np.testing.assert_array_equal(arrays.to_host(there), host)


def test_to_device_converts_the_data_type(xp, device):
    assert arrays.to_device(np.ones(2), device, "float32").dtype == np.float32


def test_auto_takes_a_gpu_where_there_is_one(xp, device, monkeypatch):
    if device == "cpu":
        monkeypatch.setitem(sys.modules, "cupy", None)  # importing it fails
    assert arrays.choose_device("auto") == device


def test_the_gpu_is_named(xp, device):
    if device == "cuda":
        assert "GiB" in arrays.describe_gpu()


def test_cuda_without_cupy_is_an_error_that_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", None)
    with pytest.raises(MinistyleError, match="cuda12"):
        arrays.choose_device("cuda")


@pytest.mark.parametrize("fails", [True, False])
def test_cupy_without_a_gpu_is_noticed(monkeypatch, fails):
    import cupy_standin

    module = cupy_standin.make_module()

    def count():
        if fails:
            raise module.cuda.runtime.CUDARuntimeError("no driver")
        return 0

    monkeypatch.setattr(module.cuda.runtime, "getDeviceCount", count)
    monkeypatch.setitem(sys.modules, "cupy", module)
    assert arrays.choose_device("auto") == "cpu"
    with pytest.raises(MinistyleError, match="no GPU"):
        arrays.choose_device("cuda")


def test_unknown_device_is_refused():
    with pytest.raises(MinistyleError, match="tpu"):
        arrays.choose_device("tpu")
