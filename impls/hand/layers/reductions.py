"""Reductions along axes of a sample, each axis left with one entry; and the sum of what comes before, along one axis.

    sum          s = sum x                           dx = ds at every entry that it adds up
    mean         s = sum x / n                       dx = ds / n
    max          s = max x                           dx = ds at the largest entry, shared evenly where several are equal
    variance     s = sum (x - m)^2 / n, m = mean x   dx = 2 ds (x - m) / n
    log-sum-exp  s = log sum exp(x)                  dx = ds exp(x - s)          the softmax of the entries

    cumulative   s_k = sum of x_j over j <= k        dx_j = sum of ds_k over k >= j

Shapes: x (N, ...), s with 1 for the size of each of `axes`, counted from 1 as the samples are axis 0; n entries each.
Of a cumulative sum s has the shape of x.

A variance is over n, biased, as in NumPy and JAX; `unbiased` over n - 1, as torch.var has it unless it is told. Among
equal largest entries torch.amax and jax.numpy.max share the gradient as here; torch.max along an axis gives it to one
of them, which is a subgradient too.

Sources: the chain rule; for log-sum-exp, computed as max x + log sum exp(x - max x), Blanchard, D. Higham and
N. Higham, "Accurately computing the log-sum-exp and softmax functions" (2021).
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.activations.softmax import softmax
from impls.hand.layers.indexing import axis_of
from impls.hand.parts import Parametrised


def rows_along(x: Array, axes: tuple[int, ...]) -> Array:
    """x with these axes last, as one: a row for each number that they are reduced to."""
    others = tuple(axis for axis in range(x.ndim) if axis not in axes)
    return np.transpose(x, (*others, *axes)).reshape(*(x.shape[axis] for axis in others), -1)


def from_rows(rows: Array, shape: tuple[int, ...], axes: tuple[int, ...]) -> Array:
    """What `rows_along` makes rows of, which is of this shape."""
    order = (*(axis for axis in range(len(shape)) if axis not in axes), *axes)
    return np.transpose(rows.reshape(*(shape[axis] for axis in order)), np.argsort(order))


@primitive
def largest_shares(rows: Array) -> Array:
    """1 at the largest entry of each row (..., n), 0 at the others; 1/k at each of k that are equally large."""
    chosen = 1.0 * (rows == rows.max(axis=-1, keepdims=True))
    return chosen / chosen.sum(axis=-1, keepdims=True)


@primitive
def row_variance(rows: Array, less: float) -> Array:
    """Of each row (..., n), over n - less, (..., 1)."""
    centred = rows - rows.mean(axis=-1, keepdims=True)
    return np.square(centred).sum(axis=-1, keepdims=True) / (rows.shape[-1] - less)


@primitive
def row_variance_vjp(ds: Array, rows: Array, less: float) -> Array:
    """dx of rows (..., n), with ds (..., 1)."""
    return 2 * ds * (rows - rows.mean(axis=-1, keepdims=True)) / (rows.shape[-1] - less)


@primitive
def log_sum_exp(rows: Array) -> Array:
    """Of each row (..., n), (..., 1)."""
    largest = rows.max(axis=-1, keepdims=True)
    return largest + np.log(np.exp(rows - largest).sum(axis=-1, keepdims=True))


@primitive
def log_sum_exp_vjp(ds: Array, rows: Array) -> Array:
    """dx of rows (..., n), with ds (..., 1)."""
    return ds * softmax(rows)


class _Reduction(Parametrised):
    reads, gives = "x", "s"
    does = "adds up along"

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

    def reduced(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape of s."""
        return tuple(1 if axis in self.axes else size for axis, size in enumerate(shape))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x lacks one of the axes."""
        if max(self.axes) >= len(read["x"]):
            raise ValueError(f"it {self.does} axis {max(self.axes)}, counted from the samples, 0")
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


class Max(_Reduction):
    does = "takes the largest along"

    def forward(self, x: Array) -> Array:
        return from_rows(rows_along(x, self.axes).max(axis=-1, keepdims=True), self.reduced(x.shape), self.axes)

    def dx(self, ds: Array, x: Array) -> Array:
        shares = largest_shares(rows_along(x, self.axes))
        return from_rows(rows_along(ds, self.axes) * shares, x.shape, self.axes)

    def one_sided(self, ds: Array, x: Array) -> tuple[Array, Array, Array]:
        shares, above = largest_shares(rows_along(x, self.axes)), rows_along(ds, self.axes)
        tied, chosen = (shares > 0) * (shares < 1) > 0.5, shares > 0
        ends = (np.where(tied, end(above, 0.0), above) * chosen for end in (np.minimum, np.maximum))
        return tuple(from_rows(each, x.shape, self.axes) for each in (tied, *ends))


class Variance(_Reduction):
    does = "takes the variance along"

    def __init__(self, axes: list[int], unbiased: bool = False) -> None:
        super().__init__(axes)
        self.unbiased = unbiased

    def forward(self, x: Array) -> Array:
        return from_rows(row_variance(rows_along(x, self.axes), int(self.unbiased)), self.reduced(x.shape), self.axes)

    def dx(self, ds: Array, x: Array) -> Array:
        rows = row_variance_vjp(rows_along(ds, self.axes), rows_along(x, self.axes), int(self.unbiased))
        return from_rows(rows, x.shape, self.axes)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x lacks one of the axes, or n - 1 would be 0."""
        gives = super().shapes(read)
        if self.unbiased and prod(int(read["x"][axis]) for axis in self.axes) < 2:
            raise ValueError("one entry has no unbiased variance")
        return gives


class LogSumExp(_Reduction):
    does = "adds up exponentials along"

    def forward(self, x: Array) -> Array:
        return from_rows(log_sum_exp(rows_along(x, self.axes)), self.reduced(x.shape), self.axes)

    def dx(self, ds: Array, x: Array) -> Array:
        return from_rows(log_sum_exp_vjp(rows_along(ds, self.axes), rows_along(x, self.axes)), x.shape, self.axes)


class CumulativeSum(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, axis: int) -> None:
        self.axis = axis_of("add up along", axis)

    def forward(self, x: Array) -> Array:
        return np.cumsum(x, axis=self.axis)

    def dx(self, ds: Array) -> Array:
        return np.flip(np.cumsum(np.flip(ds, self.axis), axis=self.axis), self.axis)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x lacks the axis."""
        if self.axis >= len(read["x"]):
            raise ValueError(f"it adds up along axis {self.axis}, counted from the samples, 0")
        return {"s": read["x"]}
