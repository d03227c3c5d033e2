"""Einsum: a sum of products of two tensors over the indices that the result does not have.

    s_nik = sum_j p_nij q_njk       Einsum("nij,njk->nik"): the rows of a matrix by the columns of another
    dp    = ds and q, dq = p and ds, summed over the indices that p, or q, does not have

Shapes: one letter an axis; the first is the samples' in all three. A letter of both that the result lacks is summed
over; one that all three have counts products side by side; any other stands in the result. Each sum is a row of a
matrix by a column of another, whatever the letters, so that any order of summation is meant.

Source: the product rule; Einstein's convention as NumPy, torch and JAX write it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from math import prod

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.parts import Parametrised


@primitive
def contracted(p: Array, q: Array, of_p: str, of_q: str, of_s: str) -> Array:
    """The sum of products, as matrix products; over several axes, a program may round what it has summed over some."""
    sizes = dict(zip(of_p + of_q, (*p.shape, *q.shape), strict=True))
    beside = [a for a in of_s if a in of_p and a in of_q]
    summed = [a for a in of_p if a in of_q and a not in of_s]
    own_p, own_q = ([a for a in of if a not in other] for of, other in ((of_p, of_q), (of_q, of_p)))

    def matrices(x: Array, of: str, rows: list[str], columns: list[str]) -> Array:
        ordered = np.transpose(x, [of.index(a) for a in beside + rows + columns])
        return ordered.reshape(*(prod(sizes[a] for a in part) for part in (beside, rows, columns)))

    product = matrices(p, of_p, own_p, summed) @ matrices(q, of_q, summed, own_q)
    made = beside + own_p + own_q
    return np.transpose(product.reshape(*(sizes[a] for a in made)), [made.index(a) for a in of_s])


class Einsum(Parametrised):
    reads, gives = ("p", "q"), "s"

    def __init__(self, subscripts: str) -> None:
        told = re.fullmatch(r"([a-z]+),([a-z]+)->([a-z]+)", subscripts) if isinstance(subscripts, str) else None
        if not told:
            raise ValueError(
                f"Cannot make an Einsum of {subscripts!r}, because it names the axes of two tensors and of the result, "
                f'a small letter each; write such as "nij,njk->nik".'
            )
        self.subscripts, (p, q, s) = subscripts, told.groups()
        self.of_p, self.of_q, self.of_s = p, q, s
        if p[0] != q[0] or p[0] != s[0]:
            raise ValueError(
                f"Cannot make an Einsum of {subscripts!r}, because the samples are the first axis of all three; begin "
                f"each with the same letter."
            )
        twice = next((a for part in (p, q, s) for a in part if part.count(a) > 1), None)
        alone = next((a for a in p + q + s if sum(a in part for part in (p, q, s)) < 2), None)
        if twice or alone:
            why = f"{twice} stands twice in one" if twice else f"{alone} stands in one of the three only"
            raise ValueError(
                f"Cannot make an Einsum of {subscripts!r}, because {why}, and every axis belongs to two or three "
                f"tensors, once each; sum over an axis by Sum before."
            )

    def forward(self, p: Array, q: Array) -> Array:
        return +contracted(p, q, self.of_p, self.of_q, self.of_s)

    def dp(self, ds: Array, q: Array) -> Array:
        return +contracted(ds, q, self.of_s, self.of_q, self.of_p)

    def dq(self, ds: Array, p: Array) -> Array:
        return +contracted(p, ds, self.of_p, self.of_s, self.of_q)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where an axis is missing, or has two sizes."""
        sizes: dict[str, int | str] = {}
        for of, shape in ((self.of_p, read["p"]), (self.of_q, read["q"])):
            if len(of) != len(shape):
                raise ValueError(f"it names {len(of)} axes by {of}")
            for axis, size in zip(of, shape, strict=True):
                if sizes.setdefault(axis, size) != size:
                    raise ValueError(f"its axis {axis} has {sizes[axis]} entries in one and {size} in the other")
        return {"s": tuple(sizes[axis] for axis in self.of_s)}

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:  # noqa: ARG002
        """Multiply-adds of the rule that gives `local`."""
        every = dict(zip(self.of_p + self.of_q, (*sizes["p"], *sizes["q"]), strict=True))
        return prod(every.values())
