"""What a check of somebody's own chain found."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from msgspec import to_builtins

from harness.comparison.judge import Finding, Row
from harness.faults.operations.explanation import Explanation
from harness.results.checked import Checked, objects_of
from harness.results.printable import Printable
from harness.results.verdicts import HALVED, Outcome
from impls.graph import LOSS


@dataclass(frozen=True, kw_only=True)
class ChainCheck(Checked, Printable, text="harness.rendering.chain_screen:render"):
    """Gradients by hand of the named tensors of a forward pass, each judged given those that it is made from.

    Attributes:
        package: whose autograd is the reference.
        tensors: how many named tensors of the forward pass have a gradient.
        rows: one per gradient that was shown, in the order of the backward pass; the allowances are measured.
        shapes: of each gradient.
        findings: other shapes and dtypes than a gradient should have, or that the backward pass raises; a shape that
            was read as the right one does not fail.
        causes: one per wrong gradient: its cause, or unknown with what is known.
        unseen: tensors with a gradient that was not shown, so that their links are judged as parts of others.
        loss: its name.
        lost: what the loss is, and from which tensor on, where it is no finite number.
        ignored: what looks like a gradient by its name, of no tensor there is.
        line: file and first line of the backward pass, where that is known.
        lines: file and line that make a gradient, where a plain assignment does.
        command: as it was typed, if it was.
    """

    package: str
    dtype: str
    tensors: int
    rows: list[Row] = field(default_factory=list)
    shapes: dict[str, tuple[int, ...]] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    causes: list[Explanation] = field(default_factory=list)
    unseen: list[str] = field(default_factory=list)
    ignored: list[str] = field(default_factory=list)
    loss: str = LOSS
    lost: str | None = None
    line: tuple[str, int] | None = None
    lines: dict[str, tuple[str, int]] = field(default_factory=dict)
    command: str | None = None

    @property
    def gradients(self) -> list[str]:
        """Names of the gradients that were shown."""
        return [row.gradient for row in self.rows]

    @property
    def wrong(self) -> list[str]:
        """Gradients that are wrong in values, shape or dtype, in the order of the backward pass."""
        broken = {finding.tensor for finding in self.failing}
        return [row.gradient for row in self.rows if row.verdict == "FAULT" or row.gradient in broken]

    @property
    def powerless(self) -> list[str]:
        """Gradients of which most entries would have passed at half their size."""
        return [row.gradient for row in self.rows if row.verdict == "no power"]

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the rest of the first line."""
        if self.wrong or self.failing:
            return Outcome("FAIL", 1, self._wrong(self.wrong) if self.wrong else self.failing[0].message)
        if all(row.verdict == "not comparable" for row in self.rows):
            return Outcome("NOT COMPARED", 3, "no gradient of a named tensor was shown: call the one of h dh")
        if self.lost:
            told = (
                f"the {self.loss} is {self.lost}: no gradient of it means anything; give inputs with which it is finite"
            )
            return Outcome("NO POWER", 0, told)
        if self.powerless:
            told = f"nothing failed, but most entries of {', '.join(self.powerless)} {HALVED}"
            return Outcome("NO POWER", 0, told)
        return Outcome("PASS", 0, self._right())

    def _right(self) -> str:
        kinks = [row.gradient for row in self.rows if row.verdict == "convention"]
        judged = [row for row in self.rows if row.verdict == "ok" and row.used is not None]
        told = f"; another valid subgradient is taken at kinks in {', '.join(kinks)}" if kinks else ""
        told += f"; not judged, since no tensor has that name: {', '.join(self.ignored)}" if self.ignored else ""
        if not judged:
            return f"nothing is wrong{told}"
        row = max(judged, key=lambda row: row.used or 0.0)
        share = f"; worst used {100 * (row.used or 0.0):.1f} % ({row.gradient})"
        own = ", each given your own upstream," if len(judged) > 1 else ""
        return (
            f"{len(judged)} gradients by hand{own} agree with {self.package} within a measured allowance{share}{told}"
        )

    def _wrong(self, wrong: list[str]) -> str:
        first, *others = wrong
        shape = next((finding.message for finding in self.failing if finding.tensor == first), None)
        cause = next((cause for cause in self.causes if cause.at == first and cause.causes), None)
        place = self.lines.get(first) or self.line
        where = f" ({place[0]}:{place[1]})" if place else ""
        headline = shape or f"{first} is wrong"
        told = f": {cause.says}" if cause else ""
        also = f"; wrong by themselves too: {', '.join(others)}" if others else ""
        return f"{headline}{where}{told}{also}"

    def to_dict(self) -> dict[str, Any]:
        """Everything, as JSON holds it."""
        return {
            **self.told(),
            "reference": self.package,
            "allowance": "measured",
            "dtype": self.dtype,
            "first_wrong": self.first_wrong,
            "wrong": self.wrong,
            "rows": objects_of(self.rows),
            "shapes": {name: list(shape) for name, shape in self.shapes.items()},
            "findings": to_builtins(self.findings),
            "causes": [cause.to_dict() for cause in self.causes],
            "unseen": self.unseen,
            "ignored": self.ignored,
            "loss": self.loss,
            "lost": self.lost,
            "lines": {name: list(place) for name, place in self.lines.items()},
        }
