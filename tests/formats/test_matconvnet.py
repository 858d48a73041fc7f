"""Tests of MATLAB's files and what guards them."""

import numpy as np
import pytest
from format_files import arrays_in, cells, file_bytes, matlab, refused

KERNEL, BIAS = np.arange(108, dtype=np.float32).reshape(3, 3, 3, 4), np.arange(4, dtype=np.float32)
CONV = {"name": "conv1_1", "type": "conv", "weights": cells(KERNEL, BIAS)}
OLD_CONV = {"name": "conv1_1", "type": "conv", "filters": KERNEL, "biases": BIAS[:, None]}


@pytest.mark.parametrize("layer", [CONV, OLD_CONV, {**CONV, "weights": cells(KERNEL, BIAS[:, None]).T}])
def test_all_nestings_are_read(layer):
    for variables in ({"layers": cells(layer)}, {"net": {"layers": cells(layer)}}):
        arrays = arrays_in(matlab(**variables))
        np.testing.assert_array_equal(arrays["conv1_1.weight"], KERNEL)
        np.testing.assert_array_equal(arrays["conv1_1.bias"], BIAS)


def test_the_header_of_matlab_7_3_is_refused_with_what_to_do():
    assert "-v7" in refused(b"MATLAB 7.3 MAT-file, Platform: GLNXA64".ljust(512) + b"\x89HDF\r\n\x1a\n" + bytes(500))


@pytest.mark.parametrize(
    ("variables", "reason"),
    [
        ({"other": 1.0}, "'layers'"),
        ({"layers": cells(CONV, CONV)}, "'conv1_1'"),
        ({"layers": cells({**CONV, "weights": cells("text", BIAS)})}, "not numbers"),
        ({"layers": cells({**CONV, "weights": cells(cells(1), BIAS)})}, "not numbers"),
        ({"layers": 3.0}, "row of cells"),
        ({"net": 3.0}, "row of cells"),
        ({"layers": cells("text")}, "row of cells"),
        ({"layers": cells(cells("text"))}, "row of cells"),
        ({"net": {"layers": 3.0}}, "row of cells"),
        ({"layers": cells({**CONV, "weights": 3.0})}, "not cells"),
        ({"layers": "text"}, "row of cells"),
    ],
)
def test_a_file_with_something_else_in_it_is_refused(variables, reason):
    assert reason in refused(matlab(**variables))


def test_a_file_that_is_broken_off_behind_what_is_needed_is_refused():
    data = file_bytes("matconvnet-weights.mat")
    assert "ends outside" in refused(data[:-10])
