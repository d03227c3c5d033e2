"""Upstreams: what an operation's backward pass must keep to under other upstream gradients.

zero upstream             gives exactly 0
linear                    backward(c u) = c backward(u), exactly for c a power of two, short of underflow;
                          backward(u + v) = backward(u) + backward(v) within the allowances of the three
micro-batches             it is right for some rows after others, and these add up (`batches`)
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from harness.arithmetic import Bounded, Profile, profile_of
from harness.candidates.answers import Answer
from harness.candidates.arrays import as_array
from harness.candidates.batches import batch_of, micro_batches
from harness.candidates.handed import same
from harness.candidates.operation import Operation
from harness.comparison.judge import Finding
from harness.evaluation.references.expected import Expected, is_output
from harness.inputs.cases import random_upstream
from impls.contract import Array

SCALES = (-2.0, 4096.0)
"""One of them turns signs, the other is large, where a gradient might be clipped; both are powers of two."""


def broken_with_upstreams(
    candidate: Operation, at: Expected, first: Answer, *, wrong: bool, repeats: bool
) -> list[Finding]:
    """Every contract of a backward pass under another upstream gradient, or under a part of it, that is broken.

    Args:
        wrong: whether something was wrong in the first answer.
        repeats: whether it gave the same answer twice.
    """
    found = list(_zero_upstream(candidate, at, first))
    if repeats:
        found += [*_scaled(candidate, at, first), *_added(candidate, at, first)]
    if repeats and not found and not wrong and candidate.in_micro_batches and (batch := batch_of(at)):
        found += micro_batches(candidate, batch, first)
    return found


def overwritten(name: str, first: Answer) -> Iterator[Finding]:
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
    yield from overwritten(candidate.name, first)
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
