"""Smooth rectifiers: close to 0 far left, close to z far right.

    elu        a = z if z > 0 else alpha (exp(z) - 1)     dz = da if z > 0 else da alpha exp(z)
    softplus   a = log(1 + exp(z))                        dz = da s(z)
    silu       a = z s(z)                                 dz = da s (1 + z (1 - s))

with s(z) = 1 / (1 + exp(-z)), the sigmoid. elu has a kink at 0 unless alpha = 1.

`Softplus` with a threshold t is another function, torch.nn.Softplus's: above t it returns z itself, with
derivative 1, which at torch's t = 20 is off by 2e-9: nothing in float32, and ten million roundings in
float64. Without a threshold it is the formula above.

Sources: Clevert, Unterthiner and Hochreiter, "Fast and accurate deep network learning by exponential linear
units" (2016), equation (15); Dugas et al., "Incorporating second-order functional knowledge for better option
pricing" (2001), section 2 (softplus); Elfwing, Uchibe and Doya, "Sigmoid-weighted linear units" (2018),
equations (1), (2).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.parts import Activation, number, positive


@primitive
def elu_vjp(da: Array, z: Array, alpha: float) -> Array:
    return np.where(z > 0, da, da * (alpha * np.exp(np.minimum(z, 0))))


@primitive
def softplus(z: Array) -> Array:
    return np.logaddexp(z, 0)


@primitive
def softplus_vjp(da: Array, z: Array, threshold: float | None = None) -> Array:
    dz = da * sigmoid(z)
    return dz if threshold is None else np.where(z > threshold, da, dz)


@primitive
def silu(z: Array) -> Array:
    return z * sigmoid(z)


@primitive
def silu_vjp(da: Array, z: Array) -> Array:
    s = sigmoid(z)
    return da * (s * (1 + z * (1 - s)))


class Elu(Activation):
    derivative = "(1 if {z} > 0 else {alpha:g}·exp {z})"
    elementary = ("expm1",)

    def __init__(self, alpha: float = 1.0) -> None:
        self.alpha = positive("alpha", alpha, "-alpha is the asymptote on the left")

    def forward(self, z: Array) -> Array:
        # The minimum keeps exp from overflowing where its result is not used.
        return np.where(z > 0, z, self.alpha * np.expm1(np.minimum(z, 0)))

    def dz(self, da: Array, z: Array) -> Array:
        return elu_vjp(da, z, self.alpha)

    def one_sided(self, da: Array, z: Array) -> tuple[Array, Array, Array]:
        return z == 0, self.alpha * da, da


class Softplus(Activation):
    derivative = "s({z})"

    def __init__(self, threshold: float | None = None) -> None:
        why = "above it the function is z itself"
        self.threshold = None if threshold is None else number("threshold", threshold, why=why)
        if threshold is not None:
            self.derivative = "(1 if {z} > {threshold:g} else s({z}))"

    def forward(self, z: Array) -> Array:
        a = softplus(z)
        return a if self.threshold is None else np.where(z > self.threshold, z, a)

    def dz(self, da: Array, z: Array) -> Array:
        return softplus_vjp(da, z, self.threshold)


class Silu(Activation):
    derivative = "s({z})(1 + {z}(1 − s({z})))"
    elementary = ("sigmoid",)

    def forward(self, z: Array) -> Array:
        return silu(z)

    def dz(self, da: Array, z: Array) -> Array:
        return silu_vjp(da, z)
