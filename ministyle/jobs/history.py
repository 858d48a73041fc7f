"""The steps of a run, sorted: one list for each scale, one loss for each kind of term."""

import itertools
from collections.abc import Iterable, Mapping

from ..solvers import Step


def by_scale(history: Iterable[Step]) -> list[list[Step]]:
    """Return a run's steps as a list for each scale of its pyramid, coarse to fine."""
    return [list(steps) for _, steps in itertools.groupby(history, lambda step: step.size)]


def by_kind(terms: Mapping[str, float]) -> dict[str, float]:
    """Add up the layers' terms: "style conv1_1" and "style conv2_1" to "style"."""
    sums: dict[str, float] = {}
    for name, value in terms.items():
        kind = name.split(" conv")[0]
        sums[kind] = sums.get(kind, 0.0) + value
    return sums
