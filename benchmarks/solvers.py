"""Our own L-BFGS against SciPy's L-BFGS-B: `python -m benchmarks.solvers` prints how many evaluations each needs.

Both solve the same problems. SciPy's solver makes `EVALUATIONS` evaluations, or fewer if rounding errors stop it. The
table says after how many it had reached its best loss, and after how many our solver had reached the same loss.
"""

import numpy as np
from scipy import optimize

from ministyle import Evaluation, Objective, load_network
from ministyle.arrays import to_device
from ministyle.solvers import BOUNDS, minimise

from .task import pictures

EVALUATIONS = 150
SIZE = 256
ROUNDING = 1e-12  # of the first loss: smaller losses are rounding errors


class Function:
    """Makes an objective over pictures of a function of a flat vector."""

    def __init__(self, function):
        self.function = function
        self.network = self

    def to_device(self, x):
        """Return a picture as float64."""
        return to_device(x, "cpu", "float64")

    def __call__(self, pixels):
        """Return an `Evaluation` without terms."""
        loss, gradient = self.function(pixels.ravel())
        return Evaluation(loss, gradient.reshape(pixels.shape), {})


class Counted:
    """An objective that keeps the loss of each evaluation."""

    def __init__(self, objective):
        self.objective = objective
        self.network = objective.network
        self.losses = []

    def __call__(self, pixels):
        """Return what the objective says."""
        evaluation = self.objective(pixels)
        self.losses.append(float(evaluation.loss))
        return evaluation


def quadratic(size, condition):
    """Return 1/2 (x - t) . A (x - t), its curvatures from 1 to `condition` along random axes."""
    generator = np.random.default_rng(0)
    axes, _ = np.linalg.qr(generator.standard_normal((size, size)))
    A = axes * np.geomspace(1, condition, size) @ axes.T
    target = generator.uniform(-50, 300, size)
    return Function(lambda x: ((x - target) @ (A @ (x - target)) / 2, A @ (x - target)))


def problems():
    """Yield (name, objective, start, whether bounds make sense)."""
    for size, condition in ((30, 10), (60, 100), (126, 1e3), (300, 1e4), (300, 1e6)):
        yield f"quadratic, {size} variables, condition {condition:g}", quadratic(size, condition), grey(size), True
    for size in (2, 12, 102):
        start = np.tile([-1.2, 1.0], size // 2).reshape(1, -1, 3 if size % 3 == 0 else 1)
        rosenbrock = Function(lambda x: (np.float64(optimize.rosen(x)), optimize.rosen_der(x)))
        yield f"Rosenbrock, {size} variables", rosenbrock, start, False
    content, style = pictures(SIZE)
    noise = np.clip(127.5 + 25 * np.random.default_rng(0).standard_normal(content.shape), *BOUNDS)
    network = load_network(normalised=True)
    yield "photograph and painting", Objective(network, content=content, style=style, style_weight=30.0), content, True
    yield "painting alone, from noise", Objective(network, style=style), noise, True
    raw = load_network(pooling="max")
    options = {"style_weight": 1e3, "style_layer_weights": "inverse-square"}
    yield "the authors' notebook", Objective(raw, content=content, style=style, **options), content, True


def grey(size):
    """Return a grey picture of so many numbers."""
    return np.full((1, size // 3, 3), 128.0)


def main():
    """Print the table."""
    print("| problem | bounds | SciPy's | ours | ratio |")
    print("| --- | --- | --- | --- | --- |")
    for name, objective, start, bounded in problems():
        for bounds in (None, BOUNDS) if bounded else (None,):
            losses = {}
            for optimizer, iterations in (("lbfgsb", EVALUATIONS), ("lbfgs", EVALUATIONS + EVALUATIONS // 5)):
                counted = Counted(objective)
                minimise(counted, start, iterations=iterations, optimizer=optimizer, bounds=bounds)
                losses[optimizer] = counted.losses
            theirs = losses["lbfgsb"][:EVALUATIONS]
            best = max(min(theirs), ROUNDING * theirs[0])
            needed = [
                next((n for n, x in enumerate(found, 1) if x <= best), None) for found in (theirs, losses["lbfgs"])
            ]
            ratio = f"{needed[1] / needed[0]:.2f}" if needed[1] else "not reached"
            print(f"| {name} | {'yes' if bounds else ''} | {needed[0]} | {needed[1] or ''} | {ratio} |", flush=True)


if __name__ == "__main__":
    main()
