"""Arithmetic entry by entry on arrays of any shapes that broadcast to one.

    sum          s = p + c q            dp = ds              dq = c ds
    difference   s = p - c q            dp = ds              dq = -c ds
    product      s = p q                dp = ds q            dq = ds p
    quotient     s = p / q              dp = ds / q          dq = -ds p / q^2
    largest      s = max(p, q)          dp = ds where p > q  dq = ds where q > p      half of it where equal
    smallest     s = min(p, q)          likewise
    choice       s = p where c, else q  dp = ds where c      dq = ds where not c
    between      s = p + t (q - p)      dp = ds (1 - t)      dq = ds t        dt = ds (q - p)
    clamp        a = z within bounds    dz = da where z is not outside of them, on them included
    cast         s = x in another format                     dx = ds in that of x

Of what is repeated every copy sends its gradient back: dp is then the sum of these along the repeated axes, those in
front that p lacks among them. What is a number and no array has no gradient.

Source: the chain rule, "taking into account all the connections" (Rumelhart, Hinton and Williams, 1986).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.broadcasting import divisor_vjp
from impls.hand.parts import Parametrised


def unbroadcast(ds: Array, shape: tuple[int, ...]) -> Array:
    """The sum of ds along the axes that `shape` lacks in front, or has one entry in where ds has more."""
    lacking = ds.ndim - len(shape)
    repeated = tuple(a for a, n in enumerate(ds.shape) if a < lacking or (shape[a - lacking] == 1 != n))
    return ds.sum(axis=repeated).reshape(shape) if repeated else +ds


class _Pair(Parametrised):
    reads, gives = ("p", "q"), "s"


class Add(_Pair):
    """`times` is what the second is multiplied by first."""

    def __init__(self, times: float = 1.0) -> None:
        self.times = times

    def forward(self, p: Array, q: Array) -> Array:
        return p + (q if self.times == 1 else q * self.times)

    def dp(self, ds: Array, p: Array) -> Array:
        return unbroadcast(ds, p.shape)

    def dq(self, ds: Array, q: Array) -> Array:
        return unbroadcast(ds if self.times == 1 else ds * self.times, q.shape)


class Subtract(Add):
    def forward(self, p: Array, q: Array) -> Array:
        return p - (q if self.times == 1 else q * self.times)

    def dq(self, ds: Array, q: Array) -> Array:
        return unbroadcast(-ds if self.times == 1 else -(ds * self.times), q.shape)


class Multiply(_Pair):
    def forward(self, p: Array, q: Array) -> Array:
        return p * q

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return unbroadcast(ds * q, p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return unbroadcast(ds * p, q.shape)


class Divide(_Pair):
    def forward(self, p: Array, q: Array) -> Array:
        return p / q

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return unbroadcast(ds / q, p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return unbroadcast(divisor_vjp(ds, p, q), q.shape)


class _Chosen(_Pair):
    def _share(self, ds: Array, own: Array, chosen: Array, left: Array) -> Array:
        """ds where own is the one that is chosen, half of it at a tie."""
        return unbroadcast(np.where(chosen, ds, np.where(left, 0 * ds, 0.5 * ds)), own.shape)


class Maximum(_Chosen):
    def forward(self, p: Array, q: Array) -> Array:
        return np.maximum(p, q)

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, p, p > q, p < q)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, q, q > p, q < p)


class Minimum(_Chosen):
    def forward(self, p: Array, q: Array) -> Array:
        return np.minimum(p, q)

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, p, p < q, p > q)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, q, q < p, q > p)


class Choose(Parametrised):
    """c holds True and False and broadcasts too."""

    reads, gives = ("c", "p", "q"), "s"

    def forward(self, c: Any, p: Array, q: Array) -> Array:
        return np.where(c, p, q)

    def dp(self, ds: Array, c: Any, p: Array) -> Array:
        return unbroadcast(np.where(c, ds, np.full_like(ds, 0)), p.shape)

    def dq(self, ds: Array, c: Any, q: Array) -> Array:
        return unbroadcast(np.where(c, np.full_like(ds, 0), ds), q.shape)


class Negative(Parametrised):
    reads, gives = "x", "s"

    def forward(self, x: Array) -> Array:
        return -x

    def dx(self, ds: Array) -> Array:
        return -ds


class PowerOf(Parametrised):
    """s = p^q of two tensors, p above 0: dp = ds q p^(q-1), dq = ds s log p."""

    reads, gives = ("p", "q"), "s"

    def forward(self, p: Array, q: Array) -> Array:
        return np.exp(q * np.log(p))

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return unbroadcast(ds * q * np.exp((q - 1) * np.log(p)), p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return unbroadcast(ds * np.exp(q * np.log(p)) * np.log(p), q.shape)


class Between(Parametrised):
    """Where t is above 1/2, q - (q - p)(1 - t), as torch has it; either is within the bound of both."""

    reads, gives = ("p", "q", "t"), "s"

    def forward(self, p: Array, q: Array, t: Array) -> Array:
        return p + t * (q - p)

    def dp(self, ds: Array, p: Array, t: Array) -> Array:
        return unbroadcast(ds * (1 - t), p.shape)

    def dq(self, ds: Array, q: Array, t: Array) -> Array:
        return unbroadcast(ds * t, q.shape)

    def dt(self, ds: Array, p: Array, q: Array, t: Array) -> Array:
        return unbroadcast(ds * (q - p), t.shape)


class AddProduct(Parametrised):
    """s + c p q, c being `times`."""

    reads, gives = ("s", "p", "q"), "r"

    def __init__(self, times: float = 1.0) -> None:
        self.times = times

    def forward(self, s: Array, p: Array, q: Array) -> Array:
        return s + self.times * (p * q)

    def ds(self, dr: Array, s: Array) -> Array:
        return unbroadcast(dr, s.shape)

    def dp(self, dr: Array, p: Array, q: Array) -> Array:
        return unbroadcast(dr * (q * self.times), p.shape)

    def dq(self, dr: Array, p: Array, q: Array) -> Array:
        return unbroadcast(dr * (p * self.times), q.shape)


class Clamp(Parametrised):
    """Within `low` and `high`, either of which may be infinite."""

    reads, gives = "z", "a"

    def __init__(self, low: float, high: float) -> None:
        self.low, self.high = low, high

    def forward(self, z: Array) -> Array:
        a = z if self.low == -np.inf else np.maximum(z, self.low)
        return +a if self.high == np.inf else np.minimum(a, self.high)

    def dz(self, da: Array, z: Array) -> Array:
        outside = (z < self.low) + (z > self.high)
        return np.where(outside > 0, 0 * da, da)


class Cast(Parametrised):
    """One rounding, which adding 0 is too."""

    reads, gives = "x", "s"

    def forward(self, x: Array) -> Array:
        return x + 0.0

    def dx(self, ds: Array) -> Array:
        return ds + 0.0
