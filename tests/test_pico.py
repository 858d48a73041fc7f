"""`docs/pico.py`, the whole algorithm in 80 lines, computes what the package computes."""

import importlib.util
import subprocess
import sys

import numpy as np
import pytest
from conftest import relative_error
from PIL import Image

import ministyle
from ministyle.files import shipped_path

PATH = shipped_path("docs/pico.py")


@pytest.fixture(scope="module")
def pico():
    spec = importlib.util.spec_from_file_location("pico", PATH)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("size", [(32, 48), (37, 51)])
def test_loss_and_gradient_are_the_packages(pico, random, size):
    pixels, photo = random.uniform(0, 255, (2, *size, 3))
    painting = random.uniform(0, 255, (40, 33, 3))
    weights = pico.load(shipped_path("weights/vgg19.h5"), "float64")
    A = {name: pico.gram(F) for name, F in pico.forward(painting, weights).items()}
    loss, gradient = pico.loss_and_gradient(pixels, weights, pico.forward(photo, weights), A)
    network = ministyle.load_network(normalised=True, dtype="float64", device="cpu", convolution="direct")
    objective = ministyle.Objective(network, content=photo, style=painting, content_weight=1.0, style_weight=1.0)
    expected = objective(pixels)
    assert loss == pytest.approx(float(expected.loss), rel=1e-12)
    assert relative_error(gradient, expected.gradient) < 1e-12


def test_it_has_80_lines_and_nothing_of_the_package():
    text = PATH.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= 80
    assert "import ministyle" not in text and "from ministyle" not in text


def test_it_repaints_a_photograph(tmp_path):
    pictures = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    command = [sys.executable, PATH, *pictures, tmp_path / "out.png", "48", "3"]
    subprocess.run(command, check=True, cwd=PATH.parent.parent)
    picture = np.asarray(Image.open(tmp_path / "out.png"))
    assert picture.shape == (32, 48, 3) and np.ptp(picture) > 50
