"""Judging one answer: its output and every gradient against the reference, entry by entry, shapes and dtypes first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from msgspec.structs import replace

from harness.candidates.answers import Answer
from harness.candidates.contracts import broken_contracts
from harness.candidates.operation import GRADIENTS, Operation
from harness.comparison.judge import Finding, Row, but_for_rounding, not_comparable
from harness.comparison.operation import check_of, row_of
from harness.evaluation.references.expected import Expected, is_output
from harness.evaluation.references.voting import Vote
from harness.faults.operations.situation import Situation
from harness.inputs.outputs import OUTPUT
from impls.contract import Array

YOURS = "yours"


@dataclass(frozen=True)
class Tried:
    """One case, answered and judged.

    Attributes:
        rows: output first; not comparable where the forms of the reference differ.
        findings: what is to be said besides numbers.
        shown: output and gradients as they came.
        off: tensors that are wrong or not comparable.
        wrong, right: names of inputs whose gradient came and is wrong, in values or in shape; or right.
    """

    situation: Situation
    rows: list[Row]
    findings: list[Finding]
    votes: list[Vote]
    wrong: list[str]
    right: list[str]
    shown: Mapping[str, Array]
    off: frozenset[str]

    @property
    def overdue(self) -> bool:
        """Whether a call took longer than it may."""
        return any(finding.kind == "timeout" for finding in self.findings)


def tried_at(candidate: Operation, expected: Expected, votes: list[Vote], step: int) -> Tried:
    """Ask an operation in one case; in the first, ask it again, for the contracts that no single answer shows."""
    answer = candidate.answer(expected)
    situation = Situation.of(expected, answer.shown, candidate.before)
    findings = [replace(finding, step=step) for finding in answer.findings]
    rows = dict[str, Row]()
    for name in expected.tensors:
        findings += _mismatches(name, expected, answer, step)
        rows[name] = _row(expected, step, name, answer)
    undecided = {name: vote.says for vote in reversed(votes) if not vote.decided for name in _about(vote, rows)}
    judged = {of: rows[name] for name, of in expected.inputs.items() if name not in undecided}
    for name, why in undecided.items():
        rows[name] = not_comparable(rows[name].check, name, YOURS, step, why)
    overdue, disputed = (finding.kind == "timeout" for finding in findings), (vote.gradient == OUTPUT for vote in votes)
    if step == 1 and not any(overdue) and not any(disputed):
        findings += broken_contracts(candidate, expected, answer, candidate.wrong(expected, answer))
    came = {name for name, row in judged.items() if row.gradient in answer.shown}
    return Tried(
        situation=situation,
        rows=list(rows.values()),
        findings=findings,
        votes=votes,
        wrong=[name for name, row in judged.items() if name in came and row.verdict in ("FAULT", "not comparable")],
        right=[name for name, row in judged.items() if row.verdict == "ok"],
        shown=answer.shown,
        off=frozenset(name for name, row in rows.items() if row.verdict in ("FAULT", "not comparable")),
    )


def rows_of(tried: Sequence[Tried]) -> list[Row]:
    """The rows of all cases; a gradient of which none sees anything is asked if it is 0 but for rounding, in the first.

    Where every expected entry happens to be 0 a row sees nothing either.
    """
    rows, first = [row for each in tried for row in each.rows], tried[0].situation.at
    seeing = [row for row in rows if row.sees is not None and row.verdict not in ("no power", "not comparable")]
    seen = {row.gradient for row in seeing}
    asked = {row.gradient for row in rows if row.verdict == "no power"}.intersection(first.inputs) - seen
    zeros = {name for name in asked if first.vanishes(name)}
    return [but_for_rounding(row, partial(zeros.__contains__, row.gradient)) for row in rows]


def _about(vote: Vote, judged: Mapping[str, Row]) -> list[str]:
    """The rows that a vote is about: of the output, all."""
    return list(judged) if vote.gradient == OUTPUT else [vote.gradient]


def _row(expected: Expected, step: int, name: str, answer: Answer) -> Row:
    if name not in answer.shown:
        return not_comparable(check_of(expected.dtype), name, YOURS, step, _why_missing(name, answer))
    return row_of(expected, name, answer.shown, YOURS, step)


def _mismatches(name: str, expected: Expected, answer: Answer, step: int) -> Iterator[Finding]:
    """Of a tensor that is missing without a reason, or has another shape or dtype."""
    if name not in answer.shown:
        if not any(_tells(finding, name) for finding in answer.findings):
            of = expected.inputs.get(name)
            message = f"backward returns no gradient of {of}" if of else "forward returns nothing"
            yield Finding(YOURS, step, "no gradient", message, name)
        return
    actual, shape = answer.shown[name], expected.tensors[name].shape
    if actual.shape != shape:
        yield Finding(YOURS, step, "shape", f"{name} has shape {actual.shape} instead of {shape}", name)
    if str(actual.dtype) != expected.dtype:
        yield Finding(YOURS, step, "dtype", f"{name} has dtype {actual.dtype} instead of {expected.dtype}", name)


def _tells(finding: Finding, name: str) -> bool:
    """Whether a finding says why a tensor is missing: one of it, or of its whole call but for the names of others."""
    return finding.tensor == name or (finding.tensor == _general(name) and finding.kind != "names")


def _why_missing(name: str, answer: Answer) -> str:
    told = [finding.message for finding in answer.findings if finding.tensor in (name, _general(name))]
    return told[0] if told else f"there is no {name}"


def _general(name: str) -> str:
    """What a finding about a whole call is of."""
    return OUTPUT if is_output(name) else GRADIENTS
