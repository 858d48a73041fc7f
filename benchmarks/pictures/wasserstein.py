"""Two terms of the loss that ministyle itself does not have, for `moving_average`."""

from ministyle.arrays import OneBlasThread, array_module
from ministyle.losses import gram_matrix
from ministyle.terms import AdditiveTerm, Term

STEPS = 12  # of Newton and Schulz
FLOOR = 1e-4  # added to every variance


class WassersteinTerm(AdditiveTerm):
    """The squared 2-Wasserstein distance between the Gaussians of two pictures' activations, by the number of filters.

    With m, C the mean and covariance of the picture's activations over all positions, and a, A the painting's:

        (|m - a|^2 + tr A + tr C - 2 tr (S C S)^(1/2)) / N,    S = A^(1/2)

    Its derivative with respect to C is (1 - S (S C S)^(-1/2) S) / N. A small layer has fewer positions than filters, so
    that C has no inverse. The roots are therefore not exact, but those that 12 steps of Newton and Schulz give.

    Parameters
    ----------
    layer : str
    weight : float
    F : array (H, W, N), the painting's activations
    """

    def __init__(self, layer, weight, F):
        super().__init__(f"style {layer}", layer, weight)
        self._one_thread = OneBlasThread()  # these matrices are too small to share among threads
        with self._one_thread:
            self.mean, self.covariance = gaussian(self.partial_sum(F, slice(None)), F.shape)
            values, vectors = eigen(self.covariance)
            self.root = vectors * root(values) @ vectors.T

    def partial_sum(self, F, rows):
        """Return the sums of products of filters, and below them the sums of filters; see `AdditiveTerm`."""
        return array_module(F).concatenate([gram_matrix(F), F.sum(axis=(0, 1))[None]])  # (N + 1, N)

    def compare(self, total, shape):
        """Compare the Gaussians; see `AdditiveTerm`."""
        with self._one_thread:
            return self._compare(total, shape)

    def _compare(self, total, shape):
        xp = array_module(total)
        m, C = gaussian(total, shape)
        N, M = len(m), shape[0] * shape[1]
        values, vectors = eigen(self.root @ C @ self.root)
        roots = root(values)
        traces = xp.trace(self.covariance) + xp.trace(C) - 2 * roots.sum()
        value = ((m - self.mean) ** 2).mean() + traces / N
        turned = self.root @ vectors
        dC = (xp.eye(N, dtype=C.dtype) - turned * inverse_of_root(roots) @ turned.T) / N
        dm = 2 * (m - self.mean) / N - 2 * dC @ m
        scale = self.weight / M
        return self.weight * value.astype("float64"), (scale * 2 * dC, scale * dm)

    def gradient(self, F, rows, derivative):
        """Return the gradient for some rows; see `AdditiveTerm`."""
        of_products, of_sums = derivative
        return F @ of_products + of_sums


def eigen(matrix):  # (N, N) -> (N,), (N, N)
    """Return eigenvalues and eigenvectors of a matrix that is symmetric but for rounding."""
    return array_module(matrix).linalg.eigh((matrix + matrix.T) / 2)


def gaussian(total, shape):  # (N + 1, N), (H, W, N) -> (N,), (N, N)
    """Return mean and covariance of activations, given the sums of `WassersteinTerm.partial_sum`."""
    xp = array_module(total)
    mean_products, mean = total[:-1] / (shape[0] * shape[1]), total[-1] / (shape[0] * shape[1])
    return mean, mean_products - xp.outer(mean, mean) + FLOOR * xp.eye(len(mean), dtype=mean.dtype)


def root(values):  # (N,) -> (N,)
    """Return a matrix's square root by Newton's and Schulz's iteration, all in terms of its eigenvalues.

    Every matrix of the iteration is a polynomial of the first one, so the iteration acts on each eigenvalue alone.
    """
    norm = array_module(values).sqrt((values * values).sum())
    y, z = values / norm, values * 0 + 1
    for _ in range(STEPS):
        t = (3 - z * y) / 2
        y, z = y * t, z * t
    return y * norm**0.5


def inverse_of_root(roots):  # (N,) -> (N,)
    """Return the inverse of a root by the iteration that solves Lyapunov's equation for the root's derivative.

    What is much smaller than the norm of all is not inverted: its factor is at most 1.5 ** STEPS.
    """
    norm = array_module(roots).sqrt((roots * roots).sum())
    a, inverse = roots / norm, roots * 0 + 1 / norm
    for _ in range(STEPS):
        t = (3 - a * a) / 2
        a, inverse = a * t, inverse * t
    return inverse


class SmoothnessTerm(Term):
    """Squared differences between neighbouring pixels, in units of the whole range, diagonal ones at a quarter.

    The picture is continued by its edge for one pixel on each side. The mean square is taken over all places of each of
    the four directions; the factors, 2/3 and 1/6, make a slope count alike in all directions.
    """

    def __init__(self, weight):
        super().__init__("total variation", None, weight)

    def value_and_gradient(self, F, over_rows):
        """Return value and gradient; see `Term`."""
        xp = array_module(F)
        x = xp.pad(F / 255, ((1, 1), (1, 1), (0, 0)), "edge")
        value, gradient = 0.0, xp.zeros_like(x)
        inner, after, but_last, but_first = slice(1, -1), slice(2, None), slice(None, -1), slice(1, None)
        for ahead, behind, factor in (
            ((inner, after), (inner, inner), 2 / 3),
            ((after, inner), (inner, inner), 2 / 3),
            ((but_first, but_first), (but_last, but_last), 1 / 6),
            ((but_first, but_last), (but_last, but_first), 1 / 6),
        ):
            difference = x[ahead] - x[behind]
            factor = self.weight * factor / difference.size
            value = value + factor * (difference * difference).sum().astype("float64")
            gradient[ahead] += 2 * factor * difference
            gradient[behind] -= 2 * factor * difference
        for edges in (gradient, gradient.swapaxes(0, 1)):
            edges[1] += edges[0]
            edges[-2] += edges[-1]
        return value, gradient[1:-1, 1:-1] / 255
