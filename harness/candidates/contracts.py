"""Contracts: what a backward pass must keep to besides the right numbers, found by calling it again.

shape, dtype, names       see `harness.candidates.answers`
inputs                    it changes nothing that it was given
second call               it answers the same again, accumulates nothing, and leaves the first answer alone
other upstreams           gradients are 0, multiples, sums where the upstream is (`upstreams`)
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

from harness.candidates.answers import Answer
from harness.candidates.function import BackwardPass
from harness.candidates.handed import STRIDES, Strides, same
from harness.candidates.operation import Operation
from harness.candidates.overflow import at_large_numbers
from harness.candidates.repetition import reason_of
from harness.candidates.upstreams import broken_with_upstreams, overwritten
from harness.comparison.judge import Finding, Kind
from harness.evaluation.point import Point
from harness.evaluation.references.expected import Expected
from harness.usage import UsageError
from impls.contract import is_real

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
        found += broken_with_upstreams(candidate, at, first, wrong=bool(wrong), repeats=not found)
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
    yield from overwritten(name, first)
    if not differs:
        return
    fails = not wrong and bool(candidate.wrong(at, answer))
    asked = isinstance(candidate, Operation) and isinstance(at, Expected) and not fails and not wrong
    why = f"; {reason_of(candidate, at)}" if asked else ""  # type: ignore[arg-type]
    how = "and is wrong then" if fails else "at the same point" if wrong else "by what rounding explains"
    message = f"answers differently the second time, {differs[0]} first, {how}{why}"
    yield Finding(name, 1, "second call differs", message, differs[0], fails=fails)


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
