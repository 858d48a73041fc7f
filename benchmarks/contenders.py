"""The jobs of a contender. Each runs in a process of its own, which gets the job as JSON and prints figures as JSON.

    python -m benchmarks.contenders '{"job": "evaluate", "contender": "ministyle", "size": 256, "evaluations": 3}'

Seconds are wall time. The peak of memory is the whole process's, weights, libraries and interpreter included.
"""

import json
import sys
import time

import numpy as np

from .task import CONTENT_WEIGHT, STYLE_WEIGHT, pictures


def main(job):
    """Do one job and print its figures."""
    print(json.dumps({**JOBS[job.pop("job")](**job), "peak_bytes": _peak_bytes()}))


def evaluate(contender, size, evaluations, **options):
    """Time loss and gradient. The first evaluation also prepares things, so it is listed apart."""
    content, style = pictures(size)
    function = _objective(contender, content, style, **options)
    pixels = (content + style) / 2
    seconds = []
    for _ in range(evaluations + 1):
        began = time.perf_counter()
        loss, _ = function(pixels)
        seconds.append(time.perf_counter() - began)
    return {"loss": float(loss), "first": seconds[0], "seconds": seconds[1:]}


def optimise(contender, size, evaluations, **options):
    """Minimise, beginning with the photograph; return (seconds, evaluations, loss) of each step, and total times."""
    content, style = pictures(size)
    if contender.startswith("torch"):
        from . import pytorch

        line_search = options.pop("line_search", None)
        objective = pytorch.Objective(content, style, layout=contender.removeprefix("torch "), **options)
        return pytorch.minimise(objective, content, evaluations, line_search)
    return _minimise(content, style, evaluations, **options)


def picture(content, style, began, **settings):
    """Make a picture of two files as `ministyle transfer` makes it, with the default settings and these changes.

    Return (seconds, evaluations, loss) of each step at full size, the loss of the picture, and all the time it took.
    The seconds count from `began`, the `time.time()` at which this process was started: nothing is left out.
    """
    from ministyle import Job, Settings

    job = Job.of(Settings(**settings), content, style)
    steps = []

    def note(step, pixels):
        if step.size == job.size:
            steps.append((time.time() - began, step.evaluations, step.loss))

    result = job.run(note)
    return {"steps": steps, "loss": result.history[-1].loss, "total": time.time() - began, "size": job.size}


def reach(content, style, goal, evaluations, bounds=None, **settings):
    """Minimise the loss of the same picture with PyTorch, all at full size; see `pytorch.minimise`."""
    from ministyle import Job, Settings

    from . import pytorch

    job = Job.of(Settings(**settings), content, style)
    objective = pytorch.Objective.of(job, layout="channels_last")
    photograph, _ = job.pictures
    return pytorch.minimise(objective, photograph, evaluations, goal=goal, bounds=bounds)


def sgemm(size=2048, repetitions=5):
    """Measure what BLAS can do: the rate of one large matrix product, in floating point operations per second."""
    a, b = np.random.default_rng(0).random((2, size, size), dtype=np.float32)
    seconds = []
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return {"rate": 2 * size**3 / float(np.median(seconds[1:]))}


def layers(size, evaluations, **options):
    """Time every layer of the network, forward and backward: {layer and direction: seconds, median over evaluations}.

    "plain" is 1 where each convolution is computed as nine matrix products, and 0 with the fast convolution.
    """
    content, style = pictures(size)
    objective, network = _ministyle(content, style, **options)
    seconds = {}  # (name, number of the operation) -> one time for each call

    def timed(function, *key):
        def call(*arguments):
            began = time.perf_counter()
            result = function(*arguments)
            seconds.setdefault(key, []).append(time.perf_counter() - began)
            return result

        return call

    layer = None
    for number, operation in reversed(list(enumerate(network.operations))):
        layer = operation.layer or layer  # a plain convolution belongs to the layer of the ReLU that follows
        for direction in ("forward", "backward"):
            name = "preprocessing" if operation.kind == "preprocess" else layer
            function = timed(getattr(operation, direction), f"{name} {direction}", number)
            object.__setattr__(operation, direction, function)
    whole = timed(objective, "evaluation", None)
    for _ in range(evaluations + 1):
        whole(network.to_device(content))
    figures = {"plain": float(any(operation.kind == "convolution" for operation in network.operations))}
    for (name, _), times in seconds.items():
        figures[name] = figures.get(name, 0.0) + float(np.median(times[-evaluations:]))
    return figures


JOBS = {
    "evaluate": evaluate,
    "optimise": optimise,
    "picture": picture,
    "reach": reach,
    "sgemm": sgemm,
    "layers": layers,
}


def _objective(contender, content, style, **options):
    """Return a contender's function of pixels. When it returns loss and gradient, all work is done."""
    if contender.startswith("torch"):
        from . import pytorch

        return pytorch.Objective(content, style, layout=contender.removeprefix("torch "), **options)
    from ministyle.arrays import to_host

    objective, network = _ministyle(content, style, **options)

    def function(pixels):
        loss, gradient = objective(network.to_device(pixels))
        return loss, to_host(gradient)  # this waits for the GPU

    return function


def _ministyle(content, style, variant=None, **options):
    """Return the objective of `task`, and its network."""
    if variant:
        from . import variants

        options |= variants.apply(variant)
    from ministyle import Objective, load_network

    network = load_network(normalised=True, **options)
    weights = {"content_weight": CONTENT_WEIGHT, "style_weight": STYLE_WEIGHT}
    return Objective(network, content=content, style=style, **weights), network


def _minimise(content, style, evaluations, bounds=None, **options):
    from ministyle.solvers import minimise

    objective, network = _ministyle(content, style, **options)
    objective(network.to_device(content))  # the first evaluation prepares things
    inside = 0.0

    class Timed:
        def __init__(self):
            self.network = network

        def __call__(self, pixels):
            nonlocal inside
            began = time.perf_counter()
            result = objective(pixels)
            inside += time.perf_counter() - began
            return result

    began = time.perf_counter()
    outcome = minimise(Timed(), content, iterations=evaluations, bounds=bounds)
    total = time.perf_counter() - began
    steps = [(step.seconds, step.evaluations, step.loss) for step in outcome.history]
    return {"steps": steps, "evaluations": steps[-1][1], "total": total, "solver": total - inside}


def _peak_bytes():
    try:
        import resource
    except ImportError:  # Windows
        return None
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
