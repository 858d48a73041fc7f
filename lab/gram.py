"""Exercise 2: from the gradient with respect to the Gram matrix to that with respect to the activations."""

import numpy as np


def gram_matrix(F):  # (H, W, N) -> (N, N)
    """Correlate filters over all positions: G_ij = sum_k F_ik F_jk, equation 3.

    Only which filters respond together matters; where in the picture they respond does not.
    """
    columns = F.reshape(-1, F.shape[2])  # (M, N)
    return columns.T @ columns


def gram_backward(dG, F):  # (N, N), (H, W, N) -> (H, W, N)
    """Propagate a gradient back through `gram_matrix`: F_ik enters the i-th row and the i-th column of G."""
    # Hint: G = F F^T, so dG = dF F^T + F dF^T. In the code `columns` is F^T.
    # Hint: <dG, dF F^T> = <dG F, dF>. What is <dG, F dF^T>?
    # Hint: dG need not be symmetric.
    raise NotImplementedError("gram_backward")
