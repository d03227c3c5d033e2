"""The range of an operation: where right code overflows, or loses every digit, because numbers are too large for it.

A case in which something is wrong is asked again with its numbers cut off at smaller and smaller limits. Right below a
limit and spoilt above it, that limit is where the code overflows, if `harness.candidates.overflow` says that a right
form may do so there. Where an input says its interval, or ``range`` does, every case lies in it, and what is wrong
there is wrong; what lies beyond it is only told, of an operation that is right in every case.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from msgspec.structs import replace as replaced

from harness.arithmetic import profile_of
from harness.candidates.answers import Answer
from harness.candidates.operation import Operation
from harness.candidates.overflow import Overflow, overflow_of
from harness.candidates.probes import LARGEST
from harness.checking.operation_judging import Tried
from harness.comparison.judge import Finding
from harness.evaluation.references.expected import Expected
from harness.formats import FORMATS
from harness.inputs.declared import Reals
from harness.inputs.signature import Signature
from harness.usage import UsageError
from impls.contract import Array, is_real

NEARER = 1.0005
"""The ratio of two limits between which no further one is tried."""

Names = tuple[str, ...]


class Limit(NamedTuple):
    """The inputs of which larger numbers spoil what is right, the limit, and how they do."""

    names: Names
    limit: float
    overflow: Overflow


def in_range(
    candidate: Operation, tried: Sequence[Tried], signature: Signature, *, strict: bool
) -> tuple[list[Tried], list[Finding]]:
    """The cases, those without a verdict in which right code overflows; and where it does, in them or beyond them.

    Args:
        strict: whether they stay wrong, and code fails that overflows beyond them.
    """
    faulty = [each.at for each in tried if each.read.outside]
    if tried[-1].overdue or len(faulty) == len(tried):
        return list(tried), []
    if not faulty:
        found = _beyond(candidate, tried[0].at, signature)
        return list(tried), [] if found is None else [found.overflow.told(candidate.name, fails=strict)]
    limits = dict[int, Limit]()
    for at in faulty:
        found = _limit(candidate, at)
        if found is None:
            return list(tried), []
        limits[at.step] = found
    first = min(limits, key=lambda step: limits[step].limit)
    least = limits[first]
    inside = any(isinstance(signature.tensors.get(name), Reals) for name in least.names)
    finding = least.overflow.told(candidate.name, first, fails=strict or inside)
    if finding.fails:
        return list(tried), [finding]
    why = f"{least.overflow.how} from {least.overflow.since}"
    return [_without(each, why) if each.at.step in limits else each for each in tried], [finding]


def _beyond(candidate: Operation, at: Expected, signature: Signature) -> Limit | None:
    """Where right code overflows beyond the interval of an input, at the numbers of a case made larger."""
    named = [name for name, value in signature.tensors.items() if isinstance(value, Reals)]
    if not named:
        return None
    larger = {name: at.given[name] * (LARGEST / max(float(np.abs(at.given[name]).max()), 1.0)) for name in named}
    point = at.where({**at.given, **{name: array.astype(at.given[name].dtype) for name, array in larger.items()}})
    try:
        return _limit(candidate, point)
    except UsageError:  # the reference gives nothing there
        return None


def _without(each: Tried, why: str) -> Tried:
    """A case whose wrong rows are beyond the range."""
    beyond = each.read.outside
    rows = [replaced(row, verdict="not comparable", reason=why) if row.gradient in beyond else row for row in each.rows]
    other = each.with_rows(rows)
    return replace(other, read=replace(other.read, undecided=other.read.undecided.union(beyond)))


def _limit(candidate: Operation, at: Expected) -> Limit | None:
    """Above which numbers a right form is spoilt here; None if it is not right, or no numbers are too large."""
    reals = tuple(name for name, array in at.given.items() if is_real(array))
    least = float(np.sqrt(np.log(FORMATS[at.dtype].largest)))
    for names in _groups(reals):
        largest = max(float(np.abs(at.given[name]).max()) for name in names)
        if largest <= least or candidate.wrong(cut := _cut(at, names, least), candidate.answer(cut)):
            continue
        low, high = least, largest
        while high / low > NEARER:
            middle = float(np.sqrt(low * high))
            cut = _cut(at, names, middle)
            low, high = (low, middle) if candidate.wrong(cut, candidate.answer(cut)) else (middle, high)
        over = _cut(at, names, high)
        answer = candidate.answer(over)
        wrong = candidate.wrong(over, answer)
        if not wrong or not _spoilt(over, answer, wrong):
            return None
        since = f"{', '.join(f'|{name}|' for name in names)} > {low:.3g} on"
        overflow = overflow_of(wrong, answer, high, at.dtype, since)
        return None if overflow is None else Limit(names, low, overflow)
    return None


def _groups(reals: Names) -> Iterator[Names]:
    """Each input alone, then all of them."""
    yield from ((name,) for name in reals)
    if len(reals) > 1:
        yield reals


def _spoilt(at: Expected, answer: Answer, wrong: Sequence[str]) -> bool:
    """Whether every entry outside its allowance has lost every digit, or is off by less than the largest one rounds.

    By less than that forms differ that are flat, or 0, from some argument on.
    """
    u = profile_of(at.dtype).u
    for name in wrong:
        right = at.tensors[name]
        if name not in answer.shown or answer.shown[name].shape != right.shape:
            return False
        with np.errstate(all="ignore"):
            off = np.abs(np.asarray(answer.shown[name], np.float64) - right.value)
            size = np.abs(right.value)
            kept = (off < size / 2) & (off > u * size.max())
        if np.any(right.outside(answer.shown[name]) & kept):
            return False
    return True


def _cut(at: Expected, names: Names, limit: float) -> Expected:
    def cut(array: Array) -> Array:
        return np.clip(array, array.dtype.type(-limit), array.dtype.type(limit))

    return at.where({name: cut(array) if name in names else array for name, array in at.given.items()})
