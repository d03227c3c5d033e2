"""Conventions at kinks: another valid subgradient is no mistake, whether the gradient there is shown or not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.centre import Array
from harness.diagnosis.replay import Reach, Replay
from harness.faults import Fault
from harness.walk import Rule
from impls.hand import Link

WEIGHTS_OF_THE_RIGHT = (0.0, 1.0, 0.5)
"""Which share of the right-hand derivative is taken at a kink by those whose gradient there is not shown."""


def on_a_kink(link: Link, actual: Array, bounds: Replay) -> bool:
    """Whether all that is wrong in a shown tensor stands exactly on a kink, between the values of both sides."""
    sides = _sides(link, bounds.tensors)
    if sides is None:
        return False
    kink, left, right = sides
    expected = bounds.expected[link.output]
    with np.errstate(invalid="ignore"):
        low = np.minimum(left.value - left.bound, right.value - right.bound)
        high = np.maximum(left.value + left.bound, right.value + right.bound)
        inside = np.abs(actual - expected.value) <= expected.bound
        return bool(np.all(inside | ((kink.value != 0) & (low <= actual) & (actual <= high))))


def conventions(reach: Reach, tensor: str, floats: Replay) -> Iterator[Fault]:
    """Other conventions at links that are not shown, where an argument stands exactly on a kink."""
    for link in reach.suspects(tensor):
        if link.output in reach.shown:
            continue
        sides = _sides(link, floats.tensors)
        if sides is None or not np.any(sides[0]):
            continue
        for weight in WEIGHTS_OF_THE_RIGHT:
            yield Fault("convention", link.output, "another subgradient at a kink", "", _at_kinks(link, weight))


def _sides(link: Link, tensors: Mapping[str, Any]) -> Any:
    one_sided = getattr(link.layer, "one_sided", None)
    if one_sided is None or not link.output.startswith("d"):
        return None
    return one_sided(*[tensors[name] for name in link.inputs])


def _at_kinks(link: Link, weight: float) -> Rule:
    def rule(t: Mapping[str, Any]) -> Any:
        kink, left, right = _sides(link, t)
        return np.where(kink, (1 - weight) * left + weight * right, link(t))

    return rule
