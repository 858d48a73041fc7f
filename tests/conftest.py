"""Fixtures shared by all tests."""

import sys

import cupy_standin
import numpy as np
import pytest
from PIL import Image

from ministyle import arrays
from ministyle.errors import MinistyleError
from ministyle.files import shipped_path
from ministyle.jobs import scales
from ministyle.settings import Settings
from ministyle.weights.file import load_weights
from ministyle.weights.load import load_network


def _gpu_present():
    return arrays.gpu_problem() is None


@pytest.fixture(params=["numpy", "stand-in", pytest.param("cupy", marks=pytest.mark.gpu)])
def xp(request, monkeypatch):
    """NumPy, a strict stand-in for CuPy, and CuPy itself where there is a GPU: the test runs once on each."""
    if request.param == "numpy":
        return np
    if request.param == "stand-in":
        monkeypatch.setitem(sys.modules, "cupy", cupy_standin.make_module())
    import cupy

    return cupy


def pytest_configure(config):
    config.addinivalue_line("markers", "gpu: needs a GPU; left out where there is none")
    config.addinivalue_line("markers", "slow: takes more than a few seconds")


def pytest_collection_modifyitems(config, items):
    """Leave out what needs a GPU where there is none, rather than report it as skipped each time.

    Processes that share the tests begin with the files that take long, so that they end together.
    """
    if not _gpu_present():
        config.hook.pytest_deselected(items=[item for item in items if item.get_closest_marker("gpu")])
        items[:] = [item for item in items if not item.get_closest_marker("gpu")]
    if hasattr(config, "workerinput"):
        slow = {item.path for item in items if item.get_closest_marker("slow")}
        items.sort(key=lambda item: item.path not in slow)


@pytest.fixture
def device(xp):
    """The name by which the package knows `xp`."""
    return "cpu" if xp is np else "cuda"


@pytest.fixture(autouse=True)
def no_private_weights(monkeypatch, tmp_path_factory):
    """Keep a developer's own weight files, and what the tests write, out of each other's way."""
    monkeypatch.delenv("MINISTYLE_WEIGHTS", raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path_factory.mktemp("data")))


@pytest.fixture(scope="session")
def weights():
    return load_weights(shipped_path("weights/vgg19.h5"))


@pytest.fixture(scope="session")
def network64(weights):
    return load_network(weights, dtype="float64", device="cpu")


@pytest.fixture
def random():
    return np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path, monkeypatch, random):
    """A folder to work in, with a photograph (48 x 36), a painting (32 x 40) and a start (40 x 30)."""
    monkeypatch.chdir(tmp_path)
    y, x = np.mgrid[:36, :48]
    Image.fromarray(np.stack([5 * x, 7 * y, x + y], axis=2).astype(np.uint8)).save("photo.png")
    Image.fromarray(random.integers(0, 256, (40, 32, 3), dtype=np.uint8)).save("painting.png")
    Image.fromarray(random.integers(0, 256, (30, 40, 3), dtype=np.uint8)).save("start.png")
    return tmp_path


@pytest.fixture
def early_pyramid(monkeypatch):
    """Let pyramids begin with pictures of half the size, so that small pictures have three scales."""
    monkeypatch.setattr(scales, "COARSEST", 60)


@pytest.fixture
def pixels(random):
    """A picture in which no two pixels are alike."""
    return random.integers(0, 256, (6, 9, 3), dtype=np.uint8)


def bare_settings(**changes):
    """Return settings of the bare algorithm: one scale, zeros around it, mean losses, free pixels, no total variation.

    For tests of one thing that the defaults would add to.
    """
    bare = {"convention": "mean", "border": "zero", "bounds": False, "pyramid": False, "tv_weight": 0.0}
    return Settings(**{**bare, **changes})


def sentence(function, *arguments, **options):
    """Return what a call is refused with, having checked that it is one line."""
    with pytest.raises(MinistyleError) as caught:
        function(*arguments, **options)
    assert str(caught.value).strip()
    assert "\n" not in str(caught.value)
    return str(caught.value)


def relative_error(actual, expected):
    """Return the largest difference over the largest expected value."""
    actual, expected = np.asarray(arrays.to_host(actual)), np.asarray(arrays.to_host(expected))
    assert actual.shape == expected.shape
    return np.abs(actual - expected).max() / np.abs(expected).max()


def pixels_of(path):
    """Return what a picture file holds, as (H, W, 3)."""
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))
