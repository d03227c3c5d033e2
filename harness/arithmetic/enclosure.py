"""Inside its bound: the one place that decides whether an entry may be what a right program gives.

Inside is ``|actual - value| <= bound``, so that NaN never is. Where the value or its bound is not finite nothing is
bounded, because a right program may overflow or divide by zero there: such an entry is neither inside nor outside.
Nothing can be held against it, and it is evidence of nothing.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]


def bounded(value: Floats, bound: Floats) -> Mask:
    """The entries at which there is something to compare with."""
    return np.isfinite(value) & np.isfinite(bound)


def outside(distance: Floats, value: Floats, bound: Floats) -> Mask:
    """The entries that no right program gives, by their distance |actual - value|."""
    beyond = ~(distance <= bound)
    return beyond & bounded(value, bound) if beyond.any() else beyond


def within(actual: Floats, value: Floats, bound: Any) -> bool:
    """Whether no entry is outside; arrays of one shape."""
    with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, where nothing is bounded
        return not outside(np.abs(actual - value), value, bound).any()


def telling(value: Floats, bound: Floats) -> Mask:
    """The entries of which half, or twice as much, would be outside."""
    far = np.abs(value) > 2 * bound
    return far & bounded(value, bound) if far.any() else far


class Enclosure:
    """What arrays of values with bounds of the same shape have in common: `Bounded`, and the allowance of an operation.

    Attributes:
        value: in float64.
        bound: how far an entry of a right program may be from it.
    """

    __slots__ = ()
    value: Floats
    bound: Floats

    @property
    def bounded(self) -> Mask:
        """The entries at which there is something to compare with."""
        return bounded(self.value, self.bound)

    def inside(self, actual: Any) -> Mask:
        """The entries that a right program may give, where anything is bounded."""
        return (self._distance(actual) <= self.bound) & self.bounded

    def outside(self, actual: Any) -> Mask:
        """The entries that no right program gives."""
        return outside(self._distance(actual), self.value, self.bound)

    def holds(self, actual: Any) -> bool:
        """Whether no entry is outside; shapes must be the same."""
        return np.shape(actual) == self.value.shape and not self.outside(actual).any()

    def off(self, actual: Any) -> float:
        """The largest difference as a share of the largest entry; infinite where shapes differ."""
        if np.shape(actual) != self.value.shape or not self.bounded.any():
            return np.inf
        with np.errstate(all="ignore"):
            difference = self._distance(actual)[self.bounded].max()
            size = np.abs(np.asarray(actual, np.float64))[self.bounded].max()
            share = float(difference / size) if size else float(np.inf if difference else 0.0)
        return np.inf if np.isnan(share) else share

    def _distance(self, actual: Any) -> Floats:
        with np.errstate(invalid="ignore", over="ignore"):  # inf - inf, where nothing is bounded
            return np.abs(np.asarray(actual, np.float64) - self.value)
