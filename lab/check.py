"""Check the exercises in this folder: `python check.py`.

For each function it prints `right`, `to do`, or `wrong` and why. Nothing here is a solution: each test is a property
that the right function has and no other, such as <u, J v> = <J^T u, v>, or a computation by another way.
"""

import importlib
import sys
import traceback

import numpy as np

CLOSE = 1e-9  # relative; everything is computed in float64


class Wrong(Exception):  # noqa: N818
    """What a function got wrong, as a sentence."""


def require(condition, sentence):
    """Raise `Wrong` unless the condition holds."""
    if not condition:
        raise Wrong(sentence)


def require_same(found, expected, what):
    """Raise `Wrong` unless two arrays are equal up to rounding errors."""
    found = np.asarray(found)
    require(found.shape == expected.shape, f"{what} has shape {found.shape} and should have {expected.shape}")
    error = np.abs(found - expected).max() / max(np.abs(expected).max(), 1e-300)
    require(error < CLOSE, f"{what} is off by {error:.1g} of its largest value")


def require_adjoint(forward, backward, shape, generator, what):
    """Raise `Wrong` unless <u, J v> = <J^T u, v> for random u and v, J being the forward function."""
    v = generator.normal(size=shape)
    y, cache = forward(v)
    u = generator.normal(size=y.shape)
    kept = u.copy()
    back = backward(u, cache)
    require(np.array_equal(u, kept), f"{what}: dy was changed; compute a new array")
    require(back.shape == v.shape, f"{what}: dx has shape {back.shape} and should have {v.shape}")
    left, right = (u * y).sum(), (back * v).sum()
    require(abs(left - right) < CLOSE * np.abs(u * y).sum(), f"{what}: <u, J v> is {left:.6g}, <J^T u, v> {right:.6g}")


def check_relu_backward(sheet, generator):
    """Compare with the slope of max(x, 0), at numbers of either sign and at 0."""
    x, dy = generator.normal(size=(5, 4, 3)), generator.normal(size=(5, 4, 3))
    x[0, 0] = 0
    _, cache = sheet.relu_forward(x)
    slope = np.array([1.0 if value > 0 else 0.0 for value in x.ravel()]).reshape(x.shape)
    require_same(sheet.relu_backward(dy, cache), dy * slope, "dx")


def check_average_pool_backward(sheet, generator):
    """Check the adjoint, and that dropped rows and columns get nothing."""
    for shape in ((6, 8, 2), (7, 5, 2), (3, 3, 1)):
        what = f"for an input of shape {shape}"
        require_adjoint(sheet.average_pool_forward, sheet.average_pool_backward, shape, generator, what)
    y, cache = sheet.average_pool_forward(generator.normal(size=(5, 5, 1)))
    dx = sheet.average_pool_backward(np.ones_like(y), cache)
    require(not dx[4].any() and not dx[:, 4].any(), "the row and the column that pooling drops must get zero")


def check_max_pool_backward(sheet, generator):
    """Check that the gradient goes to the largest of each block, found by a loop."""
    for height, width in ((6, 8), (7, 5)):
        x = generator.permutation(height * width * 2).reshape(height, width, 2).astype(float)
        y, cache = sheet.max_pool_forward(x)
        dy = generator.normal(size=y.shape)
        expected = np.zeros_like(x)
        for (i, j, c), value in np.ndenumerate(dy):
            block = x[2 * i : 2 * i + 2, 2 * j : 2 * j + 2, c]
            down, right = np.unravel_index(block.argmax(), block.shape)
            expected[2 * i + down, 2 * j + right, c] = value
        require_same(sheet.max_pool_backward(dy, cache), expected, f"dx for an input of {height} x {width}")


def check_convolution_backward(sheet, generator):
    """Check the adjoint, for all borders and for sizes even and odd."""
    kernel = generator.normal(size=(3, 3, 4, 3))
    for border in ("zero", "periodic", "replicate"):
        for shape in ((6, 7, 4), (5, 3, 4), (1, 4, 4)):
            require_adjoint(
                lambda v, border=border: sheet.convolution_forward(v, kernel, border=border),
                sheet.convolution_backward,
                shape,
                generator,
                f"border {border}, input of shape {shape}",
            )


def check_gram_backward(sheet, generator):
    """Compare with central differences of <dG, G(F)>, which is quadratic in F, so that they are exact."""
    F, dG, direction = (generator.normal(size=shape) for shape in ((4, 5, 3), (3, 3), (4, 5, 3)))
    ahead, behind = ((dG * sheet.gram_matrix(F + step * direction)).sum() for step in (0.5, -0.5))
    dF = sheet.gram_backward(dG, F)
    require(dF.shape == F.shape, f"dF has shape {dF.shape} and should have {F.shape}")
    found = (dF * direction).sum()
    require(
        abs(found - (ahead - behind)) < CLOSE * np.abs(dF * direction).sum(),
        f"along a direction, <dG, G> grows by {ahead - behind:.6g}, and <dF, direction> is {found:.6g}",
    )


def check_two_loops(sheet, generator):
    """Compare with the BFGS formula, written out with matrices."""
    size = 6
    root = generator.normal(size=(size, size))
    hessian, gradient = root @ root.T + np.eye(size), generator.normal(size=size)
    steps = generator.normal(size=(4, size))
    pairs = [(s, hessian @ s, 1 / (s @ hessian @ s)) for s in steps]
    kept = gradient.copy()
    for count in range(len(pairs) + 1):
        H = np.eye(size) / 2.5
        for s, y, rho in pairs[:count]:
            V = np.eye(size) - rho * np.outer(y, s)
            H = V.T @ H @ V + rho * np.outer(s, s)
        require_same(sheet.two_loops(gradient, pairs[:count], 2.5), -H @ gradient, f"-H g with {count} pairs")
    require(np.array_equal(gradient, kept), "`gradient` was changed; compute a new array")
    free = np.array([True, False, True, True, False, True])
    inner = [(s[free], y[free]) for s, y, _ in pairs]
    smaller = [(s, y, 1 / (s @ y)) for s, y in inner]
    expected = np.zeros(size)
    expected[free] = sheet.two_loops(gradient[free], smaller, 2.5)
    masked = [(s, y, rho) for (s, y, _), (_, _, rho) in zip(pairs, smaller, strict=True)]
    require_same(sheet.two_loops(gradient, masked, 2.5, free), expected, "-H g of the free variables")


def check_transforms(sheet, generator):
    """Compare with the sum that the algorithm computes, y[i] = sum over k of d[i + k] g[k]."""
    for outputs, points in ((2, None), (4, None), (3, (0, 1, -1, 0.5)), (2, (0, 1, 2))):
        A_T, G, B_T = sheet.transforms(outputs, points)
        n = outputs + 2
        for name, matrix, shape in (("A^T", A_T, (outputs, n)), ("G", G, (n, 3)), ("B^T", B_T, (n, n))):
            require(np.shape(matrix) == shape, f"{name} has shape {np.shape(matrix)} and should have {shape}")
        d, g = generator.normal(size=n), generator.normal(size=3)
        expected = np.array([sum(d[i + k] * g[k] for k in range(3)) for i in range(outputs)])
        require_same(A_T @ ((G @ g) * (B_T @ d)), expected, f"A^T [(G g) * (B^T d)] for F({outputs}, 3)")
        if points is not None:
            values = np.array([sum(g[k] * point**k for k in range(3)) for point in points])
            scales = [np.prod([point - other for other in points if other != point]) for point in points]
            require_same((G @ g)[:-1] * scales, values, "G g, times Lagrange's weights,")


CHECKS = {
    "layers_backward": (
        check_relu_backward,
        check_average_pool_backward,
        check_max_pool_backward,
        check_convolution_backward,
    ),
    "gram": (check_gram_backward,),
    "two_loop": (check_two_loops,),
    "winograd_transforms": (check_transforms,),
}


def verdict(check, sheet, generator):
    """Return "right", "to do", or "wrong" with a reason."""
    try:
        check(sheet, generator)
    except NotImplementedError:
        return "to do"
    except Wrong as wrong:
        return f"wrong: {wrong}"
    except Exception as error:
        line = traceback.extract_tb(error.__traceback__)[-1].lineno
        return f"wrong: {type(error).__name__} in line {line}: {error}"
    return "right"


def main():
    """Print a line for each function; return 0 if all are right, else 1."""
    verdicts = []
    for name, checks in CHECKS.items():
        sheet = importlib.import_module(name)
        for check in checks:
            verdicts.append(verdict(check, sheet, np.random.default_rng(0)))
            print(f"{name}.{check.__name__.removeprefix('check_'):30} {verdicts[-1]}")
    done = verdicts.count("right")
    print(f"{done} of {len(verdicts)} right")
    return 0 if done == len(verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
