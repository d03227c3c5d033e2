"""Embedding: each whole number i becomes row i of a matrix of weights.

    e  = W[i]                e_n..k  = w_ik,  i = i_n..
    dW = sum over n of de    dw_vk   = sum of de_n..k over n.. with i_n.. = v     what occurs twice adds twice

Shapes: i (N,) or (N, T), whole numbers 0 ... V-1; W (V, D); e and de (N, D) or (N, T, D). Whole numbers have no
gradient. The sum is a product with the matrix of [v = i_n], so that any order of summation is meant.

Source: Bengio et al., "A neural probabilistic language model" (2003), section 2, matrix C.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import prod

import numpy as np

from impls.graph import Array, Shape
from impls.hand.layers.dense import rows_of
from impls.hand.parts import Parametrised, count


class Embedding(Parametrised):
    reads, gives = "i", "e"
    apart = {"dW": ({"de": -1}, -1)}  # noqa: RUF012  (never changed)

    def __init__(self, entries: int, width: int) -> None:
        counted = partial(count, doing="make an Embedding with")
        self.entries, self.width = counted("entries", entries), counted("width", width)

    @property
    def whole(self) -> dict[str, int]:
        """What it reads as whole numbers, and below what."""
        return {"i": self.entries}

    @property
    def weights(self) -> dict[str, tuple[int, ...]]:
        """Shape of W."""
        return {"W": (self.entries, self.width)}

    def forward(self, i: Array, W: Array) -> Array:
        return W[i]

    def dW(self, de: Array, i: Array) -> Array:
        chosen = np.arange(self.entries)[:, None] == np.ravel(i)
        return chosen @ rows_of(de)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of e."""
        return {"e": (*read["i"], self.width)}

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:
        """Multiply-adds of the rule that gives `local`."""
        return prod(sizes["i"]) * self.entries * self.width if local == "dW" else 0
