"""Demands: what an operation owes only where somebody says so, bit by bit, since right ones often do without it."""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from harness.candidates.batches import batch_of, batch_variance
from harness.candidates.operation import Operation
from harness.checking.operation_judging import Tried
from harness.comparison.judge import Finding

EQUAL_BITS, BATCH_INVARIANCE = "equal bits", "batch invariance"
DEMANDS = (EQUAL_BITS, BATCH_INVARIANCE)


def with_demands(findings: Sequence[Finding], demanded: Sequence[str]) -> list[Finding]:
    """With other bits in a later call a failure, where equal ones are demanded."""
    if EQUAL_BITS not in demanded:
        return list(findings)
    return [replace(each, fails=True) if each.kind == "second call differs" else each for each in findings]


def invariant(candidate: Operation, tried: Sequence[Tried], untried: dict[str, str]) -> list[Finding]:
    """Where a row's bits depend on the rows beside it, in the first case; in `untried`, why that cannot be told."""
    first = tried[0]
    batch = batch_of(first.at)
    if batch is None:
        untried[BATCH_INVARIANCE] = "the reference does not treat the rows of a batch alike"
        return []
    if first.fails:
        untried[BATCH_INVARIANCE] = "the answer is wrong already"
        return []
    return list(batch_variance(candidate, batch, candidate.answer(batch.at)))
