"""Matrix products of arrays with any axes in front, and sums of them.

    product    s = p q                  dp = ds q^T           dq = p^T ds          axes in front broadcast
    affine     s = c b + k x W          dx = k ds W^T         dW = k x^T ds        db = c ds, summed as b was repeated
    contracted s = sum over chosen axes of p and q, others kept (dot_general): a product after transposing both

Source: the chain rule; np.matmul for which axes are multiplied.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import numpy as np

from impls.graph import Array
from impls.hand.layers.broadcasting import summed_to
from impls.hand.layers.matrix_product import swapped
from impls.hand.parts import Parametrised


class VectorProduct(Parametrised):
    """p (n, m) or (m,) times q (m,): a number for each row."""

    reads, gives = ("p", "q"), "s"

    def forward(self, p: Array, q: Array) -> Array:
        return (p @ q.reshape(-1, 1)).reshape(p.shape[:-1])

    def dp(self, ds: Array, q: Array) -> Array:
        return ds.reshape(*ds.shape, 1) * q

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return (ds.reshape(1, -1) @ p.reshape(-1, q.size)).reshape(-1)


class AffineProduct(Parametrised):
    """`b_times` times b, plus `times` times x W."""

    reads, gives = ("b", "x", "W"), "s"

    def __init__(self, b_times: float = 1.0, times: float = 1.0) -> None:
        self.b_times, self.times = b_times, times

    def forward(self, b: Array, x: Array, W: Array) -> Array:
        s = x @ W
        return (s if self.times == 1 else s * self.times) + (b if self.b_times == 1 else b * self.b_times)

    def db(self, ds: Array, b: Array) -> Array:
        summed = +summed_to(ds, b.shape)
        return summed if self.b_times == 1 else summed * self.b_times

    def dx(self, ds: Array, W: Array) -> Array:
        return self._times(ds @ swapped(W))

    def dW(self, ds: Array, x: Array) -> Array:
        return self._times(swapped(x) @ ds)

    def _times(self, product: Array) -> Array:
        return product if self.times == 1 else product * self.times


class Contraction(Parametrised):
    """s[batch, rest of p, rest of q] = sum over the axes `summed`, which are as many in both; `batch` run along."""

    reads, gives = ("p", "q"), "s"

    def __init__(self, summed: Sequence[Sequence[int]], batch: Sequence[Sequence[int]] = ((), ())) -> None:
        self.summed, self.batch = tuple(map(tuple, summed)), tuple(map(tuple, batch))

    def _rest(self, x: Array, which: int) -> tuple[int, ...]:
        taken = {*self.summed[which], *self.batch[which]}
        return tuple(axis for axis in range(x.ndim) if axis not in taken)

    def _order(self, x: Array, which: int) -> tuple[int, ...]:
        return (*self.batch[which], *self._rest(x, which), *self.summed[which])

    def _matrices(self, x: Array, which: int) -> Array:
        """(batch, rest, summed)."""
        sizes = [
            prod(x.shape[a] for a in axes) for axes in (self.batch[which], self._rest(x, which), self.summed[which])
        ]
        return np.transpose(x, self._order(x, which)).reshape(sizes)

    def _back(self, rows: Array, x: Array, which: int) -> Array:
        order = self._order(x, which)
        return np.transpose(rows.reshape([x.shape[axis] for axis in order]), np.argsort(order))

    def forward(self, p: Array, q: Array) -> Array:
        shape = [p.shape[axis] for axis in (*self.batch[0], *self._rest(p, 0))]
        s = self._matrices(p, 0) @ swapped(self._matrices(q, 1))
        return s.reshape([*shape, *(q.shape[axis] for axis in self._rest(q, 1))])

    def _sent(self, ds: Array, p: Array, q: Array) -> Array:
        sizes = [prod(x.shape[a] for a in axes) for x, axes in (
            (p, self.batch[0]), (p, self._rest(p, 0)), (q, self._rest(q, 1)),
        )]  # fmt: skip
        return ds.reshape(sizes)

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return self._back(self._sent(ds, p, q) @ self._matrices(q, 1), p, 0)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return self._back(swapped(self._sent(ds, p, q)) @ self._matrices(p, 0), q, 1)
