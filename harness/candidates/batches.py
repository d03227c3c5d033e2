"""Batches: whether an operation that treats the rows of its batch alike does so however they are grouped.

micro-batches       asked for some rows after others, with what all rows share as it is, it is right for each group, and
                    what it gives for what is shared adds up, within the allowances, to what all rows give
batch invariance    a row's numbers have the same bits, alone and among others

Which inputs hold the rows is found by their shapes, and that the operation treats them alike by the reference: what it
gives in float64 for some of the rows is what it gives for them among all. Where it does not, as of a batch norm, there
is nothing to ask. Rows are the first axis of the only output.

The second is rarely true of a right program (a matrix product may be blocked by the number of rows), so it is asked
only where it is demanded.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from harness.arithmetic import Bounded
from harness.candidates.answers import Answer
from harness.candidates.handed import same
from harness.candidates.operation import Operation
from harness.comparison.judge import Finding
from harness.evaluation.references.expected import Expected, is_output
from harness.usage import UsageError


@dataclass(frozen=True)
class Batch:
    """An operation at a point, as one of rows.

    Attributes:
        batched: names of the inputs that hold the rows.
    """

    at: Expected
    batched: tuple[str, ...]

    @property
    def rows(self) -> int:
        """How many there are."""
        return int(self.at.upstream.shape[0])

    def of(self, rows: slice) -> Expected:
        """The same for some of them."""
        given = {name: a[rows] if name in self.batched else a for name, a in self.at.given.items()}
        return self.at.where(given, self.at.upstream[rows])

    def groups(self) -> list[slice]:
        """Two of as many rows, and what is left over."""
        half = self.rows // 2
        cuts = [0, half, 2 * half, self.rows]
        return [slice(begin, end) for begin, end in pairwise(cuts) if begin < end]

    @property
    def shared(self) -> list[str]:
        """Gradients of what all rows read."""
        return [gradient for gradient, name in self.at.inputs.items() if name not in self.batched]


def batch_of(at: Expected) -> Batch | None:
    """An operation as one of rows; None if it is not, as far as the reference tells."""
    if len(at.parts) != 1 or not at.upstream.ndim or at.upstream.shape[0] < 2:
        return None
    rows = at.upstream.shape[0]
    batched = tuple(name for name, array in at.given.items() if array.ndim and len(array) == rows)
    batch = Batch(at, batched)
    if not batched:
        return None
    try:
        whole = at.reference.output(at.given, "float64")
        for group in batch.groups():
            part = at.reference.output(batch.of(group).given, "float64")
            among = whole[group]
            if part.shape != among.shape or not part.widened(among.bound).holds(among.value):
                return None
    except UsageError:  # of so few rows it gives nothing
        return None
    return batch


def micro_batches(candidate: Operation, batch: Batch, first: Answer) -> Iterator[Finding]:
    """The first thing that goes wrong, group by group; then whether they add up."""
    points = [batch.of(group) for group in batch.groups()]
    shown = []
    for group, point in zip(batch.groups(), points, strict=True):
        answer = candidate.answer(point)
        if any(finding.fails for finding in answer.findings):
            return  # it does not take so few rows, which other cases tell
        if wrong := candidate.wrong(point, answer):
            where = f"rows {group.start + 1} to {group.stop} of {batch.rows} by themselves"
            message = f"is wrong for {where}: {wrong[0]} first, though right for all of them"
            yield Finding(candidate.name, 1, "micro-batches", message, wrong[0])
            return
        shown.append(answer.shown)
    for tensor in batch.shared:
        if tensor not in first.shown or any(tensor not in each for each in shown):
            continue
        allowed = batch.at.tensors[tensor].bound + sum(point.tensors[tensor].bound for point in points)
        zero = Bounded(np.zeros(allowed.shape), allowed, batch.at.tensors[tensor].context)
        rest = np.asarray(first.shown[tensor], np.float64) - sum(np.asarray(e[tensor], np.float64) for e in shown)
        if not zero.holds(rest):
            message = f"{tensor} of all rows is not the sum of {tensor} of {len(shown)} micro-batches"
            yield Finding(candidate.name, 1, "micro-batches", message, tensor)


def batch_variance(candidate: Operation, batch: Batch, first: Answer) -> Iterator[Finding]:
    """The first tensor of which a row has other bits with fewer rows beside it."""
    rowwise = [name for name in first.shown if is_output(name) or name not in batch.shared]
    for group in (slice(0, 1), *batch.groups()):
        again = candidate.answer(batch.of(group)).shown
        for name in rowwise:
            if name in again and not same(first.shown[name][group], again[name]):
                row = "row 1" if group.stop == 1 else f"rows {group.start + 1} to {group.stop}"
                message = f"{name} has other bits in {row} alone than among {batch.rows} rows"
                yield Finding(candidate.name, 1, "batch invariance", message, name)
                return
