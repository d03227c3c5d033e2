"""Rotary positions: each pair of a row's entries is turned by an angle that grows with the position.

    angle of pair i at position t    t base^(-2i / D)
    s = x cos + x~ sin               dx = ds cos - ds~ sin                 the turn back, since a turn is orthogonal

    x~ of a pair (p, q) is (-q, p). The pairs are entries i and i + D/2 ("halves", as in Llama), or 2i and 2i + 1
    ("neighbours", as in the paper). So the product of a query and a key depends on how far apart they are, and on
    nothing else of where they stand.

Shapes: x and s (N, ..., T, D), D even. Sines and cosines are constants, computed in float64 and rounded once.

Source: Su et al., "RoFormer: enhanced transformer with rotary position embedding" (2021), equations (15), (34).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

from impls.graph import Array, Shape
from impls.graph.primitive import primitive
from impls.hand.parts import Parametrised, choice, positive

PAIRS = ("halves", "neighbours")


def partner(x: Array, pairs: str) -> Array:
    """x~, each pair (p, q) as (-q, p)."""
    width = x.shape[-1]
    if pairs == "halves":
        return np.concatenate([-x[..., width // 2 :], x[..., : width // 2]], axis=-1)
    both = x.reshape(*x.shape[:-1], width // 2, 2)
    return np.concatenate([-both[..., 1:], both[..., :1]], axis=-1).reshape(*x.shape)


@primitive
def turned(x: Array, cos: Any, sin: Any, pairs: str) -> Array:
    return x * np.full_like(x, cos) + partner(x, pairs) * np.full_like(x, sin)


class Rotary(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, base: float = 10000.0, pairs: Literal["halves", "neighbours"] = "halves") -> None:
        self.base, self.pairs = positive("base", base), choice("pairs", pairs, PAIRS)

    def table(self, shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Cosines and sines (T, D) for x of that shape."""
        *_, length, width = shape
        angles = np.arange(length)[:, None] * self.base ** (-2 * np.arange(width // 2) / width)
        both = np.tile(angles, 2) if self.pairs == "halves" else np.repeat(angles, 2, axis=-1)
        return np.cos(both), np.sin(both)

    def forward(self, x: Array) -> Array:
        cos, sin = self.table(x.shape)
        return turned(x, cos, sin, self.pairs)

    def dx(self, ds: Array) -> Array:
        cos, sin = self.table(ds.shape)
        return turned(ds, cos, -sin, self.pairs)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where entries are left without a partner."""
        if len(read["x"]) < 3 or int(read["x"][-1]) % 2:
            raise ValueError("it turns pairs of the entries of each position, of which there is an even number")
        return {"s": read["x"]}
