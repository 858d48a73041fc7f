"""What our own solvers have in common: they work on the objective's device, step by step."""

import math
from dataclasses import replace

from ..errors import MinistyleError
from .problem import NotFiniteError

MODERATE = 2.0**20  # gradients up to here, and down to its inverse, have squares that float32 holds


def minimise_on_device(problem, kind, start, options, **settings):
    """Minimise with one of our own solvers, and return why it stopped.

    Parameters
    ----------
    problem : Problem
    kind : LBFGS or Adam
    start : array (H, W, 3) on the host
    options : Options
    **settings : of the solver
    """
    to_device = problem.objective.network.to_device
    state = options.state
    if state is not None:
        problem.scale = float(state["scale"])
    point = problem.evaluate(to_device(start))
    if not point.finite:
        raise NotFiniteError
    if state is None and not 1 / MODERATE <= point.largest <= MODERATE:
        point = _rescale(problem, point)
    solver = problem.solver = kind(problem.evaluate, point, bounds=problem.bounds, scale=problem.scale, **settings)
    if state is not None:
        try:
            solver.restore({name: to_device(array) if array.ndim else float(array) for name, array in state.items()})
        except KeyError:
            raise MinistyleError("the snapshot is one of another optimizer") from None
    problem.begin(solver.point)
    for _ in range(options.iterations - problem.history[-1].iteration):
        if problem.reason:
            return problem.reason
        if not solver.step():
            if problem.failed is not None:
                raise NotFiniteError
            return "no lower loss is found, even straight against the gradient"
        problem.record(solver.point)
    return f"{options.iterations} iterations done"


def _rescale(problem, point):
    """Choose the problem's scale, such that the largest component of the gradient becomes about 1; return the point.

    The scale is a power of two, so that multiplying by it rounds nothing.
    """
    scale = 2.0 ** -round(math.log2(point.largest)) if point.largest else 1.0
    problem.scale = scale
    return replace(point, loss=point.loss * scale, gradient=point.gradient * scale, largest=point.largest * scale)
