"""Exercise 3: L-BFGS's two loops."""

from ministyle.arrays import array_module
from ministyle.solvers.lbfgs import _dot


def two_loops(gradient, pairs, curvature, free=None):
    """Return -H g, by the two loops of Nocedal and Wright's algorithm 7.4.

    Written out, H g = V^T ... V^T H_0 V ... V g + more. The first loop applies V, beginning with the latest pair. Then
    the first guess H_0 is applied, 1 / curvature. The second loop applies V^T, ending with the latest pair, and adds
    the terms that "more" stands for.

    Parameters
    ----------
    gradient : array, g
    pairs : list of (s, y, rho), arrays shaped as g and 1 / (s . y), the latest pair last
    curvature : float
    free : bool array, optional
        Where it is False, the variable stays where it is, and counts in no scalar product.

    Returns
    -------
    array
    """
    # Hint: Begin without `free`: the check tests that case alone, and the other one after it.
    # Hint: First loop, from the latest pair to the oldest: alpha = rho (s . d); d = d - alpha y.
    # Hint: Second loop, from the oldest to the latest: beta = rho (y . d); d = d + (alpha - beta) s.
    # Hint: Start with d = -g, and the result is -H g. Do not change `gradient` itself.
    raise NotImplementedError("two_loops")
