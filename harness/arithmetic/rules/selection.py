"""Rules of comparisons and of what is chosen by them: kinks. None of them rounds.

max(x, y), min(x, y)   the image of both intervals
x > y, x < y           0 where decided, else 1, and counted
x == y                 likewise; asked only of exact arrays
concatenate            the bounds, likewise
where(m, x, y)         the bound of the branch taken; where m is undecided, also |X - Y| and the other's
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.bounded import Bounded, Floats, rule_for


@rule_for(np.maximum)
def maximum(x: Bounded, y: Bounded) -> Bounded:
    value = np.maximum(x.value, y.value)
    low = np.maximum(x.value - x.bound, y.value - y.bound)
    high = np.maximum(x.value + x.bound, y.value + y.bound)
    return Bounded(value, _image(value, low, high), x.context)


@rule_for(np.minimum)
def minimum(x: Bounded, y: Bounded) -> Bounded:
    value = np.minimum(x.value, y.value)
    low = np.minimum(x.value - x.bound, y.value - y.bound)
    high = np.minimum(x.value + x.bound, y.value + y.bound)
    return Bounded(value, _image(value, low, high), x.context)


def _mask(x: Bounded, y: Bounded, value: NDArray[np.bool_]) -> Bounded:
    """A comparison as numbers 0 and 1; undecided where the intervals meet, and counted."""
    bound = x.bound + y.bound
    # Not <=: what is NaN, or has no bound because it may have overflowed, decides nothing.
    undecided = ~(np.abs(x.value - y.value) > bound) & (bound != 0)
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
def where(mask: Bounded, x: Bounded, y: Bounded) -> Bounded:
    taken = mask.value != 0
    bound = np.where(taken, x.bound, y.bound)
    undecided = mask.bound > 0
    if undecided.any():
        other = np.abs(x.value - y.value) + np.where(taken, y.bound, x.bound)
        bound = np.where(undecided, np.maximum(bound, other), bound)
    return Bounded(np.where(taken, x.value, y.value), bound, mask.context)


@rule_for(np.concatenate)
def concatenate(parts: Sequence[Bounded], axis: int = 0) -> Bounded:
    values, bounds = [part.value for part in parts], [part.bound for part in parts]
    return Bounded(np.concatenate(values, axis=axis), np.concatenate(bounds, axis=axis), parts[0].context)


def _image(value: Floats, low: Floats, high: Floats) -> Floats:
    # One ulp more: low and high were rounded.
    return np.nextafter(np.maximum(high - value, value - low), np.inf) * (high > low)
