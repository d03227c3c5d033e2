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


def axes_of(p: Shape, q: Shape, s: Shape) -> tuple[str, str, str]:
    """A letter for each axis, as an einsum has them; p and q have none where they are repeated."""
    every = ascii_uppercase[: len(s) - 2]
    of_p, of_q = ("".join(a for a, m, n in zip(every, x[:-2], s[:-2], strict=True) if m == n) for x in (p, q))
    return f"{of_p}tm", f"{of_q}mk", f"{every}tk"


def unrepeated(x: Array, s: Shape) -> Array:
    """x without the axes along which it is repeated."""
    return x.reshape(*(m for m, n in zip(x.shape[:-2], s[:-2], strict=True) if m == n), *x.shape[-2:])


class MatrixProduct(Parametrised):
    reads, gives, multiplied = ("p", "q"), "s", 2

    def forward(self, p: Array, q: Array) -> Array:
        return p @ q

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        of_p, of_q, of_s = axes_of(p.shape, q.shape, ds.shape)
        return contracted(ds, unrepeated(q, ds.shape), of_s, of_q, of_p).reshape(*p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        of_p, of_q, of_s = axes_of(p.shape, q.shape, ds.shape)
        return contracted(unrepeated(p, ds.shape), ds, of_p, of_s, of_q).reshape(*q.shape)

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
