"""Compare settings by the pictures that they make, all in the same time.

    python -m benchmarks.pictures FOLDER [--seconds 60] [--size 512] [--paintings DIR] [--only NAME,NAME]
    python -m benchmarks.pictures FOLDER --iterations 200 ...

A candidate is a dictionary of settings, or a function `(content, style, *, size, iterations) -> uint8 array` for what
settings cannot say. On a machine that others use too, iterations are fairer than seconds; but those of two candidates
may differ in cost, and `moving-average` makes as many on each scale.

FOLDER gets every picture, `numbers.json`, `sheet.png` with names, and `blind.png` without names and with each row in an
order of its own, which `blind.txt` resolves. Look at `blind.png` first. What is there already is not made again.
"""

import argparse
import dataclasses
import json
import time
from pathlib import Path

import numpy as np

import ministyle
from ministyle.arrays import read_scalars
from ministyle.jobs.job import Job
from ministyle.pictures.reading import read_picture
from ministyle.pictures.values import to_uint8
from ministyle.pictures.writing import write_picture
from ministyle.settings import Settings

from . import moving_average, numbers, sheet
from .pairs import pairs
from .tried import TRIED

BEFORE = {  # what was the default before
    "convention": "mean",
    "style_weight": 30.0,
    "style_layer_weights": "equal",
    "border": "zero",
    "bounds": False,
    "pyramid": False,
    "tv_weight": 0.0,
}
CANDIDATES = {
    "before": BEFORE,
    "moving-average": moving_average.repaint,
    "default": {},
    # From here on each differs from the default in one thing.
    "strength-0.3": {"strength": 0.3},
    "strength-0.7": {"strength": 0.7},
    "mean-losses": {"convention": "mean", "style_weight": 30.0},
    "free-pixels": {"bounds": False},
    "no-variation": {"tv_weight": 0.0},
    "squared-variation": {"tv_weight": 1e-3, "tv_edge": 1e9},
    "zeros-around": {"border": "zero"},
    "replicated-border": {"border": "replicate"},
    "one-scale": {"pyramid": False},
    "max-pooling": {"pooling": "max"},
    "raw-network": {"normalised": False},
    "equal-layers": {"style_layer_weights": "equal"},
    "halving-layers": {"style_layer_weights": tuple(weight / 31 for weight in (16, 8, 4, 2, 1))},
    "quartering-layers": {"style_layer_weights": moving_average.STYLE_WEIGHTS},
    "own-lbfgs": {"optimizer": "lbfgs"},
    **TRIED,
}
PROBE = 100  # iterations for which the time is estimated
SHORT = 1, 3  # iterations with which a function is timed


def main(arguments=None):
    """Make all pictures, and write numbers and sheets."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.pictures", description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0, help="for each picture (default: 60)")
    parser.add_argument("--iterations", type=int, help="for each picture, instead of a time")
    parser.add_argument("--size", type=int, default=512, help="longest side in pixels (default: 512)")
    parser.add_argument("--paintings", type=Path, help="folder with the paper's pictures, see pairs.py")
    parser.add_argument("--only", help="names of candidates, separated by commas")
    parser.add_argument("--pairs", help="names of pairs, separated by commas (default: all)")
    options = parser.parse_args(arguments)
    options.folder.mkdir(parents=True, exist_ok=True)
    names = options.only.split(",") if options.only else list(CANDIDATES)
    judge = ministyle.load_network(normalised=True)
    path = options.folder / "numbers.json"
    found = json.loads(path.read_text()) if path.exists() else {}
    rows, chosen = [], pairs(options.paintings)
    if options.pairs:
        chosen = [pair for pair in chosen if pair.name in options.pairs.split(",")]
    for pair in chosen:
        photograph, painting = (read_picture(picture, options.size) for picture in (pair.content, pair.style))
        row = [to_uint8(photograph)]
        for name in names:
            file = options.folder / f"{pair.name}-{name}.png"
            key = f"{pair.name} {name}"
            if key not in found or not file.exists():
                picture, found[key] = make(pair, CANDIDATES[name], options)
                found[key] |= judged(judge, picture, photograph, painting)
                write_picture(file, picture, overwrite=True)
                path.write_text(json.dumps(found, indent=1))
                print(key, found[key], flush=True)
            row.append(to_uint8(read_picture(file)))
        rows.append(row)
    draw(options.folder, rows, [pair.name for pair in chosen], names, found)


def make(pair, candidate, options):
    """Make one picture; return it, and what was seen of the run.

    Parameters
    ----------
    pair : Pair
    candidate : dict of settings, or a function, see above
    options : an object with the attributes `size`, and `iterations` or `seconds`
    """
    if callable(candidate):
        return _make_by_function(pair, candidate, options)
    return _make_by_settings(pair, candidate, options)


def _make_by_settings(pair, changes, options):
    settings = Settings.from_preset(**{**changes, "image_size": options.size, "iterations": PROBE})
    iterations = options.iterations
    if iterations is None:
        whole, start_up = Job.of(settings, pair.content, pair.style).estimate().seconds, 1.0
        iterations = max(1, round(PROBE * (options.seconds - start_up) / (whole - start_up)))
    job = Job.of(dataclasses.replace(settings, iterations=iterations), pair.content, pair.style)
    began = time.perf_counter()
    result = job.run()
    seen = {"seconds": time.perf_counter() - began, "iterations": result.history[-1].iteration}
    objective = job.objective_at(job.scales[-1])
    (saved,) = read_scalars([objective(job.network.to_device(result.image)).loss])
    return result.image, {**seen, "loss": result.history[-1].loss, "loss of the saved picture": saved}


def _make_by_function(pair, repaint, options):
    def timed(iterations):
        began = time.perf_counter()
        picture = repaint(pair.content, pair.style, size=options.size, iterations=iterations)
        return picture, time.perf_counter() - began

    iterations = options.iterations
    if iterations is None:
        (_, first), (_, second) = (timed(short) for short in SHORT)
        each = max(second - first, second / 100) / (SHORT[1] - SHORT[0])  # a positive number, however noisy the times
        iterations = max(1, round(SHORT[1] + (options.seconds - second) / each))
    picture, seconds = timed(iterations)
    return picture, {"seconds": seconds, "iterations": iterations}


def judged(network, picture, photograph, painting):
    """Return the numbers of a picture."""
    picture = picture.astype(np.float32)
    in_luminance, in_colour = numbers.speckle(picture, painting)
    return {
        "style distance": numbers.style_distance(network, picture, painting),
        "content kept": numbers.content_kept(network, picture, photograph),
        "edges kept": numbers.edges_kept(picture, photograph),
        "speckle, luminance": in_luminance,
        "speckle, colour": in_colour,
        "frame": numbers.frame(picture, photograph),
    }


def draw(folder, rows, pair_names, names, found):
    """Draw the sheet with names and numbers, and the blind one."""
    captions = [["", *(caption(found[f"{pair} {name}"]) for name in names)] for pair in pair_names]
    sheet.draw(folder / "sheet.png", rows, row_names=pair_names, column_names=["photo", *names], captions=captions)
    orders = [np.random.default_rng().permutation(len(names)) for _ in rows]
    blind = [[row[0], *(row[1 + column] for column in order)] for row, order in zip(rows, orders, strict=True)]
    sheet.draw(folder / "blind.png", blind)
    resolved = zip(pair_names, orders, strict=True)
    text = "".join(f"{pair}: {', '.join(names[column] for column in order)}\n" for pair, order in resolved)
    (folder / "blind.txt").write_text(text)


def caption(seen):
    """Return the numbers of a picture in two short lines."""
    return (
        f"style {seen['style distance']:.2f} content {seen['content kept']:.2f} edges {seen['edges kept']:.2f}\n"
        f"speckle {seen['speckle, luminance']:.1f} {seen['speckle, colour']:.1f} frame {seen['frame']:.0f} "
        f"{seen['seconds']:.0f} s"
    )


if __name__ == "__main__":
    main()
