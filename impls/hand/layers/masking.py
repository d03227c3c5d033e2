"""Softmax over the keys that a mask lets a query see, as padding needs it.

    a_ij  = exp(z_ij) / sum over seen j' of exp(z_ij') where j is seen, else 0
    dz_ij = a_ij (da_ij - sum_j' da_ij' a_ij')                        0 again where a_ij is 0

Shapes: z and a (N, ..., T, S), row i a query and column j a key; m (N, S) whole numbers, 1 for a key that is there and
0 for padding, which has no gradient. With `causal` a query sees no key behind its own position either, T = S.

Where a query sees no key its row of a is 0, as in torch's scaled_dot_product_attention and in jax.nn.softmax with
`where`. (torch.softmax of minus infinity alone is not a number; jax.nn.dot_product_attention, whose mask is a large
negative number, gives every key the same weight.)

Source: Vaswani et al., "Attention is all you need" (2017), section 3.2.3.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from impls.graph import Array, Shape
from impls.graph.primitive import primitive
from impls.hand.activations.softmax import softmax_vjp
from impls.hand.parts import Parametrised, flag


def seen_by(m: Array, scores: tuple[int, ...], causal: bool) -> Any:
    """Whether a query sees a key, (N, ..., T, S), of scores of that shape."""
    seen = (np.asarray(m) != 0).reshape(len(m), *(1,) * (len(scores) - 2), scores[-1])
    return seen & np.tri(scores[-1], dtype=bool) if causal else seen


@primitive
def masked_softmax(z: Array, seen: Any) -> Array:
    a = np.where(seen, z, z.min(axis=-1, keepdims=True))  # which is no maximum but where nothing is seen
    a = np.exp(a - a.max(axis=-1, keepdims=True)) * seen
    return a / (a.sum(axis=-1, keepdims=True) + ~seen.any(axis=-1, keepdims=True))


class MaskedSoftmax(Parametrised):
    reads, gives = ("z", "m"), "a"
    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)
    whole = {"m": 2}  # noqa: RUF012  (never changed)

    def __init__(self, causal: bool = False) -> None:
        self.causal = flag("causal", causal)

    def forward(self, z: Array, m: Array) -> Array:
        return masked_softmax(z, seen_by(m, z.shape, self.causal))

    def dz(self, da: Array, a: Array) -> Array:
        return softmax_vjp(da, a)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of a; ValueError where the mask does not have a number for each key, or queries are not as many."""
        z, m = read["z"], read["m"]
        if len(z) < 3 or tuple(m) != (z[0], z[-1]):
            raise ValueError("its mask has one number for each key of a sample, (N, S) for scores (N, ..., T, S)")
        if self.causal and z[-1] != z[-2]:
            raise ValueError("each of its queries sees the keys up to its own, one for each")
        return {"a": z}
