"""An estimate: what a tensor should be, and how far a right program may be from it, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from impls.contract import Array


class Estimate(NamedTuple):
    """Values in float64, and the allowance of each, of the same shape."""

    value: Array
    bound: Array

    @classmethod
    def of(cls, tensor: Any) -> Estimate:
        """Of a bounded array, or of an array of whole numbers or truth values, which are exact."""
        if isinstance(tensor, Bounded):
            return cls(np.asarray(tensor.value), np.broadcast_to(tensor.bound, np.shape(tensor.value)))
        value = np.asarray(tensor, np.float64)
        return cls(value, np.zeros_like(value))

    def mapped(self, change: Callable[[Array], Array], terms: int = 0) -> Estimate:
        """After a change that only moves entries, or adds up to that many of them."""
        value, bound = change(self.value), change(self.bound)
        if terms:
            bound = bound + terms * UNIT_ROUNDOFF_64 * change(np.abs(self.value))
        return Estimate(np.asarray(value), np.asarray(bound))

    def times(self, factor: float, u: float = UNIT_ROUNDOFF_64) -> Estimate:
        """A multiple; its own two roundings, of the factor and of the product, are allowed in unit roundoffs `u`."""
        value = factor * self.value
        return Estimate(value, abs(factor) * self.bound + 2 * (u + UNIT_ROUNDOFF_64) * np.abs(value))

    def plus(self, other: Estimate, u: float = UNIT_ROUNDOFF_64) -> Estimate:
        """A sum, with its own rounding allowed."""
        value = self.value + other.value
        return Estimate(value, self.bound + other.bound + (u + UNIT_ROUNDOFF_64) * np.abs(value))

    def holds(self, actual: Array) -> bool:
        """Whether every entry is within its allowance, where anything is bounded; shapes must be the same."""
        if np.shape(actual) != self.value.shape:
            return False
        return bool(np.all(self.inside(actual) | ~self.bounded))

    @property
    def bounded(self) -> Array:
        """Where there is something to compare with."""
        return np.isfinite(self.value) & np.isfinite(self.bound)

    def inside(self, actual: Array) -> Array:
        """Entry by entry, whether it is within its allowance."""
        with np.errstate(invalid="ignore", over="ignore"):
            return np.abs(np.asarray(actual, np.float64) - self.value) <= self.bound

    def off(self, actual: Array) -> float:
        """The largest difference as a share of the largest entry; infinite where shapes differ."""
        if np.shape(actual) != self.value.shape or not self.bounded.any():
            return np.inf
        with np.errstate(all="ignore"):
            difference = np.abs(np.asarray(actual, np.float64) - self.value)[self.bounded].max()
            size = np.abs(np.asarray(actual, np.float64))[self.bounded].max()
            share = float(difference / size) if size else float(np.inf if difference else 0.0)
        return np.inf if np.isnan(share) else share
