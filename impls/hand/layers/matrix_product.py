"""Matrix products, sample by sample; of further axes in front, one that has one entry is repeated.

    s = p q          dp = ds q^T        dq = p^T ds         s_ij = sum_m p_im q_mj

Where p or q is repeated, the sum over its copies is part of the sum in its gradient: dq_mj = sum_hi p_him ds_hij, one
sum of as many products.

Shapes: p (N, ..., T, M), q (N, ..., M, K), s (N, ..., T, K); the axes between the samples and the matrices are of equal
size, or of size 1 in p or q.

Source: the product rule; the axes as NumPy's, torch's and JAX's matmul repeat them.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from string import ascii_uppercase

from impls.graph import Array, Shape
from impls.hand.layers.broadcasting import repeated_shape
from impls.hand.layers.einsum import contracted
from impls.hand.parts import Parametrised


def swapped(x: Array) -> Array:
    """The last two axes in the other order."""
    return x.swapaxes(-1, -2)


def letters(x: Array, whole: Array, matrix: str) -> str:
    """A letter for each axis as an einsum has it, without those along which x is repeated."""
    every = zip(ascii_uppercase, x.shape[:-2], whole.shape[:-2], strict=False)
    return "".join(letter for letter, size, most in every if size == most) + matrix


def unrepeated(x: Array, whole: Array) -> Array:
    """x without the axes along which it is repeated."""
    every = zip(x.shape[:-2], whole.shape[:-2], strict=True)
    return x.reshape(*(size for size, most in every if size == most), *x.shape[-2:])


class MatrixProduct(Parametrised):
    reads, gives = ("p", "q"), "s"

    def forward(self, p: Array, q: Array) -> Array:
        return p @ q

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        if p.shape[:-2] == ds.shape[:-2]:
            return ds @ swapped(q)
        of_p, of_q, of_s = letters(p, ds, "tm"), letters(q, ds, "mk"), letters(ds, ds, "tk")
        return contracted(ds, unrepeated(q, ds), of_s, of_q, of_p).reshape(*p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        if q.shape[:-2] == ds.shape[:-2]:
            return swapped(p) @ ds
        of_p, of_q, of_s = letters(p, ds, "tm"), letters(q, ds, "mk"), letters(ds, ds, "tk")
        return contracted(unrepeated(p, ds), ds, of_p, of_s, of_q).reshape(*q.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where a row of p and a column of q differ in length, or their matrices in number."""
        p, q = read["p"], read["q"]
        try:
            if len(p) < 3 or p[-1] != q[-2]:
                raise ValueError
            return {"s": (*repeated_shape(p[:-2], q[:-2]), p[-2], q[-1])}
        except (ValueError, IndexError):
            raise ValueError(
                "it multiplies the rows of one matrix by the columns of another, sample by sample, repeating axes of "
                "size 1 before them"
            ) from None

    def multiply_adds(self, local: str, sizes: Mapping[str, tuple[int, ...]]) -> int:  # noqa: ARG002
        """Multiply-adds of the rule that gives `local`."""
        return prod(sizes["s"]) * sizes["p"][-1]
