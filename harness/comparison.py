"""Comparing one tensor with its centre: difference, allowance, share used, what would have been seen, verdict.

Acceptance is written ``abs(actual - expected) <= allowed``, so that NaN never passes. Shapes are compared
before values and nothing broadcasts.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

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
        sees: median over entries of the relative error that is certain to be caught.
        sees_95: its 95 % quantile.
        entries: entries compared; ``outside`` of them were outside their allowance.
        zeros: entries whose centre is 0, which have no relative error.
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
    zero_bound: Callable[[], Floats] | None = None,
    outside_verdict: Verdict = "FAULT",
) -> Row:
    """Judge one tensor.

    Args:
        actual: the implementation's values, any float dtype.
        expected: the centre, of the same shape.
        allowed: largest difference per entry that rounding alone can cause.
        zero_bound: the centre's own float64 bound, asked for only if zeros in place of the tensor would
            pass; None if `allowed` is that bound.
        outside_verdict: what a tensor outside its allowance is called.
    """
    if actual.shape != expected.shape:
        reason = f"shape {actual.shape} instead of {expected.shape}"
        return not_comparable(check, gradient, against, step, reason)
    with np.errstate(all="ignore"):
        difference = np.asarray(actual, np.float64) - expected
        magnitude = np.abs(difference)
        outside = int(np.count_nonzero(~(magnitude <= allowed)))
        used = np.where(magnitude == 0, 0.0, magnitude / allowed)
        used = np.where(np.isnan(used), np.inf, used)  # NaN, or infinite on both sides: not a match
        used = np.where(np.isinf(allowed) & (magnitude <= allowed), 0.0, used)
    index = np.unravel_index(int(used.argmax()), used.shape)
    sees, sees_95, zeros = _sees(expected, allowed)
    verdict: Verdict = "ok"
    if outside:
        verdict = outside_verdict
    elif bool(np.all(np.abs(expected) <= allowed)) and zero_bound is not None:
        verdict = "no power" if bool(np.any(np.abs(expected) > zero_bound())) else "ok"
    return Row(
        check,
        gradient,
        against,
        step,
        verdict,
        _finite(difference[index]),
        _finite(allowed[index]),
        _finite(used[index]),
        _finite(sees),
        _finite(sees_95),
        tuple(int(i) for i in index),
        actual.size,
        outside,
        zeros,
        _reason(actual[index], expected[index], allowed[index], used[index], sees, zeros == actual.size),
    )


def _sees(expected: Floats, allowed: Floats) -> tuple[float, float, int]:
    nonzero = expected != 0
    count = int(np.count_nonzero(nonzero))
    if not count:
        return np.nan, np.nan, expected.size
    caught = 2 * allowed[nonzero] / np.abs(expected[nonzero])
    # One of the entries, never a mean of two: with an even count the larger of the middle ones.
    ranks = [count // 2, min(count - 1, int(np.ceil(0.95 * count)) - 1)]
    ordered = np.partition(caught, ranks)
    return float(ordered[ranks[0]]), float(ordered[ranks[1]]), expected.size - count


def _finite(number: Any) -> float | None:
    number = float(number)
    return number if np.isfinite(number) else None


def _reason(actual: Any, expected: Any, allowed: Any, used: Any, sees: float, all_zero: bool) -> str | None:
    if not np.isfinite(actual):
        return f"{actual} where {float(expected):.9g} is expected"
    if np.isinf(allowed):
        return "nothing is bounded here: a correct program may overflow or divide by zero"
    if np.isinf(used):
        return "exact value expected"
    if all_zero:
        return "every expected entry is 0, so there is no relative error to see"
    return None if np.isfinite(sees) else "nothing is bounded for half of the entries"


def worst(rows: list[Row]) -> Row:
    """One row for many steps: the gravest verdict, then the largest share used; sees the least seeing.

    `entries` and `outside` are summed.
    """
    gravest = min(rows, key=lambda row: (SEVERITY.index(row.verdict), -_share(row)))
    return replace(
        gravest,
        sees=_largest([row.sees for row in rows]),
        sees_95=_largest([row.sees_95 for row in rows]),
        entries=sum(row.entries for row in rows),
        outside=sum(row.outside for row in rows),
        zeros=sum(row.zeros for row in rows),
    )


def _share(row: Row) -> float:
    if row.used is None:
        return np.inf if row.outside else -1.0
    return row.used


def _largest(numbers: list[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return max(known, default=None)
