"""A stride of a tensor's entries: every so-many-th along one axis, where a search need not see them all."""

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

    def of(self, array: Array, axis: int) -> Array:
        """The entries of an array that it takes along an axis."""
        index = [slice(None)] * array.ndim
        index[axis] = self.along(array.shape[axis])
        return array[tuple(index)]


EVERY_ENTRY = Stride(1, 0)
