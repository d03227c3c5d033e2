"""Obeying: what a backward pass must keep to besides the right numbers.

shape, dtype, names       see `harness.candidates.answers`
inputs                    it changes nothing that it was given
second call               it answers the same again, accumulates nothing, and leaves the first answer alone
another point             it is right at other weights and on fewer rows too: nothing stale, nothing built in
layout                    it is right when arrays are not contiguous
aliasing                  tensors that differ in name do not share memory
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from harness.arithmetic import Profile
from harness.candidates.answers import Answer
from harness.candidates.arrays import as_array, in_one_memory
from harness.candidates.function import Candidate, Copy
from harness.comparison.judge import Finding, Kind
from harness.diagnosis import diagnose
from harness.diagnosis.location import Located, located
from harness.evaluation.point import Point
from impls.contract import Array

ELSEWHERE = (
    (slice(None, None, -1), "at other weights"),
    (slice(None, None, -2), "at other weights and on fewer rows"),
)
"""The rows of further points, and in words where they are."""


@dataclass(frozen=True)
class Obeyed:
    """The first answer, judged, and everything that is to be said besides its numbers."""

    answer: Answer
    located: Located
    findings: list[Finding]


def examined(candidate: Candidate, point: Point, profile: Profile, parameters: frozenset[str]) -> Obeyed:
    """Call the candidate at a point, again, at another point and with another layout."""
    call = candidate.call(point.weights, point.x, point.y)
    if call.failed:
        return Obeyed(Answer({}), located(point, {}, profile, candidate.name), call.findings)
    answer = candidate.answer(call, point, parameters)
    findings = [*call.findings, *answer.findings]
    judged = located(point, answer.shown, profile, candidate.name)
    if answer.shown:
        findings += _aliased(candidate.name, answer)
        right_here = not judged.faulty
        findings += _second(candidate, point, profile, answer, right_here)
        if right_here:  # elsewhere it would only be wrong again
            findings += _elsewhere(candidate, point, profile, answer)
            findings += _other_layout(candidate, point, profile, answer)
    return Obeyed(answer, judged, findings)


def _aliased(name: str, answer: Answer) -> Iterator[Finding]:
    for one, other in in_one_memory(answer.held):
        message = f"returned {one} and {other} in the same memory: what is written to one changes the other"
        yield Finding(name, 1, "aliasing", message, other, fails=False)


def _second(candidate: Candidate, point: Point, profile: Profile, first: Answer, right_here: bool) -> Iterator[Finding]:
    """What a second call at the same point shows."""
    name = candidate.name
    call = candidate.call(point.weights, point.x, point.y)
    if call.failed:
        yield Finding(name, 1, call.findings[0].kind, f"the second time: {call.findings[0].message}")
        return
    again = candidate.answer(call, point).shown
    differs = [key for key in first.shown if key not in again or not _same(first.shown[key], again[key])]
    if differs and all(key in again and np.array_equal(again[key], 2 * first.shown[key]) for key in differs):
        message = f"accumulates: {', '.join(differs[:4])} of the second call is twice that of the first"
        yield Finding(name, 1, "accumulates", message, differs[0])
        return
    overwritten = next((key for key, value in first.held.items() if _changed(value, first.copies.get(key))), None)
    if overwritten:
        message = f"returned {overwritten} in memory that the second call writes to; return a new array"
        yield Finding(name, 1, "overwrites", message, overwritten)
    if not differs:
        return
    fails = right_here and bool(located(point, again, profile, name).faulty)
    how = "and is wrong then" if fails else "by what rounding explains" if right_here else "at the same point"
    message = f"answers differently the second time, {differs[0]} first, {how}"
    yield Finding(name, 1, "second call differs", message, differs[0], fails=fails)


def _elsewhere(candidate: Candidate, point: Point, profile: Profile, first: Answer) -> Iterator[Finding]:
    """What calls at other weights show, on as many rows and on fewer: what is kept from a call before is stale."""
    for number, (rows, when) in enumerate(ELSEWHERE, 1):
        # Of the same size and certainly others; new ones from a seed might be those of the point.
        weights = {name: np.roll(w, number) * w.dtype.type(-0.75) for name, w in point.weights.items()}
        found = list(_judged(candidate, point.elsewhere(weights, rows), profile, "other point", when, first, np.array))
        yield from found
        if found:
            return


def _other_layout(candidate: Candidate, point: Point, profile: Profile, first: Answer) -> Iterator[Finding]:
    """What a call with NumPy arrays that are not contiguous shows."""
    yield from _judged(candidate, point, profile, "layout", "when arrays are not contiguous", first, _strided)


def _judged(
    candidate: Candidate, point: Point, profile: Profile, kind: Kind, when: str, first: Answer, copied: Copy
) -> Iterator[Finding]:
    """What one more call shows that the first did not; `kind` is other point or layout."""
    name = candidate.name
    call = candidate.call(point.weights, point.x, point.y, copied)
    if call.failed:
        yield Finding(name, 1, kind, f"{when}: {call.findings[0].message}")
        return
    answer = candidate.answer(call, point)
    told = {finding.message for finding in first.findings}
    if new := [finding for finding in answer.findings if finding.fails and finding.message not in told]:
        yield Finding(name, 1, kind, f"{when}: {new[0].message}", new[0].tensor)
    elif wrong := (judged := located(point, answer.shown, profile, name)).faulty:
        kept = [key for key in wrong if kind == "other point" and _same(answer.shown[key], first.shown.get(key))]
        causes = diagnose(point, answer.shown, profile, wrong, judged.planted)[0].causes
        why = f"{', '.join(kept[-4:])} as in the call before" if kept else causes[0].says if causes else ""
        message = f"is wrong {when}: {wrong[0]} first, though right at first{why and f'; {why}'}"
        yield Finding(name, 1, kind, message, wrong[0])


def _changed(held: object, copied: Array | None) -> bool:
    array = as_array(held)
    return copied is not None and array is not None and array.shape == copied.shape and not _same(array, copied)


def _same(one: Array, other: Array | None) -> bool:
    return other is not None and np.array_equal(one, other, equal_nan=True)


def _strided(array: Array) -> Array:
    """The same numbers, every other entry of a larger array in Fortran order."""
    wide = np.zeros(tuple(2 * size for size in array.shape), array.dtype, order="F")
    view = wide[tuple(slice(None, None, 2) for _ in array.shape)]
    view[...] = array
    return view
