"""Functions entry by entry, beside those that are layers too.

    whole power   a = z^n, n - 1 products in any order; of n below 0 one over these      dz = da n z^(n-1)
    expm1         a = exp(z) - 1                                                         dz = da (a + 1)
    clamp         s = min(max(x, low), high)         dx = ds where low < x < high, else 0
                  dlow = ds where x < low < high     dhigh = ds where x > high

On the ends of a clamp nothing is sent to x, as JAX has it: `functions.Clip` has 1 there, as torch has. Ends are numbers
or of the shape of x.

Source: the chain rule; jax/_src/lax/lax.py (integer_pow_p, expm1_p, clamp_p).
"""

from __future__ import annotations

import numpy as np

from impls.graph import Array
from impls.hand.layers.broadcasting import summed_to
from impls.hand.parts import Activation, Parametrised


def whole_power(z: Array, exponent: int) -> Array:
    """Products of z with itself: however they are grouped, n factors are rounded n - 1 times."""
    if exponent < 0:
        return 1 / whole_power(z, -exponent)
    power = +z if exponent else np.full_like(z, 1)
    for _ in range(exponent - 1):
        power = power * z
    return power


class WholePower(Activation):
    """A constant whole power."""

    def __init__(self, exponent: int) -> None:
        self.exponent = exponent

    def forward(self, z: Array) -> Array:
        return whole_power(z, self.exponent)

    def dz(self, da: Array, z: Array) -> Array:
        return da * (self.exponent * whole_power(z, self.exponent - 1))


class Expm1(Activation):
    def forward(self, z: Array) -> Array:
        return np.expm1(z)

    def dz(self, da: Array, a: Array) -> Array:
        return da * (a + 1)


class Clamp(Parametrised):
    reads, gives = ("low", "x", "high"), "s"

    def forward(self, low: Array, x: Array, high: Array) -> Array:
        return np.minimum(np.maximum(x, low), high)

    def dx(self, ds: Array, low: Array, x: Array, high: Array) -> Array:
        none = np.full_like(ds, 0)
        return np.where(x > low, np.where(x < high, ds, none), none)

    def dlow(self, ds: Array, low: Array, x: Array, high: Array) -> Array:
        none = np.full_like(ds, 0)
        return summed_to(np.where(x < low, np.where(low < high, ds, none), none), low.shape)

    def dhigh(self, ds: Array, x: Array, high: Array) -> Array:
        return summed_to(np.where(x > high, ds, np.full_like(ds, 0)), high.shape)
