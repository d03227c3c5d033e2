"""Rules of the arithmetic operations entry by entry, of comparisons, and of what is chosen by them.

    x + y, x - y   E_x + E_y                          u |result|; u |X| more where X may be unrounded
    x * y          |X| E_y + E_x A(Y)                 u |result|; nothing if a factor is a power of two; 2 u |result|
                                                      and u |X| |Y| more where X may be unrounded, see below
    x / y          (E_x + |V| E_y) / (|Y| - E_y)      2.01 u |result| (XLA: x * (1/y)); u for powers of two;
                                                      unbounded where y may be 0, or 1/y overflow; eta |x| more
                                                      where 1/y may be below eta, and be flushed
    -x, +x, |x|    E_x                                nothing
    x ** n         as n - 1 products, n = 1 ... 4     which no power function is worse than; else as exp(n log x)

|result| is the largest a member can have before its last rounding, |V| + propagated.

A product with a single number, or with an array that is broadcast, may be regrouped as in `rules.dot_products`: a
compiler reads what a program shows as fl(a b), before its last rounding, and takes a (b c), c being the smaller factor.

A quotient may be regrouped as well: of what a program shows as fl(b / c), a compiler makes a c / b of
a / (b / c) and a / (b c) of (a / b) / c (XLA's algebraic simplifier). One rounding of the operand and one of the result
more.

What follows rounds nothing:

    max(x, y), min(x, y)   the image of both intervals
    x > y, x < y           0 where decided, else 1, and counted
    x == y                 likewise; asked only of exact arrays
    concatenate            the bounds, likewise
    where(m, x, y)         the bound of the branch taken; where m is undecided, also |X - Y| and the other's
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.blocks import in_blocks
from harness.arithmetic.bounded import Bounded, Floats, rounded_bound, rule_for, zeros
from harness.arithmetic.loops import where as either


def _power_of_two(x: Bounded) -> bool:
    """Is x one exact power of two (or 0)? Then multiplying by it rounds nothing."""
    if x.value.ndim or x.bound != 0:
        return False
    value = float(x.value)
    return value == 0 or abs(math.frexp(value)[0]) == 0.5


@rule_for(np.add)
def add(x: Bounded, y: Bounded) -> Bounded:
    result = x.context.rounded(x.value + y.value, _of_summands(x, y))
    # A bias added to a fresh dot product may have been the accumulator's first value (addmm), and
    # then takes part in each of its additions.
    for dot, bias in ((x, y), (y, x)):
        if dot.terms:
            passed = dot.terms * x.context.profile.u_acc * (np.abs(bias.value) + bias.bound)
            result.bound = result.bound + passed
    return result


@rule_for(np.subtract)
def subtract(x: Bounded, y: Bounded) -> Bounded:
    return x.context.rounded(x.value - y.value, _of_summands(x, y))


def _of_summands(x: Bounded, y: Bounded) -> Any:
    """The bounds of what a sum reads, added up; those of the other alone where one is known."""
    for one, other in ((x, y), (y, x)):
        if one.known_unrounded:
            return other.as_summand
    return x.as_summand + y.as_summand


@rule_for(np.multiply)
def multiply(x: Bounded, y: Bounded) -> Bounded:
    value = x.value * y.value
    exact = _power_of_two(x) or _power_of_two(y)
    regrouped = not exact and any(big.contracted and small.size < big.size for big, small in ((x, y), (y, x)))
    x_bound, y_bound = (x.as_summand, y.as_summand) if regrouped else (x.bound, y.bound)
    x_known, y_known = (not regrouped and each.known for each in (x, y))
    rounding = x.context.rounding(0.0 if exact else 2.0 if regrouped else 1.0)
    if x_known and y_known:
        bound = in_blocks(rounded_bound, value, None, 1.0, *rounding)
    elif x_known or y_known:
        known, unknown = (x.value, y_bound) if x_known else (y.value, x_bound)
        bound = in_blocks(_bound_of_multiple, value, known, unknown, rounding)
    else:
        bound = in_blocks(_bound_of_product, value, x.value, y.value, x_bound, y_bound, rounding)
    return Bounded(value, bound, x.context)


def _bound_of_product(value: Any, x: Any, y: Any, x_bound: Any, y_bound: Any, rounding: tuple[Any, ...]) -> Any:
    return rounded_bound(value, propagated_by_factors(x, y, x_bound, y_bound), 1.0, *rounding)


def propagated_by_factors(x: Any, y: Any, x_bound: Any, y_bound: Any) -> Any:
    """What the bounds of factors do to their product, entry by entry."""
    return np.abs(x) * y_bound + x_bound * (np.abs(y) + y_bound)


def _bound_of_multiple(value: Any, x: Any, y_bound: Any, rounding: tuple[Any, ...]) -> Any:
    """The bound of a product where x is known."""
    return rounded_bound(value, np.abs(x) * y_bound, 1.0, *rounding)


@rule_for(np.divide)
def divide(x: Bounded, y: Bounded) -> Bounded:
    value, exact = x.value / y.value, _power_of_two(y)
    regrouped = not exact and (x.contracted or y.contracted)
    x_bound, y_bound = (x.as_summand, y.as_summand) if regrouped else (x.bound, y.bound)
    rounding = x.context.rounding(0.0 if exact else x.context.profile.constants["divide"] + regrouped)
    bound = in_blocks(_bound_of_quotient, value, x.value, y.value, x_bound, y_bound, x.bound, y.bound, rounding)
    return Bounded(value, bound, x.context)


def _bound_of_quotient(
    value: Any, x: Any, y: Any, x_read: Any, y_read: Any, x_bound: Any, y_bound: Any, rounding: tuple[Any, ...]
) -> Any:
    """The bound of a quotient of what may be read otherwise than it is shown, where it is regrouped."""
    _, _, eta, largest, _ = rounding
    distance = np.abs(y) - y_read
    propagated = (x_read + np.abs(value) * y_read) / distance
    propagated = either((distance > 0) & (distance * largest >= 1), propagated, np.inf)
    flushed = (np.abs(y) + y_bound) * eta > 1
    return rounded_bound(value, propagated, either(flushed, 1 + (np.abs(x) + x_bound), 1.0), *rounding)


@rule_for(np.square)
def square(x: Bounded) -> Bounded:
    return x.context.rounded(x.value * x.value, x.bound * (2 * np.abs(x.value) + x.bound))


@rule_for(np.power)
def power(x: Bounded, y: Bounded) -> Bounded:
    exponent = y.value.item() if y.size == 1 and not y.bound.any() else None
    if exponent not in (1, 2, 3, 4):
        return np.exp(y * np.log(x))
    result = positive(x)
    for _ in range(int(exponent) - 1):
        result = multiply(result, x)
    return result


@rule_for(np.negative)
def negative(x: Bounded) -> Bounded:
    return Bounded(-x.value, x.bound, x.context)


@rule_for(np.positive)
def positive(x: Bounded) -> Bounded:
    result = x.moved(np.copy)
    result.terms = 0  # an array of its own, in which nothing is accumulated any more
    return result


@rule_for(np.absolute)
def absolute(x: Bounded) -> Bounded:
    return Bounded(np.abs(x.value), x.bound, x.context)


@rule_for(np.maximum)
def maximum(x: Bounded, y: Bounded) -> Bounded:
    return _chosen(np.maximum, x, y)


@rule_for(np.minimum)
def minimum(x: Bounded, y: Bounded) -> Bounded:
    return _chosen(np.minimum, x, y)


def _chosen(choose: np.ufunc, x: Bounded, y: Bounded) -> Bounded:
    """What grows with both operands: its image lies between those of their ends."""
    value = choose(x.value, y.value)
    if x.known and y.known:
        return Bounded(value, zeros(value.shape), x.context)
    low = choose(x.value - x.bound, y.value - y.bound)
    high = choose(x.value + x.bound, y.value + y.bound)
    # One ulp more: low and high were rounded.
    bound = np.where(high == low, 0.0, _next_above(np.maximum(high - value, value - low)))
    return Bounded(value, bound, x.context)


def _next_above(size: Floats) -> Floats:
    """As nextafter of what is not negative, at a fraction of its time: as integers, its bits are in the same order."""
    above: Floats = (size.view(np.int64) + 1).view(np.float64)
    return np.where(np.isfinite(size), above, size)


def _mask(x: Bounded, y: Bounded, value: NDArray[np.bool_]) -> Bounded:
    """A comparison as numbers 0 and 1; undecided where the intervals meet, and counted."""
    bound = x.bound + y.bound
    # Not <=: what is NaN, or has no bound because it may have overflowed, decides nothing.
    gap = np.abs(x.value - y.value)
    undecided = ~(gap > bound) & ((bound != 0) | np.isnan(gap))
    x.context.undecided += int(undecided.sum())
    return Bounded(value.astype(np.float64), undecided.astype(np.float64), x.context)


@rule_for(np.greater)
def greater(x: Bounded, y: Bounded) -> Bounded:
    return _mask(x, y, x.value > y.value)


@rule_for(np.less)
def less(x: Bounded, y: Bounded) -> Bounded:
    return _mask(x, y, x.value < y.value)


@rule_for(np.equal)
def equal(x: Bounded, y: Bounded) -> Bounded:
    return _mask(x, y, x.value == y.value)


@rule_for(np.where)
def where(mask: Any, x: Any, y: Any) -> Bounded:
    context = next(each.context for each in (mask, x, y) if isinstance(each, Bounded))
    mask = mask if isinstance(mask, Bounded) else context.exact(mask)
    x, y = (each if isinstance(each, Bounded) else context.constant(each) for each in (x, y))
    taken = mask.value != 0
    bound = np.where(taken, x.bound, y.bound)
    undecided = mask.bound > 0
    if undecided.any():
        other = np.abs(x.value - y.value) + np.where(taken, y.bound, x.bound)
        bound = np.where(undecided, np.maximum(bound, other), bound)
    return Bounded(np.where(taken, x.value, y.value), bound, context)


@rule_for(np.concatenate)
def concatenate(parts: Sequence[Bounded], axis: int = 0) -> Bounded:
    values, bounds = [part.value for part in parts], [part.bound for part in parts]
    return Bounded(np.concatenate(values, axis=axis), np.concatenate(bounds, axis=axis), parts[0].context)
