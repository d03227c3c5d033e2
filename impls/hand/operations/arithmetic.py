"""Arithmetic entry by entry on arrays of any shapes that broadcast to one.

    sum          s = p + c q            dp = ds              dq = c ds
    choice       s = p where c, else q  dp = ds where c      dq = ds where not c
    between      s = p + t (q - p)      dp = ds (1 - t)      dq = ds t        dt = ds (q - p)
    clamp        a = z within bounds    dz = da where z is not outside of them, on them included
    cast         s = x in another format                     dx = ds in that of x

Of what is repeated every copy sends its gradient back: dp is then the sum of these along the repeated axes, those in
front that p lacks among them. What is a number and no array has no gradient. Sums without a factor, products,
quotients, powers and extremes are those of `impls.hand.layers.broadcasting`.

Source: the chain rule, "taking into account all the connections" (Rumelhart, Hinton and Williams, 1986).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from impls.graph import Array
from impls.hand.layers.broadcasting import summed_to
from impls.hand.parts import Parametrised


class AddTimes(Parametrised):
    """The second is multiplied by `times` first."""

    reads, gives = ("p", "q"), "s"

    def __init__(self, times: float) -> None:
        self.times = times

    def forward(self, p: Array, q: Array) -> Array:
        return p + q * self.times

    def dp(self, ds: Array, p: Array) -> Array:
        return +summed_to(ds, p.shape)

    def dq(self, ds: Array, q: Array) -> Array:
        return summed_to(ds * self.times, q.shape)


class Choose(Parametrised):
    """c holds True and False and broadcasts too."""

    reads, gives = ("c", "p", "q"), "s"

    def forward(self, c: Any, p: Array, q: Array) -> Array:
        return np.where(c, p, q)

    def dp(self, ds: Array, c: Any, p: Array) -> Array:
        return summed_to(np.where(c, ds, np.full_like(ds, 0)), p.shape)

    def dq(self, ds: Array, c: Any, q: Array) -> Array:
        return summed_to(np.where(c, np.full_like(ds, 0), ds), q.shape)


class Negative(Parametrised):
    reads, gives = "x", "s"

    def forward(self, x: Array) -> Array:
        return -x

    def dx(self, ds: Array) -> Array:
        return -ds


class Between(Parametrised):
    """Where t is above 1/2, q - (q - p)(1 - t), as torch has it; either is within the bound of both."""

    reads, gives = ("p", "q", "t"), "s"

    def forward(self, p: Array, q: Array, t: Array) -> Array:
        return p + t * (q - p)

    def dp(self, ds: Array, p: Array, t: Array) -> Array:
        return summed_to(ds * (1 - t), p.shape)

    def dq(self, ds: Array, q: Array, t: Array) -> Array:
        return summed_to(ds * t, q.shape)

    def dt(self, ds: Array, p: Array, q: Array, t: Array) -> Array:
        return summed_to(ds * (q - p), t.shape)


class AddProduct(Parametrised):
    """s + c p q, c being `times`."""

    reads, gives = ("s", "p", "q"), "r"

    def __init__(self, times: float = 1.0) -> None:
        self.times = times

    def forward(self, s: Array, p: Array, q: Array) -> Array:
        return s + self.times * (p * q)

    def ds(self, dr: Array, s: Array) -> Array:
        return +summed_to(dr, s.shape)

    def dp(self, dr: Array, p: Array, q: Array) -> Array:
        return summed_to(dr * (q * self.times), p.shape)

    def dq(self, dr: Array, p: Array, q: Array) -> Array:
        return summed_to(dr * (p * self.times), q.shape)


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
