"""Kinks: which subgradients are valid where a gradient jumps, by its values on the sides of the jump."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from harness.evaluation.references.estimate import Estimate
from impls.contract import Array


class Total(NamedTuple):
    """A sum of the entries at jumps, over some axes, that no side changes; its allowance is infinite where one does."""

    axes: tuple[int, ...]
    estimate: Estimate


class Sides(NamedTuple):
    """Lowest and highest valid subgradient where a gradient jumps, NaN elsewhere, and what they must add up to.

    Tied maxima may share the upstream as they like, but share it they must: whichever of them takes it, their sum
    stays. At a kink of relu there is no such sum.
    """

    low: Array
    high: Array
    totals: tuple[Total, ...] = ()

    @classmethod
    def of(cls, near: Array, bound: Array) -> Sides:
        """Of gradients at points near by, stacked along a first axis, and the allowance of an entry."""
        low, high = near.min(axis=0), near.max(axis=0)
        jumps = high - low > bound
        at = np.where(jumps, near, 0.0)
        totals = tuple(_totals(at, np.where(jumps, bound, 0.0), jumps))
        return cls(np.where(jumps, low, np.nan), np.where(jumps, high, np.nan), totals)

    def allow(self, actual: Array, estimate: Estimate) -> bool:
        """Whether every entry outside its allowance is at a jump, between its sides, and the sums are right."""
        with np.errstate(invalid="ignore"):  # NaN, where nothing jumps, is not between
            valid = (self.low - estimate.bound <= actual) & (actual <= self.high + estimate.bound)
        if not np.all(estimate.inside(actual) | ~estimate.bounded | valid):
            return False
        at = np.where(np.isnan(self.low), 0.0, np.asarray(actual, np.float64))
        return all(total.estimate.holds(at.sum(axis=total.axes)) for total in self.totals)


def _totals(near: Array, bound: Array, jumps: Array) -> Sequence[Total]:
    found = []
    for count in range(1, bound.ndim + 1):
        for axes in combinations(range(bound.ndim), count):
            sums, room = near.sum(axis=tuple(axis + 1 for axis in axes)), bound.sum(axis=axes)
            same = sums.max(axis=0) - sums.min(axis=0) <= room
            if np.any(same & jumps.any(axis=axes)):
                found.append(Total(axes, Estimate(np.asarray(sums[0]), np.where(same, room, np.inf))))
    return found
