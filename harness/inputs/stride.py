"""Which entries of a tensor a step compares."""

from __future__ import annotations

from dataclasses import dataclass

from impls.contract import Array


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
