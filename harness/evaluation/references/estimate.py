"""An estimate: what a tensor should be, and how far a right program may be from it, entry by entry."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.enclosure import Enclosure
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from impls.contract import Array


@dataclass(frozen=True)
class Estimate(Enclosure):
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
