"""Exercise 4: Winograd's three matrices."""

import numpy as np
from numpy.polynomial import polynomial

from ministyle.fast.winograd import POINTS, TAPS


def transforms(outputs=4, points=None):
    """Return Winograd's matrices A^T (outputs, n), G (n, 3) and B^T (n, n), with n = outputs + 2.

    Parameters
    ----------
    outputs : int
    points : n - 1 different numbers, by default those of `POINTS`; infinity is always the last point
    """
    # Hint: The formulas stand at the top of `ministyle/fast/winograd.py`.
    # Hint: `polynomial.polyfromroots(roots)` returns the coefficients of prod (x - root), constant first.
    # Hint: Try F(2, 3) by hand: points 0, 1, -1 and infinity, four products for two outputs.
    raise NotImplementedError("transforms")
