"""Where entries go: of a gather or a scatter, of a frame with gaps, of windows; as whole numbers, without any values.

    gather         s = x in windows that begin where whole numbers say
    scatter-add    the other way round: v added to such windows of x
    frame          s = x with so many entries of v before, behind and between its own; fewer where the number is below 0
                   dx = ds at x's own places, 0 for those that were cut off; dv = the sum of ds, less that of dx
    repeated       s = x, laid with new axes of size 1 where it has none, and repeated along axes of size 1
                   dx = ds summed along the axes that x is repeated along

Counted from 0, in an array taken as one row; where nothing of x stands, -1.

Source: "Operation semantics" of OpenXLA, gather, scatter, pad and reduce window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.broadcasting import summed_to
from impls.hand.parts import Parametrised


def flat(coordinates: Sequence[Any], shape: Sequence[int]) -> Any:
    """Places in an array of this shape, from coordinates along each axis that broadcast; -1 where one is below 0."""
    if not coordinates:
        return np.zeros((), int)
    every = np.broadcast_arrays(*coordinates)
    inside = np.all([each >= 0 for each in every], axis=0)
    if not inside.any():
        return np.full(every[0].shape, -1)
    return np.where(inside, np.ravel_multi_index([np.maximum(each, 0) for each in every], tuple(shape)), -1)


def entries(x: Array, places: Any, missing: Any) -> Array:
    """The entries of x at these places, and `missing` where there is none."""
    taken = x.reshape(-1)[np.maximum(places, 0)]
    return +taken if (places >= 0).all() else np.where(places >= 0, taken, missing)


@dataclass(frozen=True, kw_only=True)
class Windows:
    """Windows of an array, each of `sizes`, at whole numbers i (..., starts), one row for each window.

    Attributes:
        starts: the axes that i counts along, in its order.
        within: axes of the result along which the entries of a window lie, those of size 1 in `dropped` left out.
        dropped: axes of the array that the result lacks.
        along: axes of the array that run along with axes of i, as pairs; dropped too.
        clipped: windows that reach out are moved back inside; else they hold nothing.
    """

    sizes: tuple[int, ...]
    starts: tuple[int, ...]
    within: tuple[int, ...]
    dropped: tuple[int, ...]
    along: tuple[tuple[int, int], ...] = ()
    clipped: bool = False

    def places(self, shape: Sequence[int], i: Any) -> Any:
        """Where each entry of the result stands in an array of this shape."""
        kept = [axis for axis in range(len(shape)) if axis not in self.dropped]
        of_windows = i.shape[:-1]
        axes = [axis for axis in range(len(of_windows) + len(kept)) if axis not in self.within]
        rank, coordinates = len(axes) + len(kept), []
        for axis, size in enumerate(shape):
            start = self._start(axis, size, i)
            laid = np.reshape(start, [start.shape[axes.index(a)] if a in axes else 1 for a in range(rank)])
            if axis in kept:
                inner = self.within[kept.index(axis)]
                offset = np.arange(self.sizes[axis]).reshape([-1 if a == inner else 1 for a in range(rank)])
                laid = np.where(laid < 0, -1, laid + offset)
            coordinates.append(laid)
        return flat(coordinates, shape)

    def _start(self, axis: int, size: int, i: Any) -> Any:
        """Where each window begins along an axis; -1 where it reaches out."""
        last = size - self.sizes[axis]
        if axis in self.starts:
            start = np.asarray(i[..., self.starts.index(axis)], np.int64)
            return np.clip(start, 0, last) if self.clipped else np.where((start >= 0) & (start <= last), start, -1)
        shape = i.shape[:-1]
        pairs = dict(self.along)
        if axis in pairs:
            one = [-1 if a == pairs[axis] else 1 for a in range(len(shape))]
            return np.broadcast_to(np.arange(size).reshape(one), shape)
        return np.zeros(shape, np.int64)


class Repeated(Parametrised):
    """x with these sizes, 1 for its new axes, repeated to a shape."""

    reads, gives = "x", "s"

    def __init__(self, sizes: Sequence[int], shape: Sequence[int]) -> None:
        self.sizes, self.shape = tuple(sizes), tuple(shape)

    def forward(self, x: Array) -> Array:
        return +np.broadcast_to(x.reshape(self.sizes), self.shape)

    def dx(self, ds: Array, x: Array) -> Array:
        return (+summed_to(ds, self.sizes)).reshape(x.shape)


class Frame(Parametrised):
    """x in a frame: along each axis so many entries of v before, behind, and between two of its own."""

    reads, gives = ("x", "v"), "s"

    def __init__(self, widths: Sequence[tuple[int, int, int]]) -> None:
        self.widths = [(int(before), int(behind), int(between)) for before, behind, between in widths]

    def along(self, size: int, axis: int) -> tuple[Any, Any]:
        """Along an axis: which of x's entries each of s is, and where each of x's is in s."""
        before, behind, between = self.widths[axis]
        whole = before + behind + size + max(size - 1, 0) * between
        at = before + np.arange(size) * (between + 1)
        at = np.where((at >= 0) & (at < whole), at, -1)
        source = np.full(max(whole, 0), -1)
        source[at[at >= 0]] = np.flatnonzero(at >= 0)
        return source, at

    def framed(self, x: Array, v: Any = 0.0) -> Array:
        """x in its frame."""
        sources = [self.along(size, axis)[0] for axis, size in enumerate(x.shape)]
        return entries(x, flat(np.ix_(*sources), x.shape), v)

    def taken_out(self, ds: Array, shape: Sequence[int]) -> Array:
        """The entries of ds at the places of x, whose shape this is."""
        at = [self.along(size, axis)[1] for axis, size in enumerate(shape)]
        return entries(ds, flat(np.ix_(*at), ds.shape), 0.0)

    def forward(self, x: Array, v: Array) -> Array:
        return self.framed(x, v)

    def dx(self, ds: Array, x: Array) -> Array:
        return self.taken_out(ds, x.shape)

    def dv(self, ds: Array, x: Array) -> Array:
        return ds.sum() - self.taken_out(ds, x.shape).sum()
