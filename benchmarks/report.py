"""Tables in Markdown and plots from `results.json`: `python -m benchmarks.report FOLDER` makes them again."""

import json
import sys
from pathlib import Path
from statistics import median

from ministyle.architecture import VGG19
from ministyle.fast import winograd

from .variants import STEPS

LAST_LAYER = "conv5_1"
LAYERS = list(VGG19.layers)[: list(VGG19.layers).index(LAST_LAYER) + 1]  # all that a loss and its gradient run through
TORCH = ("torch contiguous", "torch channels_last")
NO_PLOTS = "Matplotlib is not installed"


def show(folder):
    """Print the tables of a folder's results, and draw the plots beside them."""
    results = json.loads((folder / "results.json").read_text())
    print(tables(results))
    plots(results, folder)


def tables(results):
    """Return the tables of all benchmarks that there are results of."""
    parts = [f"{name}: {value}" for name, value in results["machine"].items() if value not in (None, {}, [])]
    for name, table in TABLES.items():
        if name in results:
            parts.append(f"## {name}\n\n" + table(results[name]))
    return "\n\n".join(parts) + "\n"


def plots(results, folder):
    """Draw the plots of all benchmarks that there are results of."""
    for name, draw in PLOTS.items():
        if name in results:
            plot(folder / f"{name}.png", draw, results[name])


def plot(path, draw, *what):
    """Write what `draw(axes, *what)` draws as PNG. Without Matplotlib, print that it is missing."""
    if not can_plot():
        print(f"{path.name} is not drawn: {NO_PLOTS}", file=sys.stderr)
        return
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 4), layout="constrained")
    draw(figure.subplots(), *what)
    figure.savefig(path, dpi=110)


def can_plot():
    """Say whether Matplotlib can be imported."""
    try:
        import matplotlib.figure  # noqa: F401
    except ImportError:
        return False
    return True


def operations(layer, size):
    """Return the floating point operations of a layer's direct convolution on size x size pixels, in one direction."""
    if layer.startswith("pool"):
        return 0
    channels_in, channels_out, side = _shape(layer, size)
    return 2 * 9 * channels_in * channels_out * side**2


def total_operations(size):
    """Return the floating point operations of a loss and its gradient: `LAYERS`, forward and backward."""
    return 2 * sum(operations(name, size) for name in LAYERS)


def _shape(layer, size):
    """Return a convolution's channels, in and out, and the side of its feature map for size x size pixels."""
    before = LAYERS.index(layer) - 1
    channels_in = VGG19.layers[LAYERS[before]].channels if before >= 0 else 3
    side, _ = VGG19.layers[layer].size(size, size)
    return channels_in, VGG19.layers[layer].channels, side


def seconds(runs):
    """Return the median of the processes' medians, and the lowest and the highest of these medians."""
    medians = [median(run["seconds"]) for run in runs]
    return median(medians), min(medians), max(medians)


def megabytes(runs):
    """Return the median peak memory of the processes."""
    return median(run["peak_bytes"] for run in runs) / 1e6


def _time_cells(runs):
    """Return a table's cells for seconds and their spread."""
    middle, low, high = seconds(runs)
    return f"{middle:.3f}", f"{low:.3f} to {high:.3f}"


def _compare(table):
    rows = []
    for size, contenders in table.items():
        limit = median(run["rate"] for run in contenders["sgemm"])
        times = {name: seconds(runs) for name, runs in contenders.items() if name != "sgemm"}
        better = min((times[name][0] for name in TORCH if name in times), default=None)
        for name, (middle, _, _) in times.items():
            runs = contenders[name]
            share = total_operations(int(size)) / middle / limit
            ratio = f"{better / middle:.2f}" if better else ""
            rows.append((size, name, *_time_cells(runs), ratio, f"{share:.0%}", f"{megabytes(runs):.0f}"))
        rows.append((size, "sgemm", f"{limit / 1e9:.0f} GFLOP/s", "", "", "", ""))
    heads = ("px", "contender", "seconds", "spread", "times PyTorch", "of sgemm", "peak MB")
    return markdown(heads, rows)


def _startup(table):
    rows = []
    for name, runs in table.items():
        times = [run["seconds"] for run in runs]
        rows.append((name, f"{median(times):.2f}", f"{min(times):.2f} to {max(times):.2f}"))
    return markdown(("command", "seconds", "spread"), rows)


def _sizes(table):
    rows = []
    for size, runs in table.items():
        per_megapixel = seconds(runs)[0] / int(size) ** 2 * 1e6
        rows.append((size, *_time_cells(runs), f"{per_megapixel:.2f}", f"{megabytes(runs):.0f}"))
    return markdown(("px", "seconds", "spread", "seconds per megapixel", "peak MB"), rows)


def _race(table):
    rows = []
    for size, contenders in table.items():
        rivals = [name for name in contenders if name.startswith("torch")] or ["ministyle"]
        goal = min(_loss_at(contenders[name][0]["steps"], 100) or float("inf") for name in rivals)
        for name, runs in contenders.items():
            at_goal = median(_time_to(run["steps"], goal) for run in runs)
            evaluation = median((run["total"] - run["solver"]) / run["evaluations"] for run in runs)
            share = median(run["solver"] / (run["total"] - run["solver"]) for run in runs)
            loss = {count: _loss_at(runs[0]["steps"], count) for count in (50, 100)}
            rows.append(
                (
                    size,
                    name,
                    f"{evaluation:.3f}",
                    f"{share:.1%}",
                    *(f"{value:.4f}" if value else "" for value in loss.values()),
                    f"{at_goal:.1f}" if at_goal < float("inf") else f"not in {runs[0]['evaluations']} evaluations",
                )
            )
        rows.append((size, f"goal, the lowest of PyTorch's after 100: {goal:.4f}", "", "", "", "", ""))
    heads = ("px", "contender", "s per evaluation", "solver", "loss after 50", "after 100", "s to the goal")
    return markdown(heads, rows)


def _layers(table):
    text = []
    for size, runs in table.items():
        middle = {name: median(run[name] for run in runs) for name in runs[0] if name != "peak_bytes"}
        rows = []
        rest = middle["evaluation"]
        for name in LAYERS:
            times = [middle[f"{name} {direction}"] for direction in ("forward", "backward")]
            work = operations(name, int(size))
            rates = [f"{work / time / 1e9:.0f}" if work else "" for time in times]
            share = sum(times) / middle["evaluation"]
            cells = [f"{time * 1e3:.1f}" for time in times]
            algorithm = _algorithm(name, int(size), middle.get("plain"))
            rows.append((name, algorithm, *cells, f"{share:.1%}", *rates))
            rest -= sum(times)
        rows.append(("losses and the rest", "", f"{rest * 1e3:.1f}", "", f"{rest / middle['evaluation']:.1%}", "", ""))
        rows.append(("evaluation", "", f"{middle['evaluation'] * 1e3:.1f}", "", "100%", "", ""))
        heads = ("layer", "algorithm", "forward ms", "backward ms", "share", "forward GFLOP/s", "backward GFLOP/s")
        text.append(f"### {size} x {size} pixels\n\n" + markdown(heads, rows))
    return "\n\n".join(text)


def _algorithm(name, size, plain):
    if name.startswith("pool"):
        return "mean of 2x2"
    if plain:
        return "nine products"
    if name == "conv1_1":
        return "direct, from patches"
    channels_in, channels_out, side = _shape(name, size)
    outputs = winograd.choose_outputs(side, side)
    down, across = winograd.tile_grid(side, side, outputs)
    together = winograd.kernel_is_larger(down * across, channels_in, channels_out)
    return f"F({outputs}x{outputs}, 3x3), {'one strip for all threads' if together else 'in strips'}"


def _steps(table):
    rows = []
    first = previous = None
    for name, meaning, _ in STEPS:
        runs = table[name]
        middle, _, _ = seconds(runs)
        first, previous = first or middle, previous or middle
        gains = f"{previous / middle:.2f}", f"{first / middle:.2f}"
        rows.append((meaning, *_time_cells(runs), *gains, f"{megabytes(runs):.0f}"))
        previous = middle
    return markdown(("step", "seconds", "spread", "times the one before", "times the first", "peak MB"), rows)


TABLES = {"startup": _startup, "compare": _compare, "sizes": _sizes, "race": _race, "layers": _layers, "steps": _steps}


def _draw_sizes(axes, table):
    pixels = [int(size) for size in table]
    for position, runs in zip(pixels, table.values(), strict=True):
        middle, low, high = (value / position**2 * 1e6 for value in seconds(runs))
        axes.errorbar(position, middle, [[middle - low], [high - middle]], fmt="o", color="tab:blue", capsize=3)
    axes.set(xscale="log", xlabel="side of the picture, pixels", ylabel="seconds per megapixel", ylim=(0, None))
    axes.set_xticks(pixels, [str(size) for size in pixels], minor=False)
    axes.minorticks_off()
    axes.set_title("Loss and gradient: cost of a megapixel")
    memory = axes.twinx()
    memory.plot(pixels, [megabytes(runs) / 1e3 for runs in table.values()], color="tab:orange", marker=".")
    memory.set_ylabel("peak memory, GB (orange)")
    memory.set_ylim(0, None)


def _draw_race(axes, table):
    size, contenders = list(table.items())[-1]
    for name, runs in contenders.items():
        if "bounds" not in name:
            times, _, losses = zip(*runs[0]["steps"], strict=True)
            axes.plot(times, losses, label=name)
    axes.set(xlabel="seconds", ylabel="loss", yscale="log", title=f"Loss against time, {size} x {size} pixels")
    axes.legend()


def _draw_steps(axes, table):
    names = [meaning for _, meaning, _ in STEPS]
    times = [seconds(table[name])[0] for name, *_ in STEPS]
    bars = axes.barh(names, times)
    axes.bar_label(bars, [f"{time:.2f}" for time in times], padding=3)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.set(xlabel="seconds for loss and gradient", title="What each idea is worth")


PLOTS = {"sizes": _draw_sizes, "race": _draw_race, "steps": _draw_steps}


def _time_to(steps, goal):
    return next((time for time, _, loss in steps if loss <= goal), float("inf"))


def _loss_at(steps, count):
    """Return the loss after at most so many evaluations, or None where there were not so many."""
    return min(loss for _, done, loss in steps if done <= count) if steps[-1][1] >= 0.9 * count else None


def markdown(heads, rows):
    """Return a table in Markdown."""
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join("| " + " | ".join(str(cell) for cell in line) + " |" for line in lines)


if __name__ == "__main__":
    show(Path(sys.argv[1]))
