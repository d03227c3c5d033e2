"""Attention, head by head: which values a position takes, by how well its query fits their keys.

    heads       [q, k, v] = x        dx = [dq, dk, dv]       each of them cut into H heads of D neurons
    scores      s = q k^T / sqrt D   dq = ds k / sqrt D      dk = ds^T q / sqrt D
    causal      a_ij = exp(z_ij) / sum over j' <= i of exp(z_ij'), for j <= i, else 0: nobody sees what comes later
    softmax     dz_ij = a_ij (da_ij - sum_j' da_ij' a_ij')   0 again where a_ij is 0
    values      o = a v              da = do v^T             dv = a^T do       (`matrix_product`)
    merged      the heads side by side again, and back

Shapes: x (N, T, 3 H D); q, k, v and o (N, H, T, D); s, z and a (N, H, T, T), row i a query and column j a key; merged
(N, T, H D). Products are of the last two axes, for every sample and head.

The scores may be scaled before the product or after it; the bound holds for both.

Source: Vaswani et al., "Attention is all you need" (2017), equation (1) and sections 3.2.1, 3.2.2, 3.2.3 (the mask);
Radford et al., "Language models are unsupervised multitask learners" (2019), whose heads share one matrix.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.graph.primitive import primitive
from impls.hand.activations.softmax import softmax_vjp
from impls.hand.layers.matrix_product import swapped
from impls.hand.parts import Activation, Parametrised, count


@primitive
def scaled_product(x: Array, y: Array, by: float) -> Array:
    return x / by @ y if x.shape[-1] < y.shape[-1] else x @ y / by  # whichever scales fewer numbers


@primitive
def causal_softmax(z: Array) -> Array:
    seen = np.tri(z.shape[-1], dtype=bool)
    # The first key is seen by every query, so that it may stand where nothing is seen and change no maximum.
    a = np.where(seen, z, z[..., :1])
    a -= a.max(axis=-1, keepdims=True)
    a = np.exp(a) * seen
    a /= a.sum(axis=-1, keepdims=True)
    return a


class SplitHeads(Parametrised):
    """Queries, keys and values of every head, out of one row: a rule for each."""

    reads, gives = "x", ("q", "k", "v")

    def __init__(self, heads: int) -> None:
        self.heads = count("heads", heads)

    def q(self, x: Array) -> Array:
        return self._part(x, 0)

    def k(self, x: Array) -> Array:
        return self._part(x, 1)

    def v(self, x: Array) -> Array:
        return self._part(x, 2)

    def dx(self, dq: Array, dk: Array, dv: Array) -> Array:
        return np.concatenate([merged(dq), merged(dk), merged(dv)], axis=-1)

    def _part(self, x: Array, which: int) -> Array:
        width = x.shape[-1]
        return +in_heads(x[..., which * width // 3 : (which + 1) * width // 3], self.heads)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shapes of q, k and v; ValueError where the neurons cannot be shared out among the heads."""
        if len(read["x"]) != 3:
            raise ValueError("it cuts rows of positions, (N, T, 3 H D), into heads")
        rows, length, width = read["x"]
        if not isinstance(width, int) or width % (3 * self.heads):
            raise ValueError(
                f"it cuts rows into queries, keys and values of {self.heads} heads each, a multiple of "
                f"{3 * self.heads} neurons"
            )
        return dict.fromkeys(self.gives, (rows, self.heads, length, width // 3 // self.heads))


class MergeHeads(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, heads: int) -> None:
        self.heads = count("heads", heads)

    def forward(self, x: Array) -> Array:
        return merged(x)

    def dx(self, ds: Array) -> Array:
        return +in_heads(ds, self.heads)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x has other heads."""
        if len(read["x"]) != 4 or read["x"][1] != self.heads:
            raise ValueError(f"it puts {self.heads} heads, (N, H, T, D), side by side")
        rows, heads, length, width = read["x"]
        return {"s": (rows, length, int(heads) * int(width))}


class AttentionScores(Parametrised):
    reads, gives = ("q", "k"), "s"

    def forward(self, q: Array, k: Array) -> Array:
        return scaled_product(q, swapped(k), math.sqrt(q.shape[-1]))

    def dq(self, ds: Array, k: Array) -> Array:
        return scaled_product(ds, k, math.sqrt(k.shape[-1]))

    def dk(self, ds: Array, q: Array) -> Array:
        return scaled_product(swapped(ds), q, math.sqrt(q.shape[-1]))

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where q and k differ in more than the number of positions."""
        q, k = read["q"], read["k"]
        if len(q) < 3 or q[:-2] != k[:-2] or q[-1] != k[-1]:
            raise ValueError("it multiplies every query by every key of its sample and head")
        return {"s": (*q[:-1], k[-2])}

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:  # noqa: ARG002
        """Multiply-adds of the rule that gives `local`."""
        return prod(sizes["q"]) * sizes["k"][-2]


class CausalSoftmax(Activation):
    elementwise = False
    derivative = "{a}({same} − {b})"
    usual_inputs = "z=N,4,4"

    def forward(self, z: Array) -> Array:
        return causal_softmax(z)

    def dz(self, da: Array, a: Array) -> Array:
        return softmax_vjp(da, a)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of a; ValueError where there are not as many keys as queries."""
        if len(read["z"]) < 3 or read["z"][-1] != read["z"][-2]:
            raise ValueError("each of its queries sees the keys up to its own, one for each")
        return {"a": read["z"]}


def in_heads(x: Array, heads: int) -> Array:
    """Each row cut into heads: (N, T, H D) as (N, H, T, D)."""
    rows, length, width = x.shape
    return x.reshape(rows, length, heads, width // heads).swapaxes(1, 2)


def merged(x: Array) -> Array:
    """Heads side by side: (N, H, T, D) as (N, T, H D)."""
    rows, heads, length, width = x.shape
    return x.swapaxes(1, 2).reshape(rows, length, heads * width)
