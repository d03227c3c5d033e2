"""The smallest along axes, and the largest or the sum of windows.

    smallest             dx = ds at the smallest entry, shared evenly among equals: the largest of -x
    largest of windows   dx = ds at the largest entry of each window, the first among equals; windows overlap and add up
    sum of windows       dx = the sum of ds over the windows that an entry is in

Shapes: a window has as many axes as x; s has an entry for each place that it is laid on. Along each axis x may have a
frame, of what is smaller than all entries or 0, and gaps; entries of a window may lie apart.

Source: the chain rule; Boureau, Ponce and LeCun, "A theoretical analysis of feature pooling" (2010), section 2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.indexing import scattered
from impls.hand.operations.indexing import Frame, entries, flat
from impls.hand.parts import Parametrised


class _OfWindows(Parametrised):
    """For each axis: entries of a window, how far it moves, the frame (before, behind), gaps of x, gaps of a window."""

    reads, gives = "x", "s"

    def __init__(
        self,
        window: Sequence[int],
        steps: Sequence[int],
        around: Sequence[tuple[int, int]],
        apart: Sequence[int],
        window_apart: Sequence[int],
    ) -> None:
        self.window, self.steps, self.around = tuple(window), tuple(steps), tuple(around)
        self.apart, self.window_apart = tuple(apart), tuple(window_apart)

    def places(self, x: Array) -> Any:
        """Of every window a row of places in x, -1 in the frame."""
        frame = Frame([(*pair, gap - 1) for pair, gap in zip(self.around, self.apart, strict=True)])
        coordinates = []
        for axis, size in enumerate(x.shape):
            source = frame.along(size, axis)[0]
            within = np.arange(self.window[axis]) * self.window_apart[axis]
            begins = np.arange(0, len(source) - within[-1], self.steps[axis])
            shape = [1] * (2 * x.ndim)
            shape[axis], shape[x.ndim + axis] = len(begins), len(within)
            coordinates.append(source[begins[:, None] + within].reshape(shape))
        places = flat(coordinates, x.shape)
        return places.reshape(*places.shape[: x.ndim], -1)


class SumOfWindows(_OfWindows):
    def forward(self, x: Array) -> Array:
        return entries(x, self.places(x), 0.0).sum(axis=-1)

    def dx(self, ds: Array, x: Array) -> Array:
        places = self.places(x)
        sent = np.broadcast_to(ds.reshape(*ds.shape, 1), places.shape)
        inside = np.flatnonzero(places >= 0)
        return scattered(sent.reshape(-1)[inside].reshape(1, -1), places.reshape(-1)[inside], x.size).reshape(x.shape)


class MaxOfWindows(_OfWindows):
    def forward(self, x: Array) -> Array:
        return entries(x, self.places(x), -np.inf).max(axis=-1)

    def dx(self, ds: Array, x: Array) -> Array:
        places = self.places(x)
        rows = np.where(places >= 0, np.asarray(getattr(x, "value", x)).reshape(-1)[np.maximum(places, 0)], -np.inf)
        chosen = np.take_along_axis(places, np.argmax(rows, axis=-1)[..., None], axis=-1)  # entries are what was read
        return scattered(ds.reshape(1, -1), chosen.reshape(-1), x.size).reshape(x.shape)
