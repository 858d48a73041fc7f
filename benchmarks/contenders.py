"""What a contender does in its own process: one job, described as JSON on the command line; its figures as JSON.

    python -m benchmarks.contenders '{"job": "evaluate", "contender": "ministyle", "size": 256, "evaluations": 3}'

Seconds are wall time. The peak of memory is the whole process's, weights, libraries and interpreter included.
"""

import json
import sys
import time

import numpy as np

from ministyle.settings import Settings

CONTENT_WEIGHT, STYLE_WEIGHT = Settings().content_weight, Settings().style_weight


def main(job):
    """Do one job and print its figures."""
    print(json.dumps({**JOBS[job.pop("job")](**job), "peak_bytes": _peak_bytes()}))


def pictures(size):
    """Return the project's example photograph and painting as squares (size, size, 3), RGB, 0 to 255, float32."""
    from PIL import Image

    from ministyle.files import shipped_path

    paths = (shipped_path(f"docs/examples/{name}") for name in ("chelsea.png", "painting.jpg"))
    return [np.asarray(Image.open(path).convert("RGB").resize((size, size)), np.float32) for path in paths]


def evaluate(contender, size, evaluations, **options):
    """Time loss and gradient: the first evaluation, which prepares things, apart from the others."""
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
    """Minimise from the photograph; return (seconds, evaluations, loss) on the way, and the solver's own time."""
    content, style = pictures(size)
    if contender.startswith("torch"):
        from . import pytorch

        return pytorch.minimise(content, style, evaluations, layout=contender.removeprefix("torch "), **options)
    return _minimise(content, style, evaluations, **options)


def pyramid(size, iterations, **settings):
    """Make a picture coarse to fine; return (seconds, evaluations, loss, side), seconds since the very beginning."""
    from ministyle.transfer import make_picture

    content, style = pictures(size)
    steps = []
    began = time.perf_counter()

    def note(step, pixels):
        steps.append((time.perf_counter() - began, step.evaluations, step.loss, step.size[0]))

    make_picture(Settings(iterations=iterations, pyramid=True, **settings), content, style, on_step=note)
    return {"steps": steps, "total": time.perf_counter() - began}


def sgemm(size=2048, repetitions=5):
    """Measure the rate of one large matrix product, in floating point operations per second: what BLAS can do."""
    a, b = np.random.default_rng(0).random((2, size, size), dtype=np.float32)
    seconds = []
    for _ in range(repetitions + 1):
        began = time.perf_counter()
        a @ b
        seconds.append(time.perf_counter() - began)
    return {"rate": 2 * size**3 / float(np.median(seconds[1:]))}


def layers(size, evaluations, **options):
    """Time every operation of the network, forward and backward: {operation: seconds, median over evaluations}."""
    content, style = pictures(size)
    objective, network = _ministyle(content, style, **options)
    seconds = {}

    def timed(function, name):
        def call(*arguments):
            began = time.perf_counter()
            result = function(*arguments)
            seconds.setdefault(name, []).append(time.perf_counter() - began)
            return result

        return call

    for operation in network.operations:
        for direction in ("forward", "backward"):
            name = f"{operation.layer} {direction}"
            object.__setattr__(operation, direction, timed(getattr(operation, direction), name))
    whole = timed(objective, "evaluation")
    for _ in range(evaluations + 1):
        whole(network.to_device(content))
    return {name: float(np.median(times[-evaluations:])) for name, times in seconds.items()}


JOBS = {"evaluate": evaluate, "optimise": optimise, "pyramid": pyramid, "sgemm": sgemm, "layers": layers}


def _objective(contender, content, style, **options):
    """Return a contender's function of pixels that computes loss and gradient to the end."""
    if contender.startswith("torch"):
        from . import pytorch

        return pytorch.Objective(content, style, layout=contender.removeprefix("torch "), **options)
    from ministyle.arrays import to_host

    objective, network = _ministyle(content, style, **options)

    def function(pixels):
        loss, gradient = objective(network.to_device(pixels))
        return loss, to_host(gradient)  # a GPU is done when its result is here

    return function


def _ministyle(content, style, variant=None, **options):
    """Return the objective of the default preset and its network."""
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
            self.terms = objective.terms

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
