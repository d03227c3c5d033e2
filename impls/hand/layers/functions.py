"""Elementary functions, entry by entry: each reads z and gives a.

    exp      dz = da a               log      dz = da / z           sqrt    dz = da / (2 a)
    log1p    dz = da / (1 + z)       rsqrt    dz = -da a / (2 z)    abs     dz = da sign(z)
    erf      dz = da 2 exp(-z^2) / sqrt(pi)                         sin     dz = da cos(z)
    power    a = z^c, dz = da c z^(c-1), c a constant               cos     dz = -da sin(z)
    clip     a = min(max(z, low), high), dz = da where low <= z <= high, else 0

Shapes: z, a, da, dz alike, any. Below 0 a power has a value where its exponent is whole. At z = 0 abs has the slope 0;
exactly on its ends clip has the slope 1, as torch has.

Source: the chain rule; Abramowitz and Stegun, "Handbook of mathematical functions" (1964), 7.1.19, for erf.
"""

from __future__ import annotations

import math

import numpy as np

from impls.graph import Array, primitive
from impls.hand.activations.gelu import erf
from impls.hand.losses.squared import sign_of_difference
from impls.hand.parts import Activation, number


@primitive
def rsqrt_vjp(da: Array, z: Array) -> Array:
    return da * (-0.5 / (z * np.sqrt(z)))


@primitive
def log(z: Array) -> Array:
    return np.log(z)


@primitive
def power(z: Array, exponent: float) -> Array:
    return np.power(z, exponent)


@primitive
def power_vjp(da: Array, z: Array, exponent: float) -> Array:
    return da * (exponent * np.power(z, exponent - 1))


@primitive
def rsqrt(z: Array) -> Array:
    return 1 / np.sqrt(z)


class Power(Activation):
    """A constant power of z."""

    derivative = "{exponent:g}{z}^({exponent:g} − 1)"
    usual_inputs = "z=N,K probabilities"

    def __init__(self, exponent: float) -> None:
        self.exponent = number("exponent", exponent, why="it is a constant power")
        if not exponent:
            raise ValueError("Cannot use exponent=0, because nothing depends on z then; give another number.")

    def forward(self, z: Array) -> Array:
        return power(z, self.exponent)

    def dz(self, da: Array, z: Array) -> Array:
        return power_vjp(da, z, self.exponent)


class Sin(Activation):
    derivative = "cos({z})"
    elementary = ("sin",)

    def forward(self, z: Array) -> Array:
        return np.sin(z)

    def dz(self, da: Array, z: Array) -> Array:
        return da * np.cos(z)


class Cos(Activation):
    derivative = "(−sin({z}))"
    elementary = ("cos",)

    def forward(self, z: Array) -> Array:
        return np.cos(z)

    def dz(self, da: Array, z: Array) -> Array:
        return -(da * np.sin(z))


class Exp(Activation):
    derivative = "{a}"
    elementary = ("exp",)

    def forward(self, z: Array) -> Array:
        return np.exp(z)

    def dz(self, da: Array, a: Array) -> Array:
        return da * a


class Log(Activation):
    derivative = "1/{z}"
    elementary = ("log",)
    usual_inputs = "z=N,K probabilities"

    def forward(self, z: Array) -> Array:
        return log(z)

    def dz(self, da: Array, z: Array) -> Array:
        return da / z


class Log1p(Activation):
    derivative = "1/(1 + {z})"
    elementary = ("log1p",)
    usual_inputs = "z=N,K probabilities"

    def forward(self, z: Array) -> Array:
        return np.log1p(z)

    def dz(self, da: Array, z: Array) -> Array:
        return da / (1 + z)


class Sqrt(Activation):
    derivative = "1/(2{a})"
    elementary = ("sqrt",)
    usual_inputs = "z=N,K probabilities"

    def forward(self, z: Array) -> Array:
        return np.sqrt(z)

    def dz(self, da: Array, a: Array) -> Array:
        return da * (0.5 / a)


class Rsqrt(Activation):
    """1 / sqrt(z)."""

    derivative = "−1/(2{z}√{z})"
    usual_inputs = "z=N,K probabilities"

    def forward(self, z: Array) -> Array:
        return rsqrt(z)

    def dz(self, da: Array, z: Array) -> Array:
        return rsqrt_vjp(da, z)


class Abs(Activation):
    derivative = "sign({z})"

    def forward(self, z: Array) -> Array:
        return np.abs(z)

    def dz(self, da: Array, z: Array) -> Array:
        return da * sign_of_difference(z, np.full_like(z, 0))

    def one_sided(self, da: Array, z: Array) -> tuple[Array, Array, Array]:
        return z == 0, -da, +da


class Erf(Activation):
    derivative = "2exp(−{z}²)/√π"
    elementary = ("erf",)

    def forward(self, z: Array) -> Array:
        return erf(z)

    @primitive
    def dz(self, da: Array, z: Array) -> Array:
        return da * (2 / math.sqrt(math.pi) * np.exp(-np.square(z)))


class Clip(Activation):
    """Not below `low` and not above `high`."""

    derivative = "[{low:g} ≤ {z} ≤ {high:g}]"

    def __init__(self, low: float, high: float) -> None:
        self.low = number("low", low, why="nothing is below it")
        self.high = number("high", high, above=self.low, why="nothing is above it, and low is below it")

    def forward(self, z: Array) -> Array:
        return np.minimum(np.maximum(z, self.low), self.high)

    def dz(self, da: Array, z: Array) -> Array:
        return np.where(z < self.low, 0 * da, np.where(z > self.high, 0 * da, da))

    def one_sided(self, da: Array, z: Array) -> tuple[Array, Array, Array]:
        return 1.0 * (z == self.low) + 1.0 * (z == self.high) > 0.5, 0 * da, +da
