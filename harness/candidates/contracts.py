"""Contracts: what a backward pass must keep to besides the right numbers, found by calling it again.

shape, dtype, names       see `harness.candidates.answers`
inputs                    it changes nothing that it was given
second call               it answers the same again, accumulates nothing, and leaves the first answer alone
zero upstream             gives exactly 0
linear                    backward(c u) = c backward(u), exactly for c a power of two, short of underflow;
                          backward(u + v) = backward(u) + backward(v) within the allowances of the three
micro-batches             it is right for some rows after others, and these add up (`batches`)
another point             it is right at other weights and on fewer rows too: nothing stale, nothing built in
layout                    it is right when arrays are transposed, have gaps, begin further on or repeat (`handed`)
aliasing                  tensors that differ in name do not share memory

Whoever is asked, a whole network's backward pass or an operation's, answers at a point and says what is wrong there
(`Candidate`); what needs an upstream gradient is asked of an operation.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic, Protocol, Self, TypeVar

import numpy as np

from harness.arithmetic import Bounded, Profile, profile_of
from harness.candidates.answers import Answer
from harness.candidates.arrays import as_array
from harness.candidates.batches import batch_of, micro_batches
from harness.candidates.function import BackwardPass
from harness.candidates.handed import STRIDES, Strides, same
from harness.candidates.operation import Operation
from harness.candidates.overflow import at_large_numbers
from harness.candidates.repetition import reason_of
from harness.comparison.judge import Finding, Kind
from harness.evaluation.point import Point
from harness.evaluation.references.expected import Expected, is_output
from harness.inputs.cases import random_upstream
from harness.usage import UsageError
from impls.contract import Array, is_real

SCALES = (-2.0, 4096.0)
"""One of them turns signs, the other is large, where a gradient might be clipped; both are powers of two."""

At = TypeVar("At")
Read = TypeVar("Read", bound="Judged")


class Judged(Protocol):
    """An answer as it is read, and judged."""

    @property
    def faulty(self) -> list[str]:
        """Tensors that are wrong by themselves, in order."""
        ...


class Candidate(Protocol[At, Read]):
    """Somebody's backward pass, which can be asked at a point.

    Attributes:
        name: for people.
        layouts: of arrays, besides contiguous ones, in which it must be right.
    """

    @property
    def name(self) -> str: ...  # noqa: D102

    @property
    def layouts(self) -> tuple[Strides, ...]: ...  # noqa: D102

    def answer(self, at: At, layout: Strides = "contiguous") -> Answer:
        """What one call gives, and what is to be said of it."""
        ...

    def readings(self, at: At, answer: Answer) -> Sequence[Read]:
        """The ways to read an answer, judged, all of them equally good."""
        ...

    def read_as(self, read: Read) -> Self:
        """The same candidate, all of whose answers are read as this one was."""
        ...

    def said(self, at: At, answer: Answer) -> Iterator[Finding]:
        """What is to be said of an answer besides how it came."""
        ...

    def wrong(self, at: At, answer: Answer) -> list[str]:
        """Tensors of an answer that are wrong by themselves, in order."""
        ...

    def elsewhere(self, at: At) -> Iterator[tuple[str, At]]:
        """Other points, in words and by themselves."""
        ...

    def why(self, at: At, answer: Answer) -> str:
        """The cause of what is wrong, in words; or nothing."""
        ...


@dataclass(frozen=True)
class Obeyed(Generic[Read]):
    """The first answer, as it is read, and everything that is to be said besides its numbers."""

    answer: Answer
    read: Read
    findings: list[Finding]


def examined(candidate: Candidate[At, Read], at: At, *, again: bool = True) -> Obeyed[Read]:
    """Call a candidate at a point and judge what it gives; then again, at other points and with other layouts.

    Args:
        again: False if it is called once.
    """
    answer = candidate.answer(at)
    again = again and bool(answer.shown) and not any(finding.kind == "timeout" for finding in answer.findings)
    first: Obeyed[Read] | None = None
    for read in candidate.readings(at, answer):
        findings = [*answer.findings, *candidate.said(at, answer)]
        findings += broken_contracts(candidate.read_as(read), at, answer, read.faulty) if again else []
        obeyed = Obeyed(answer, read, findings)
        first = first or obeyed
        if not any(finding.fails for finding in findings):
            return obeyed  # of several that are as good here, the one that holds elsewhere too
    assert first is not None
    return first


def broken_contracts(candidate: Candidate[At, Any], at: At, first: Answer, wrong: list[str]) -> list[Finding]:
    """Every contract that is broken where the candidate is called again.

    Args:
        at: where it gave its first answer.
        wrong: tensors that were wrong in it.
    """
    found = list(_second(candidate, at, first, wrong))
    if isinstance(candidate, Operation) and isinstance(at, Expected):
        repeats = not found
        found += _zero_upstream(candidate, at, first)
        if repeats:
            found += [*_scaled(candidate, at, first), *_added(candidate, at, first)]
        if not found and not wrong and candidate.in_micro_batches and (batch := batch_of(at)):
            found += micro_batches(candidate, batch, first)
    if not wrong:  # elsewhere it would only be wrong again
        for further in (_elsewhere(candidate, at, first), _layouts(candidate, at, first)):
            found += islice(further, 1)  # what another point or layout shows besides is the same again
        known = any(finding.kind == "other point" for finding in found)
        if isinstance(candidate, BackwardPass) and isinstance(at, Point) and not known:
            found += filter(None, [at_large_numbers(candidate, at)])
    return found


def _second(candidate: Candidate[At, Any], at: At, first: Answer, wrong: list[str]) -> Iterator[Finding]:
    name, answer = candidate.name, candidate.answer(at)
    if new := _news(answer, first):
        yield Finding(name, 1, new.kind, f"the second time: {new.message}", new.tensor)
        return
    again = answer.shown
    differs = [key for key in first.shown if key not in again or not same(first.shown[key], again[key])]
    if differs and all(key in again and np.array_equal(again[key], 2 * first.shown[key]) for key in differs):
        message = f"accumulates: {', '.join(differs[:4])} of the second call is twice that of the first"
        yield Finding(name, 1, "accumulates", message, differs[0])
        return
    yield from _overwritten(name, first)
    if not differs:
        return
    fails = not wrong and bool(candidate.wrong(at, answer))
    asked = isinstance(candidate, Operation) and isinstance(at, Expected) and not fails and not wrong
    why = f"; {reason_of(candidate, at)}" if asked else ""  # type: ignore[arg-type]
    how = "and is wrong then" if fails else "at the same point" if wrong else "by what rounding explains"
    message = f"answers differently the second time, {differs[0]} first, {how}{why}"
    yield Finding(name, 1, "second call differs", message, differs[0], fails=fails)


def _overwritten(name: str, first: Answer) -> Iterator[Finding]:
    """Of an earlier answer that no longer is what it was, after another call: the first tensor."""
    for key, copied in first.copies.items():
        held = as_array(first.held[key])
        if held is not None and held.shape == copied.shape and not same(copied, held):
            message = f"returned {key} in memory that the second call writes to; return a new array"
            yield Finding(name, 1, "overwrites", message, key)
            return


def _zero_upstream(candidate: Operation, at: Expected, first: Answer) -> Iterator[Finding]:
    """And whether this other answer has been written over the first."""
    answer = candidate.answer(at.under(np.zeros_like(at.upstream)))
    yield from _overwritten(candidate.name, first)
    for tensor, gradient in answer.shown.items():
        if not is_output(tensor) and np.any(gradient != 0):
            message = f"{tensor} is not 0 in {np.count_nonzero(gradient)} entries where the upstream is 0"
            yield Finding(candidate.name, 1, "zero upstream", message, tensor)


def _scaled(candidate: Operation, at: Expected, first: Answer) -> Iterator[Finding]:
    told: set[str] = set()
    for scale in SCALES:
        shown = candidate.answer(at.under(np.asarray(scale * at.upstream, at.upstream.dtype))).shown
        for tensor in [name for name in first.shown if name in shown and not is_output(name) and name not in told]:
            one, other = first.shown[tensor], shown[tensor]
            if one.shape == other.shape and not _scales(one, other, scale, profile_of(at.dtype)):
                told.add(tensor)
                message = f"{tensor} for {scale:g} times the upstream is not {scale:g} times {tensor}"
                yield Finding(candidate.name, 1, "not linear", message, tensor)


def _scales(one: Array, other: Array, scale: float, profile: Profile) -> bool:
    """Whether one gradient is a power of two times another, where no intermediate value may have underflown."""
    tiny = profile.eta / profile.u
    with np.errstate(all="ignore"):
        equal = (scale * one == other) | (np.isnan(one) & np.isnan(other))
        return bool(np.all(equal | ((np.abs(one) < tiny) & (np.abs(other) < abs(scale) * tiny))))


def _added(candidate: Operation, at: Expected, first: Answer) -> Iterator[Finding]:
    other = random_upstream(at.upstream.shape, at.dtype, np.random.default_rng(1))
    total = np.asarray(at.upstream + other, at.upstream.dtype)
    if not np.array_equal(total - other, at.upstream):
        return  # somebody's own upstream, whose sum rounds
    points = at.under(other), at.under(total)
    two, three = (candidate.answer(point).shown for point in points)
    for tensor in [name for name in at.inputs if name in first.shown and name in two and name in three]:
        one, right = first.shown[tensor], at.tensors[tensor]
        if not right.holds(one) or not one.shape == two[tensor].shape == three[tensor].shape:
            continue  # what is wrong already has no allowance of its own
        zero = Bounded(
            np.zeros(one.shape), right.bound + sum(point.tensors[tensor].bound for point in points), right.context
        )
        with np.errstate(invalid="ignore"):
            rest = np.asarray(three[tensor], np.float64) - one - two[tensor]
        if not zero.holds(rest):
            message = f"{tensor} for the sum of two upstreams is not the sum of both {tensor}"
            yield Finding(candidate.name, 1, "not linear", message, tensor)


def _elsewhere(candidate: Candidate[At, Any], at: At, first: Answer) -> Iterator[Finding]:
    for when, other in candidate.elsewhere(at):
        yield from _judged(candidate, other, "contiguous", first, "other point", when)


def _layouts(candidate: Candidate[At, Any], at: At, first: Answer) -> Iterator[Finding]:
    writes = any(finding.kind == "changed its input" for finding in first.findings)
    for layout in candidate.layouts:
        if layout == "stride 0" and writes:  # which is refused there, and told already
            continue
        point: Any = _repeating(at) if layout == "stride 0" and isinstance(at, Expected) else at
        if point is at or not candidate.wrong(point, candidate.answer(point)):
            yield from _judged(candidate, point, layout, first, "layout", STRIDES[layout])
        elif not point.reference.measured:  # where it is, a sum of equal terms may drift further than was measured
            yield from _judged(candidate, point, "contiguous", first, "other point", "where every row is the same")


def _repeating(at: Expected) -> Expected:
    """Where every row of an array is its first, and the upstream is all ones, as that of a sum is."""
    ones = np.ones_like(at.upstream)
    rows = {name: np.repeat(a[:1], len(a), axis=0) if a.ndim else a for name, a in at.given.items()}
    repeating = at.where({name: rows[name] if is_real(a) else a for name, a in at.given.items()}, ones)
    try:
        repeating.tensors  # noqa: B018
    except UsageError:  # of a matrix with equal rows, say, the reference gives nothing
        return at.under(ones)
    return repeating


def _judged(
    candidate: Candidate[At, Any], at: At, layout: Strides, first: Answer, kind: Kind, when: str
) -> Iterator[Finding]:
    """What one more call shows that the first, which was right, did not."""
    answer = candidate.answer(at, layout)
    if new := _news(answer, first):
        yield Finding(candidate.name, 1, kind, f"{when}: {new.message}", new.tensor)
    elif wrong := candidate.wrong(at, answer):
        seen = [key for key in wrong if kind == "other point" and key in answer.shown]
        kept = [key for key in seen if same(answer.shown[key], first.shown.get(key))]
        why = f"{', '.join(kept[-4:])} as in the call before" if kept else candidate.why(at, answer)
        message = f"is wrong {when}: {wrong[0]} first, though right at first{why and f'; {why}'}"
        yield Finding(candidate.name, 1, kind, message, wrong[0])


def _news(answer: Answer, first: Answer) -> Finding | None:
    """The first finding about a call that the first call did not give."""
    told = {finding.message for finding in first.findings}
    news = (finding for finding in answer.findings if finding.fails and finding.message not in told)
    return next(news, None)
