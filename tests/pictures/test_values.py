import math

import numpy as np
import pytest

from ministyle.pictures.values import psnr, to_uint8


def test_levels_are_rounded_to_the_nearest_and_cut_off():
    values = np.array([-1e9, -0.6, 0.4, 0.6, 127.49, 127.51, 254.6, 255.4, 1e9])
    assert to_uint8(values).tolist() == [0, 0, 0, 1, 127, 128, 255, 255, 255]
    assert to_uint8(values).dtype == np.uint8


def test_psnr_is_that_of_a_known_error():
    picture = np.full((3, 4, 3), 100, np.uint8)
    assert psnr(picture, picture.astype(float) + 25.5) == pytest.approx(20)  # 255 / 10
    assert psnr(picture, picture.astype(float) - 2.55) == pytest.approx(40)
    assert psnr(picture, picture) == math.inf
