"""The real network against PyTorch's values; `make_reference_values.py` made them and says how."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from conftest import relative_error, sentence
from made_up_weights import make_up_weights
from tolerances import EXACT, REFERENCE, WINOGRAD_NETWORK

from ministyle.architecture import VGG19
from ministyle.arrays import array_module, to_device, to_host
from ministyle.checks.measures import directional_error, linear_region_step
from ministyle.errors import MinistyleError
from ministyle.files import shipped_path
from ministyle.network import (
    MARGIN,
    PlainBackend,
    make_network,
    normalise,
    preprocess_forward,
    surround_backward,
    surround_forward,
)
from ministyle.objective import Objective
from ministyle.pictures.reading import read_picture
from ministyle.styles import Style
from ministyle.weights.load import load_network

KINDS = [(kind, pooling) for kind in ("raw", "normalised") for pooling in ("average", "max")]
TAPS = ("conv1_1", "conv2_1", "conv3_1", "conv4_1", "conv4_2", "conv5_1")


@pytest.fixture(scope="module")
def reference():
    with np.load(Path(__file__).with_name("reference_values.npz")) as values:
        return dict(values)


def network_of(weights, kind, pooling, dtype, device="cpu", convolution="direct"):
    normalised = kind == "normalised"
    return load_network(
        weights, pooling=pooling, normalised=normalised, dtype=dtype, device=device, convolution=convolution
    )


def assert_activations(network, reference, kind, pooling, tolerance):
    features = network.features(reference["pixels"], TAPS)
    for name in TAPS:
        flat = to_host(features[name]).ravel()
        expected = reference[f"{kind}, {pooling}, {name}, samples"]
        assert flat.dtype == network.dtype
        assert relative_error(flat[:: max(1, len(flat) // 1500)], expected) < tolerance, name
        norm = reference[f"{kind}, {pooling}, {name}, norm"]
        assert abs(np.linalg.norm(flat.astype(np.float64)) / norm - 1) < tolerance, name


def assert_loss_and_gradient(network, reference, kind, pooling, convention, tolerance):
    content_weight, style_weight, tv_weight = reference["weights"].tolist()
    objective = Objective(
        network,
        content=reference["content"],
        style=reference[f"style, {convention}"],
        convention=convention,
        content_weight=content_weight,
        style_weight=style_weight,
        tv_weight=tv_weight,
    )
    evaluation = objective(network.to_device(reference["pixels"]))
    terms = reference[f"{kind}, {pooling}, {convention}, terms"]
    assert len(evaluation.terms) == len(terms)
    for (name, value), expected in zip(evaluation.terms.items(), terms, strict=True):
        assert abs(value / expected - 1) < tolerance, name
    assert abs(evaluation.loss / terms.sum() - 1) < tolerance
    assert evaluation.gradient.dtype == network.dtype
    assert relative_error(evaluation.gradient, reference[f"{kind}, {pooling}, {convention}, gradient"]) < tolerance


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_activations_are_pytorchs(weights, reference, device, kind, pooling, dtype):
    network = network_of(weights, kind, pooling, dtype, device)
    assert_activations(network, reference, kind, pooling, REFERENCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("convention", ["mean", "literal"])
@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_loss_and_pixel_gradient_are_pytorchs(weights, reference, device, kind, pooling, convention, dtype):
    network = network_of(weights, kind, pooling, dtype, device)
    assert_loss_and_gradient(network, reference, kind, pooling, convention, REFERENCE[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("kind", "pooling"), KINDS)
def test_with_the_fast_convolution_they_are_pytorchs_too(weights, reference, kind, pooling, dtype):
    network = network_of(weights, kind, pooling, dtype, convolution="winograd")
    assert_activations(network, reference, kind, pooling, WINOGRAD_NETWORK[dtype])
    assert_loss_and_gradient(network, reference, kind, pooling, "mean", WINOGRAD_NETWORK[dtype])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_guided_statistics_of_two_paintings_are_pytorchs(weights, reference, convolution, dtype):
    """Gram matrices, covariances and means, of two paintings with soft masks; terms and pixel gradient."""
    network = network_of(weights, "raw", "average", dtype, convolution=convolution)
    mask, region = reference["mask"] / 255, reference["region"] / 255
    styles = [
        Style(reference["style, mean"], mask=mask, region=region),
        Style(reference["style, literal"], region=1 - region),
    ]
    weights_of = {"style_weight": 7.0, "covariance_weight": 2.0, "mean_weight": 3.0}
    evaluation = Objective(network, style=styles, **weights_of)(network.to_device(reference["pixels"]))
    tolerance = {"direct": REFERENCE, "winograd": WINOGRAD_NETWORK}[convolution][dtype]
    terms = reference["guided, terms"]
    assert len(evaluation.terms) == len(terms) == 3 * 2 * 5
    for (name, value), expected in zip(evaluation.terms.items(), terms, strict=True):
        assert abs(value / expected - 1) < tolerance, name
    assert relative_error(evaluation.gradient, reference["guided, gradient"]) < tolerance


def test_normalised_network_is_the_raw_one_but_for_a_factor_per_filter(weights, random):
    pixels = random.uniform(0, 255, (32, 32, 3))
    raw = load_network(weights, dtype="float64", device="cpu").features(pixels, TAPS)
    normalised = load_network(weights, dtype="float64", device="cpu", normalised=True).features(pixels, TAPS)
    for name in TAPS:
        assert relative_error(normalised[name] * weights.mean_activations[name], raw[name]) < 1e-12


def test_photographs_have_mean_activations_near_one_in_the_normalised_network(weights):
    network = load_network(weights, normalised=True, device="cpu")
    features = network.features(read_picture(shipped_path("docs/examples/chelsea.png"), 160), TAPS)
    for name in TAPS:
        assert 0.5 < np.median(features[name].mean(axis=(0, 1))) < 2, name


def test_a_network_without_mean_activations_cannot_be_normalised(weights):
    with pytest.raises(MinistyleError, match="weights normalise"):
        normalise(replace(weights, mean_activations={}))


def test_preprocessing_follows_the_weight_file(weights, device):
    pixels = to_device(np.array([[[200.0, 100.0, 50.0]]]), device)
    bgr, _ = preprocess_forward(pixels, weights)
    np.testing.assert_allclose(to_host(bgr).ravel(), [50 - 103.939, 100 - 116.779, 200 - 123.68])
    other = replace(weights, channel_order="RGB", pixel_mean=np.array([1.0, 2, 3]), pixel_scale=np.array([2.0, 4, 5]))
    rgb, _ = preprocess_forward(pixels, other)
    np.testing.assert_allclose(to_host(rgb).ravel(), [199 / 2, 98 / 4, 47 / 5])


def test_gradient_reaches_the_pixels_in_rgb(weights):
    other = replace(weights, channel_order="BGR", pixel_scale=np.array([1.0, 10.0, 100.0]))
    network = load_network(other, dtype="float64", device="cpu")
    _, tape = network.forward(np.zeros((16, 16, 3)), ["conv1_1"])
    blue_green_red = np.ones((16, 16, 3))
    preprocessing, cache = tape[0]
    np.testing.assert_allclose(preprocessing.backward(blue_green_red, cache)[0, 0], [0.01, 0.1, 1.0])


def test_backward_adds_the_gradients_of_all_tapped_layers(network64, random):
    pixels = random.uniform(0, 255, (17, 20, 3))
    taps = ["conv1_2", "conv3_1"]
    gradients = {name: random.normal(size=array.shape) for name, array in network64.features(pixels, taps).items()}

    def backward(gradients):
        _, tape = network64.forward(pixels, taps)
        return network64.backward(tape, gradients)

    single = [backward({name: gradient}) for name, gradient in gradients.items()]
    both = backward(gradients)
    assert relative_error(both, sum(single)) < EXACT["float64"] * 10


@pytest.fixture(params=["direct", "winograd"])
def network_with_weights(request, weights):
    return load_network(weights, dtype="float64", device="cpu", convolution=request.param)


def test_a_sweep_back_leaves_tape_and_gradients_as_they_were(network_with_weights, random):
    network, taps = network_with_weights, ["conv1_2", "conv3_1"]
    features, tape = network.forward(random.uniform(0, 255, (17, 20, 3)), taps)
    gradients = {name: random.normal(size=F.shape) for name, F in features.items()}
    kept_tape, kept = list(tape), {name: gradient.copy() for name, gradient in gradients.items()}
    first, second = network.backward(tape, gradients), network.backward(tape, gradients)
    np.testing.assert_array_equal(first, second)
    assert [operation for operation, _ in tape] == [operation for operation, _ in kept_tape]
    assert all(cache is before for (_, cache), (_, before) in zip(tape, kept_tape, strict=True))
    assert list(gradients) == taps
    for name, gradient in gradients.items():
        np.testing.assert_array_equal(gradient, kept[name])


def test_a_sweep_back_that_releases_memory_comes_to_the_same_and_uses_up_what_it_was_given(
    network_with_weights, random
):
    network, taps = network_with_weights, ["conv1_2", "conv3_1"]
    features, tape = network.forward(random.uniform(0, 255, (17, 20, 3)), taps)
    gradients = {name: random.normal(size=F.shape) for name, F in features.items()}
    expected = network.backward(tape, gradients)
    np.testing.assert_array_equal(network.backward(tape, gradients, release=True), expected)
    assert tape == [] and gradients == {}


def test_caches_are_gone_where_a_sweep_that_releases_memory_has_passed(network64, random):
    """The caches of the layers above must not wait for the end of the sweep."""
    features, tape = network64.forward(random.uniform(0, 255, (16, 16, 3)), ["conv2_1"])
    left = []

    def noted(operation):
        def backward(dy, cache):
            left.append(len(tape))
            return operation.backward(dy, cache)

        return replace(operation, backward=backward)

    tape[:] = [(noted(operation), cache) for operation, cache in tape]
    network64.backward(tape, {"conv2_1": np.ones_like(features["conv2_1"])}, release=True)
    assert len(left) > 3
    assert left == [*range(len(left))][::-1]


def test_preprocessing_is_the_first_operation_on_the_tape(network_with_weights, weights, random):
    pixels = random.uniform(0, 255, (16, 16, 3))
    _, tape = network_with_weights.forward(pixels, ["conv1_1"])
    kinds = [operation.kind for operation, _ in tape]
    assert kinds[0] == "preprocess" and kinds.count("preprocess") == 1
    assert [operation for operation, _ in tape] == list(network_with_weights.operations[: len(tape)])
    y, _ = network_with_weights.operations[0].forward(pixels)
    np.testing.assert_allclose(y, pixels[:, :, ::-1] - [103.939, 116.779, 123.68], rtol=1e-14)


def test_forward_stops_at_the_deepest_tap(network64, random):
    _, tape = network64.forward(random.uniform(0, 255, (16, 16, 3)), ["conv2_1", "conv1_1"])
    assert [operation.layer for operation, _ in tape if operation.layer] == ["conv1_1", "conv1_2", "pool1", "conv2_1"]


def test_activations_are_never_negative(network64, random):
    features = network64.features(random.uniform(0, 255, (16, 16, 3)), TAPS)
    assert all((array >= 0).all() for array in features.values())


def test_relu_names_are_synonyms_forward_and_backward(network64, random):
    pixels = random.uniform(0, 255, (16, 16, 3))
    assert list(network64.features(pixels, ["relu2_1"])) == ["conv2_1"]
    features, tape = network64.forward(pixels, ["relu2_1"])
    assert list(features) == ["conv2_1"]
    dy = np.ones_like(features["conv2_1"])
    np.testing.assert_array_equal(network64.backward(tape, {"relu2_1": dy}), network64.backward(tape, {"conv2_1": dy}))


def test_a_weight_file_with_a_gap_is_refused(weights):
    layers = {name: arrays for name, arrays in weights.layers.items() if name != "conv2_2"}
    with pytest.raises(MinistyleError, match="without a gap"):
        load_network(replace(weights, layers=layers))


@pytest.mark.parametrize("name", ["conv1_3", "conv6_1", "pool1", "fc6", ""])
def test_unknown_layers_are_refused(network64, name):
    with pytest.raises(MinistyleError, match="must be one of"):
        network64.features(np.zeros((16, 16, 3)), [name])


def test_a_layer_beyond_the_shipped_file_explains_how_to_get_it(network64):
    with pytest.raises(MinistyleError, match=r"ends at conv5_1 .*weights import FILE --dtype float32"):
        network64.features(np.zeros((16, 16, 3)), ["conv5_2"])


def test_too_small_a_picture_is_refused_and_the_smallest_is_not(network64):
    with pytest.raises(MinistyleError, match="20 x 15 pixels is too small for conv5_1"):
        network64.features(np.zeros((15, 20, 3)), ["conv5_1"])
    assert network64.features(np.zeros((16, 16, 3)), ["conv5_1"])["conv5_1"].shape == (1, 1, 512)


def test_without_a_backend_the_network_is_the_plain_one(weights, random):
    network = make_network(weights, dtype="float64")
    assert type(network.backend) is PlainBackend
    pixels = random.uniform(0, 255, (16, 16, 3))
    plain = load_network(weights, dtype="float64", device="cpu", convolution="direct").features(pixels, ["conv3_1"])
    np.testing.assert_array_equal(network.features(pixels, ["conv3_1"])["conv3_1"], plain["conv3_1"])


def test_the_network_runs_where_there_is_no_fast_code():
    """The package's own `__init__` is left out, as it imports every room."""
    script = """
import importlib.util, sys, types
folder = importlib.util.find_spec("ministyle").submodule_search_locations
package = sys.modules["ministyle"] = types.ModuleType("ministyle")
package.__path__ = folder
sys.modules["ministyle.fast"] = None  # importing it fails
import numpy as np
from ministyle.network import BACKENDS, make_network
from ministyle.objective import Objective
from ministyle.weights.file import load_weights

pixels = np.full((16, 16, 3), 100.0)
network = make_network(load_weights(), dtype="float64")
evaluation = Objective(network, style=pixels, style_layers=["conv1_1"])(pixels + 1)
print(list(BACKENDS), evaluation.loss > 0)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.stdout == "['direct'] True\n", done.stderr


@pytest.mark.parametrize("setting", [{"pooling": "median"}, {"dtype": "float16"}, {"border": "reflect"}])
def test_unknown_settings_are_refused(weights, setting):
    (value,) = setting.values()
    with pytest.raises(MinistyleError, match=value):
        make_network(weights, **setting)


@pytest.mark.parametrize("convolution", ["winograd", "direct"])
def test_with_a_periodic_border_a_picture_has_no_edges(weights, random, convolution):
    """Moving it on the torus moves its features, and the gradient, and changes nothing else."""
    network = load_network(weights, dtype="float64", device="cpu", convolution=convolution, border="periodic")
    x, dy = random.uniform(0, 255, (48, 64, 3)), random.normal(size=(3, 4, 512))

    def run(x, dy):
        features, tape = network.forward(x, ["conv3_1", "conv5_1"])
        return features, network.backward(tape, {"conv5_1": dy})

    features, gradient = run(x, dy)
    moved_features, moved_gradient = run(np.roll(x, (16, -32), axis=(0, 1)), np.roll(dy, (1, -2), axis=(0, 1)))
    assert relative_error(moved_features["conv3_1"], np.roll(features["conv3_1"], (4, -8), axis=(0, 1))) < 1e-12
    assert relative_error(moved_features["conv5_1"], np.roll(features["conv5_1"], (1, -2), axis=(0, 1))) < 1e-12
    assert relative_error(moved_gradient, np.roll(gradient, (16, -32), axis=(0, 1))) < 1e-12


# A picture and its mirror image ------------------------------------------------------------------------

AROUND = ((16, 16), (16, 16), (0, 0))
SIZES = [(40, 48), (41, 33), (16, 17), (16, 90)]  # even, odd, thin; as narrow as the margin


@pytest.mark.parametrize("size", SIZES)
def test_a_picture_is_surrounded_by_its_mirror_image(device, random, size):
    picture = random.uniform(0, 255, (*size, 3))
    surrounded, _ = surround_forward(to_device(picture, device))
    np.testing.assert_array_equal(to_host(surrounded), np.pad(picture, AROUND, "symmetric"))


@pytest.mark.parametrize("size", SIZES)
def test_what_reaches_a_mirrored_pixel_reaches_the_pixel_itself(device, random, size):
    """<u, S v> = <S^T u, v> for a linear map S, exactly."""
    v = to_device(random.normal(size=(*size, 3)), device)
    u = to_device(random.normal(size=(size[0] + 2 * MARGIN, size[1] + 2 * MARGIN, 3)), device)
    kept = to_host(u).copy()
    back = surround_backward(u, None)
    assert back.shape == v.shape and to_host(back).flags.c_contiguous
    assert float((u * surround_forward(v)[0]).sum()) == pytest.approx(float((back * v).sum()), rel=1e-12)
    np.testing.assert_array_equal(to_host(u), kept)


@pytest.mark.parametrize("size", [(48, 64), (51, 37)])
@pytest.mark.parametrize("convolution", ["direct", "winograd"])
def test_with_a_mirror_image_activations_are_those_inside_a_picture_padded_by_hand(weights, random, convolution, size):
    pixels = random.uniform(0, 255, (*size, 3))
    options = {"dtype": "float64", "device": "cpu", "convolution": convolution}
    mirrored = load_network(weights, border="mirror", **options)
    features = load_network(weights, **options).features(np.pad(pixels, AROUND, "symmetric"), TAPS)
    own, _ = mirrored.forward(pixels, TAPS)
    for name in TAPS:
        edge = 16 >> VGG19.layers[name].halvings
        height, width = VGG19.layers[name].size(*size)
        expected = features[name][edge : edge + height, edge : edge + width]
        np.testing.assert_array_equal(mirrored.features(pixels, TAPS)[name], expected)
        np.testing.assert_array_equal(own[name], expected)


def test_with_a_mirror_image_the_gradient_is_the_loss_s_derivative(weights, random):
    network = load_network(weights, dtype="float64", device="cpu", border="mirror")
    pixels, content, style = random.uniform(0, 255, (3, 20, 35, 3))
    objective = Objective(network, content=content, style=style, tv_weight=1.0)
    gradient = objective(pixels).gradient
    assert gradient.shape == pixels.shape
    direction = random.normal(size=pixels.shape)
    for rows in (slice(None), slice(0, 1), slice(15, 16)):  # with the edge, and the last that is mirrored, on their own
        along = np.zeros_like(direction)
        along[rows] = direction[rows]
        step = linear_region_step(network, pixels, along, objective.layers)
        assert directional_error(objective, pixels, [along], [step]) < 1e-7


def test_with_a_mirror_image_no_pixel_counts_more_than_another(random):
    """With kernels that are symmetric, an even picture has an even gradient, up to its edges."""

    def symmetric(shape):
        kernel = random.uniform(0, 1, shape)
        return kernel + kernel[::-1] + kernel[:, ::-1] + kernel[::-1, ::-1] if len(shape) == 4 else kernel

    weights = make_up_weights(VGG19, symmetric)
    pixels = np.full((48, 50, 3), 130.0)
    spreads = {}
    for border in ("zero", "mirror"):
        network = make_network(weights, dtype="float64", border=border)
        options = {"content_layers": ["conv2_1"], "style_layers": ["conv1_1", "conv2_1"]}
        gradient = Objective(network, content=pixels + 50, style=pixels + 60, **options)(pixels).gradient
        spreads[border] = np.ptp(gradient, axis=(0, 1)).max() / abs(gradient).mean()
    assert spreads["mirror"] < 1e-11 < 0.1 < spreads["zero"]


@pytest.mark.parametrize(("size", "layers"), [((15, 40), ["conv1_1"]), ((60, 15), ["conv5_1"])])
def test_a_picture_narrower_than_the_margin_has_no_mirror_image(weights, size, layers):
    network = load_network(weights, device="cpu", border="mirror")
    assert "too small" in sentence(network.features, np.zeros((*size, 3)), layers)


def test_a_mirror_image_stays_on_the_device(xp, device, weights, random):
    network = load_network(weights, device=device, border="mirror")
    content, style, pixels = (network.to_device(random.uniform(0, 255, (16, 19, 3))) for _ in range(3))
    evaluation = Objective(network, content=content, style=style)(pixels)
    assert array_module(evaluation.gradient) is xp and evaluation.gradient.dtype == np.float32
    assert array_module(evaluation.loss) is xp
