"""Gaussian error linear unit, and its approximation by tanh: two functions, 5e-4 apart.

    gelu        a = z Phi(z)                         dz = da (Phi(z) + z phi(z))
    gelu tanh   a = z/2 (1 + tanh t)                 dz = da (1/2 (1 + T) + z/2 (1 - T^2) t'),   T = tanh t
                t = sqrt(2/pi) (z + 0.044715 z^3)    t' = sqrt(2/pi) (1 + 3 0.044715 z^2)

with Phi(z) = 1/2 (1 + erf(z / sqrt 2)) and phi(z) = exp(-z^2/2) / sqrt(2 pi), the normal distribution.

torch.nn.GELU() is the first, jax.nn.gelu() the second: what a port must watch.

Source: Hendrycks and Gimpel, "Gaussian error linear units" (2016), section 2.
"""

from __future__ import annotations

import math

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.parts import Activation

CUBIC = 0.044715
ROOT_TWO_OVER_PI = math.sqrt(2 / math.pi)


@primitive
def erf(z: Array) -> Array:
    """The error function, which NumPy lacks; scipy is imported when it is first asked for."""
    from scipy import special

    return special.erf(z)


@primitive
def gelu(z: Array) -> Array:
    return z * (0.5 * (1 + erf(math.sqrt(0.5) * z)))


@primitive
def gelu_vjp(da: Array, z: Array) -> Array:
    Phi = 0.5 * (1 + erf(math.sqrt(0.5) * z))
    phi = np.exp(-0.5 * (z * z)) * (1 / math.sqrt(2 * math.pi))
    return da * (Phi + z * phi)


@primitive
def gelu_tanh(z: Array) -> Array:
    T = np.tanh(z * (ROOT_TWO_OVER_PI + ROOT_TWO_OVER_PI * CUBIC * (z * z)))
    T += 1
    T *= 0.5 * z
    return T


@primitive
def gelu_tanh_vjp(da: Array, z: Array) -> Array:
    square = z * z
    T = np.tanh(z * (ROOT_TWO_OVER_PI + ROOT_TWO_OVER_PI * CUBIC * square))
    slope = ROOT_TWO_OVER_PI + 3 * ROOT_TWO_OVER_PI * CUBIC * square
    slope *= 1 - T * T  # before z: far out this is 0, and z^3 overflows
    slope *= z
    slope += 1
    slope += T
    slope *= 0.5
    slope *= da
    return slope


class Gelu(Activation):
    derivative = "(Φ({z}) + {z}·φ({z}))"

    def forward(self, z: Array) -> Array:
        return gelu(z)

    def dz(self, da: Array, z: Array) -> Array:
        return gelu_vjp(da, z)


class GeluTanh(Activation):
    derivative = "gelu_tanh'({z})"

    def forward(self, z: Array) -> Array:
        return gelu_tanh(z)

    def dz(self, da: Array, z: Array) -> Array:
        return gelu_tanh_vjp(da, z)
