"""Judging an operation, case by case: what came, as it is read, and what forms of the reference say of each other."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from harness.arithmetic.threads import every_pool_on_one_thread
from harness.candidates.contracts import examined
from harness.candidates.operation import Operation
from harness.checking.operation_points import Points, References
from harness.comparison.judge import Finding, Row, but_for_rounding
from harness.comparison.operation import JudgedAnswer
from harness.evaluation.references.expected import Expected
from harness.evaluation.references.voting import Vote, VotingReference
from harness.faults.operations.situation import Situation
from harness.inputs.cases import Case
from harness.inputs.outputs import OUTPUT
from harness.usage import UsageError


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


def every_case(
    candidate: Operation, points: Points, references: References, dtype: str, seed: int
) -> tuple[list[Tried], dict[str, str]]:
    """One case after the other, asked and judged; and those that were not tried, each with the reason.

    Raises:
        UsageError: the reference gives nothing in a case in which it has to.
    """
    tried, untried = list[Tried](), dict(points.untried)
    for number, case in enumerate(points.cases, 1):
        with _quietly(case):
            try:
                with every_pool_on_one_thread():
                    rng = np.random.default_rng([seed, number, 1])
                    at = references.expected(case, dtype, rng, len(tried) + 1)
                    votes = _votes(at, case, seed)
            except UsageError as error:
                if not case.may_fail:
                    raise
                untried[case.name] = str(error).partition("because ")[2].partition("; ")[0] or str(error)
                continue
            tried.append(_tried(candidate, case.name, at, votes))
        if tried[-1].overdue:  # then so would the next be
            break
    return tried, untried


@contextmanager
def _quietly(case: Case) -> Iterator[None]:
    """Without a word on what nobody asked for: of the variance of one number, say, there is much to warn of."""
    with warnings.catch_warnings():
        if case.may_fail:
            warnings.simplefilter("ignore")
        yield


def _votes(at: Expected, case: Case, seed: int) -> list[Vote]:
    own = at.reference
    return own.votes(case, at.upstream, always=at.step == 1, seed=seed) if isinstance(own, VotingReference) else []


def _tried(candidate: Operation, name: str, at: Expected, votes: list[Vote]) -> Tried:
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
