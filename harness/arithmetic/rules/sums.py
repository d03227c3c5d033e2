"""Rules of sums, valid for any order of summation; those of products are in `rules.dot_products`.

    sum of n        sum E + (n - 1) u P + n eta                 M = sum A
    mean of n       that of a sum, then of a division by n

with u that of the accumulation, u_acc, u_sum or u_met of the profile, and P the largest magnitude that a partial sum
can have, in any order, blocked, split or fused. Where the accumulator is wider than what is stored, there is one
rounding more. The float64 centre is such a sum too: (n - 1) 2^-53 P.

P: whatever the order, a sum of n terms makes n - 1 additions, each off by at most u times the computed
partial sum (running error analysis: Higham, "Accuracy and Stability of Numerical Algorithms", sections 3.3
and 4.2). A partial sum adds up some of the terms. Its exact value lies between minus the sum of the negative
terms' magnitudes and the sum of the positive terms; these two add up to M and differ by the whole sum V, so
the larger of them is (M + |V|) / 2; and the computed partial sum is off by no more than n u M. Hence

    P = min(M, (M + |V|) / 2 + n u M)

which is half of M where positive and negative terms cancel, as they do in most gradients. The bound with
P = M needs no higher-order term: (n - 1) u sum |x_i| for sums of any length in any order (Rump, "Error
estimation of floating-point summation and dot product", BIT 52 (2012)).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce
from typing import Any

import numpy as np

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import INFLATION, Bounded, Context, Floats, rounded_bound, rule_for
from harness.arithmetic.loops import where
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from impls.graph.backward import accumulate
from impls.hand.layers.indexing import scattered
from impls.hand.layers.windows import put_back


def compounded(u: float, roundings: float, w: float = 0.0, additions: float = 0) -> float:
    """What additions of a sum and then roundings, one after the other, make of 1, less 1: no order is left out.

    (1 + a w) (1 + u)^k - 1: a sum of a + 1 terms is off by a w of their magnitudes at most, whatever a is (see above).
    What is off by c u, c >= 1, counts as c roundings.
    """
    return math.expm1(math.log1p(additions * w) + roundings * math.log1p(u))


def partial_sum(terms: Any, u: float, magnitude: Any, total: Any) -> Any:
    """P: the largest magnitude of a partial sum, from M and |V| of any member."""
    return np.minimum(magnitude, (magnitude + total) / 2 + terms * u * magnitude)


def _centre_partial_sum(terms: Any, magnitude: Any, value: Any) -> Any:
    """P of the float64 centre, whose whole sum is known to n roundings only."""
    u = UNIT_ROUNDOFF_64
    return partial_sum(terms, u, magnitude, np.abs(value) + terms * u * magnitude)


def _bound_of_sum(
    value: Any, magnitude: Any, propagated: Any, terms: Any, u: float, largest: float, rounding: tuple[Any, ...]
) -> Any:
    """The bound of a sum, entry by entry, of what the bounds of so many terms add up to.

    Nothing is bounded where a partial sum may overflow, however small the whole sum is.
    """
    partial = partial_sum(terms, u, magnitude + propagated, np.abs(value) + propagated)
    own = UNIT_ROUNDOFF_64 * _centre_partial_sum(terms, magnitude, value)
    # The sums of magnitudes are float64 sums of positive terms, so up to n roundings too small.
    bound = (propagated + (terms - 1) * (u * partial + own)) * (1 + 2 * terms * UNIT_ROUNDOFF_64)
    return rounded_bound(value, where(partial <= largest, bound, np.inf), terms, *rounding)


def _summed(context: Context, u: float, value: Any, magnitude: Any, propagated: Any, terms: Any) -> Bounded:
    """What sums in an accumulator of that unit roundoff are off."""
    p = context.profile
    rounding = context.rounding(p.roundings_after(u))
    bound = in_blocks(_bound_of_sum, value, magnitude, propagated, terms, u, p.largest, rounding)
    return Bounded(value, bound, context)


@rule_for(np.sum)
def sum_(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    return sum_in(x.context.profile.u_sum, x, axis, keepdims)


def sum_in(u: float, x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    """A sum in an accumulator of that unit roundoff."""
    along = {"axis": axis, "keepdims": keepdims}
    value = np.add.reduce(x.value, **along)  # as numpy.sum, in half the time where there is little to add
    magnitude = np.add.reduce(np.abs(x.value), **along)
    propagated = 0.0 if x.known_unrounded else np.add.reduce(x.as_summand, **along)
    return _summed(x.context, u, value, magnitude, propagated, x.size // max(value.size, 1))


@rule_for(np.cumsum)
def cumsum(x: Bounded, axis: int) -> Bounded:
    """Of each entry a sum, of as many terms as stand before it and itself."""
    value, magnitude, propagated = (np.cumsum(each, axis=axis) for each in (x.value, np.abs(x.value), x.as_summand))
    terms = np.cumsum(np.ones(x.shape), axis=axis)
    return _summed(x.context, x.context.profile.u_sum, value, magnitude, propagated, terms)


@rule_for(np.mean)
def mean_(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    total = sum_(x, axis, keepdims)
    return total / (x.size // max(total.size, 1))


@rule_for(accumulate)
def accumulate_(*parts: Bounded) -> Bounded:
    """Parts of a gradient, in any order: a product that gives one may have gone on adding to another (gemm's beta)."""
    context = parts[0].context
    value = reduce(np.add, [part.value for part in parts])
    magnitude = reduce(np.add, [np.abs(part.value) for part in parts])
    propagated = reduce(np.add, [part.as_summand for part in parts])
    total = _summed(context, context.profile.u_met, value, magnitude, propagated, len(parts))
    for part in parts:
        if part.terms:
            others = sum((np.abs(other.value) + other.bound for other in parts if other is not part), 0.0)
            total.bound = total.bound + part.terms * part.context.profile.u_acc * others
    return total


@rule_for(put_back)
def put_back_(windows: Any, image: Any, axis: int, *parts: Bounded) -> Bounded:
    """What windows have for an entry."""
    return _where_they_meet(lambda arrays: put_back.body(windows, image, axis, *arrays), parts)  # type: ignore[attr-defined]


@rule_for(scattered)
def scattered_(ds: Bounded, places: Any, size: int) -> Bounded:
    """What belongs to a place."""
    return _where_they_meet(lambda arrays: scattered.body(*arrays, places, size), [ds])  # type: ignore[attr-defined]


def _where_they_meet(total: Callable[[Iterable[Floats]], Floats], parts: Sequence[Bounded]) -> Bounded:
    """A sum for each entry of the result, of as many terms as are something else than an exact 0: a 0 rounds nothing.

    Args:
        total: from parts to the sums.
    """
    context = parts[0].context
    value, magnitude = total(part.value for part in parts), total(np.abs(part.value) for part in parts)
    terms = total(((part.value != 0) | (part.bound != 0)).astype(float) for part in parts)
    several = terms > 1
    propagated = np.where(several, total(part.as_summand for part in parts), total(part.bound for part in parts))
    result = _summed(context, context.profile.u_met, value, magnitude, propagated, terms)
    return Bounded(value, np.where(several, result.bound, propagated), context)


@rule_for(np.max)
def max_(x: Bounded, axis: Any = None, keepdims: bool = False) -> Bounded:
    value = np.max(x.value, axis=axis, keepdims=keepdims)
    low = np.max(x.value - x.bound, axis=axis, keepdims=keepdims)
    high = np.max(x.value + x.bound, axis=axis, keepdims=keepdims)
    return Bounded(value, np.maximum(high - value, value - low) * INFLATION, x.context)
