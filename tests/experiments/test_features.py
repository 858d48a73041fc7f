"""Style as a vector, and distances, against equations 1, 4 and 5 written out in NumPy."""

import numpy as np
import pytest
from conftest import relative_error

import ministyle
from ministyle.errors import MinistyleError
from ministyle.objective import STYLE_LAYERS
from ministyle.pictures.sizes import resize
from ministyle.weights.load import load_network


@pytest.fixture
def pictures(random):
    """Two pictures of different sizes."""
    return random.uniform(0, 255, (32, 40, 3)), random.uniform(60, 200, (24, 32, 3))


def gram_per_position(network, picture, layer):
    F = network.features(picture, [layer])[layer]
    return np.einsum("hwi,hwj->ij", F, F) / (F.shape[0] * F.shape[1])


def equation_5(network, x, y, layers):
    """Style loss in the mean convention: every layer's mean of squares, layers with equal shares."""
    losses = [((gram_per_position(network, x, n) - gram_per_position(network, y, n)) ** 2).mean() for n in layers]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("layers", [STYLE_LAYERS, ("conv2_1",), ("conv3_1", "conv1_2")])
def test_squared_distances_between_style_features_are_style_losses(network64, pictures, layers):
    x, y = (ministyle.style_features(picture, layers, network=network64) for picture in pictures)
    # A picture is read as float32, so that is what the equation sees too.
    expected = equation_5(network64, *(picture.astype(np.float32) for picture in pictures), layers)
    assert ((x - y) ** 2).sum() == pytest.approx(expected, rel=1e-10)


def test_style_features_are_as_long_and_in_the_order_that_is_documented(network64, pictures):
    vector = ministyle.style_features(pictures[0], network=network64)
    assert vector.shape == (305888,)
    assert vector.shape == (sum(n * (n + 1) // 2 for n in (64, 128, 256, 512, 512)),)
    G = gram_per_position(network64, pictures[0].astype(np.float32), "conv1_1")
    scale = 64 * 5**0.5
    assert vector[0] == pytest.approx(G[0, 0] / scale)
    assert vector[1] == pytest.approx(G[0, 1] * 2**0.5 / scale)
    assert vector[64] == pytest.approx(G[1, 1] / scale)


def test_by_default_the_network_is_the_normalised_one(pictures):
    own = ministyle.style_features(pictures[0], ["conv2_1"])
    given = ministyle.style_features(pictures[0], ["conv2_1"], network=load_network(normalised=True, device="cpu"))
    assert own.dtype == np.float32
    np.testing.assert_array_equal(own, given)


def test_features_and_distances_come_from_the_device_to_the_host(xp, device, weights, pictures):
    network = load_network(weights, dtype="float64", device=device)
    vector = ministyle.style_features(pictures[0], ["conv1_1", "conv2_1"], network=network)
    assert type(vector) is np.ndarray
    here = load_network(weights, dtype="float64", device="cpu")
    assert relative_error(vector, ministyle.style_features(pictures[0], ["conv1_1", "conv2_1"], network=here)) < 1e-10
    for there, expected in zip(
        ministyle.compare(*pictures, ["conv2_1"], network=network),
        ministyle.compare(*pictures, ["conv2_1"], network=here),
        strict=True,
    ):
        assert there.content == pytest.approx(expected.content)
        assert there.relative_style == pytest.approx(expected.relative_style)


def test_a_picture_is_no_distance_from_itself(network64, pictures):
    for distance in ministyle.compare(pictures[0], pictures[0], network=network64):
        assert (distance.content, distance.style, distance.relative_content, distance.relative_style) == (0, 0, 0, 0)


def test_distances_are_the_paper_s(network64, pictures):
    picture, reference = (one.astype(np.float32) for one in pictures)
    distances = ministyle.compare(*pictures, ["conv4_2", "relu1_1"], network=network64)
    assert [distance.layer for distance in distances] == ["conv4_2", "conv1_1"]
    for distance in distances:
        F, P = (
            network64.features(one, [distance.layer])[distance.layer] for one in (resize(picture, 24, 32), reference)
        )
        G, A = (gram_per_position(network64, one, distance.layer) for one in (picture, reference))
        assert distance.content == pytest.approx(((F - P) ** 2).mean())
        assert distance.style == pytest.approx(((G - A) ** 2).mean())
        assert distance.relative_content == pytest.approx(np.linalg.norm(F - P) / np.linalg.norm(P))
        assert distance.relative_style == pytest.approx(np.linalg.norm(G - A) / np.linalg.norm(A))


def test_moving_what_is_in_a_picture_changes_content_and_not_style(network64, random):
    tile = random.uniform(0, 255, (16, 16, 3))
    picture = np.tile(tile, (4, 4, 1))
    (distance,) = ministyle.compare(np.roll(picture, 8, axis=1), picture, ["conv2_1"], network=network64)
    assert distance.relative_content > 0.5
    assert distance.relative_style < 0.1  # the edges


def test_impossible_pictures_and_layers_are_refused(network64, pictures):
    with pytest.raises(MinistyleError, match="conv9_9"):
        ministyle.style_features(pictures[0], ["conv9_9"], network=network64)
    with pytest.raises(MinistyleError, match="too small"):
        ministyle.style_features(np.zeros((8, 8, 3)), network=network64)
    with pytest.raises(MinistyleError, match="there is no picture"):
        ministyle.compare("missing.png", pictures[0], network=network64)
