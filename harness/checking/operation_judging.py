"""Judging an operation in one case: what came, as it is read, and what the forms of the reference say of each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from harness.candidates.contracts import examined
from harness.candidates.operation import Operation
from harness.comparison.judge import Finding, Row, but_for_rounding
from harness.comparison.operation import JudgedAnswer
from harness.evaluation.references.expected import Expected
from harness.evaluation.references.voting import Vote
from harness.faults.operations.situation import Situation
from harness.inputs.outputs import OUTPUT


@dataclass(frozen=True)
class Tried:
    """One case, answered and judged.

    Attributes:
        name: of the case.
        read: what came, judged; not where the forms of the reference differ.
        findings: what is to be said besides numbers.
    """

    name: str
    situation: Situation
    read: JudgedAnswer
    findings: list[Finding]
    votes: list[Vote]

    @property
    def at(self) -> Expected:
        """Where it was asked."""
        return self.read.at

    @property
    def rows(self) -> list[Row]:
        """Output first."""
        return list(self.read.rows.values())

    @property
    def fails(self) -> bool:
        """Whether a gradient is wrong, or something else is that fails."""
        return bool(self.read.wrong) or any(finding.fails for finding in self.findings)

    @property
    def overdue(self) -> bool:
        """Whether a call took longer than it may."""
        return any(finding.kind == "timeout" for finding in self.findings)

    def with_rows(self, rows: Sequence[Row]) -> Tried:
        """Judged otherwise."""
        return replace(self, read=replace(self.read, rows=dict(zip(self.read.rows, rows, strict=True))))


def tried_at(candidate: Operation, name: str, at: Expected, votes: list[Vote]) -> Tried:
    """Ask an operation in one case; in the first, ask it again, for the contracts that no single answer shows."""
    disputed = any(vote.gradient == OUTPUT for vote in votes)
    obeyed = examined(candidate, at, again=at.step == 1 and not disputed)
    undecided = {name: v.says for v in reversed(votes) if not v.decided for name in _about(v, at)}
    situation = Situation.of(at, obeyed.answer.shown, obeyed.answer.before)
    return Tried(name, situation, obeyed.read.without(undecided), obeyed.findings, votes)


def rows_of(tried: Sequence[Tried]) -> list[Row]:
    """The rows of all cases; a gradient of which none sees anything is asked if it is 0 but for rounding, in the first.

    Where every expected entry happens to be 0 a row sees nothing either.
    """
    rows, first = [row for each in tried for row in each.rows], tried[0].at
    seeing = [row for row in rows if row.sees is not None and row.verdict not in ("no power", "not comparable")]
    seen = {row.gradient for row in seeing}
    asked = {row.gradient for row in rows if row.verdict == "no power"}.intersection(first.inputs) - seen
    zeros = {name for name in asked if first.vanishes(name)}
    return [but_for_rounding(row, partial(zeros.__contains__, row.gradient)) for row in rows]


def _about(vote: Vote, at: Expected) -> list[str]:
    """The tensors that a vote is about: of the output, all."""
    return list(at.tensors) if vote.gradient == OUTPUT else [vote.gradient]
