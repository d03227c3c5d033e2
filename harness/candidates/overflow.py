"""Large numbers: a mistake that shows only there, and a right form that overflows there.

Where numbers are made larger step by step (`harness.candidates.probes.ladders`), a right function may give what is not
finite, or lose every digit, because a naive form of it computes exp(z) on its way: 1/(1 + e^-z), e^z / sum e^z,
log(1 + e^z). That is a note, with the smallest scale at which it happens. exp overflows from log(largest number) on,
its square from half of that on: below it, what is wrong and finite is a mistake. exp(z^2) overflows from the root of
that on: below it, so is what is not finite. A guard of a logarithm that shows only here is no mistake: it keeps a
saturated probability from 0.

Of an operation the same is asked with its numbers cut off at limits, see `harness.checking.operation_range`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from harness.arithmetic import profile_of
from harness.candidates.answers import Answer
from harness.candidates.function import BackwardPass
from harness.candidates.probes import FIRST, Larger, ladders
from harness.comparison.judge import Finding
from harness.evaluation.point import Point
from harness.faults.guards import GUARDS
from harness.formats import FORMATS
from impls.graph import evaluate


class Overflow(NamedTuple):
    """How a right form is spoilt, from where on, and the first tensor of which."""

    how: str
    since: str
    tensor: str

    def told(self, candidate: str, step: int = 1, *, fails: bool = False) -> Finding:
        """As a finding about a candidate of that name."""
        message = f"is right; {self.how} from {self.since}: {self.tensor} first"
        return Finding(candidate, step, "overflow", message, self.tensor, fails)


def at_large_numbers(candidate: BackwardPass, point: Point) -> Finding | None:
    """What shows at larger numbers, of a function that is right at the point: at the smallest scale that shows it."""
    for ladder in ladders(point):
        tried = [larger for larger in ladder if larger.scale == FIRST or larger is ladder[-1]]
        if any(_spoilt(candidate, larger.at, candidate.answer(larger.at)) for larger in tried):
            return next(filter(None, (_shown(candidate, larger) for larger in ladder)), None)
    return None


def _shown(candidate: BackwardPass, larger: Larger) -> Finding | None:
    answer = candidate.answer(larger.at)
    wrong = _spoilt(candidate, larger.at, answer)
    if not wrong:
        return None
    if guard := _guard_at(candidate, larger.at, answer):
        message = f"is right; from {larger.when} on {guard}: {wrong[0]} first"
        return Finding(candidate.name, 1, "overflow", message, wrong[0], fails=False)
    since = f"{larger.when} on, where numbers reach {larger.largest:.3g}"
    if spoilt := overflow_of(wrong, answer, larger.largest, larger.at.dtype, since):
        return spoilt.told(candidate.name)
    why = candidate.why(larger.at, answer)
    message = f"is wrong at {larger.when}: {wrong[0]} first, though right at first{why and f'; {why}'}"
    return Finding(candidate.name, 1, "other point", message, wrong[0])


def _guard_at(candidate: BackwardPass, at: Point, answer: Answer) -> str:
    """What a guard of the logarithm does at large numbers, in words, where that explains all that is wrong there."""
    read = candidate.doubted(at, answer)
    told = [[cause.says for cause in d.causes if cause.cause in GUARDS] for d in read.diagnoses] if read else []
    return told[0][0] if told and all(told) else ""


def overflow_of(wrong: Sequence[str], answer: Answer, largest: float, dtype: str, since: str) -> Overflow | None:
    """What a right form does where numbers of this size spoil these tensors; None where that is a mistake."""
    most = np.log(FORMATS[dtype].largest)
    finite = all(np.isfinite(answer.shown[name]).all() for name in wrong if name in answer.shown)
    if largest < (most / 2 if finite else np.sqrt(most)):
        return None
    return Overflow("loses every digit" if finite else "overflows", since, wrong[0])


def _spoilt(candidate: BackwardPass, at: Point, answer: Answer) -> list[str]:
    """Tensors that are wrong by more than one rounding of their largest entry.

    By less than that forms differ that are flat, or 0, from some argument on.
    """
    point, shown = candidate.reads(at, answer)
    u, double = profile_of(at.dtype).u, point.double
    with np.errstate(all="ignore"):
        right = evaluate(point.network.links, dict(double.named))

        def apart(name: str) -> bool:
            value = np.asarray(right[name], np.float64)
            return not np.max(np.abs(shown[name] - value)) <= u * np.max(np.abs(value))

        if not any(apart(name) for name in shown):
            return []  # in plain numbers, which cost less than bounds
        read = candidate.doubted(at, answer)
        return [name for name in read.located.faulty if apart(name)] if read else []
