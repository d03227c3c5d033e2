"""Layers that change the shape only: every entry of a sample goes to another place, and its gradient comes back.

    reshape       s = the entries of x in their order, in rows of another length       dx likewise
    flatten       s_nk = x_n.., all axes of a sample as one                             dx likewise
    transpose     s has axis axes[k] of x for its k-th                                  dx: the inverse permutation

Shapes: x (N, ...), s (N, ...) with as many entries a sample. The samples stay where they are.
The Jacobian is a permutation matrix, whose transpose is its inverse.

Source: the chain rule; order of entries as in C, the last axis fastest.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.hand.parts import Parametrised


def counts(sizes: Shape) -> tuple[int, ...]:
    """The sizes of a sample's axes, all but the first."""
    return tuple(int(size) for size in sizes[1:])


class Reshape(Parametrised):
    """Samples of the shape given; -1 stands for one size that follows from the others."""

    reads, gives = "x", "s"

    def __init__(self, shape: list[int]) -> None:
        sizes = tuple(shape) if isinstance(shape, list | tuple) else ()
        whole = all(isinstance(n, int) and not isinstance(n, bool) and (n >= 1 or n == -1) for n in sizes)
        if not sizes or not whole or sizes.count(-1) > 1:
            raise ValueError(
                f"Cannot reshape to shape={shape!r}, because that is the shape of one sample; give a list of whole "
                f"numbers from 1 on, one of which may be -1."
            )
        self.shape = sizes

    def forward(self, x: Array) -> Array:
        return +x.reshape(len(x), *self.shape)

    def dx(self, ds: Array, x: Array) -> Array:
        return +ds.reshape(x.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where a sample has another number of entries."""
        entries, known = prod(counts(read["x"])), prod(n for n in self.shape if n != -1)
        if (entries % known) if -1 in self.shape else (entries != known):
            raise ValueError(f"a sample of {entries} entries does not make {known}{' times -1' * (-1 in self.shape)}")
        return {"s": (read["x"][0], *(entries // known if n == -1 else n for n in self.shape))}


class Flatten(Parametrised):
    """All axes of a sample as one."""

    reads, gives = "x", "s"

    def forward(self, x: Array) -> Array:
        return +x.reshape(len(x), -1)

    def dx(self, ds: Array, x: Array) -> Array:
        return +ds.reshape(x.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s."""
        return {"s": (read["x"][0], prod(counts(read["x"])))}


class Transpose(Parametrised):
    """The axes of a sample in another order, counted from 1; the samples are axis 0."""

    reads, gives = "x", "s"

    def __init__(self, axes: list[int]) -> None:
        order = tuple(axes) if isinstance(axes, list | tuple) else ()
        if not order or sorted(order) != list(range(1, len(order) + 1)):
            raise ValueError(
                f"Cannot transpose axes={axes!r}, because the axes of a sample are counted from 1 and each stands "
                f"once; give a list such as [2, 1]."
            )
        self.axes = order

    def forward(self, x: Array) -> Array:
        return +np.transpose(x, (0, *self.axes))

    def dx(self, ds: Array) -> Array:
        return +np.transpose(ds, np.argsort((0, *self.axes)))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x has other axes."""
        if len(read["x"]) != len(self.axes) + 1:
            raise ValueError(f"it orders {len(self.axes)} axes of a sample")
        return {"s": (read["x"][0], *(read["x"][axis] for axis in self.axes))}
