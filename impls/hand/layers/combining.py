"""Layers with two inputs or two outputs, by which a network branches and its branches meet.

    sum             s = p + q               dp = ds                  dq = ds
    product         s = p * q               dp = ds q                dq = ds p              entry by entry
    concatenation   s = [p, q]              dp = first part of ds    dq = the rest of it    along the last axis
    split           [p, q] = x              dx = [dp, dq]            the first entries of the last axis, and the rest

Shapes: p and q of a sum and a product are those of s; a concatenation joins (N, ..., K) and (N, ..., K').
A sum that brings back what went past some layers is a residual connection.

Sources: He et al., "Deep residual learning for image recognition" (2016), equation (1), for the sum; the product rule.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impls.graph import Array, Shape
from impls.hand.parts import Parametrised, count


class _Pairwise(Parametrised):
    """Two tensors of one shape, and their sum or product."""

    reads, gives = ("p", "q"), "s"
    elementwise = True
    derivative: Mapping[str, str] = {}
    """Of an entry of s by that of p, and of q, at the same place: as text, of the entries {p} and {q}."""

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where p and q differ: nothing broadcasts."""
        if read["p"] != read["q"]:
            raise ValueError("it pairs them entry by entry")
        return {"s": read["p"]}


class Add(_Pairwise):
    derivative = {"p": "1", "q": "1"}  # noqa: RUF012  (never changed)

    def forward(self, p: Array, q: Array) -> Array:
        return p + q

    def dp(self, ds: Array) -> Array:
        return +ds

    def dq(self, ds: Array) -> Array:
        return +ds


class Multiply(_Pairwise):
    derivative: Mapping[str, str] = {"p": "{q}", "q": "{p}"}

    def forward(self, p: Array, q: Array) -> Array:
        return p * q

    def dp(self, ds: Array, q: Array) -> Array:
        return ds * q

    def dq(self, ds: Array, p: Array) -> Array:
        return ds * p


class Concatenate(Parametrised):
    reads, gives = ("p", "q"), "s"
    derivative: Mapping[str, str] = {"p": "1", "q": "1"}

    def forward(self, p: Array, q: Array) -> Array:
        return np.concatenate([p, q], axis=-1)

    def dp(self, ds: Array, p: Array) -> Array:
        return +ds[..., : p.shape[-1]]

    def dq(self, ds: Array, p: Array) -> Array:
        return +ds[..., p.shape[-1] :]

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where p and q differ in more than the last axis."""
        *first, p = read["p"]
        *second, q = read["q"]
        if first != second or not isinstance(p, int) or not isinstance(q, int):
            raise ValueError("it joins what differs in the last axis only")
        return {"s": (*first, p + q)}


class Split(Parametrised):
    """The first `at` entries of each row, and the rest: a rule for each output."""

    reads, gives = "x", ("p", "q")
    derivative: Mapping[str, str] = {"x": "1"}

    def __init__(self, at: int) -> None:
        self.at = count("at", at, doing="split", why="each part has an entry at least")

    def p(self, x: Array) -> Array:
        return +x[..., : self.at]

    def q(self, x: Array) -> Array:
        return +x[..., self.at :]

    def dx(self, dp: Array, dq: Array) -> Array:
        return np.concatenate([dp, dq], axis=-1)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shapes of both parts; ValueError where the last axis has no second part."""
        *first, width = read["x"]
        if not isinstance(width, int) or width <= self.at:
            raise ValueError(f"it has no entry after the first {self.at} of a row")
        return {"p": (*first, self.at), "q": (*first, width - self.at)}
