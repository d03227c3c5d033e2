"""Softmax: each row of z becomes a distribution over its K entries, so every output depends on every input.

    a_j  = exp(z_j) / sum_k exp(z_k)
    dz_j = a_j (da_j - sum_k da_k a_k)       written with the OUTPUT a

from d a_k / d z_j = a_k ([j = k] - a_j), summed over k: every path from z_j leads through every a_k.

Rows are what lies along the last axis, however many axes there are.

Source: Bishop, "Pattern Recognition and Machine Learning" (2006), equations (4.104), (4.106).
"""

from __future__ import annotations

import numpy as np

from impls.graph.primitive import Array, primitive
from impls.hand.parts import Activation


@primitive
def softmax(z: Array) -> Array:
    # Subtracting the largest entry changes nothing in exact arithmetic and keeps exp from overflowing.
    a = np.exp(z - z.max(axis=-1, keepdims=True))
    a /= a.sum(axis=-1, keepdims=True)
    return a


@primitive
def log_softmax(z: Array) -> Array:
    shifted = z - z.max(axis=-1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))


@primitive
def softmax_vjp(da: Array, a: Array) -> Array:
    return a * (da - (da * a).sum(axis=-1, keepdims=True))


class Softmax(Activation):
    elementwise = False
    derivative = "{a}({same} − {b})"

    def forward(self, z: Array) -> Array:
        return softmax(z)

    def dz(self, da: Array, a: Array) -> Array:
        return softmax_vjp(da, a)
