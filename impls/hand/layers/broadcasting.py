"""Two tensors entry by entry, each repeated along the axes where it has one entry and the other more.

    sum          s = p + q       dp = ds                        dq = ds
    difference   s = p - q       dp = ds                        dq = -ds
    product      s = p * q       dp = ds q                      dq = ds p
    quotient     s = p / q       dp = ds / q                    dq = -ds s / q
    power        s = p ^ q       dp = ds q p^(q - 1)            dq = ds s log p         0 where p is 0
    largest      s = max(p, q)   dp = ds where p > q            dq = ds where q > p         half of it where equal
    smallest     s = min(p, q)   dp = ds where p < q            dq = ds where q < p         likewise
    choice       s = p where c is 1, q where it is 0            dp = ds where c is 1        dq = ds where it is 0

Of what is repeated every copy sends its gradient back: dp is then the sum of these along the repeated axes. A sum that
brings back what went past some layers is a residual connection.

A power has a base p above 0, or of 0 under an exponent above 0.

Shapes: p and q with as many axes, of equal sizes or 1 but for the samples; s has the larger of both. The condition c of
a choice has the shape of s; it holds whole numbers, 0 and 1, and has no gradient.

Sources: the chain rule, "taking into account all the connections" (Rumelhart, Hinton and Williams, 1986); He et al.,
"Deep residual learning for image recognition" (2016), equation (1), for the residual connection. Halves at a tie are
torch's and JAX's convention.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from impls.graph import Array, Shape, primitive
from impls.hand.layers.functions import log
from impls.hand.parts import Parametrised


def summed_to(ds: Array, shape: tuple[int, ...]) -> Array:
    """The sum along the axes that `shape` lacks in front, or has one entry in where ds has more."""
    lacking = ds.ndim - len(shape)
    repeated = tuple(a for a, size in enumerate(ds.shape) if a < lacking or shape[a - lacking] == 1 != size)
    return ds.sum(axis=repeated).reshape(shape) if repeated else ds


@primitive
def divisor_vjp(ds: Array, p: Array, q: Array) -> Array:
    return -(ds * p / q / q)


def repeated_shape(p: Shape, q: Shape) -> Shape:
    """The shape to which p and q are repeated, axis by axis; ValueError where there is none."""
    if len(p) != len(q) or p[0] != q[0] or any(m != n and 1 not in (m, n) for m, n in zip(p, q, strict=True)):
        raise ValueError("it pairs them entry by entry, repeating axes of size 1")
    return (p[0], *(n if m == 1 else m for m, n in zip(p[1:], q[1:], strict=True)))


@primitive
def raised(p: Array, q: Array) -> Array:
    return np.power(p, q)


class Broadcasting(Parametrised):
    """Two tensors entry by entry; a rule that gives dp or dq reads p or q, be it for its shape alone."""

    reads: tuple[str, ...] = ("p", "q")
    gives = "s"
    multiplied = 0
    """How many of the last axes are not repeated, being those of matrices."""
    derivative: Mapping[str, str] = {}
    """Of an entry of s by that of p, and of q, at the same place: as text, of the entries {p} and {q}."""

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where p and q cannot be repeated to one shape."""
        return {"s": repeated_shape(read["p"], read["q"])}


class Add(Broadcasting):
    derivative: Mapping[str, str] = {"p": "1", "q": "1"}

    def forward(self, p: Array, q: Array) -> Array:
        return p + q

    def dp(self, ds: Array, p: Array) -> Array:
        return +summed_to(ds, p.shape)

    def dq(self, ds: Array, q: Array) -> Array:
        return +summed_to(ds, q.shape)


class Subtract(Broadcasting):
    derivative: Mapping[str, str] = {"p": "1", "q": "−1"}

    def forward(self, p: Array, q: Array) -> Array:
        return p - q

    def dp(self, ds: Array, p: Array) -> Array:
        return +summed_to(ds, p.shape)

    def dq(self, ds: Array, q: Array) -> Array:
        return summed_to(-ds, q.shape)


class Multiply(Broadcasting):
    derivative: Mapping[str, str] = {"p": "{q}", "q": "{p}"}

    def forward(self, p: Array, q: Array) -> Array:
        return p * q

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return summed_to(ds * q, p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return summed_to(ds * p, q.shape)


class Divide(Broadcasting):
    derivative: Mapping[str, str] = {"p": "1/{q}", "q": "−{p}/{q}²"}

    def forward(self, p: Array, q: Array) -> Array:
        return p / q

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return summed_to(ds / q, p.shape)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return summed_to(divisor_vjp(ds, p, q), q.shape)


class Pow(Broadcasting):
    derivative: Mapping[str, str] = {"p": "{q}·{p}^({q} − 1)", "q": "{p}^{q}·log {p}"}
    usual_inputs = "p=N,K probabilities; q=N,K probabilities"

    def forward(self, p: Array, q: Array) -> Array:
        return raised(p, q)

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return summed_to(ds * (q * raised(p, q - 1)), p.shape)

    def dq(self, ds: Array, p: Array, q: Array, s: Array) -> Array:
        return summed_to(ds * (s * log(np.where(p == 0, np.full_like(p, 1), p))), q.shape)


class _Chosen(Broadcasting):
    def _share(self, ds: Array, own: Array, chosen: Array, left: Array) -> Array:
        """ds where own is the one that is chosen, half of it at a tie."""
        return summed_to(np.where(chosen, ds, np.where(left, 0 * ds, 0.5 * ds)), own.shape)


class Maximum(_Chosen):
    derivative: Mapping[str, str] = {"p": "[{p} > {q}]", "q": "[{q} > {p}]"}

    def forward(self, p: Array, q: Array) -> Array:
        return np.maximum(p, q)

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, p, p > q, p < q)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, q, q > p, q < p)


class Minimum(_Chosen):
    derivative: Mapping[str, str] = {"p": "[{p} < {q}]", "q": "[{q} < {p}]"}

    def forward(self, p: Array, q: Array) -> Array:
        return np.minimum(p, q)

    def dp(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, p, p < q, p > q)

    def dq(self, ds: Array, p: Array, q: Array) -> Array:
        return self._share(ds, q, q < p, q > p)


class Where(Broadcasting):
    reads = ("c", "p", "q")
    whole: Mapping[str, int] = {"c": 2}
    """What it reads as whole numbers, and below what."""

    def forward(self, c: Array, p: Array, q: Array) -> Array:
        return np.where(c == 1, p, q)

    def dp(self, ds: Array, c: Array, p: Array) -> Array:
        return summed_to(np.where(c == 1, ds, np.full_like(ds, 0)), p.shape)

    def dq(self, ds: Array, c: Array, q: Array) -> Array:
        return summed_to(np.where(c == 1, np.full_like(ds, 0), ds), q.shape)

    def shapes(self, read: Mapping[str, Shape]) -> dict[str, Shape]:
        """Shape of s; ValueError where p and q cannot be repeated to one shape, or c has another."""
        gives = super().shapes(read)
        if read["c"] != gives["s"]:
            raise ValueError(f"its condition says entry by entry which of both, {gives['s']}")
        return gives
