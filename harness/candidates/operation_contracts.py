"""Contracts of a backward pass that no single answer shows: called again, with another upstream, on other layouts.

    second call        the same answer again, and nothing added to it
    earlier answer     what was returned stays what it was when the next call runs
    linear             backward(c u) = c backward(u), exactly for c a power of two, short of underflow;
                       backward(u + v) = backward(u) + backward(v) within the allowances of the three
    zero upstream      gives exactly 0
    non-contiguous     transposed and strided inputs give the right answer too

All are tried at one case. What a call answers is compared with what the candidate itself answered first, except on
other layouts, where a blocked sum may run in another order: there it is judged against the reference.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.arithmetic import Bounded, profile_of
from harness.candidates.operation import LAYOUTS, Answer, Candidate
from harness.comparison.finding import Finding, Kind
from harness.evaluation.references.expected import OUTPUT, Expected
from harness.evaluation.references.reference import Reference
from harness.inputs.cases import Case, random_upstream
from impls.contract import Array

SCALES = (-2.0, 4096.0)
"""One of them turns signs, the other is large, where a gradient might be clipped; both are powers of two."""


def contracts(
    candidate: Candidate, reference: Reference, case: Case, upstream: Array, first: Answer, dtype: str
) -> list[Finding]:
    """Every contract at one case, `first` being the candidate's answer there."""
    trial = _Trial(candidate, reference, case, upstream, first, dtype)
    found = list(trial.second_call())
    repeats = not found
    found += trial.zero_upstream()
    if repeats:
        found += trial.scaled()
        found += trial.added()
    found += trial.layouts()
    return found


class _Trial:
    def __init__(
        self, candidate: Candidate, reference: Reference, case: Case, upstream: Array, first: Answer, dtype: str
    ) -> None:
        self.candidate, self.reference, self.case = candidate, reference, case
        self.upstream, self.first, self.dtype = upstream, first, dtype
        self.expected = Expected(reference, case.inputs, upstream, dtype)

    def finding(self, kind: Kind, tensor: str, message: str) -> Finding:
        return Finding(self.candidate.name, 1, kind, message, tensor)

    def second_call(self) -> Iterator[Finding]:
        second = self.candidate(self.case.inputs, self.upstream)
        for tensor, one, other in _both(self.first, second):
            if np.array_equal(one, other, equal_nan=True):
                continue
            adds = self._adds(tensor, one, other)
            message = f"the second call with the same inputs answers another {tensor}"
            message += ": it adds to the first" if adds else ""
            yield self.finding("accumulates" if adds else "second call differs", tensor, message)
        for tensor in set(self.first.tensors) - set(second.tensors):
            yield self.finding("second call differs", tensor, f"the second call with the same inputs gives no {tensor}")

    def _adds(self, tensor: str, one: Array, other: Array) -> bool:
        right = self.expected.tensors.get(tensor)
        return right is not None and one.shape == other.shape == right.shape and (right + one).holds(other)

    def zero_upstream(self) -> Iterator[Finding]:
        """And whether this other answer has been written over the first."""
        answer = self.candidate(self.case.inputs, np.zeros_like(self.upstream))
        for tensor in self.candidate.overwritten(self.first):
            message = f"the {tensor} returned by an earlier call changes when the next one runs"
            yield self.finding("overwrites", tensor, message)
        for tensor, gradient in answer.tensors.items():
            if tensor != OUTPUT and np.any(gradient != 0):
                count = int(np.count_nonzero(gradient))
                yield self.finding(
                    "zero upstream", tensor, f"{tensor} is not 0 in {count} entries where the upstream is 0"
                )

    def scaled(self) -> Iterator[Finding]:
        told: set[str] = set()
        for scale in SCALES:
            answer = self.candidate(self.case.inputs, np.asarray(scale * self.upstream, self.upstream.dtype))
            for tensor, one, other in _both(self.first, answer):
                if tensor in told or tensor == OUTPUT or one.shape != other.shape:
                    continue
                if not self._scales(one, other, scale):
                    told.add(tensor)
                    message = f"{tensor} for {scale:g} times the upstream is not {scale:g} times {tensor}"
                    yield self.finding("not linear", tensor, message)

    def _scales(self, one: Array, other: Array, scale: float) -> bool:
        """Whether one gradient is a power of two times another, where no intermediate value may have underflown."""
        profile = profile_of(self.dtype)
        tiny = profile.eta / profile.u
        with np.errstate(all="ignore"):
            same = (scale * one == other) | (np.isnan(one) & np.isnan(other))
            return bool(np.all(same | ((np.abs(one) < tiny) & (np.abs(other) < abs(scale) * tiny))))

    def added(self) -> Iterator[Finding]:
        other = random_upstream(self.upstream.shape, self.dtype, np.random.default_rng(1))
        total = np.asarray(self.upstream + other, self.upstream.dtype)
        if not np.array_equal(total - other, self.upstream):
            return  # somebody's own upstream, whose sum rounds
        with_other, with_total = (self.candidate(self.case.inputs, dy) for dy in (other, total))
        others = [Expected(self.reference, self.case.inputs, dy, self.dtype).tensors for dy in (other, total)]
        two, three = with_other.tensors, with_total.tensors
        for tensor, one in self.first.tensors.items():
            if tensor == OUTPUT or tensor not in two or tensor not in three or tensor not in self.expected.inputs:
                continue
            right = self.expected.tensors[tensor]
            if not right.holds(one):
                continue  # what is wrong already has no allowance of its own
            if not one.shape == two[tensor].shape == three[tensor].shape:
                continue
            zero = Bounded(np.zeros(one.shape), right.bound + sum(each[tensor].bound for each in others), right.context)
            with np.errstate(invalid="ignore"):
                rest = np.asarray(three[tensor], np.float64) - one - two[tensor]
            if not zero.holds(rest):
                message = f"{tensor} for the sum of two upstreams is not the sum of both {tensor}"
                yield self.finding("not linear", tensor, message)

    def layouts(self) -> Iterator[Finding]:
        told: set[str] = set()
        for layout in LAYOUTS:
            answer = self.candidate(self.case.inputs, self.upstream, layout)
            shown = answer.tensors
            for tensor, before in self.first.tensors.items():
                if tensor in told or tensor not in self.expected.tensors or not self.expected.right(tensor, before):
                    continue
                if tensor not in shown:
                    reasons = [finding.message for finding in answer.findings]
                    message = reasons[0] if reasons else f"there is no {tensor}"
                elif not self.expected.right(tensor, shown[tensor]):
                    message = f"{tensor} is wrong"
                else:
                    continue
                told.add(tensor)
                yield self.finding("layout", tensor, f"{message} where inputs and upstream are {layout}")


def _both(one: Answer, other: Answer) -> Iterator[tuple[str, Array, Array]]:
    theirs = other.tensors
    for tensor, array in one.tensors.items():
        if tensor in theirs:
            yield tensor, array, theirs[tensor]
