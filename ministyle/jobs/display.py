"""A result as a notebook shows it: its picture, how it came about, and its loss as a curve."""

import base64
import html
import io
import math
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ..solvers import Step
from .history import by_scale

WIDTH, HEIGHT = 320, 80  # pixels, of the curve


def in_words(history: Sequence[Step]) -> str:
    """Return how much work a run was, and what it did to the loss at the last scale."""
    first, last = by_scale(history)[-1][0], history[-1]
    return f"{last.iteration} iterations, {last.seconds:.1f} s, loss {first.loss:.4g} -> {last.loss:.4g}"


def encoded(picture: Image.Image, name: str, **options: Any) -> bytes:
    """Return a picture as the contents of a file; `name` and `options` are those of `PIL.Image.Image.save`."""
    file = io.BytesIO()
    picture.save(file, name, **options)
    return file.getvalue()


def to_html(picture: Image.Image, history: Sequence[Step], message: str) -> str:
    """Return a finished picture, its size, its work and how it ended, and the curve of the loss, as HTML.

    The picture is a JPEG, so that a notebook stays small: next to the HTML it keeps the PNG, which has every pixel.
    """
    data = base64.b64encode(encoded(picture, "JPEG", quality=90)).decode()
    words = html.escape(f"{picture.width} x {picture.height} pixels, {in_words(history)}")
    return (
        f'<div><img src="data:image/jpeg;base64,{data}" width="{picture.width}" height="{picture.height}" '
        f'alt="the finished picture"><br>{words}<br>{html.escape(message)}<br>{curve(history)}</div>'
    )


def curve(history: Sequence[Step]) -> str:
    """Return the loss against iterations as SVG, on a logarithmic scale, with a line for each scale of the pyramid."""
    logarithms = [_logarithm(step) for step in history]
    low, high = min(logarithms), max(logarithms)
    across = WIDTH / max(1, history[-1].iteration)
    down = HEIGHT / (high - low) if high > low else 0.0
    lines = [
        " ".join(f"{across * step.iteration:.1f},{down * (high - _logarithm(step)):.1f}" for step in steps)
        for steps in by_scale(history)
    ]
    return (
        f'<svg width="{WIDTH}" height="{HEIGHT}" viewBox="0 0 {WIDTH} {HEIGHT}" fill="none" stroke="currentColor">'
        "<title>loss against iterations, logarithmic</title>"
        + "".join(f'<polyline points="{line}"/>' for line in lines)
        + "</svg>"
    )


def _logarithm(step: Step) -> float:
    return math.log(max(step.loss, math.ulp(0.0)))  # a loss may be 0
