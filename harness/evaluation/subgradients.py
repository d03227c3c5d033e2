"""Kinks: which subgradients are valid where a gradient jumps, by its values on the sides of the jump.

The one place that decides it: for operations, whose kinks may be measured, and for the links of a network, whose layers
say where they have a kink (``one_sided``). Where such a gradient is one part of several that add up, the sum jumps with
it: it is the other parts and either side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import reduce
from itertools import combinations
from operator import add
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic import Bounded, Context
from harness.arithmetic.enclosure import Enclosure
from harness.evaluation.centre import NOTHING
from impls.contract import Array
from impls.graph import Link


class Total(NamedTuple):
    """A sum of the entries at jumps, over some axes, that no side changes; its allowance is infinite where one does."""

    axes: tuple[int, ...]
    expected: Bounded


class Sides(NamedTuple):
    """Lowest and highest valid subgradient where a gradient jumps, NaN elsewhere, and what they must add up to.

    Tied maxima may share the upstream as they like, but share it they must: whichever of them takes it, their sum
    stays. At a kink of relu there is no such sum.
    """

    low: Array
    high: Array
    totals: tuple[Total, ...] = ()

    @classmethod
    def of_link(cls, link: Link, reads: Reads, parts: Mapping[str, Link] = NOTHING) -> Sides | None:
        """Of what a link gives, or adds of hidden parts, see `one_sided`; None if no gradient jumps there."""
        found = one_sided(link, reads, parts)
        return None if found is None else cls.between(*found)

    @classmethod
    def between(cls, kink: Any, left: Enclosure, right: Enclosure) -> Sides:
        """Of gradients on the left and on the right, where an argument is exactly on a kink, which is then not 0."""
        with np.errstate(invalid="ignore"):  # inf - inf where nothing is bounded
            low = np.minimum(left.value - left.bound, right.value - right.bound)
            high = np.maximum(left.value + left.bound, right.value + right.bound)
        return cls(np.where(kink.value != 0, low, np.nan), np.where(kink.value != 0, high, np.nan))

    @classmethod
    def of(cls, near: Array, expected: Bounded) -> Sides:
        """Of gradients at points near by, stacked along a first axis, and what is expected at the point itself."""
        bound = expected.bound
        low, high = near.min(axis=0), near.max(axis=0)
        with np.errstate(invalid="ignore"):  # inf - inf where the function overflows
            jumps = high - low > bound
        at = np.where(jumps, near, 0.0)
        totals = tuple(_totals(at, np.where(jumps, bound, 0.0), jumps, expected.context))
        return cls(np.where(jumps, low, np.nan), np.where(jumps, high, np.nan), totals)

    def widened(self, bound: Array) -> Sides:
        """With room for rounding on both sides."""
        with np.errstate(invalid="ignore"):
            return self._replace(low=self.low - bound, high=self.high + bound)

    @property
    def jumps(self) -> Array:
        """The entries at which the gradient jumps."""
        return ~np.isnan(self.low)

    def allow(self, actual: Array, expected: Enclosure) -> bool:
        """Whether every entry outside its allowance is at a jump, between its sides, and the sums are right."""
        with np.errstate(invalid="ignore"):  # NaN, where nothing jumps, is not between
            valid = (self.low <= actual) & (actual <= self.high)
        if np.any(expected.outside(actual) & ~valid):
            return False
        at = np.where(self.jumps, np.asarray(actual, np.float64), 0.0)
        return all(total.expected.holds(at.sum(axis=total.axes)) for total in self.totals)


def _totals(near: Array, bound: Array, jumps: Array, context: Context) -> Sequence[Total]:
    found = []
    for count in range(1, bound.ndim + 1):
        for axes in combinations(range(bound.ndim), count):
            sums, room = near.sum(axis=tuple(axis + 1 for axis in axes)), bound.sum(axis=axes)
            same = sums.max(axis=0) - sums.min(axis=0) <= room
            if np.any(same & jumps.any(axis=axes)):
                found.append(Total(axes, Bounded(sums[0], np.where(same, room, np.inf), context)))
    return found


Reads = Callable[[Link], Sequence[Any]]
"""What a link reads, as bounded arrays, arguments of a kink exact."""


def one_sided(link: Link, reads: Reads, parts: Mapping[str, Link] = NOTHING) -> tuple[Any, Any, Any] | None:
    """Where a gradient jumps, and its values there on both sides; None if it nowhere does.

    Args:
        parts: by name, links of the parts that `link` adds and nobody shows.
    """
    if not parts:
        return _of_one(link, reads)
    jumping = {name: sides for name, part in parts.items() if (sides := _of_one(part, reads))}
    if not jumping:
        return None
    low, high = dict(zip(link.inputs, reads(link), strict=True)), {}
    for name, value in low.items():
        kink, below, above = jumping.get(name, (None, value, value))
        low[name] = value if kink is None else np.where(kink, np.minimum(below, above), value)
        high[name] = value if kink is None else np.where(kink, np.maximum(below, above), value)
    on_any = reduce(add, (kink for kink, _, _ in jumping.values()))
    return on_any, link.rule(*low.values()), link.rule(*high.values())


def _of_one(link: Link, reads: Reads) -> tuple[Any, Any, Any] | None:
    said = getattr(link.layer, "one_sided", None)
    if said is None or link.of is None or link.of != link.names.get(link.layer.reads):
        return None
    sides: tuple[Any, Any, Any] | None = said(*reads(link))
    return sides
