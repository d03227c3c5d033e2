"""Judging one tensor: its row, with difference, allowance, share used, what would have been seen, and the verdict.

Acceptance is `harness.arithmetic.enclosure`: NaN never passes. Shapes are compared before values and nothing
broadcasts. What there is to say besides numbers is a finding.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Literal, NamedTuple

import msgspec
import numpy as np
from msgspec.structs import force_setattr, replace

from harness.comparison.segments import together
from harness.comparison.standard import Floats, Standard, Telling, told_and_held
from harness.usage import visible

Check = Literal["formula", "rounding", "end-to-end"]
Verdict = Literal["FAULT", "inherited", "convention", "not comparable", "no power", "ok"]

SEVERITY: tuple[Verdict, ...] = ("FAULT", "inherited", "convention", "not comparable", "no power", "ok")
"""Row verdicts, the one that must be told first in front."""


class Row(msgspec.Struct, frozen=True, array_like=True):
    """One tensor of one implementation at one step, judged by one check.

    ``difference``, ``allowed`` and ``used`` belong to the same entry, the one with the largest share, at
    ``index`` (counted from 0). A number that does not exist is None and ``reason`` says why.

    Attributes:
        check: formula (float64, end to end), rounding (working dtype, this link alone) or end-to-end.
        gradient: name of the tensor: dW1, dz1, also z1, a1, loss and, after an update, W1, mW1.
        against: name of the implementation.
        sees: median over entries, a sample of them where there are many (`standard.SAMPLE`), of the relative error that
            is certain to be caught; the verdict counts every entry.
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
) -> Row:
    """Judge one tensor; it has no power where most entries, those that are not 0, would pass at half their size.

    Args:
        actual: the implementation's values, any float dtype.
        expected: the centre, of the same shape.
        allowed: largest difference per entry that rounding alone can cause.
        tail: what `expected` lacks of the number meant, where that is known to more digits.
    """
    (row,) = judge_each(check, against, step, [Compared(gradient, actual, Standard(expected, allowed, tail))])
    return row


class Compared(NamedTuple):
    """A tensor of an implementation, and what it is judged by."""

    gradient: str
    actual: Any
    standard: Standard


def judge_each(
    check: Check,
    against: str,
    step: int,
    tensors: Iterable[Row | Compared],
    counted: dict[str, Telling] | None = None,
) -> list[Row]:
    """As `judge`, many tensors; a row among them stays as it is.

    A large tensor is judged as soon as it comes, and let go; small ones wait until there are enough of them.

    Args:
        counted: where others are judged by the same standards, what each can tell, by name, once it is counted.
    """
    rows = dict[int, Row]()

    def comparable() -> Iterator[tuple[int, tuple[int, Compared]]]:
        for place, each in enumerate(tensors):
            if isinstance(each, Row):
                rows[place] = each
            elif each.actual.shape != each.standard.expected.shape:
                reason = f"shape {each.actual.shape} instead of {each.standard.expected.shape}"
                rows[place] = not_comparable(check, each.gradient, against, step, reason)
            else:
                yield each.actual.size, (place, each)

    for group in together(comparable()):
        places, compared = zip(*group, strict=True)
        rows.update(zip(places, _judged(check, against, step, compared, counted), strict=True))
    return [rows[place] for place in range(len(rows))]


def _judged(
    check: Check, against: str, step: int, compared: Sequence[Compared], counted: dict[str, Telling] | None
) -> Iterator[Row]:
    """The rows of tensors that fit a block together."""
    known = [None if counted is None else counted.get(each.gradient) for each in compared]
    with np.errstate(all="ignore"):
        found = told_and_held([each.actual for each in compared], [each.standard for each in compared], known)
    if counted is not None:
        counted.update((each.gradient, telling) for each, (telling, _) in zip(compared, found, strict=True))
    for (gradient, actual, _), (telling, at) in zip(compared, found, strict=True):
        verdict: Verdict = "ok"
        if at.outside:
            verdict = "FAULT"
        elif telling.zeros < actual.size and telling.far <= telling.comparable // 2:
            verdict = "no power"
        yield Row(
            check=check, gradient=gradient, against=against, step=step, verdict=verdict,
            index=_index(at.place, actual.shape),
            difference=finite(at.difference), allowed=finite(at.allowed), used=finite(at.used),
            sees=finite(telling.sees), sees_95=finite(telling.sees_95),
            entries=actual.size, outside=at.outside, zeros=telling.zeros, unbounded=telling.unbounded,
            reason=_reason(
                at.actual, at.expected, at.allowed, at.used, telling.sees, telling.zeros == actual.size
            ),
        )  # fmt: skip


def _index(place: int, shape: tuple[int, ...]) -> tuple[int, ...]:
    """A place in a flat tensor, along each axis: as numpy.unravel_index, in a tenth of the time."""
    index = list[int]()
    for length in reversed(shape):
        place, along = divmod(place, length)
        index.append(along)
    return tuple(reversed(index))


def but_for_rounding(row: Row, vanishes: Callable[[], bool]) -> Row:
    """The row of a gradient; one that is 0 but for rounding is ok without power, since there is no half of it."""
    if row.verdict != "no power" or not vanishes():
        return row
    return replace(row, verdict="ok", reason="0 but for rounding")


def as_convention(row: Row) -> Row:
    """The row of a tensor that is outside its allowance by no more than another valid subgradient."""
    return replace(row, verdict="convention", reason="exactly on a kink, another valid subgradient is taken")


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


Kind = Literal[
    "missing", "raised", "not a pass", "names", "shape", "dtype", "non-finite", "changed its input",
    "diverged", "second call differs", "tap changes the program", "no optimizer",
    "timeout", "accumulates", "overwrites", "other point", "overflow", "layout", "aliasing", "not trained",
    "not an array", "number of gradients", "no gradient", "not linear", "zero upstream", "network", "update",
    "learning rate", "targets",
    "micro-batches", "batch invariance",
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
