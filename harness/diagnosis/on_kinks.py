"""Conventions at kinks: another valid subgradient is no mistake.

Where an argument is known only within a bound, both branches are open and the walk covers either convention. Where it
is exact, as in a tensor that is shown and taken as it is, the walk takes one.
"""

from __future__ import annotations

import numpy as np

from harness.evaluation.incremental import Replay
from impls.contract import Array
from impls.hand import Link


def on_a_kink(link: Link, actual: Array, bounds: Replay) -> bool:
    """Whether all that is wrong in a shown tensor stands exactly on a kink, between the values of both sides."""
    one_sided = getattr(link.layer, "one_sided", None)
    if one_sided is None or not link.output.startswith("d"):
        return False
    sides = one_sided(*[bounds.tensors[name] for name in link.inputs])
    if sides is None:
        return False
    kink, left, right = sides
    expected = bounds.expected[link.output]
    with np.errstate(invalid="ignore"):
        low = np.minimum(left.value - left.bound, right.value - right.bound)
        high = np.maximum(left.value + left.bound, right.value + right.bound)
        inside = np.abs(actual - expected.value) <= expected.bound
        return bool(np.all(inside | ((kink.value != 0) & (low <= actual) & (actual <= high))))
