"""Layers with two inputs or two outputs, by which a network branches and its branches meet.

    concatenation   s = [p, q]              dp = first part of ds    dq = the rest of it    along an axis
    split           [p, q] = x              dx = [dp, dq]            the first entries of an axis, and the rest
    stack           s = [p, q]              dp = ds_1                dq = ds_2              along a new axis

Shapes: p and q of a stack are alike; a concatenation joins (N, ..., K) and (N, ..., K'), along the last axis or the one
that is said, counted from 1 as the samples are axis 0. A stack is (N, ..., 2, ...).

Source: the chain rule: an entry's gradient goes back to where the entry came from.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impls.graph import Array, Shape
from impls.hand.layers.indexing import axis_of
from impls.hand.parts import Parametrised, count


class _Along(Parametrised):
    """What is cut along an axis of a sample, counted from 1: the last where it is None."""

    def __init__(self, axis: int | None) -> None:
        self.axis = axis if axis is None else axis_of(f"make a {type(self).__name__} with", axis)

    def part(self, x: Array, start: int | None, stop: int | None) -> Array:
        """Entries from start to stop along the axis."""
        cut = slice(start, stop)
        return +x[..., cut] if self.axis is None else +x[(*(slice(None),) * self.axis, cut)]

    def joined(self, p: Array, q: Array) -> Array:
        """Both, one behind the other."""
        return np.concatenate([p, q], axis=-1 if self.axis is None else self.axis)

    def axis_in(self, shape: Shape) -> int:
        """The axis, counted from 0 in a shape; ValueError where there is none."""
        axis = len(shape) - 1 if self.axis is None else self.axis
        if not 0 < axis < len(shape):
            raise ValueError(f"it cuts along axis {axis}, counted from the samples, 0")
        return axis


class Concatenate(_Along):
    reads, gives = ("p", "q"), "s"
    derivative: Mapping[str, str] = {"p": "1", "q": "1"}

    def __init__(self, axis: int | None = None) -> None:
        super().__init__(axis)

    def forward(self, p: Array, q: Array) -> Array:
        return self.joined(p, q)

    def dp(self, ds: Array, p: Array) -> Array:
        return self.part(ds, None, p.shape[self.axis_in(p.shape)])

    def dq(self, ds: Array, p: Array) -> Array:
        return self.part(ds, p.shape[self.axis_in(p.shape)], None)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where p and q differ in another axis."""
        axis, (p, q) = self.axis_in(read["p"]), (list(read["p"]), list(read["q"]))
        if len(p) != len(q) or p[:axis] + p[axis + 1 :] != q[:axis] + q[axis + 1 :]:
            raise ValueError(
                f"it joins what differs in {'the last axis' if self.axis is None else f'axis {axis}'} only"
            )
        return {"s": (*p[:axis], int(p[axis]) + int(q[axis]), *p[axis + 1 :])}


class Stack(Parametrised):
    """Two tensors of one shape as the two entries of a new axis."""

    reads, gives = ("p", "q"), "s"

    def __init__(self, axis: int = 1) -> None:
        self.axis = axis_of("make a Stack with", axis)

    def forward(self, p: Array, q: Array) -> Array:
        new = (*p.shape[: self.axis], 1, *p.shape[self.axis :])
        return np.concatenate([p.reshape(*new), q.reshape(*new)], axis=self.axis)

    def dp(self, ds: Array) -> Array:
        return +ds[(*(slice(None),) * self.axis, 0)]

    def dq(self, ds: Array) -> Array:
        return +ds[(*(slice(None),) * self.axis, 1)]

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where p and q differ, or have fewer axes."""
        p = read["p"]
        if p != read["q"] or self.axis > len(p):
            raise ValueError(f"it stacks two of one shape along a new axis {self.axis}, counted from the samples, 0")
        return {"s": (*p[: self.axis], 2, *p[self.axis :])}


class Split(_Along):
    """The first `at` entries along an axis, and the rest: a rule for each output."""

    reads, gives = "x", ("p", "q")
    derivative: Mapping[str, str] = {"x": "1"}

    def __init__(self, at: int, axis: int | None = None) -> None:
        super().__init__(axis)
        self.at = count("at", at, doing="split", why="each part has an entry at least")

    def p(self, x: Array) -> Array:
        return self.part(x, None, self.at)

    def q(self, x: Array) -> Array:
        return self.part(x, self.at, None)

    def dx(self, dp: Array, dq: Array) -> Array:
        return self.joined(dp, dq)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shapes of both parts; ValueError where the axis has no second part."""
        axis, x = self.axis_in(read["x"]), read["x"]
        rest = int(x[axis]) - self.at
        if rest < 1:
            raise ValueError(f"it has no entry after the first {self.at} of a row")
        return {part: (*x[:axis], size, *x[axis + 1 :]) for part, size in (("p", self.at), ("q", rest))}
