"""The schedule: at which steps every entry is compared, and at which a sample, a stride of the entries.

Small networks, under a million multiply-adds a step, are compared in full at every step. Larger ones are
compared in full at steps 1, 2, 4, 8, ... and the last: every entry, by the formula check in float64 and the
rounding check. At the others the rounding check and the update see a rotating eighth of the entries: every eighth of
an axis, the first one chosen by the seed, moving on by one each step, so that eight steps see every entry.
"""

from __future__ import annotations

from dataclasses import dataclass

from impls.contract import Array

SMALL = 1_000_000
STRIDE = 8


@dataclass(frozen=True)
class Schedule:
    """When to compare what.

    Attributes:
        full: compare every entry at every step.
        every: compare at every N-th step only, in full, and at the first and last; 0 for all steps.
    """

    full: bool
    every: int
    last: int
    seed: int

    def stride(self, step: int) -> Stride | None:
        """The entries to compare at a step, counted from 1; None for none."""
        if self.every:
            due = step in (1, self.last) or step % self.every == 0
            return EVERY_ENTRY if due else None
        if self.full or milestone(step, self.last):
            return EVERY_ENTRY
        return Stride(STRIDE, (self.seed + step) % STRIDE)

    def certifies(self, step: int) -> bool:
        """Whether a run that is certified finds the truth at a step: at 1, 2, 4, 8, ... and the last, if compared."""
        return milestone(step, self.last) and self.stride(step) is not None


def milestone(step: int, last: int) -> bool:
    """Whether a step, counted from 1, is one of 1, 2, 4, 8, ... or the last."""
    return step & (step - 1) == 0 or step == last


@dataclass(frozen=True)
class Stride:
    """Every so-many-th entry along one axis, from `offset` on."""

    every: int
    offset: int

    def along(self, size: int) -> slice:
        """The slice of an axis of that size; never empty."""
        return slice(self.offset % min(self.every, size), None, self.every)

    def origin(self, position: int, size: int) -> int:
        """Where in an axis of that size the entry is that stands at a position of the slice."""
        return range(size)[self.along(size)][position]

    def of(self, array: Array, axis: int) -> Array:
        """The entries of an array that it takes along an axis."""
        index = [slice(None)] * array.ndim
        index[axis] = self.along(array.shape[axis])
        return array[tuple(index)]


EVERY_ENTRY = Stride(1, 0)
