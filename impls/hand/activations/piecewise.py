"""Piecewise linear activations: their derivative is constant but for a jump at each kink.

    relu           a = max(z, 0)                 dz = da [z > 0]               at z = 0: 0
    leaky relu     a = z if z > 0 else slope z   dz = da if z > 0 else slope da    at z = 0: slope
    hard sigmoid   a = min(max(z + 3, 0), 6) / 6  dz = da [0 < z + 3 < 6] / 6   at z = -3 and 3: 0

The kinks of the hard sigmoid are those of z + 3, a sum that is rounded: a z one rounding away from 3 may be
on either side, whichever way a program asks.

Sources: Glorot, Bordes and Bengio, "Deep sparse rectifier neural networks" (2011), section 3 (relu); Maas,
Hannun and Ng, "Rectifier nonlinearities improve neural network acoustic models" (2013), equation (2) (leaky
relu); Howard et al., "Searching for MobileNetV3" (2019), section 5.2 (hard sigmoid as ReLU6(x + 3) / 6).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array
from impls.hand.parts import Activation, number


class Relu(Activation):
    derivative = "[{z} > 0]"

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def dz(self, da: Array, z: Array) -> Array:
        return da * (z > 0)

    def one_sided(self, da: Array, z: Array) -> tuple[Array, Array, Array]:
        return z == 0, 0 * da, da


class LeakyRelu(Activation):
    derivative = "(1 if {z} > 0 else {slope:g})"

    def __init__(self, slope: float = 0.01) -> None:
        self.slope = number("slope", slope, why="it is the derivative left of 0")

    def forward(self, z: Array) -> Array:
        return np.where(z > 0, z, self.slope * z)

    def dz(self, da: Array, z: Array) -> Array:
        return np.where(z > 0, da, self.slope * da)

    def one_sided(self, da: Array, z: Array) -> tuple[Array, Array, Array]:
        return z == 0, self.slope * da, da


class HardSigmoid(Activation):
    derivative = "[0 < {z} + 3 < 6]/6"

    def forward(self, z: Array) -> Array:
        return np.minimum(np.maximum(z + 3, 0), 6) / 6

    def dz(self, da: Array, z: Array) -> Array:
        shifted = z + 3
        return da * (shifted > 0) * (shifted < 6) / 6
