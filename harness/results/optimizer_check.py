"""What a check of an optimizer found, the same object for text, JSON and tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec import to_builtins
from msgspec.structs import asdict as fields_of

from harness.comparison.judge import Finding, Row
from harness.results.checked import Checked, faults_in
from harness.results.numbers import part
from harness.results.printable import Printable
from harness.results.verdicts import Outcome

SCHEMA = 1
MOST_NAMED = 4


@dataclass(frozen=True, kw_only=True)
class Written:
    """How somebody's optimizer is written, where that is not as the hand code has it.

    Attributes:
        cause: name of the mistake.
        says: in one line for the person who made it; of a right form, its formula.
        also: what gives the same numbers in every sequence.
    """

    cause: str
    says: str
    also: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class OptimizerCheck(Checked, Printable, text="harness.rendering.optimizer_screen:rendered"):
    """An optimizer, step by step against the hand code's of that name.

    Attributes:
        name: of what was checked.
        optimizer: the hand code's, with its parameters.
        steps: in each sequence.
        sequences: what they are, in order, the same in each dtype.
        rows: one for each weight, sequence and dtype: the worst step.
        where: of each row, its sequence and dtype.
        findings: what is to be said besides numbers.
        form: the right form that its numbers have, where it is not the hand code's own.
        mistake: the variant that reproduces all of its numbers, if they are wrong and there is one.
        known: what the numbers tell of themselves, where there is none.
    """

    name: str
    optimizer: str
    seed: int
    steps: int
    sequences: tuple[str, ...]
    rows: list[Row]
    where: list[tuple[str, str]]
    findings: list[Finding] = field(default_factory=list)
    form: Written | None = None
    mistake: Written | None = None
    known: tuple[str, ...] = ()

    @property
    def wrong(self) -> list[str]:
        """Names of the weights that are wrong in some sequence, in order."""
        return faults_in(self.rows)

    @property
    def powerless(self) -> list[str]:
        """Weights of which half a step, or none, would have passed in every sequence of a dtype."""
        seen: dict[tuple[str, str], set[str]] = {}
        for row, (_, dtype) in zip(self.rows, self.where, strict=True):
            seen.setdefault((row.gradient, dtype), set()).add(row.verdict)
        return [f"{weight} in {dtype}" for (weight, dtype), verdicts in seen.items() if verdicts == {"no power"}]

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        if self.wrong:
            return Outcome("FAIL", 1, self._why_wrong())
        if self.failing:
            return Outcome("FAIL", 1, f"{self.failing[0].against} {self.failing[0].message}")
        if not self.rows:
            return Outcome("NOT COMPARED", 3, "no step could be judged")
        if self.powerless:
            few = ", ".join(self.powerless[:MOST_NAMED])
            told = f"nothing failed, but half a step of {few} would have passed too: lr is too small to be seen"
            return Outcome("NO POWER", 0, told)
        return Outcome("PASS", 0, self._why_right())

    def _why_right(self) -> str:
        worst = max(self.rows, key=lambda row: row.used or 0.0)
        dtypes = " and ".join(dict.fromkeys(dtype for _, dtype in self.where))
        form = f", as {self.form.says}" if self.form else ""
        return (
            f"{self.name} is {self.optimizer} up to rounding{form}: {len(self.sequences)} sequences of {self.steps} "
            f"steps in {dtypes}; worst used {part(worst.used)} of its allowance ({worst.gradient})"
        )

    def _why_wrong(self) -> str:
        faults = [(row, at) for row, at in zip(self.rows, self.where, strict=True) if row.verdict == "FAULT"]
        first, (sequence, dtype) = min(faults, key=lambda fault: fault[0].step)
        named = f": {self.mistake.says}" if self.mistake else ""
        every = len(self.wrong) == len({row.gradient for row in self.rows})
        which = "every weight is" if every else f"{', '.join(self.wrong)} {'is' if len(self.wrong) == 1 else 'are'}"
        return f"{which} wrong, first at step {first.step} of {sequence} ({dtype}){named}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness check --optimizer --json``."""
        return {
            "schema": SCHEMA,
            **self.told(),
            "name": self.name,
            "optimizer": self.optimizer,
            "seed": self.seed,
            "steps": self.steps,
            "sequences": list(self.sequences),
            "wrong": self.wrong,
            "form": to_builtins(self.form),
            "mistake": to_builtins(self.mistake),
            "known": list(self.known),
            "findings": to_builtins(self.findings),
            "rows": [
                fields_of(row) | {"sequence": sequence, "dtype": dtype}
                for row, (sequence, dtype) in zip(self.rows, self.where, strict=True)
            ],
        }
