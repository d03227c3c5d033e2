"""Reductions of arrays of any shape along any axes, each left with one entry or dropped.

    sum, mean         dx = ds, ds / n at every entry
    largest           dx = ds at the largest entry: shared evenly among equals, or all of it at the first
    variance          dx = 2 ds (x - m) / (n - c)
    log-sum-exp       dx = ds exp(x - s)
    cumulative sum    dx_j = sum of ds_k over k >= j

Formulas and sources: `impls.hand.layers.reductions`.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.reductions import (
    from_rows,
    largest_shares,
    log_sum_exp,
    log_sum_exp_vjp,
    row_variance,
    row_variance_vjp,
    rows_along,
)
from impls.hand.parts import Parametrised


class _Along(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, axes: Sequence[int] | None, keepdims: bool = False) -> None:
        self.axes, self.keepdims = axes, keepdims

    def along(self, x: Array) -> tuple[int, ...]:
        """The axes, counted from 0; all of them where none is said."""
        axes = range(x.ndim) if self.axes is None else self.axes
        return tuple(sorted({axis % max(x.ndim, 1) for axis in axes})) if x.ndim else ()

    def kept(self, x: Array) -> tuple[int, ...]:
        """The shape of s with an entry for each axis that is reduced."""
        return tuple(1 if axis in self.along(x) else size for axis, size in enumerate(x.shape))

    def shape(self, x: Array) -> tuple[int, ...]:
        """The shape of s."""
        return self.kept(x) if self.keepdims else tuple(n for a, n in enumerate(x.shape) if a not in self.along(x))

    def terms(self, x: Array) -> int:
        """How many entries each is of."""
        return prod(x.shape[axis] for axis in self.along(x))

    def rows(self, x: Array) -> Array:
        """A row of each entries that are reduced to one."""
        return rows_along(x, self.along(x))

    def rows_of(self, ds: Array, x: Array) -> Array:
        """ds, a row of one entry for each row of x."""
        return rows_along(ds.reshape(self.kept(x)), self.along(x))

    def whole(self, rows: Array, x: Array) -> Array:
        """Rows as an array of the shape of x."""
        return from_rows(rows, x.shape, self.along(x))


class Sum(_Along):
    def forward(self, x: Array) -> Array:
        return x.sum(axis=self.along(x)).reshape(self.shape(x)) if x.ndim else +x

    def dx(self, ds: Array, x: Array) -> Array:
        return +np.broadcast_to(ds.reshape(self.kept(x)), x.shape)


class Mean(Sum):
    def forward(self, x: Array) -> Array:
        return super().forward(x) / self.terms(x)

    def dx(self, ds: Array, x: Array) -> Array:
        return super().dx(ds, x) / self.terms(x)


class Max(_Along):
    """Equals share the gradient; with `first` only the first of them has it."""

    def __init__(self, axes: Sequence[int] | None, keepdims: bool = False, first: bool = False) -> None:
        super().__init__(axes, keepdims)
        self.first = first

    def forward(self, x: Array) -> Array:
        return self.rows(x).max(axis=-1).reshape(self.shape(x))

    def dx(self, ds: Array, x: Array) -> Array:
        return self.whole(self.rows_of(ds, x) * self._shares(self.rows(x)), x)

    def _shares(self, rows: Array) -> Any:
        if not self.first:
            return largest_shares(rows)
        chosen = np.argmax(
            np.asarray(getattr(rows, "value", rows)), axis=-1
        )  # entries are exact: they are what was read
        return 1.0 * (np.arange(rows.shape[-1]) == chosen[..., None])


class Min(Max):
    """As `Max` of the negative."""

    def forward(self, x: Array) -> Array:
        return -super().forward(-x)

    def dx(self, ds: Array, x: Array) -> Array:
        return super().dx(ds, -x)


class Variance(_Along):
    """Over n - `correction`."""

    def __init__(self, axes: Sequence[int] | None, correction: float = 1, keepdims: bool = False) -> None:
        super().__init__(axes, keepdims)
        self.correction = correction

    def forward(self, x: Array) -> Array:
        return row_variance(self.rows(x), self.correction).reshape(self.shape(x))

    def dx(self, ds: Array, x: Array) -> Array:
        return self.whole(row_variance_vjp(self.rows_of(ds, x), self.rows(x), self.correction), x)


class LogSumExp(_Along):
    def forward(self, x: Array) -> Array:
        return log_sum_exp(self.rows(x)).reshape(self.shape(x))

    def dx(self, ds: Array, x: Array) -> Array:
        return self.whole(log_sum_exp_vjp(self.rows_of(ds, x), self.rows(x)), x)


class CumulativeSum(Parametrised):
    """From the first on, or with `reverse` from the last."""

    reads, gives = "x", "s"

    def __init__(self, axis: int, reverse: bool = False) -> None:
        self.axis, self.reverse = axis, reverse

    def forward(self, x: Array) -> Array:
        return self._summed(x, self.reverse)

    def dx(self, ds: Array) -> Array:
        return self._summed(ds, not self.reverse)

    def _summed(self, x: Array, reverse: bool) -> Array:
        if not reverse:
            return np.cumsum(x, axis=self.axis)
        return np.flip(np.cumsum(np.flip(x, self.axis), axis=self.axis), self.axis)
