"""Heads by themselves, and keys and values that several heads of queries share.

    heads      (N, T, H D) as (N, H, T, D), and back                      `MergeHeads` is the way back
    repeated   s = x, each head `times` times, one after the other        dx = sum of ds over the copies

Grouped queries: G heads of keys and values, each for H / G heads of queries, so that G < H heads are computed and kept.

Source: Ainslie et al., "GQA: training generalized multi-query transformer models from multi-head checkpoints" (2023).
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impls.graph import Array, Shape
from impls.hand.layers.attention import in_heads, merged
from impls.hand.parts import Parametrised, count


class Heads(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, heads: int) -> None:
        self.heads = count("heads", heads)

    def forward(self, x: Array) -> Array:
        return +in_heads(x, self.heads)

    def dx(self, ds: Array) -> Array:
        return merged(ds)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where the neurons cannot be shared out among the heads."""
        if len(read["x"]) != 3 or int(read["x"][2]) % self.heads:
            raise ValueError(f"it cuts rows of positions, (N, T, H D), into {self.heads} heads of as many neurons each")
        rows, length, width = read["x"]
        return {"s": (rows, self.heads, length, int(width) // self.heads)}


class RepeatHeads(Parametrised):
    reads, gives = "x", "s"

    def __init__(self, times: int) -> None:
        self.times = count("times", times)

    def forward(self, x: Array) -> Array:
        return np.repeat(x, self.times, axis=1)

    def dx(self, ds: Array) -> Array:
        rows, heads, *rest = ds.shape
        return ds.reshape(rows, heads // self.times, self.times, *rest).sum(axis=2)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where x has no heads."""
        if len(read["x"]) != 4:
            raise ValueError("it repeats heads, (N, G, T, D)")
        rows, heads, *rest = read["x"]
        return {"s": (rows, int(heads) * self.times, *rest)}
