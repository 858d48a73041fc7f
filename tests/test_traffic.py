"""What crosses between host and device, counted on the stand-in for CuPy; and its calls, held against the real CuPy."""

import importlib
import inspect
import sys

import cupy_standin
import make_cupy_names
import pytest

import ministyle
from ministyle.fast.bands import BandedObjective
from ministyle.objective import Objective
from ministyle.solvers import minimise
from ministyle.styles import Style
from ministyle.weights.load import load_network

FEW = 24  # numbers: all that an evaluation tells the host at once


@pytest.fixture
def cupy(monkeypatch):
    module = cupy_standin.make_module()
    monkeypatch.setitem(sys.modules, "cupy", module)
    return module


@pytest.fixture
def pictures(random):
    return [random.uniform(0, 255, size).astype("float32") for size in ((24, 20, 3), (20, 33, 3))]


def compose(weights, pictures, *, pooling="average", rows=None, border="zero", guided=False, **options):
    network = load_network(weights, normalised=True, device="cuda", pooling=pooling, border=border)
    content, style = (network.to_device(picture) for picture in pictures)
    if guided:
        mask, region = (picture[:, :, 0] / 255 for picture in reversed(pictures))
        style = [Style(style, mask=mask, region=region), Style(content, region=1 - region)]
    if rows is not None:
        return BandedObjective(network, rows=rows, content=content, style=style, **options)
    return Objective(network, content=content, style=style, **options)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"pooling": "max"},
        {"convention": "literal", "tv_weight": 2.0},
        {"content_layers": ["conv4_2", "conv1_1"]},
        {"convention": "relative", "tv_weight": 2.0, "tv_edge": 20.0, "border": "mirror"},
        {"convention": "relative", "guided": True, "covariance_weight": 1.0, "mean_weight": 1.0, "border": "mirror"},
    ],
)
@pytest.mark.parametrize("rows", [None, 64])
def test_inside_an_evaluation_nothing_crosses_and_nobody_waits(cupy, weights, pictures, options, rows):
    objective = compose(weights, pictures, rows=rows, **options)
    pixels = objective.network.to_device(pictures[0])
    with cupy_standin.watched() as traffic:
        loss, gradient = objective(pixels)
    assert traffic.calls  # it was watched
    assert (traffic.to_device, traffic.to_host, traffic.synchronisations) == ([], [], 0)
    assert isinstance(loss, cupy.ndarray) and isinstance(gradient, cupy.ndarray)


def test_with_scipy_a_picture_goes_in_and_a_gradient_comes_out_for_each_evaluation(cupy, weights, pictures):
    objective, start = compose(weights, pictures), pictures[0]
    with cupy_standin.watched() as traffic:
        outcome = minimise(objective, start, iterations=4, optimizer="lbfgsb")
    evaluations = outcome.history[-1].evaluations
    assert traffic.to_device == [start.size] * evaluations
    large = [count for count in traffic.to_host if count > FEW]
    assert large == [start.size] * evaluations
    assert len(traffic.to_host) == 2 * evaluations  # and once a few numbers each


@pytest.mark.parametrize("bounds", [None, (0, 255)])
def test_with_our_lbfgs_only_a_few_numbers_cross(cupy, weights, pictures, bounds):
    objective, start, seen = compose(weights, pictures), pictures[0], []
    with cupy_standin.watched() as traffic:
        outcome = minimise(
            objective,
            start,
            iterations=6,
            optimizer="lbfgs",
            bounds=bounds,
            on_step=lambda step, pixels: seen.append(pixels),
        )
    iterations, evaluations = outcome.history[-1].iteration, outcome.history[-1].evaluations
    assert iterations == 6
    assert traffic.to_device == [start.size]  # the start
    *numbers, picture = traffic.to_host
    assert picture == start.size  # at the end
    assert max(numbers) <= FEW
    assert len(numbers) == evaluations + (2 if bounds is None else 3) * iterations
    assert traffic.synchronisations == len(traffic.to_host)
    assert all(isinstance(pixels, cupy.ndarray) for pixels in seen)


def test_with_adam_only_what_an_evaluation_tells_crosses(cupy, weights, pictures):
    objective, start = compose(weights, pictures), pictures[0]
    with cupy_standin.watched() as traffic:
        outcome = minimise(objective, start, iterations=6, optimizer="adam")
    assert traffic.to_device == [start.size]
    *numbers, picture = traffic.to_host
    assert picture == start.size
    assert max(numbers) <= FEW
    assert len(numbers) == outcome.history[-1].evaluations == 7


def test_tf32_is_off_unless_asked_for(cupy, weights):
    linalg = cupy._core._routines_linalg
    linalg.compute_type = "left over"
    load_network(weights, device="cuda")
    assert linalg.compute_type == "float32"
    load_network(weights, device="cuda", tf32=True)
    assert linalg.compute_type == "tf32"
    load_network(weights, device="cuda")
    assert linalg.compute_type == "float32"
    linalg.compute_type = "left alone"
    load_network(weights, device="cpu")
    assert linalg.compute_type == "left alone"


def test_every_call_that_the_package_makes_is_one_that_the_installed_cupy_takes(monkeypatch, weights, pictures):
    cupy = pytest.importorskip("cupy")
    linalg = importlib.import_module("cupy._core._routines_linalg")
    assert linalg.COMPUTE_TYPE_TF32 != linalg.COMPUTE_TYPE_DEFAULT
    assert callable(cupy._core._routines_linalg.set_compute_type)

    monkeypatch.setitem(sys.modules, "cupy", cupy_standin.make_module())
    common = {"device": "cuda", "iterations": 2, "image_size": 32}
    with cupy_standin.watched() as traffic:
        others = {"bounds": True, "pooling": "max", "tv_weight": 1.0, "gtol": 1e-9}
        for optimizer in ("lbfgsb", "lbfgs"):
            ministyle.transfer(*pictures, optimizer=optimizer, **common)
            ministyle.transfer(*pictures, optimizer=optimizer, **common, **others)
        ministyle.transfer(*pictures, optimizer="adam", **common, convention="literal")
        for rows in (None, 64):
            guided = compose(weights, pictures, rows=rows, guided=True, covariance_weight=1.0, mean_weight=1.0)
            guided(guided.network.to_device(pictures[0]))
        ministyle.reconstruct_style(pictures[1], ["conv1_1"], tileable=True, **common)
        ministyle.compare(*pictures, network=load_network(weights, device="cuda"))
    assert {("cupy", "pad"), ("cupy", "vdot")} <= {call[:2] for call in traffic.calls}
    refused = [call for call in sorted(traffic.calls) if not takes(cupy, *call)]
    assert not refused


def takes(cupy, path, name, count, keywords):
    """Return whether the real CuPy has this function and takes so many positional arguments, and these keywords."""
    if path == "cupy.ndarray":
        function = getattr(cupy.ndarray, name, None)
        text = make_cupy_names.stub_of_method(function)
    else:
        function = getattr(importlib.import_module(path), name, None)
        if isinstance(function, cupy.ufunc):
            return function.nin <= count <= function.nin + function.nout and set(keywords) <= {"out", "dtype"}
        text = make_cupy_names.stub_of(function)
    if function is None or text is None:
        return function is not None
    try:
        inspect.signature(eval(f"lambda {text[1:-1]}: None")).bind(*range(count), **dict.fromkeys(keywords))
    except TypeError:
        return False
    return True
