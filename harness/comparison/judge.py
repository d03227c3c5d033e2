"""Judging one tensor: its row, with difference, allowance, share used, what would have been seen, and the verdict.

Acceptance is `harness.arithmetic.enclosure`: NaN never passes. Shapes are compared before values and nothing
broadcasts. What there is to say besides numbers is a finding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import force_setattr, replace
from numpy.typing import NDArray

from harness.arithmetic import enclosure
from harness.arithmetic.blocks import blocks
from harness.usage import visible

Check = Literal["formula", "rounding", "end-to-end"]
Verdict = Literal["FAULT", "inherited", "convention", "not comparable", "no power", "ok"]

SEVERITY: tuple[Verdict, ...] = ("FAULT", "inherited", "convention", "not comparable", "no power", "ok")
"""Row verdicts, the one that must be told first in front."""

Floats = NDArray[np.float64]


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One tensor of one implementation at one step, judged by one check.

    ``difference``, ``allowed`` and ``used`` belong to the same entry, the one with the largest share, at
    ``index`` (counted from 0). A number that does not exist is None and ``reason`` says why.

    Attributes:
        check: formula (float64, end to end), rounding (working dtype, this link alone) or end-to-end.
        gradient: name of the tensor: dW1, dz1, also z1, a1, loss and, after an update, W1, mW1.
        against: name of the implementation.
        sees: median over entries, a sample of them where there are many (`SAMPLE`), of the relative error that is
            certain to be caught; the verdict counts every entry.
        sees_95: its 95 % quantile.
        entries: entries compared; ``outside`` of them were outside their allowance.
        zeros: entries whose centre is 0, which have no relative error.
        cause: what explains a FAULT, where that could be shown.
        unbounded: entries at which nothing is bounded, because a correct program may overflow or divide by
            zero there; they are neither inside nor outside.
    """

    check: Check
    gradient: str
    against: str
    step: int
    verdict: Verdict
    difference: float | None = None
    allowed: float | None = None
    used: float | None = None
    sees: float | None = None
    sees_95: float | None = None
    index: tuple[int, ...] | None = None
    entries: int = 0
    outside: int = 0
    zeros: int = 0
    reason: str | None = None
    cause: str | None = None
    unbounded: int = 0


def not_comparable(check: Check, gradient: str, against: str, step: int, reason: str) -> Row:
    """A row for what could not be judged, saying why."""
    return Row(check, gradient, against, step, "not comparable", reason=visible(reason))


def judge(
    check: Check,
    gradient: str,
    against: str,
    step: int,
    *,
    actual: Any,
    expected: Floats,
    allowed: Floats,
    tail: Floats | None = None,
    outside_verdict: Verdict = "FAULT",
) -> Row:
    """Judge one tensor; it has no power where most entries, those that are not 0, would pass at half their size.

    Args:
        actual: the implementation's values, any float dtype.
        expected: the centre, of the same shape.
        allowed: largest difference per entry that rounding alone can cause.
        tail: what `expected` lacks of the number meant, where that is known to more digits.
        outside_verdict: what a tensor outside its allowance is called.
    """
    if actual.shape != expected.shape:
        reason = f"shape {actual.shape} instead of {expected.shape}"
        return not_comparable(check, gradient, against, step, reason)
    with np.errstate(all="ignore"):
        held = _held(actual, expected, allowed, tail)
        sees, sees_95 = _sees(expected, allowed)
        verdict: Verdict = "ok"
        if held.outside:
            verdict = outside_verdict
        elif held.zeros < actual.size and held.telling <= held.comparable // 2:
            verdict = "no power"
        index = tuple(int(i) for i in np.unravel_index(held.flat, expected.shape))
        difference = np.float64(actual[index]) - expected[index] - (0.0 if tail is None else tail[index])
    return Row(
        check=check, gradient=gradient, against=against, step=step, verdict=verdict, index=index,
        difference=finite(difference), allowed=finite(allowed[index]), used=finite(held.used),
        sees=finite(sees), sees_95=finite(sees_95),
        entries=actual.size, outside=held.outside, zeros=held.zeros, unbounded=held.unbounded,
        reason=_reason(
            float(actual[index]), expected[index], allowed[index], held.used, sees, held.zeros == actual.size
        ),
    )  # fmt: skip


@dataclass
class _Held:
    """Counts over the entries of a tensor, and the largest share used, at an index of the flat tensor."""

    outside: int = 0
    unbounded: int = 0
    zeros: int = 0
    telling: int = 0
    comparable: int = 0
    used: float = -1.0
    flat: int = 0


def _held(actual: Any, expected: Floats, allowed: Floats, tail: Floats | None) -> _Held:
    """Every entry held against its allowance."""
    found, flat = _Held(), [np.reshape(array, -1) for array in (actual, expected, allowed)]
    for begin, (theirs, value, bound, rest) in blocks(*flat, 0.0 if tail is None else tail.reshape(-1)):
        distance = np.asarray(theirs, np.float64) - value
        if tail is not None:
            distance -= rest
        np.abs(distance, out=distance)
        share, nonzero, far = distance / bound, value != 0, np.abs(value) > 2 * bound
        worst = int(share.argmax())  # the first NaN, if there is one
        entries = int(np.count_nonzero(nonzero))
        found.zeros += value.size - entries
        if not (np.isfinite(share[worst]) and np.isfinite(bound.max())):
            bounded = enclosure.bounded(value, bound)
            found.unbounded += value.size - int(np.count_nonzero(bounded))
            entries, far = int(np.count_nonzero(nonzero & bounded)), far & bounded
            share = _where_not_finite(share, distance, bounded)
            worst = int(share.argmax())
        found.comparable += entries
        found.telling += int(np.count_nonzero(far))
        if share[worst] >= 1:  # a share is rounded, and to 1 at most where the entry is inside
            found.outside += int(np.count_nonzero(enclosure.outside(distance, value, bound)))
        if share[worst] > found.used:
            found.used, found.flat = float(share[worst]), begin + worst
    return found


def but_for_rounding(row: Row, vanishes: Callable[[], bool]) -> Row:
    """The row of a gradient; one that is 0 but for rounding is ok without power, since there is no half of it."""
    if row.verdict != "no power" or not vanishes():
        return row
    return replace(row, verdict="ok", reason="0 but for rounding")


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
    value, bound = np.reshape(expected, -1), np.reshape(allowed, -1)
    if value.size > SAMPLE:
        places = _spread(value.size)
        if np.count_nonzero(value[places]) < SAMPLE // 4:  # most are 0: among the others, then
            places = np.flatnonzero(value)
            places = places[_spread(places.size)] if places.size > SAMPLE else places
        value, bound = value[places], bound[places]
    nonzero = value != 0
    count = int(np.count_nonzero(nonzero))
    if not count:
        return np.nan, np.nan
    caught = bound[nonzero] / np.abs(value[nonzero])
    # One of the entries, never a mean of two: with an even count the larger of the middle ones.
    middle, high = count // 2, math.ceil(0.95 * count) - 1
    caught.partition((middle, high))
    return 2 * float(caught[middle]), 2 * float(caught[high])


def finite(number: Any) -> float | None:
    """A number, or None where it is NaN or infinite."""
    number = float(number)
    return number if math.isfinite(number) else None


def _reason(actual: Any, expected: Any, allowed: Any, used: Any, sees: float, all_zero: bool) -> str | None:
    if not (math.isfinite(allowed) and math.isfinite(expected)):
        return "nothing is bounded here: a correct program may overflow or divide by zero"
    if not math.isfinite(actual):
        return f"{actual} where {float(expected):.9g} is expected"
    if math.isinf(used):
        return "exact value expected"
    if all_zero:
        return "every expected entry is 0, so there is no relative error to see"
    return None if math.isfinite(sees) else "nothing is bounded for half of the entries"


class Worst:
    """One row for many steps, taken in one after the other: see `worst`."""

    __slots__ = ("_entries", "_gravest", "_outside", "_rank", "_sees", "_sees_95", "_unbounded", "_zeros")

    def __init__(self, first: Row) -> None:
        self._gravest, self._rank = first, _rank(first)
        self._sees, self._sees_95 = first.sees, first.sees_95
        self._entries, self._outside, self._zeros, self._unbounded = (
            first.entries, first.outside, first.zeros, first.unbounded,
        )  # fmt: skip

    def add(self, row: Row) -> None:
        """Take in one more."""
        rank = _rank(row)
        if rank < self._rank:
            self._gravest, self._rank = row, rank
        if row.sees is not None and (self._sees is None or row.sees > self._sees):
            self._sees = row.sees
        if row.sees_95 is not None and (self._sees_95 is None or row.sees_95 > self._sees_95):
            self._sees_95 = row.sees_95
        self._entries += row.entries
        self._outside += row.outside
        self._zeros += row.zeros
        self._unbounded += row.unbounded

    @property
    def row(self) -> Row:
        """The gravest, with the least that was seen and the sums of all."""
        return replace(
            self._gravest, sees=self._sees, sees_95=self._sees_95, entries=self._entries,
            outside=self._outside, zeros=self._zeros, unbounded=self._unbounded,
        )  # fmt: skip


def worst(rows: Iterable[Row]) -> Row:
    """One row for many steps: the gravest verdict, then the largest share used; sees the least seeing.

    `entries`, `outside`, `zeros` and `unbounded` are summed.
    """
    first, *others = rows
    found = Worst(first)
    for row in others:
        found.add(row)
    return found.row


_GRAVITY: dict[str, int] = {verdict: place for place, verdict in enumerate(SEVERITY)}


def _rank(row: Row) -> tuple[int, float]:
    return _GRAVITY[row.verdict], -_share(row)


def _share(row: Row) -> float:
    if row.used is None:
        return np.inf if row.outside else -1.0
    return row.used


def largest(numbers: list[float | None]) -> float | None:
    """The largest of the numbers that exist, or None."""
    known = [number for number in numbers if number is not None]
    return max(known, default=None)


Kind = Literal[
    "missing", "raised", "not a pass", "names", "shape", "dtype", "non-finite", "changed its input",
    "diverged", "second call differs", "tap changes the program", "no optimizer",
    "timeout", "accumulates", "overwrites", "other point", "overflow", "layout", "aliasing", "not trained",
    "not an array", "number of gradients", "no gradient", "not linear", "zero upstream", "network", "update",
    "learning rate", "targets",
]  # fmt: skip


class Finding(msgspec.Struct, frozen=True, omit_defaults=True):
    """Something to say about an implementation besides its numbers; `fails` if it broke its contract."""

    against: str
    step: int
    kind: Kind
    message: str
    tensor: str | None = None
    fails: bool = True

    def __post_init__(self) -> None:
        """What somebody else's code raised or returned is shown, never obeyed, by a terminal or a log."""
        force_setattr(self, "message", visible(self.message))
        if self.tensor is not None:
            force_setattr(self, "tensor", visible(self.tensor))
