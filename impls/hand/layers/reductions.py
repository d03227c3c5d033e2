"""Sums and means along axes of a sample, each axis left with one entry.

    sum    s = sum x         dx = ds at every entry that it adds up
    mean   s = sum x / n     dx = ds / n

Shapes: x (N, ...), s with 1 for the size of each of `axes`, counted from 1 as the samples are axis 0; n entries each.

Source: the chain rule.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.hand.parts import Parametrised


class _Reduction(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, axes: list[int]) -> None:
        along = tuple(axes) if isinstance(axes, list | tuple) else ()
        if not along or len(set(along)) < len(along) or not all(type(axis) is int and axis >= 1 for axis in along):
            raise ValueError(
                f"Cannot reduce axes={axes!r}, because they are counted from 1, after the samples, and each stands "
                f"once; give a list such as [1, 2]."
            )
        self.axes = along

    def terms(self, x: Array) -> int:
        """How many entries each sum is of."""
        return prod(x.shape[axis] for axis in self.axes)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x lacks one of the axes."""
        if max(self.axes) >= len(read["x"]):
            raise ValueError(f"it adds up along axis {max(self.axes)}, counted from the samples, 0")
        return {"s": tuple(1 if axis in self.axes else size for axis, size in enumerate(read["x"]))}


class Sum(_Reduction):
    def forward(self, x: Array) -> Array:
        return x.sum(axis=self.axes, keepdims=True)

    def dx(self, ds: Array, x: Array) -> Array:
        return +np.broadcast_to(ds, x.shape)


class Mean(_Reduction):
    def forward(self, x: Array) -> Array:
        return x.sum(axis=self.axes, keepdims=True) / self.terms(x)

    def dx(self, ds: Array, x: Array) -> Array:
        return +np.broadcast_to(ds / self.terms(x), x.shape)
