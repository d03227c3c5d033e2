"""Activations: functions applied to every neuron by itself, a = f(z), with dz = da f'(z).

    sigmoid    a = 1 / (1 + exp(-z))     dz = da a (1 - a)       written with the OUTPUT a
    tanh       a = tanh(z)               dz = da (1 - a^2)       written with the OUTPUT a
    relu       a = max(z, 0)             dz = da [z > 0]         at z = 0 the subgradient 0 is taken
    identity   a = z                     dz = da

Shapes: z, a, da, dz all (N, K). None of them sums, averages or scales anything.
A neuron's output depends on its own input only, so the Jacobian is diagonal and the vector-Jacobian
product is one multiplication per entry.

Sources: LeCun, Bottou, Orr and Mueller, "Efficient BackProp" (1998), section 4.4 (sigmoid, tanh);
Glorot, Bordes and Bengio, "Deep sparse rectifier neural networks" (2011), section 3 (relu).
"""

from __future__ import annotations

import numpy as np

from impls.hand.primitive import Array, primitive


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


class Activation:
    """A layer without weights that reads z and gives a."""

    reads, gives = "z", "a"
    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)
    elementary: tuple[str, ...] = ()
    """Elementary functions of z that it is made of, by their names in the constants table."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class Sigmoid(Activation):
    elementary = ("sigmoid",)

    def forward(self, z: Array) -> Array:
        return sigmoid(z)

    def dz(self, da: Array, a: Array) -> Array:
        return sigmoid_vjp(da, a)


class Tanh(Activation):
    elementary = ("tanh",)

    def forward(self, z: Array) -> Array:
        return np.tanh(z)

    def dz(self, da: Array, a: Array) -> Array:
        return tanh_vjp(da, a)


class Relu(Activation):
    kink, slopes = 0.0, (0.0, 1.0)
    """Where the derivative jumps, and the slopes left and right of it: the valid subgradients."""

    def forward(self, z: Array) -> Array:
        return np.maximum(z, 0)

    def dz(self, da: Array, z: Array) -> Array:
        return da * (z > self.kink)


class Identity(Activation):
    def forward(self, z: Array) -> Array:
        return +z  # a new array: z and a never share a buffer

    def dz(self, da: Array) -> Array:
        return +da
