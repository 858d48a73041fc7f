"""What several jobs share: the Gram matrices, or other statistics, of a painting, computed once for all photographs.

They depend on the painting, as large as it is at a scale, and on nothing of the photograph, unless the painting's
colours are adapted to it. So Gram matrices are found again by the pixels that they were computed from: whatever changes
the painting changes them too, and never are those of another picture taken.
"""

import hashlib
from collections import OrderedDict
from dataclasses import replace
from functools import partial

import numpy as np

from ..arrays import to_host

KEPT = 16  # sets of Gram matrices, 2.4 MB each: the photographs' own pass through, the painting's are used again


class Targets:
    """Gram matrices that have been computed, to be used again by jobs with the same network."""

    def __init__(self):
        self._known = OrderedDict()

    def share(self, scene, plan):
        """Return a `terms.Scene` that computes Gram matrices only where they are not known yet.

        Parameters
        ----------
        scene : terms.Scene
        plan : cost.memory.Plan, whose bands decide the last bits
        """
        compute = partial(self._style_statistics, scene.style_statistics, plan)
        return replace(scene, style_statistics=compute)

    def _style_statistics(self, compute, plan, network, *what, **how):
        """Return what `compute(network, *what, **how)` returns, arrays to be read only."""
        key = plan.rows, plan.style_rows, *map(_as_key, what), *((name, _as_key(how[name])) for name in sorted(how))
        if key not in self._known:
            self._known[key] = compute(network, *what, **how)
        self._known.move_to_end(key)
        while len(self._known) > KEPT:
            self._known.popitem(last=False)
        return self._known[key]


def _as_key(value):
    """Return what stands for a value in a dictionary's key: of an array its shape, data type and hash."""
    if hasattr(value, "shape"):
        array = to_host(value)
        return array.shape, array.dtype.str, hashlib.sha256(np.ascontiguousarray(array)).digest()
    if isinstance(value, dict):
        return tuple((name, _as_key(part)) for name, part in value.items())
    return tuple(value) if isinstance(value, list) else value
