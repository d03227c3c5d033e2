"""What tensors are judged by: expected values, their allowance, what these can tell, and what is held against them.

Small tensors are looked at together, as segments of one block; a large one block by block.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from operator import itemgetter
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import enclosure
from harness.arithmetic.blocks import blocks, reduced
from harness.comparison.segments import SMALL, Starts, count, laid, spans, starts_of

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
        sees, sees_95: median and 95 % quantile of the relative error that is certain to be caught, over a sample.
    """

    zeros: int
    unbounded: int
    comparable: int
    far: int
    sees: float
    sees_95: float


class Held(NamedTuple):
    """Entries outside, the largest share used, and what there is at its place in the flat tensor.

    Attributes:
        difference: of the actual entry from the expected one, with its tail.
    """

    outside: int
    used: float
    place: int
    actual: float
    expected: float
    allowed: float
    difference: float


class Standard(NamedTuple):
    """What one tensor is judged by.

    Attributes:
        expected: the centre, in float64 or in a format that it holds.
        allowed: largest difference per entry that rounding alone can cause, of the same shape.
        tail: what `expected` lacks of the number meant, where that is known to more digits.
        besides: what is allowed besides, where that is a sum of two: of a large tensor it is never written to memory.
    """

    expected: Floats
    allowed: Floats
    tail: Floats | None = None
    besides: Floats | None = None


class Laid(NamedTuple):
    """Standards whose tensors fit a block together, or a single one, flat and end to end.

    Attributes:
        starts: where each tensor begins.
    """

    starts: Starts
    expected: Any
    allowed: Floats
    tail: Floats | None
    besides: Floats | None

    @classmethod
    def of(cls, standards: Sequence[Standard]) -> Laid:
        """These, in order."""
        centres, bounds, tails, others = zip(*standards, strict=True)
        tail = other = None
        if any(each is not None for each in tails):
            tail = laid([np.zeros(c.shape) if t is None else t for c, t in zip(centres, tails, strict=True)])
        if len(standards) > 1:
            bounds = tuple(map(total, bounds, others))
        elif others[0] is not None:
            other = laid(others)
        return cls(starts_of(centres), laid(centres), laid(bounds), tail, other)

    def allowed_at(self, places: Any) -> Floats:
        """What is allowed at places in the flat tensors."""
        allowed: Floats = total(self.allowed[places], None if self.besides is None else self.besides[places])
        return allowed


def told_and_held(
    actual: Sequence[Any], standards: Sequence[Standard], known: Sequence[Telling | None]
) -> list[tuple[Telling, Held]]:
    """What each standard can tell, counted over every entry where it is not known, and what is held against it.

    Args:
        actual: of the shapes of those that they are judged by; these fit a block together, or it is a single one.
    """
    by, theirs = Laid.of(standards), laid(actual)
    new = [standard for standard, telling in zip(standards, known, strict=True) if telling is None]
    worst = counted = None
    if len(standards) == 1:  # in one pass over memory
        formula, conditions = (share_and_conditions, 4) if new else (share_used, 0)
        used, place, counts = reduced(formula, conditions, theirs, *by[1:])
        counted = [counts]
        if used < 1:  # no entry is outside: a share is rounded, to 1 at most where one is inside
            worst = [(0, used, place)]
    found = iter(_told(by if len(new) == len(standards) else Laid.of(new), counted) if new else ())
    tellings = [next(found) if telling is None else telling for telling in known]
    return list(zip(tellings, _held(theirs, by, worst), strict=True))


def _told(by: Laid, counted: Any) -> list[Telling]:
    """What each standard can tell, of which it may be counted already at how many entries each condition holds."""
    if counted is None:
        holding = _conditions(np.asarray(by.expected, np.float64), by.allowed_at(slice(None)))
        counted = zip(*(count(each, by.starts) for each in holding), strict=True)
    return [
        Telling(zeros, unbounded, comparable, far, *sees)
        for (zeros, unbounded, comparable, far), sees in zip(counted, _sees(by), strict=True)
    ]


def _conditions(expected: Any, allowed: Any) -> Any:
    """Of an entry: is it 0; is nothing bounded; else is it not 0, would half of it be outside."""
    size = np.abs(expected)
    bounded, nonzero = np.isfinite(size) & np.isfinite(allowed), expected != 0
    return ~nonzero, ~bounded, bounded & nonzero, bounded & (size > 2 * allowed)


def _held(theirs: Any, by: Laid, worst: list[tuple[int, float, int]] | None) -> list[Held]:
    """Entries of tensors against their allowances, of which `worst` may be known already."""
    if worst is None:
        found = [_worst(by.starts, begin, *block) for begin, block in blocks(theirs, *by[1:])]
        worst = found[0]
        if len(found) > 1:
            _, used, place = max((block[0] for block in found), key=itemgetter(1))
            worst = [(sum(block[0][0] for block in found), used, place)]
    at = np.array([place for _, _, place in worst])
    value, own, bound = (np.asarray(each, np.float64) for each in (theirs[at], by.expected[at], by.allowed_at(at)))
    difference = value - own if by.tail is None else value - own - by.tail[at]
    there = [(at - by.starts).tolist(), value.tolist(), own.tolist(), bound.tolist(), difference.tolist()]
    return [Held(outside, used, *each) for (outside, used, _), *each in zip(worst, *there, strict=True)]


def total(allowed: Any, besides: Any) -> Any:
    """What an entry is allowed in all."""
    if besides is not None:
        allowed = allowed + besides
    return allowed


def distance_from(actual: Any, expected: Any, tail: Any) -> Any:
    """Of an entry, from what is expected, in float64."""
    difference = actual - expected
    if tail is not None:
        difference -= tail
    return np.abs(difference)


def share_used(actual: Any, expected: Any, allowed: Any, tail: Any, besides: Any) -> Any:
    """Of what an entry is allowed, the share that it uses, and no condition."""
    return (distance_from(actual, expected, tail) / np.maximum(total(allowed, besides), LEAST),)


def share_and_conditions(actual: Any, expected: Any, allowed: Any, tail: Any, besides: Any) -> Any:
    """The share that an entry uses, and what is counted of what can be told there."""
    return *share_used(actual, expected, allowed, tail, besides), *_conditions(expected, total(allowed, besides))


def _worst(
    starts: Starts, begin: int, theirs: Any, own: Any, allowed: Floats, rest: Floats | None, besides: Floats | None
) -> list[tuple[int, float, int]]:
    """Of each segment of a block, which begins there: entries outside, the largest share used, and its place."""
    value, bound = np.asarray(own, np.float64), total(allowed, besides)
    distance = distance_from(np.asarray(theirs, np.float64), value, rest)
    share = distance / np.maximum(bound, LEAST)
    segments = [slice(*span) for span in spans(starts, len(share))]
    place = [each.start + int(share[each].argmax()) for each in segments]  # the first NaN, if there is one
    used = share[place].tolist()
    for i, each in enumerate(segments):
        if not math.isfinite(used[i]):
            known = enclosure.bounded(value[each], bound[each])
            share[each] = _where_not_finite(distance[each] / bound[each], distance[each], known)
            place[i] = each.start + int(share[each].argmax())
            used[i] = float(share[place[i]])
    outside = [0] * len(starts)
    if max(used) >= 1:  # a share is rounded, and to 1 at most where the entry is inside
        outside = count(enclosure.outside(distance, value, bound), starts)
    return [(beyond, most, begin + at) for beyond, most, at in zip(outside, used, place, strict=True)]


def _where_not_finite(used: Floats, magnitude: Floats, bounded: NDArray[np.bool_]) -> Floats:
    """Shares where a division gave NaN or infinity: 0 where nothing differs or nothing is bounded."""
    used = np.where((magnitude == 0) | ~bounded, 0.0, used)
    return np.where(np.isnan(used), np.inf, used)  # NaN is not a match


SAMPLE = 1024
"""Entries over which quantiles of a large tensor are taken, spread over it: each is a line of memory of its own. A
quantile of so many is that of the tensor at a rank which is off by a hundredth or two."""


@lru_cache(maxsize=256)
def _spread(size: int) -> NDArray[np.intp]:
    """So many places among `size`, every part of the tensor alike: multiples of the golden ratio, their whole part off.

    Unlike every so-many-th entry, they are not in step with the tensor's rows.
    """
    golden = (np.sqrt(5) - 1) / 2
    return (np.arange(SAMPLE) * golden % 1 * size).astype(np.intp)


def _sees(by: Laid) -> list[tuple[float, float]]:
    """Of each median and 95 % quantile of 2 allowed / |expected| where that is not 0, over a sample."""
    value: Any = by.expected
    places: Any = slice(None)
    if value.size > SMALL and len(by.starts) == 1:
        places = _spread(value.size)
        sample = value[places]
        if np.count_nonzero(sample) < SAMPLE // 4:  # most are 0: among the others, then
            places = np.flatnonzero(value)
            places = places[_spread(places.size)] if places.size > SAMPLE else places
            sample = value[places]
        value = sample
    bound = by.allowed_at(places)
    nonzero = value != 0
    entries = count(nonzero, by.starts)
    if sum(entries) < value.size:
        value, bound = value[nonzero], bound[nonzero]
    caught = bound / np.abs(np.asarray(value, np.float64))
    ends = list(accumulate(entries))
    return [_quantiles(caught[end - size : end]) for size, end in zip(entries, ends, strict=True)]


def _quantiles(caught: Floats) -> tuple[float, float]:
    """One of the entries, never a mean of two: with an even count the larger of the middle ones."""
    if not caught.size:
        return np.nan, np.nan
    places = caught.size // 2, math.ceil(0.95 * caught.size) - 1
    caught.sort()  # in a third of the time that a partition at both takes
    middle, high = (2 * float(caught[place]) for place in places)
    return middle, high
