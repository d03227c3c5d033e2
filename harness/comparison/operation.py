"""Judging an operation at a point: its output and every gradient against what they should be, entry by entry.

It may be somebody's function in one of many cases, or one node of a captured program. A kink's other side is a
convention; shape and dtype are compared first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from harness.arithmetic import Bounded
from harness.comparison.judge import Check, Finding, Row, as_convention, judge, not_comparable
from harness.evaluation.references.expected import Expected, is_output
from harness.inputs.outputs import GRADIENTS, OUTPUT
from impls.contract import Array

YOURS = "yours"
"""What rows call somebody's code."""


@dataclass(frozen=True)
class JudgedAnswer:
    """What came of an operation at a point, judged.

    Attributes:
        at: what should come.
        shown: what came.
        rows: of each tensor that was asked for, outputs first.
        undecided: tensors that are not judged after all, because nobody knows what they should be.
    """

    at: Expected
    shown: Mapping[str, Array]
    rows: Mapping[str, Row]
    undecided: frozenset[str] = field(default_factory=frozenset)

    @cached_property
    def faulty(self) -> list[str]:
        """Tensors that are wrong, or not there to be compared."""
        return [name for name, row in self.rows.items() if row.verdict in ("FAULT", "not comparable")]

    @property
    def outside(self) -> list[str]:
        """Tensors that are outside their allowance."""
        return [name for name, row in self.rows.items() if row.verdict == "FAULT"]

    @property
    def wrong(self) -> list[str]:
        """Names of the inputs whose gradient came and is wrong, in values or in shape."""
        came = [name for name in self.faulty if name in self.shown and name not in self.undecided]
        return [self.at.inputs[name] for name in came if name in self.at.inputs]

    @property
    def right(self) -> list[str]:
        """Names of the inputs whose gradient is right."""
        return [name for gradient, name in self.at.inputs.items() if self.rows[gradient].verdict == "ok"]

    def without(self, why: Mapping[str, str]) -> JudgedAnswer:
        """With these tensors not judged, each for a reason."""
        rows = {
            name: not_comparable(row.check, name, row.against, row.step, why[name]) if name in why else row
            for name, row in self.rows.items()
        }
        return replace(self, rows=rows, undecided=self.undecided.union(why))


def judged_answer(at: Expected, shown: Mapping[str, Array], findings: Sequence[Finding]) -> JudgedAnswer:
    """Somebody's answer, every tensor that was asked for; one that did not come says why, as findings do."""
    rows = {
        name: row_of(at, name, shown, YOURS)
        if name in shown
        else not_comparable(check_of(at.dtype), name, YOURS, at.step, _why_missing(name, findings))
        for name in at.tensors
    }
    return JudgedAnswer(at, shown, rows)


def check_of(dtype: str) -> Check:
    """What an operation's rows are called: the formula in float64, the rounding in any other dtype."""
    return "formula" if dtype == "float64" else "rounding"


def row_by(right: Bounded, dtype: str, tensor: str, against: str, step: int, actual: Array) -> Row:
    """The row of a tensor that should be something."""
    return judge(check_of(dtype), tensor, against, step, actual=actual, expected=right.value, allowed=right.bound)


def row_of(at: Expected, tensor: str, shown: Mapping[str, Array], against: str) -> Row:
    """The row of a tensor that is shown, given all that are."""
    row = row_by(at.tensors[tensor], at.dtype, tensor, against, at.step, shown[tensor])
    return as_convention(row) if row.verdict == "FAULT" and at.convention(tensor, shown) else row


def of_another_kind(tensor: str, actual: Array, shape: tuple[int, ...], dtype: str, step: int) -> Iterator[Finding]:
    """What there is to say of a tensor that has another shape or dtype."""
    if actual.shape != shape:
        yield Finding(YOURS, step, "shape", f"{tensor} has shape {actual.shape} instead of {shape}", tensor)
    if str(actual.dtype) != dtype:
        yield Finding(YOURS, step, "dtype", f"{tensor} has dtype {actual.dtype} instead of {dtype}", tensor)


def mismatches(at: Expected, shown: Mapping[str, Array], findings: Sequence[Finding]) -> Iterator[Finding]:
    """Of every tensor that is missing without a reason, or has another shape or dtype."""
    for name, right in at.tensors.items():
        if name in shown:
            yield from of_another_kind(name, shown[name], right.shape, at.dtype, at.step)
        elif not any(_tells(finding, name) for finding in findings):
            of = at.inputs.get(name)
            message = f"backward returns no gradient of {of}" if of else "forward returns nothing"
            yield Finding(YOURS, at.step, "no gradient", message, name)


def _tells(finding: Finding, name: str) -> bool:
    """Whether a finding says why a tensor is missing: one of it, or of its whole call but for the names of others."""
    return finding.tensor == name or (finding.tensor == _general(name) and finding.kind != "names")


def _why_missing(name: str, findings: Sequence[Finding]) -> str:
    told = [finding.message for finding in findings if finding.tensor in (name, _general(name))]
    return told[0] if told else f"there is no {name}"


def _general(name: str) -> str:
    """What a finding about a whole call is of."""
    return OUTPUT if is_output(name) else GRADIENTS
