"""Rules of the arithmetic operations, comparisons and kinks, entry by entry.

    x + y, x - y   E_x + E_y                          u |result|
    x * y          |X| E_y + E_x A(Y)                 u |result|; nothing if a factor is a power of two
    x / y          (E_x + |V| E_y) / (|Y| - E_y)      2.01 u |result| (XLA: x * (1/y)); u for powers of two;
                                                      unbounded where y may be 0
    max(x, y)      the image of both intervals        nothing: a copy
    x > y          0 where decided, else 1            nothing
    -x, +x, |x|    E_x                                nothing

|result| is the largest a member can have before its last rounding, |V| + propagated.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.bounded import Bounded, Floats, rule_for


def _power_of_two(x: Bounded) -> bool:
    """Is x one exact power of two (or 0)? Then multiplying by it rounds nothing."""
    if x.value.ndim or x.bound.any():
        return False
    mantissa, _ = np.frexp(x.value)
    return bool(abs(mantissa) == 0.5 or x.value == 0)


@rule_for(np.add)
def add(x: Bounded, y: Bounded) -> Bounded:
    propagated = x.bound + y.bound
    result = x.context.rounded(x.value + y.value, propagated)
    # A bias added to a fresh dot product may have been the accumulator's first value (addmm), and
    # then takes part in each of its additions.
    for dot, bias in ((x, y), (y, x)):
        if dot.terms:
            passed = dot.terms * x.context.profile.u_acc * (np.abs(bias.value) + bias.bound)
            result.bound = result.bound + passed
    return result


@rule_for(np.subtract)
def subtract(x: Bounded, y: Bounded) -> Bounded:
    return x.context.rounded(x.value - y.value, x.bound + y.bound)


@rule_for(np.multiply)
def multiply(x: Bounded, y: Bounded) -> Bounded:
    value = x.value * y.value
    propagated = np.abs(x.value) * y.bound + x.bound * (np.abs(y.value) + y.bound)
    exact = _power_of_two(x) or _power_of_two(y)
    return x.context.rounded(value, propagated, 0.0 if exact else 1.0)


@rule_for(np.divide)
def divide(x: Bounded, y: Bounded) -> Bounded:
    value = x.value / y.value
    distance = np.abs(y.value) - y.bound
    propagated = (x.bound + np.abs(value) * y.bound) / distance
    propagated = np.where(distance > 0, propagated, np.inf)
    if _power_of_two(y):
        return x.context.rounded(value, propagated, 0.0)
    return x.context.rounded(value, propagated, x.context.profile.constants["divide"])


@rule_for(np.square)
def square(x: Bounded) -> Bounded:
    return x.context.rounded(x.value * x.value, x.bound * (2 * np.abs(x.value) + x.bound))


@rule_for(np.negative)
def negative(x: Bounded) -> Bounded:
    return Bounded(-x.value, x.bound, x.context)


@rule_for(np.positive)
def positive(x: Bounded) -> Bounded:
    return Bounded(x.value.copy(), x.bound, x.context)


@rule_for(np.absolute)
def absolute(x: Bounded) -> Bounded:
    return Bounded(np.abs(x.value), x.bound, x.context)


@rule_for(np.maximum)
def maximum(x: Bounded, y: Bounded) -> Bounded:
    value = np.maximum(x.value, y.value)
    low = np.maximum(x.value - x.bound, y.value - y.bound)
    high = np.maximum(x.value + x.bound, y.value + y.bound)
    return Bounded(value, _image(value, low, high), x.context)


@rule_for(np.greater)
def greater(x: Bounded, y: Bounded) -> Bounded:
    """The mask x > y as numbers 0 and 1; undecided where the intervals meet, and counted."""
    bound = x.bound + y.bound
    undecided = (np.abs(x.value - y.value) <= bound) & (bound > 0)
    x.context.undecided += int(undecided.sum())
    return Bounded((x.value > y.value).astype(np.float64), undecided.astype(np.float64), x.context)


def _image(value: Floats, low: Floats, high: Floats) -> Floats:
    # One ulp more: low and high were rounded.
    return np.nextafter(np.maximum(high - value, value - low), np.inf) * (high > low)
