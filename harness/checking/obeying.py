"""Obeying: what a backward pass must keep to besides the right numbers.

shape, dtype, names       see `harness.checking.answers`
inputs                    it changes nothing that it was given
second call               it answers the same again, accumulates nothing, and leaves the first answer alone
another point             it is right at other weights and on fewer rows too: nothing stale, nothing built in
layout                    it is right when arrays are not contiguous
aliasing                  tensors that differ in name do not share memory
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from harness.arithmetic import Profile
from harness.centre import Array
from harness.checking.answers import Answer, answer_of, as_array
from harness.checking.candidate import Candidate, Copy
from harness.checking.locating import located
from harness.conformance import Finding, Kind
from harness.point import Point

ELSEWHERE = (
    (slice(None, None, -1), "at other weights"),
    (slice(None, None, -2), "at other weights and on fewer rows"),
)
"""The rows of further points, and in words where they are."""


@dataclass(frozen=True)
class Obeyed:
    """The first answer, and everything that is to be said besides its numbers."""

    answer: Answer
    findings: list[Finding]


def examined(candidate: Candidate, point: Point, profile: Profile, parameters: frozenset[str]) -> Obeyed:
    """Call the candidate at a point, again, at another point and with another layout."""
    call = candidate.call(point.weights, point.x, point.y)
    if call.failed:
        return Obeyed(Answer({}, {}, [], []), call.findings)
    answer = answer_of(call.returned, point, candidate.name, parameters)
    findings = [*call.findings, *answer.findings]
    if answer.shown:
        findings += _aliased(candidate.name, answer)
        right_here = not located(point, answer.shown, profile, candidate.name).faulty
        findings += _second(candidate, point, profile, answer, right_here)
        if right_here:  # elsewhere it would only be wrong again
            findings += _elsewhere(candidate, point, profile, answer)
            findings += _other_layout(candidate, point, profile)
    return Obeyed(answer, findings)


def _aliased(name: str, answer: Answer) -> Iterator[Finding]:
    arrays = {key: as_array(value) for key, value in answer.held.items()}
    for (one, first), (other, second) in combinations(arrays.items(), 2):
        if first is not None and second is not None and first.size > 1 and np.may_share_memory(first, second):
            message = f"returned {one} and {other} in the same memory: what is written to one changes the other"
            yield Finding(name, 1, "aliasing", message, other, fails=False)


def _second(candidate: Candidate, point: Point, profile: Profile, first: Answer, right_here: bool) -> Iterator[Finding]:
    """What a second call at the same point shows."""
    name = candidate.name
    call = candidate.call(point.weights, point.x, point.y)
    if call.failed:
        yield Finding(name, 1, call.findings[0].kind, f"the second time: {call.findings[0].message}")
        return
    again = answer_of(call.returned, point, name).shown
    overwritten = next((key for key, value in first.held.items() if _changed(value, first.shown.get(key))), None)
    if overwritten:
        message = f"returned {overwritten} in memory that the second call writes to; return a new array"
        yield Finding(name, 1, "overwrites", message, overwritten)
    differs = [key for key in first.shown if key not in again or not _same(first.shown[key], again[key])]
    if not differs:
        return
    if all(key in again and np.array_equal(again[key], 2 * first.shown[key]) for key in differs):
        message = f"accumulates: {', '.join(differs[:4])} of the second call is twice that of the first"
        yield Finding(name, 1, "accumulates", message, differs[0])
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
        other = Point(point.network, weights, point.x[rows], point.y[rows], 1)
        found = list(_judged(candidate, other, profile, "other point", when, first, np.array))
        yield from found
        if found:
            return


def _other_layout(candidate: Candidate, point: Point, profile: Profile) -> Iterator[Finding]:
    """What a call with NumPy arrays that are not contiguous shows."""
    yield from _judged(candidate, point, profile, "layout", "when arrays are not contiguous", None, _strided)


def _judged(
    candidate: Candidate, point: Point, profile: Profile, kind: Kind, when: str, stale: Answer | None, copied: Copy
) -> Iterator[Finding]:
    name = candidate.name
    call = candidate.call(point.weights, point.x, point.y, copied)
    if call.failed:
        yield Finding(name, 1, kind, f"{when}: {call.findings[0].message}")
        return
    answer = answer_of(call.returned, point, name)
    before = {} if stale is None else stale.shown
    kept = [key for key, array in answer.shown.items() if array.any() and _same(array, before.get(key))]
    if kept:
        message = f"answers {when} as in the call before: {', '.join(kept[-4:])} are stale"
        yield Finding(name, 1, kind, message, kept[0])
    elif answer.findings:
        yield Finding(name, 1, kind, f"{when}: {answer.findings[0].message}", answer.findings[0].tensor)
    elif wrong := located(point, answer.shown, profile, name).faulty:
        yield Finding(name, 1, kind, f"is wrong {when}: {wrong[0]} first, though right at first", wrong[0])


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
