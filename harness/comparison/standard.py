"""What a tensor is judged by: expected values, their allowance, and what these can tell, whoever is judged.

Several implementations are judged by one standard where what is expected does not depend on them; what it can tell is
counted once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import enclosure
from harness.arithmetic.blocks import blocks

Floats = NDArray[np.float64]

LEAST = 2.0**-1074
"""The smallest positive number: a difference of any size is no smaller, so that where nothing is allowed it is shown by
a share of 1 at least, and no difference by a share of 0."""


class Telling(NamedTuple):
    """What a standard can tell.

    Attributes:
        zeros: entries whose centre is 0, which have no relative error.
        unbounded: entries at which nothing is bounded.
        comparable: entries that are bounded and not 0; half the size of `far` of them would be outside.
        exact: whether nothing is allowed somewhere.
        sees, sees_95: median and 95 % quantile of the relative error that is certain to be caught, over a sample.
    """

    zeros: int
    unbounded: int
    comparable: int
    far: int
    exact: bool
    sees: float
    sees_95: float


class Held(NamedTuple):
    """Entries outside, and the largest share used, at a place in the flat tensor."""

    outside: int
    used: float
    place: int


@dataclass(frozen=True, eq=False)
class Standard:
    """What one tensor is judged by.

    Attributes:
        expected: the centre, in float64 or in a format that it holds.
        allowed: largest difference per entry that rounding alone can cause, of the same shape.
        tail: what `expected` lacks of the number meant, where that is known to more digits.
        counted: what it can tell, where that was counted before.
    """

    expected: Floats
    allowed: Floats
    tail: Floats | None = None
    counted: Telling | None = None

    @cached_property
    def telling(self) -> Telling:
        """What it can tell, counted over every entry."""
        if self.counted is not None:
            return self.counted
        zeros = unbounded = comparable = telling = 0
        exact = False
        for _, (own, bound) in blocks(self.expected.reshape(-1), self.allowed.reshape(-1)):
            value = np.asarray(own, np.float64)
            size = np.abs(value)
            entries = value.size if size.min() > 0 else int(np.count_nonzero(value != 0))
            zeros += value.size - entries
            far = size > 2 * bound
            if not math.isfinite(size.max() + bound.max()):
                bounded = enclosure.bounded(value, bound)
                unbounded += value.size - int(np.count_nonzero(bounded))
                entries, far = int(np.count_nonzero((value != 0) & bounded)), far & bounded
            comparable += entries
            telling += int(np.count_nonzero(far))
            exact = exact or not bound.min() > 0
        return Telling(zeros, unbounded, comparable, telling, exact, *_sees(self.expected, self.allowed))

    def held(self, actual: Any) -> Held:
        """Every entry of a tensor, of the same shape, held against its allowance."""
        outside, used, place, exact = 0, -1.0, 0, self.telling.exact
        flat = [array.reshape(-1) for array in (actual, self.expected, self.allowed)]
        for begin, (theirs, own, bound, rest) in blocks(*flat, 0.0 if self.tail is None else self.tail.reshape(-1)):
            value = np.asarray(own, np.float64)
            distance = np.asarray(theirs, np.float64) - value
            if self.tail is not None:
                distance -= rest
            np.abs(distance, out=distance)
            share = distance / (np.maximum(bound, LEAST) if exact else bound)
            worst = int(share.argmax())  # the first NaN, if there is one
            largest = float(share[worst])
            if not math.isfinite(largest):
                share = _where_not_finite(distance / bound, distance, enclosure.bounded(value, bound))
                worst = int(share.argmax())
                largest = float(share[worst])
            if largest >= 1:  # a share is rounded, and to 1 at most where the entry is inside
                outside += int(np.count_nonzero(enclosure.outside(distance, value, bound)))
            if largest > used:
                used, place = largest, begin + worst
        return Held(outside, used, place)


def _where_not_finite(used: Floats, magnitude: Floats, bounded: NDArray[np.bool_]) -> Floats:
    """Shares where a division gave NaN or infinity: 0 where nothing differs or nothing is bounded."""
    used = np.where((magnitude == 0) | ~bounded, 0.0, used)
    return np.where(np.isnan(used), np.inf, used)  # NaN is not a match


SAMPLE = 4096
"""Entries over which quantiles are taken, spread over the tensor, where there are more."""


@lru_cache(maxsize=256)
def _spread(size: int) -> NDArray[np.intp]:
    """So many places among `size`, every part of the tensor alike: multiples of the golden ratio, their whole part off.

    Unlike every so-many-th entry, they are not in step with the tensor's rows.
    """
    golden = (np.sqrt(5) - 1) / 2
    return (np.arange(SAMPLE) * golden % 1 * size).astype(np.intp)


def _sees(expected: Floats, allowed: Floats) -> tuple[float, float]:
    """Median and 95 % quantile of 2 allowed / |expected| where that is not 0, over a sample."""
    value, bound = expected.reshape(-1), allowed.reshape(-1)
    if value.size > SAMPLE:
        places = _spread(value.size)
        sample = value[places]
        if np.count_nonzero(sample) < SAMPLE // 4:  # most are 0: among the others, then
            places = np.flatnonzero(value)
            places = places[_spread(places.size)] if places.size > SAMPLE else places
            sample = value[places]
        value, bound = sample, bound[places]
    nonzero = value != 0
    count = int(np.count_nonzero(nonzero))
    if not count:
        return np.nan, np.nan
    if count < value.size:
        value, bound = value[nonzero], bound[nonzero]
    caught = bound / np.abs(np.asarray(value, np.float64))
    # One of the entries, never a mean of two: with an even count the larger of the middle ones.
    middle, high = count // 2, math.ceil(0.95 * count) - 1
    caught.partition((middle, high))
    return 2 * float(caught[middle]), 2 * float(caught[high])
