"""Positions that are learned, and the way back from a row to the numbers of an embedding.

    positions     s = x + W[:T]         dx = ds      dW = sum_n ds, 0 for positions that no sample reaches
    unembedding   z = x W^T             dx = dz W    dW = sum_n,t dz^T x        a score for every row of W

Shapes: x and s (N, T, D), W (L, D) with L positions, T of them used. Of an unembedding W (V, D), as an `Embedding` has
it, which may share it (tied weights); z (N, ..., V).

Sources: Gehring et al., "Convolutional sequence to sequence learning" (2017), section 3.1, for positions; Press and
Wolf, "Using the output embedding to improve language models" (2017), for tied weights.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.hand.layers.dense import rows_of
from impls.hand.parts import Parametrised, count


class Positions(Parametrised):
    reads, gives = "x", "s"
    apart = {"dW": ({"ds": -1, "W": -1}, -1)}  # noqa: RUF012  (never changed)

    def __init__(self, length: int, width: int) -> None:
        self.length, self.width = count("length", length), count("width", width)

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of W."""
        return {"W": (self.length, self.width)}

    def forward(self, x: Array, W: Array) -> Array:
        return x + W[: x.shape[1]]

    def dx(self, ds: Array) -> Array:
        return +ds

    def dW(self, ds: Array, W: Array) -> Array:
        used = ds.sum(axis=0)
        return np.concatenate([used, 0 * W[len(used) :]], axis=0)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where a sequence is longer than there are positions."""
        if len(read["x"]) != 3 or read["x"][-1] != self.width:
            raise ValueError(f"it adds a row of {self.width} numbers to each position")
        if int(read["x"][1]) > self.length:
            raise ValueError(f"it has {self.length} positions only")
        return {"s": read["x"]}


class Unembedding(Parametrised):
    reads, gives = "x", "z"
    apart = {"dW": ({"x": -1}, -1)}  # noqa: RUF012  (never changed)

    def __init__(self, entries: int, width: int) -> None:
        self.entries, self.width = count("entries", entries), count("width", width)

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of W."""
        return {"W": (self.entries, self.width)}

    def forward(self, x: Array, W: Array) -> Array:
        return x @ W.T

    def dx(self, dz: Array, W: Array) -> Array:
        return dz @ W

    def dW(self, dz: Array, x: Array) -> Array:
        return rows_of(dz).T @ rows_of(x)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of z; ValueError says what x does not have."""
        if len(read["x"]) < 2 or read["x"][-1] != self.width:
            raise ValueError(f"it multiplies rows of {self.width} numbers")
        return {"z": (*read["x"][:-1], self.entries)}

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:  # noqa: ARG002
        """Multiply-adds of the rule that gives `local`."""
        return prod(sizes["x"]) * self.entries
