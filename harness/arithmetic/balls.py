"""Balls: a midpoint and a radius around the true value, in python-flint's arb.

Every operation encloses: the result's ball holds f(x) for every x in the operands' balls, its own rounding included.
So whatever the hand code computes on balls holds the value that it would have in exact real arithmetic, and the
radius says how well that is known. More bits make it smaller.

A comparison is decided where the balls are apart. Where they are not it is counted, and its result is the ball from 0
to 1 (a sign: from -1 to 1), which holds either answer: what depends on it holds both branches. Nothing is guessed.

    max(x, y), min(x, y)   the image of both balls
    where(m, x, y)         the branch taken, or the smallest ball around both
    sigmoid                e^-|z| / (1 + e^-|z|) or 1 / (1 + e^-|z|): of arguments of any size, with few digits lost
    log(e^x + e^y)         max(x, y) + log1p(e^-|x - y|)

Source: Johansson, "Arb: efficient arbitrary-precision midpoint-radius interval arithmetic", IEEE Transactions on
Computers 66 (2017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from fractions import Fraction
from functools import reduce
from typing import Any

import numpy as np
from flint import arb, arb_mat, ctx

from harness.arithmetic.bounded import Floats
from harness.arithmetic.entries import OPERATORS, Numbers, Objects, as_objects
from impls.hand.activations.gelu import erf
from impls.hand.activations.sigmoidal import sigmoid
from impls.hand.layers.reductions import largest_shares

ZERO, ONE, EITHER, ANY_SIGN, UNDEFINED = arb(0), arb(1), arb(0.5, 0.5), arb(0, 1), arb.nan()

SMALLEST_NORMAL = 2.0**-1022


def _compared(holds: bool, fails: bool, x: arb, y: arb) -> arb:
    if holds or fails:
        return ONE if holds else ZERO
    return UNDEFINED if x.is_nan() or y.is_nan() else EITHER


def _greater(x: arb, y: arb) -> arb:
    return _compared(x > y, x <= y, x, y)


def _greater_equal(x: arb, y: arb) -> arb:
    return _compared(x >= y, x < y, x, y)


def _equal(x: arb, y: arb) -> arb:
    return _compared(x == y, x != y, x, y)


def _sign(x: arb) -> arb:
    if x.contains(0) and not x.is_zero():
        return ANY_SIGN
    return x.sgn()


def _where(mask: arb, x: arb, y: arb) -> arb:
    if mask.is_zero() or not mask.contains(0):
        return y if mask.is_zero() else x
    return UNDEFINED if mask.is_nan() else x.union(y)


def _square(x: arb) -> arb:
    return x * x


def _largest_shares(rows: Objects) -> Objects:
    """Of each row: an entry that another is certainly above has no share, and the only one that is left has all."""
    shares = np.empty_like(rows)
    for row in np.ndindex(rows.shape[:-1]):
        largest = reduce(arb.max, rows[row])
        able = [not entry < largest for entry in rows[row]]
        equal = all(entry.is_exact() for entry, may in zip(rows[row], able, strict=True) if may)
        share = ONE / sum(able) if equal or sum(able) == 1 else EITHER
        shares[row] = [share if may else ZERO for may in able]
    return shares


def _sigmoid(z: arb) -> arb:
    if z.contains(0):
        return 1 / (1 + (-z).exp())
    small = (-abs(z)).exp()
    return (1 if z > 0 else small) / (1 + small)


def _logaddexp(x: arb, y: arb) -> arb:
    return x.max(y) + (-abs(x - y)).exp().log1p()


def _rule(function: Any, operands: int = 1) -> Any:
    return np.frompyfunc(function, operands, 1)


RULES: Mapping[Any, Callable[..., Any]] = {
    **OPERATORS,
    np.power: np.power,
    np.square: _rule(_square),
    np.sqrt: _rule(arb.sqrt),
    np.exp: _rule(arb.exp),
    np.expm1: _rule(arb.expm1),
    np.log: _rule(arb.log),
    np.log1p: _rule(arb.log1p),
    np.tanh: _rule(arb.tanh),
    np.sin: _rule(arb.sin),
    np.cos: _rule(arb.cos),
    np.logaddexp: _rule(_logaddexp, 2),
    np.maximum: _rule(arb.max, 2),
    np.minimum: _rule(arb.min, 2),
    np.sign: _rule(_sign),
    np.greater: _rule(_greater, 2),
    np.greater_equal: _rule(_greater_equal, 2),
    np.less: _rule(lambda x, y: _greater(y, x), 2),
    np.less_equal: _rule(lambda x, y: _greater_equal(y, x), 2),
    np.equal: _rule(_equal, 2),
    np.where: _rule(_where, 3),
    erf: _rule(arb.erf),
    largest_shares: _largest_shares,
    sigmoid: _rule(_sigmoid),
}


class Balls(Numbers):
    """Balls of one precision.

    Attributes:
        bits: of the midpoints.
    """

    rules = RULES

    def __init__(self, bits: int) -> None:
        self.bits = bits

    number = staticmethod(arb)

    def product(self, x: Objects, y: Objects) -> Objects:
        """Through arb_mat, which multiplies matrices of integers block by block."""
        *_, inner = x.shape
        rows, columns = x.size // inner, y.shape[1]
        product = arb_mat(rows, inner, x.ravel().tolist()) * arb_mat(inner, columns, y.ravel().tolist())
        return as_objects(product.entries(), (*x.shape[:-1], columns))

    def radii(self, entries: Objects) -> Floats:
        """The balls' radii, which hold 30 bits: exact in float64, but below its normal numbers."""
        flat = entries.ravel().tolist()
        radii = np.fromiter(map(float, map(arb.rad, flat)), float, len(flat))
        radii[~np.fromiter(map(arb.is_finite, flat), bool, len(flat))] = np.inf
        for i in np.flatnonzero(radii < SMALLEST_NORMAL):
            radii[i] = 0.0 if flat[i].is_exact() else np.nextafter(radii[i], np.inf)
        return radii.reshape(entries.shape)

    def midpoint(self, entry: arb) -> Fraction:
        """A midpoint is a whole number times a power of 2."""
        mantissa, exponent = entry.mid().man_exp()
        return Fraction(int(mantissa)) * Fraction(2) ** int(exponent)

    def working(self) -> AbstractContextManager[Any]:
        """This precision, for all that is computed within."""
        return ctx.workprec(self.bits)

    def evaluate(self, function: Any, operands: tuple[Any, ...]) -> Any:
        """An operation, and a count of what it could not decide."""
        result = super().evaluate(function, operands)
        if function in _DECIDES:
            self.undecided += sum(entry is EITHER or entry is ANY_SIGN for entry in result.entries.flat)
        return result


_DECIDES = {np.greater, np.greater_equal, np.less, np.less_equal, np.equal, np.sign, largest_shares}
