"""Tests of all formats on files that the frameworks themselves made; see files/README.md."""

import io

import numpy as np
import pytest
from conftest import sentence
from format_files import FILES, arrays_in, arrays_of, as_hwio, expected, file_bytes, layers_of, opened

from ministyle.errors import MinistyleError
from ministyle.formats.formats import FORMATS, _recognises, format_of

ROUNDED = {"bfloat16.pth", "float16.pth", "float16.safetensors"}
CUTS = 40


def convolutions(arrays):
    """Return (kernel (3, 3, C_in, C_out), bias) of all convolutions in natural order of their names."""
    found = []
    for layer in layers_of(arrays):
        kernels = [array for array in layer if array.ndim == 4 and array.shape[-1] * array.shape[0] > 1]
        kernels = [kernel for kernel in kernels if (3, 3) in (kernel.shape[:2], kernel.shape[2:])]
        if kernels:
            [bias] = [array for array in layer if array.ndim == 1]
            found.append((as_hwio(kernels[0]), bias))
    return found


@pytest.mark.parametrize("name", FILES)
def test_a_file_has_exactly_one_format_whatever_its_name(name, tmp_path):
    path = tmp_path / "network.bin"
    path.write_bytes(file_bytes(name))
    with path.open("rb") as file:
        assert [known.name for known in FORMATS if _recognises(known, file)] == [FILES[name]]
        assert format_of(file).name == FILES[name]


@pytest.mark.parametrize("name", sorted(set(FILES) - ROUNDED))
def test_the_numbers_are_the_frameworks_to_the_last_bit_in_the_order_of_the_network(name):
    wanted = expected(name)
    names = [key.removesuffix("/kernel") for key in wanted if key.startswith("conv") and key.endswith("/kernel")]
    found = convolutions(arrays_of(opened(name)))
    assert len(found) == len(names)
    for layer, (kernel, bias) in zip(names, found, strict=True):
        np.testing.assert_array_equal(kernel, wanted[f"{layer}/kernel"])
        np.testing.assert_array_equal(bias, wanted[f"{layer}/bias"])


@pytest.mark.parametrize(("name", "epsilon"), [(name, 2**-8 if name[0] == "b" else 2**-11) for name in sorted(ROUNDED)])
def test_short_numbers_are_those_rounded(name, epsilon):
    wanted, found = expected(), convolutions(arrays_of(opened(name)))
    for kernel, bias in found:
        assert kernel.dtype == bias.dtype == (np.float32 if epsilon == 2**-8 else np.float16)
    names = [key.removesuffix("/kernel") for key in wanted if key.startswith("conv") and key.endswith("/kernel")]
    for layer, arrays in zip(names, found, strict=True):
        for kind, array in zip(("kernel", "bias"), arrays, strict=True):
            np.testing.assert_allclose(array, wanted[f"{layer}/{kind}"], rtol=epsilon, atol=2e-8)


@pytest.mark.parametrize(
    "name", ["keras2-top.h5", "keras3-whole.h5", "keras3.keras", "torchvision.pth", "v1.caffemodel"]
)
def test_what_is_on_top_is_read_as_well(name):
    wanted = expected()
    layers = layers_of(arrays_of(opened(name)))
    found = layers[:3] if name == "torchvision.pth" else layers[-3:]  # "classifier" sorts before "features"
    for layer, arrays in zip(("fc6", "fc7", "fc8"), found, strict=True):
        bias, matrix = sorted(arrays, key=lambda array: array.size)
        matrix = matrix.reshape(matrix.shape[-2:])
        if matrix.shape != wanted[f"{layer}/kernel"].shape or not np.array_equal(matrix, wanted[f"{layer}/kernel"]):
            matrix = matrix.T
        np.testing.assert_array_equal(matrix, wanted[f"{layer}/kernel"])
        np.testing.assert_array_equal(bias, wanted[f"{layer}/bias"])


def test_batch_normalisation_is_read_as_well():
    arrays, wanted = arrays_of(opened("torchvision-bn.pth")), expected()
    for kind in ("weight", "bias", "running_mean", "running_var"):
        np.testing.assert_array_equal(arrays[f"features.1.{kind}"], wanted[f"bn1_1/{kind}"])
    assert arrays["features.1.num_batches_tracked"] == 7


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_anywhere_is_refused(name):
    data = file_bytes(name)
    for cut in np.linspace(0, len(data) - 1, CUTS).astype(int):
        with pytest.raises(MinistyleError):
            arrays_in(data[:cut])


@pytest.mark.parametrize("name", FILES)
def test_a_file_cut_behind_its_beginning_is_still_known_for_what_it_is(name):
    data = file_bytes(name)
    assert format_of(io.BytesIO(data[: len(data) // 2])).name == FILES[name]


@pytest.mark.parametrize(
    "data", [b"", b"\0" * 1000, b"PK\x03\x04", b"# A text.\n\nIt has lines.\n", bytes(range(256)) * 9]
)
def test_another_file_is_refused_with_all_that_can_be_imported(data):
    message = sentence(format_of, io.BytesIO(data))
    for known in FORMATS:
        assert known.description in message
