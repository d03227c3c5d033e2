"""Heads, masks and rotary positions in JAX."""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp

from impls import hand
from impls.operations import Operation, Operations


def split_heads(layer: hand.SplitHeads) -> Operations:
    """Queries, keys and values, head by head."""

    def part(which: int, x: Any) -> Any:
        rows, length, width = x.shape
        heads = jnp.split(x, 3, axis=-1)[which].reshape(rows, length, layer.heads, width // 3 // layer.heads)
        return jnp.swapaxes(heads, 1, 2)

    return {name: partial(part, which) for which, name in enumerate(layer.gives)}


def masked_softmax(layer: hand.MaskedSoftmax) -> Operation:
    """Over the keys that are seen."""

    def softmax(z: Any, m: Any) -> Any:
        seen = (m != 0).reshape(len(m), *(1,) * (z.ndim - 2), -1)
        return jax.nn.softmax(z, where=seen & jnp.tri(z.shape[-1], dtype=bool) if layer.causal else seen)

    return softmax


def rotary(layer: hand.Rotary) -> Operation:
    """Pairs of neurons turned by their position."""

    def turned(x: Any) -> Any:
        cos, sin = (jnp.asarray(table, x.dtype) for table in layer.table(x.shape))
        if layer.pairs == "halves":
            p, q = jnp.split(x, 2, axis=-1)
            return x * cos + jnp.concatenate([-q, p], axis=-1) * sin
        p, q = x[..., ::2], x[..., 1::2]
        return x * cos + jnp.stack([-q, p], axis=-1).reshape(x.shape) * sin

    return turned


def heads(layer: hand.Heads) -> Operation:
    """Rows cut into heads."""
    return lambda x: jnp.swapaxes(x.reshape(*x.shape[:2], layer.heads, -1), 1, 2)
