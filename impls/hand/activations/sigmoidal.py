"""Activations with two horizontal asymptotes, and the identity.

    sigmoid    a = 1 / (1 + exp(-z))     dz = da a (1 - a)       written with the OUTPUT a
    tanh       a = tanh(z)               dz = da (1 - a^2)       written with the OUTPUT a
    identity   a = z                     dz = da

Source: LeCun, Bottou, Orr and Mueller, "Efficient BackProp" (1998), section 4.4.
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.parts import Activation


@primitive
def sigmoid(z: Array) -> Array:
    return 1 / (1 + np.exp(-z))


@primitive
def sigmoid_vjp(da: Array, a: Array) -> Array:
    dz = 1 - a
    dz *= a
    dz *= da
    return dz


@primitive
def tanh_vjp(da: Array, a: Array) -> Array:
    return da * (1 - a * a)


class Sigmoid(Activation):
    derivative = "{a}(1 − {a})"
    elementary = ("sigmoid",)

    def forward(self, z: Array) -> Array:
        return sigmoid(z)

    def dz(self, da: Array, a: Array) -> Array:
        return sigmoid_vjp(da, a)


class Tanh(Activation):
    derivative = "(1 − {a}²)"
    elementary = ("tanh",)

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def dz(self, da: Array, a: Array) -> Array:
        return tanh_vjp(da, a)


class Identity(Activation):
    derivative = "1"

    def forward(self, z: Array) -> Array:
        return +z  # a new array: z and a never share a buffer

    def dz(self, da: Array) -> Array:
        return +da
