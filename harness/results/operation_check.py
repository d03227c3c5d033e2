"""What a check of one operation found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec import to_builtins

from harness.comparison.judge import Finding, Kind, Row
from harness.comparison.worst import worst
from harness.evaluation.references.expected import is_output
from harness.evaluation.references.voting import Vote
from harness.faults.operations.explanation import Explanation
from harness.inputs.cases import called
from harness.results.checked import Checked, faults_in, objects_of
from harness.results.printable import Printable
from harness.results.verdicts import HALVED, Outcome

CONTRACTS: dict[Kind, str] = {
    "changed its input": "inputs not modified",
    "raised": "raises",
    "not an array": "type",
    "no gradient": "missing",
    "aliasing": "alias",
    "second call differs": "second call",
    "accumulates": "second call",
    "overwrites": "earlier answer",
    "not linear": "linear in the upstream",
    "layout": "non-contiguous inputs",
}
"""What a backward pass owes, for findings that are not called by it."""


@dataclass(frozen=True, kw_only=True)
class OperationCheck(Checked, Printable, text="harness.rendering.operation_screen:render"):
    """An operation's backward pass against a reference.

    Attributes:
        name: of the candidate, with the package of its arrays.
        reference: name of what it was compared with.
        measured: whether the allowances are measured; they are derived otherwise.
        cases: names, in order; ``row.step`` counts them from 1.
        shapes: of each input, and of the output, in the first case.
        rows: ``output``, then one per gradient, of every case.
        findings: contracts that were broken.
        causes: why each wrong gradient is wrong.
        votes: where several forms were given.
        untried: cases that were not asked, each with the reason.
        left_out: what was left out by name.
        command: as it was typed, where one was.
        line: file and first line of the function that gives the gradients, where that is known.
        lines: file and line that make a gradient, where a plain assignment does.
        settings: how the framework of the candidate is set on its device; nothing of the CPU.
    """

    name: str
    reference: str
    measured: bool
    dtype: str
    seed: int
    cases: list[str]
    shapes: dict[str, tuple[int, ...]]
    rows: list[Row]
    findings: list[Finding]
    causes: list[Explanation]
    votes: list[Vote]
    untried: dict[str, str] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    command: str | None = None
    line: tuple[str, int] | None = None
    lines: dict[str, tuple[str, int]] = field(default_factory=dict)
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def gradients(self) -> list[str]:
        """Names of the gradients that were asked for."""
        return list(dict.fromkeys(row.gradient for row in self.rows if not is_output(row.gradient)))

    @property
    def outputs(self) -> list[str]:
        """Names of the outputs."""
        return list(dict.fromkeys(row.gradient for row in self.rows if is_output(row.gradient)))

    @property
    def overflow(self) -> str | None:
        """From where on right code overflows or loses every digit: ``right; overflows from |z| > 355 on``."""
        told = next((finding.message for finding in self.findings if finding.kind == "overflow"), None)
        return told and told.removeprefix("is ").rpartition(": ")[0]

    @property
    def wrong(self) -> list[str]:
        """Names of gradients with a FAULT in some case, in order; the output among them."""
        return faults_in(self.rows)

    @property
    def undecided(self) -> list[Vote]:
        """Votes that name a form of the reference, or nobody: there is no reference to judge by."""
        return [vote for vote in self.votes if not vote.decided]

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        judged = [row for row in self.rows if not is_output(row.gradient) and row.verdict != "not comparable"]
        if self.wrong or self.failing:
            why = self._why_failed()
            return Outcome("FAIL", 1, f"{self.overflow}; {why}" if self.overflow and self.wrong else why)
        if self.undecided or not judged:
            why = self.undecided[0].says if self.undecided else "no gradient could be judged"
            return Outcome("NOT COMPARED", 3, why)
        if self.powerless:
            told = f"most entries of {', '.join(self.powerless)} {HALVED}, in every case"
            return Outcome("NO POWER", 0, told)
        far_out = f"{self.overflow}: " if self.overflow else ""
        return Outcome("PASS", 0, far_out + self._why_passed())

    @property
    def powerless(self) -> list[str]:
        """Gradients, and the output, of which most entries would have passed at half their size in every case."""
        return [
            name
            for name in [*self.gradients, *self.outputs]
            if {row.verdict for row in self.rows if row.gradient == name} - {"not comparable"} == {"no power"}
        ]

    def _why_failed(self) -> str:
        wrong = sorted(self.wrong, key=lambda name: -self._faults(name))  # stable: the output first
        if not wrong:
            more = f", and {len(self.failing) - 1} more" if len(self.failing) > 1 else ""
            return f"{self.said(self.failing[0])}{more}"
        if is_output(wrong[0]):
            row = next(row for row in self.rows if row.gradient == wrong[0] and row.verdict == "FAULT")
            told = f", {row.reason}" if row.reason else ""
            return (
                f"the {wrong[0]} of {self.name} is not the reference's in {self._in_cases(wrong[0])}: "
                f"first in {called(self.case(row))}{told}"
            )
        also = f"; {self.failing[0].message}" if self.failing else ""
        return f"{self._wrong(wrong)}{also}"

    def _wrong(self, wrong: list[str]) -> str:
        causes = {explanation.at: explanation for explanation in self.causes}
        told = [f"{name} is wrong in {self._in_cases(name)}" for name in wrong]
        first = causes.get(wrong[0])
        alone = f"; {self.name} is the odd one out" if self.alone else ""
        named = f": {first.briefly}" if first is not None and first.briefly else ""
        return "; ".join(told) + named + alone

    def _faults(self, name: str) -> int:
        return sum(row.verdict == "FAULT" for row in self.rows if row.gradient == name)

    def _in_cases(self, name: str) -> str:
        rows = [row for row in self.rows if row.gradient == name and row.verdict != "not comparable"]
        return f"{self._faults(name)} of {len(rows)} cases"

    def _why_passed(self) -> str:
        gradients, words = self.gradients, "within a measured allowance" if self.measured else "up to rounding"
        judged = [row for row in self.rows if not is_output(row.gradient) and row.verdict == "ok"]
        if not judged:
            return f"{', '.join(gradients)} of {self.name} take another convention at kinks, all of them valid"
        row = worst(judged)
        share = (
            ""
            if row.used is None
            else f"; worst used {100 * row.used:.1f} % ({row.gradient}, {called(self.case(row))})"
        )
        whom = " and ".join(dict.fromkeys(vote.odd for vote in self.votes if vote.odd))
        if whom:
            majority = f"agree {words} with the majority; {whom} is the odd one out"
            return f"{', '.join(gradients)} of {self.name} {majority}{share}"
        return f"{', '.join(gradients)} of {self.name} and {self.reference} agree {words}{share}"

    @property
    def alone(self) -> list[str]:
        """Wrong gradients about which all voices agree: the candidate is the odd one out."""
        settled = {vote.gradient for vote in self.votes if vote.decided and vote.odd is None}
        return [name for name in self.wrong if name in settled]

    def place(self, tensor: str | None) -> tuple[str, int] | None:
        """File and line that make a tensor, or where the backward pass begins; None where that is not known."""
        return self.lines.get(tensor or "") or self.line

    def contract(self, finding: Finding) -> str:
        """What was broken."""
        return CONTRACTS.get(finding.kind, finding.kind)

    def said(self, finding: Finding) -> str:
        """A finding in one line."""
        return f"{self.contract(finding)}: {finding.message} ({called(self.cases[finding.step - 1])})"

    def case(self, row: Row) -> str:
        """The name of a row's case."""
        return self.cases[row.step - 1]

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {
            **self.told(),
            "candidate": self.name,
            "reference": self.reference,
            "allowance": "measured" if self.measured else "derived",
            "dtype": self.dtype,
            "seed": self.seed,
            "cases": self.cases,
            "untried": self.untried,
            "left_out": self.left_out,
            "overflow": self.overflow,
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "rows": [
                {**told, "case": self.case(row), "measured": self.measured}
                for told, row in zip(objects_of(self.rows), self.rows, strict=True)
            ],
            "findings": [
                {
                    "contract": self.contract(finding),
                    "tensor": finding.tensor,
                    "case": self.cases[finding.step - 1],
                    "message": finding.message,
                    "fails": finding.fails,
                }
                for finding in self.findings
            ],
            "causes": [explanation.to_dict() for explanation in self.causes],
            "votes": to_builtins(self.votes),
            "settings": dict(self.settings),
        }
