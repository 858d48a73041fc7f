"""Run the benchmarks: `python -m benchmarks` in a checkout; plots need the extra `plot`. See README.md here."""

import argparse
import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from ministyle.fast.workers import available_cores

from . import report
from .report import TORCH
from .variants import STEPS

ROOT = Path(__file__).resolve().parent.parent


def main():
    """Run what is asked for, and write JSON, tables and plots."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("-o", "--output", type=Path, default=Path("benchmark"), help="folder for the results")
    parser.add_argument("--only", default=",".join(BENCHMARKS), help="benchmarks to run (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=5, help="processes for each contender (default: 5)")
    parser.add_argument("--evaluations", type=int, default=3, help="timed evaluations in each process (default: 3)")
    parser.add_argument("--sizes", default="256,512,1024", help="sides of the pictures (default: %(default)s)")
    parser.add_argument("--threads", type=int, default=available_cores(), help="of each contender (default: all cores)")
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    options = parser.parse_args()
    options.only = options.only.split(",")
    for name in options.only:
        if name not in BENCHMARKS:
            parser.error(f"there is no benchmark {name!r}; choose from {', '.join(BENCHMARKS)}")
    options.sizes = [int(size) for size in options.sizes.split(",")]
    options.torch = importlib.util.find_spec("torch") is not None
    options.output = options.output.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    results_file = options.output / "results.json"
    results = json.loads(results_file.read_text()) if results_file.exists() else {}
    results["machine"] = machine(options)
    if not report.can_plot():
        print(f"no plots: {report.NO_PLOTS}; the tables are printed all the same", file=sys.stderr, flush=True)
    for name in options.only:
        print(f"== {name}", file=sys.stderr, flush=True)
        results[name] = BENCHMARKS[name](options)
        results_file.write_text(json.dumps(_rounded(results)) + "\n")
    report.show(options.output)


def startup(options):
    """Time what a user waits for before the first evaluation. A run of one iteration makes two or three."""
    picture = options.output / "startup.png"
    demo = f"demo --image-size 256 --iterations 1 --overwrite --quiet -o {picture}"
    commands = {"import ministyle": ["-c", "import ministyle"]}
    commands |= {f"ministyle {line}": ["-m", "ministyle", *line.split()] for line in ("--help", demo)}
    table = {name.replace(str(picture), "PICTURE"): [] for name in commands}
    for _ in range(options.runs):
        for runs, command in zip(table.values(), commands.values(), strict=True):
            began = time.perf_counter()
            subprocess.run([sys.executable, *command], cwd=ROOT, check=True, capture_output=True)
            runs.append({"seconds": time.perf_counter() - began})
    picture.unlink()
    return table


def compare(options):
    """Compare the time of loss and gradient, and peak memory, with PyTorch, and with what BLAS can do."""
    table = {}
    for size in options.sizes:
        names = ("ministyle", *TORCH) if options.torch else ("ministyle",)
        jobs = {name: job("evaluate", options, name, size) for name in names}
        if size <= 512 and options.device == "cpu":
            jobs["ministyle direct"] = job("evaluate", options, "ministyle", size, convolution="direct")
        runs = options.runs if size <= 512 else min(options.runs, 3)
        table[size] = interleave({**jobs, "sgemm": {"job": "sgemm"}}, options, runs)
    return table


def sizes(options):
    """Measure time and memory at many sizes."""
    jobs = {}
    for size in (128, 192, 256, 384, 512, 768, 1024, 1448, 2048):
        jobs[size] = job("evaluate", options, "ministyle", size, evaluations=2 if size > 1024 else options.evaluations)
    return interleave(jobs, options, runs=min(options.runs, 3))


def race(options):
    """Time how long a loss takes to reach, here and with PyTorch's L-BFGS; and measure the solver's share."""
    table = {}
    for size in options.sizes[:2]:
        jobs = {
            "ministyle": job("optimise", options, "ministyle", size, evaluations=150),
            "ministyle, bounds": job("optimise", options, "ministyle", size, evaluations=30, bounds=(0, 255)),
        }
        if options.torch:
            for name, search in (("torch", None), ("torch, line search", "strong_wolfe")):
                jobs[name] = job("optimise", options, TORCH[1], size, evaluations=100, line_search=search)
        if options.device == "cpu" and size == options.sizes[0]:
            jobs["ministyle direct"] = job(
                "optimise", options, "ministyle", size, evaluations=100, convolution="direct"
            )
        table[size] = interleave(jobs, options, runs=min(options.runs, 3) if size == options.sizes[0] else 1)
    return table


def layers(options):
    """Time every layer."""
    jobs = {}
    for size in options.sizes[:2]:
        jobs[size] = job("layers", options, "ministyle", size)
        del jobs[size]["contender"]
    return interleave(jobs, options, runs=min(options.runs, 3))


def steps(options):
    """Time every step from nine products to the fast convolution."""
    size = options.sizes[:2][-1]
    jobs = {name: job("evaluate", options, "ministyle", size, evaluations=3, variant=name) for name, *_ in STEPS}
    for spec in jobs.values():
        del spec["threads"]  # the variant decides; by default all cores
    return interleave(jobs, options, runs=min(options.runs, 3))


BENCHMARKS = {"startup": startup, "compare": compare, "sizes": sizes, "race": race, "layers": layers, "steps": steps}


def job(kind, options, contender, size, **more):
    """Describe a job for `contenders`."""
    common = {"contender": contender, "size": size, "evaluations": options.evaluations, "threads": options.threads}
    return {"job": kind, **common, "device": options.device, **more}


def interleave(jobs, options, runs=None):
    """Run every job once, each in a process of its own, then every job again, and so on.

    Return {name: figures of all its runs}.
    """
    figures = {name: [] for name in jobs}
    for run in range(runs or options.runs):
        for name, spec in jobs.items():
            print(f"   run {run + 1}: {name}", file=sys.stderr, flush=True)
            command = [sys.executable, "-m", "benchmarks.contenders", json.dumps(spec)]
            done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
            figures[name].append(json.loads(done.stdout))
    return figures


def _rounded(value):
    """Return results with numbers of six digits, which is more than their precision."""
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return float(f"{value:.6g}") if isinstance(value, float) else value


def machine(options):
    """Describe the machine and the libraries."""
    import numpy
    import scipy
    import threadpoolctl

    from ministyle import arrays

    libraries = {"Python": platform.python_version(), "NumPy": numpy.__version__, "SciPy": scipy.__version__}
    if options.torch:
        libraries["PyTorch"] = importlib.metadata.version("torch")
    blas = [library for library in threadpoolctl.threadpool_info() if library["user_api"] == "blas"]
    return {
        "processor": _processor(),
        "cores": available_cores(),
        "threads": options.threads,
        "system": f"{platform.system()} {platform.machine()}",
        "gpu": arrays.describe_gpu() if options.device == "cuda" else None,
        "libraries": libraries,
        "blas": sorted({f"{b['internal_api']} {b['version']}, {b.get('architecture', '?')} kernels" for b in blas}),
        "environment": {name: value for name, value in sorted(os.environ.items()) if name.startswith("OPENBLAS_")},
        "runs": options.runs,
        "evaluations": options.evaluations,
    }


def _processor():
    """Return the processor's name and the widest vector instructions that it has."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    values = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = values.get("flags", "").split()
    widest = next((name for name in ("avx512f", "avx2", "avx") if name in flags), "no AVX")
    return f"{values.get('model name', platform.processor())} (family {values.get('cpu family', '?')}, {widest})"


if __name__ == "__main__":
    main()
