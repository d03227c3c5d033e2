"""Compared: tensors that somebody has, judged against the hand code at one point, and what to say of them.

What is judged is told in a few lines, the first of at most 80 characters: pytest shows eight.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from tabulate import tabulate

from harness.arithmetic import profile_of
from harness.cells import entry, share
from harness.checking.answers import Answer, answer_of
from harness.checking.locating import Located, located
from harness.comparison import Row
from harness.conformance import Finding
from harness.point import Point
from harness.usage import did_you_mean

MINE = "mine"
FIRST_LINE = 80
CUT = "…"


@dataclass(frozen=True)
class Compared:
    """Tensors by name, judged at a point.

    Attributes:
        point: network, weights and batch.
        answer: the tensors, and what is wrong with their names, shapes and dtypes.
        located: which of them are right.
    """

    point: Point
    answer: Answer
    located: Located
    findings: list[Finding] = field(default_factory=list)

    @property
    def rows(self) -> list[Row]:
        """One row per tensor, in the order of a training step."""
        return self.located.rows

    @property
    def first_wrong_link(self) -> str | None:
        """The first tensor that is wrong given what comes before it."""
        return next(iter(self.located.faulty), None)

    @cached_property
    def powerless(self) -> list[str]:
        """Gradients in place of which zeros would pass."""
        return [row.gradient for row in self.rows if row.verdict == "no power" and row.gradient.startswith("d")]

    @property
    def verdict(self) -> str:
        """FAIL, NO POWER or PASS."""
        if self.findings or self.first_wrong_link:
            return "FAIL"
        return "NO POWER" if self.powerless else "PASS"

    @property
    def reason(self) -> str:
        """The rest of the first line."""
        if self.findings:
            return self.findings[0].message
        if self.first_wrong_link:
            count = len(self.located.of("inherited"))
            return f"first wrong link: {self.first_wrong_link}{f'; {count} later inherit it' if count else ''}"
        if self.powerless:
            return f"zeros in place of {', '.join(self.powerless[:4])} would have passed too"
        return f"{sum(row.gradient.startswith('d') for row in self.rows)} gradients agree up to rounding"

    def lines(self) -> list[str]:
        """What to know, the first line first."""
        told = [first_line(f"{self.verdict}  {self.reason}")]
        if told[0].endswith(CUT):
            told.append(self.reason)
        told += [f"also  {finding.message}" for finding in self.findings[1:4]]
        if self.first_wrong_link:
            told += self._fault(self.first_wrong_link)
        return told

    def __str__(self) -> str:
        return "\n".join([*self.lines(), "", self.table()])

    def table(self) -> str:
        """Every tensor with what is used of its allowance, and its verdict."""
        cells = [
            [row.gradient, "×".join(map(str, self.answer.shown[row.gradient].shape)), share(row), _verdict(row)]
            for row in self.rows
            if row.gradient in self.answer.shown
        ]
        align = ("left", "left", "right", "left")
        return tabulate(
            cells, ("link", "shape", "used", "verdict"), "simple", disable_numparse=True, colalign=align
        )  # fmt: skip

    def _fault(self, name: str) -> list[str]:
        row = next(row for row in self.located.links if row.gradient == name)
        told = [f"worst entry  {name} {entry(row)}: {self._entry(row)}"]
        others = self.located.faulty[1:]
        if others:
            told.append(f"wrong by themselves too  {', '.join(others[:8])}")
        inherited = [row.gradient for row in self.located.of("inherited")]
        if inherited:
            told.append(f"inherited  {', '.join(inherited[:8])}: right, given what came before")
        return told

    def _entry(self, row: Row) -> str:
        if row.difference is None or row.index is None:
            return row.reason or "not finite"
        yours = float(self.answer.shown[row.gradient][row.index])
        expected = yours - row.difference
        allowed = "" if row.allowed is None else f", allowed {row.allowed:.1e}"
        return f"yours {yours:.9g}, correct {expected:.9g}, {row.outside} of {row.entries} outside{allowed}"


def compared(mine: Any, point: Point) -> Compared:
    """Judge tensors by name at a point.

    Args:
        mine: arrays of NumPy, torch or JAX by name: dW1, db1, also dz1, da1, z1, a1, loss.
        point: network, weights and batch at which they were computed, in their dtype.
    """
    answer = answer_of(mine, point, MINE)
    found = located(point, answer.shown, profile_of(str(point.x.dtype)), MINE)
    return Compared(
        point, answer, found, [*answer.findings, *_names(mine, answer, point), *_not_numbers(answer, found)]
    )


def first_line(text: str) -> str:
    """A line that is no longer than the first may be."""
    return text if len(text) <= FIRST_LINE else f"{text[: FIRST_LINE - len(CUT)]}{CUT}"


def _names(mine: Any, answer: Answer, point: Point) -> list[Finding]:
    """Every gradient of a weight must be there, and nothing that the network does not have."""
    if not isinstance(mine, Mapping):
        return []
    known = [link.output for link in point.network.links]
    found = [
        Finding(MINE, 1, "names", f"{name} is no tensor of this network{did_you_mean(name, known)}", name)
        for name in answer.ignored
    ]
    missing = [name for name in point.network.gradients if mine.get(name) is None]
    if missing:
        found.append(Finding(MINE, 1, "names", f"{', '.join(missing)} missing", missing[0]))
    return found


def _not_numbers(answer: Answer, found: Located) -> list[Finding]:
    """NaN where nothing is bounded is no fault of the link, but it is never right either."""
    return [
        Finding(MINE, 1, "non-finite", f"{row.gradient} holds NaN where a correct program may overflow", row.gradient)
        for row in found.rows
        if row.unbounded and row.verdict != "FAULT" and np.isnan(answer.shown[row.gradient]).any()
    ]


def _verdict(row: Row) -> str:
    return f"{row.verdict}  {row.reason or ''}".strip()
