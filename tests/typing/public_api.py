"""A user's program that names all that is public. `mypy --strict` must accept it, and must find the planted mistakes.

Each mistake has a comment that names its error. mypy complains about a comment where there is no such error.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray
from PIL import Image

import ministyle
from ministyle.jobs.checkpoint import Standing
from ministyle.types import Picture

PHOTO = np.zeros((40, 56, 3), np.uint8)


def watch(step: ministyle.Step, pixels: Any) -> bool:
    """Stop a run when its loss is low."""
    size: tuple[int, int] = step.size
    terms: dict[str, float] = step.terms
    print(step.iteration, step.evaluations, step.seconds, size, terms)
    return step.loss < 0.1


def pictures(result: ministyle.Result) -> list[Picture]:
    """Return everything that counts as a picture."""
    with open("photo.jpg", "rb") as file:
        return ["photo.jpg", Path("photo.jpg"), file.read(), file, Image.new("RGB", (40, 56)), PHOTO, result]


def call_all() -> None:
    """Call every function with every kind of argument."""
    result = ministyle.transfer("photo.jpg", PHOTO, strength=0.4, on_step=watch, progress=True, max_memory="4GB")
    assert_type(result, ministyle.Result)
    result = ministyle.transfer(result, Image.new("RGB", (9, 9)), init=result, style_size=None, preset="gatys2015")
    result = ministyle.reconstruct_content(PHOTO, "conv4_1", iterations=10, tv_weight=0)
    result = ministyle.reconstruct_style(Path("a.png"), ["conv1_1"], size=(64, 64), tileable=True, device="cpu")
    estimate = ministyle.estimate_transfer(PHOTO, PHOTO, style_layer_weights=[1, 2, 3, 4, 5], threads=2)
    assert_type(estimate, ministyle.Estimate)
    seconds: float = estimate.seconds + estimate.bytes
    rows: int | None = estimate.band_rows
    print(f"{estimate} {seconds} {rows} {estimate.size[0]}")
    assert_type(ministyle.style_features(PHOTO, ["conv1_1"]), NDArray[Any])
    distances = ministyle.compare(PHOTO, result, image_size=64)
    assert_type(distances, list[ministyle.Distance])
    relative: float = distances[0].relative_style
    checks: Iterator[Any] = ministyle.check_gradients(size=16, device="cpu")
    print(relative, [check.passed for check in checks])


def use_a_result(result: ministyle.Result, other: ministyle.Result) -> None:
    """Read all that a result holds."""
    assert_type(result.pixels, NDArray[np.float32])
    assert_type(result.image, NDArray[np.uint8])
    assert_type(result.history, list[ministyle.Step])
    assert_type(result.to_pil(), Image.Image)
    result.save("out.png")
    result.save(Path("out.png"), overwrite=True)
    result.plot().set_title("the loss")
    settings: ministyle.Settings = result.settings
    words: str = result.message
    same: bool = result == other or result.completed or result.interrupted or result.stopped
    print(settings, words, same, hash(result), result.band_rows)


def use_several_styles() -> None:
    """Blend paintings, and say with masks where each of them goes."""
    half = ministyle.Style("a.png", weight=2, mask=PHOTO[:, :, 0], scale=0.5)
    everywhere = ministyle.Style(Image.new("RGB", (9, 9)), region=Path("region.png"))
    weight: float = half.weight + half.scale
    inner: Picture | None = half.mask or everywhere.region
    print(weight, inner, half.picture)
    result = ministyle.transfer("photo.jpg", [half, "b.png"], content_mask=["left.png", PHOTO], style_blend=[1, 2])
    result = ministyle.transfer("photo.jpg", everywhere, content_mask="alpha")
    contents = (Path(name) for name in ("a.jpg", "b.jpg"))
    results = ministyle.transfer_all(contents, (half, PHOTO), content_mask=result, preset="gatys2015", on_step=watch)
    assert_type(results, Iterator[ministyle.Result])
    print(ministyle.estimate_transfer(PHOTO, half, content_mask=PHOTO), [result.record for result in results])


def go_on(job: ministyle.Job) -> ministyle.Result:
    """Go on where an interrupted run stopped."""
    checkpoint = ministyle.Checkpoint(Path("out.checkpoint"), every=30, warn=print)
    begin = checkpoint.read(job)
    assert_type(begin, Standing | None)
    result = job.run(watch, checkpoint=checkpoint, begin=begin)
    assert_type(result.record, dict[str, Any] | None)
    if checkpoint.exists():
        checkpoint.remove()
    return result


def make_a_job() -> None:
    """Go the long way."""
    settings = ministyle.Settings(image_size=64, content_layers=["conv4_2"], weights=Path("w.h5"))
    settings = ministyle.Settings.from_preset("texture", pooling="max", style_layers="conv1_1")
    width: int | None = settings.style_size
    layers: tuple[str, ...] = settings.style_layers
    weights: str | os.PathLike[str] | None = settings.weights
    print(width, layers, weights, dict(ministyle.PRESETS["texture"]))
    job = ministyle.Job.of(settings, content="photo.jpg", style=[PHOTO], content_mask="mask.png", size=(48, 64))
    assert_type(job.styles, tuple[ministyle.Style, ...])
    assert_type(job.estimate(), ministyle.Estimate)
    assert_type(job.run(watch), ministyle.Result)
    assert_type(job.network, ministyle.Network)
    objective = job.objective_at(job.scales[-1], job.plan_at(job.scales[-1]))
    assert_type(objective(job.network.to_device(PHOTO)), ministyle.Evaluation)
    print(job.size, job.photograph, job.coloured(PHOTO).shape, job.pictures[0], job.margin)


def compute() -> None:
    """Use the network by itself."""
    network = ministyle.load_network(pooling="average", normalised=True, border="mirror", device="cpu")
    features = network.features(PHOTO, ["conv1_1"])
    print(features["conv1_1"].shape, network.layers, network.dtype, network.device, network.margin)
    objective = ministyle.Objective(network, content=PHOTO, style=PHOTO, style_weight=10.0)
    loss, gradient = objective(network.to_device(PHOTO))
    terms: dict[str, Any] = objective(PHOTO).terms
    print(loss, gradient, terms)
    try:
        network.check((8, 8, 3), ["conv5_1"])
    except ministyle.MinistyleError as error:
        print(error, ministyle.__version__)


def mistakes(result: ministyle.Result) -> None:
    """Make mistakes that a type checker must find."""
    ministyle.transfer(PHOTO, PHOTO, strenght=0.4)  # type: ignore[call-arg]
    ministyle.transfer(PHOTO, PHOTO, image_size="x")  # type: ignore[arg-type]
    ministyle.transfer(PHOTO, PHOTO, pooling="Max")  # type: ignore[arg-type]
    ministyle.transfer(PHOTO)  # type: ignore[call-arg]
    ministyle.transfer(PHOTO, 3)  # type: ignore[arg-type]
    ministyle.transfer(PHOTO, PHOTO, on_step=lambda step: True)  # type: ignore[arg-type, misc]
    ministyle.transfer(PHOTO, PHOTO, progress="yes")  # type: ignore[arg-type]
    ministyle.transfer(PHOTO, [PHOTO, 3])  # type: ignore[list-item]
    ministyle.transfer(PHOTO, PHOTO, content_mask=3)  # type: ignore[arg-type]
    ministyle.transfer_all(PHOTO, PHOTO, mask=PHOTO)  # type: ignore[call-arg]
    ministyle.Style(PHOTO, weight="much")  # type: ignore[arg-type]
    ministyle.Checkpoint(3.5)  # type: ignore[arg-type]
    ministyle.Job.run(checkpoint="out.checkpoint")  # type: ignore[arg-type, call-arg]
    ministyle.estimate_transfer(PHOTO, PHOTO, progress=True)  # type: ignore[call-arg]
    ministyle.reconstruct_content(PHOTO, 4)  # type: ignore[arg-type]
    ministyle.reconstruct_style(PHOTO, "conv1_1", size=64)  # type: ignore[arg-type]
    ministyle.Settings(bounds="no")  # type: ignore[arg-type]
    ministyle.Settings.from_preset("texture", iteration=3)  # type: ignore[call-arg]
    ministyle.Job.of("texture", PHOTO)  # type: ignore[arg-type]
    ministyle.load_network(threads="all")  # type: ignore[arg-type]
    result.message = "done"  # type: ignore[misc]
    result.save()  # type: ignore[call-arg]
    print(result.pictures)  # type: ignore[attr-defined]
    size: str = result.settings.image_size  # type: ignore[assignment]
    print(size)
