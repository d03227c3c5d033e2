"""Compared: tensors that somebody has, checked against the hand code at one point, and told in a few lines.

A test must show every gradient of a weight and nothing that the network does not have. What is wrong is told in
few lines, the first of at most 80 characters, because pytest shows eight.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from harness.cells import entry
from harness.checking.answers import Answer, answer_of
from harness.checking.backward_pass import concluded, setting_of
from harness.checking.check import Check
from harness.checking.evidence import evidence
from harness.checking.screen import links
from harness.comparison import Row
from harness.conformance import Finding
from harness.point import Point
from harness.usage import did_you_mean

MINE = "mine"
FIRST_LINE = 80
CUT = "…"


def compared(mine: Mapping[str, Any], point: Point) -> Check:
    """Check tensors by name at a point.

    Args:
        mine: arrays of NumPy, torch or JAX by name: dW1, db1, also dz1, da1, z1, a1, loss.
        point: network, weights and batch at which they were computed, in their dtype.
    """
    answer = answer_of(mine, point, MINE)
    setting = setting_of(MINE, point, "the rows of the reference", None, None)
    check = concluded(setting, point, answer.shown, [*answer.findings, *_names(mine, answer, point)], [])
    return replace(check, findings=[*check.findings, *_not_numbers(check, answer)])


def told(check: Check) -> str:
    """The verdict in a line of at most 80 characters, where and why, then the table of links."""
    return "\n".join([*_summary(check), "", links(check, "table")])


def first_line(text: str) -> str:
    """A line that is no longer than the first may be."""
    return text if len(text) <= FIRST_LINE else f"{text[: FIRST_LINE - len(CUT)]}{CUT}"


def _summary(check: Check) -> Iterator[str]:
    failed = [finding.message for finding in check.findings if finding.fails]
    headline = f"{check.verdict}  {failed[0] if failed else _located(check)}"
    yield first_line(headline)
    if len(headline) > FIRST_LINE:
        yield headline
    for message in failed[1:4]:
        yield f"also  {message}"
    if check.diagnoses:
        yield from evidence(check, check.diagnoses[0], "table")
    elif check.first_wrong:
        yield _worst_entry(next(row for row in check.located.links if row.gradient == check.first_wrong))


def _located(check: Check) -> str:
    if not check.located.faulty:
        return check.reason
    others = [name for name in check.located.faulty if name != check.first_wrong]
    inherited = [row.gradient for row in check.located.of("inherited")]
    also = f"; also wrong: {', '.join(others)}" if others else ""
    by = f"; inherited by {', '.join(inherited)}" if inherited else ""
    return f"first wrong link: {check.first_wrong}{also}{by}"


def _worst_entry(row: Row) -> str:
    allowed = "" if row.allowed is None else f", allowed {row.allowed:.1e}"
    off = row.reason or "not finite" if row.difference is None else f"off by {abs(row.difference):.3g}{allowed}"
    return f"worst entry  {entry(row)}: {off}; {row.outside} of {row.entries} entries outside"


def _names(mine: Mapping[str, Any], answer: Answer, point: Point) -> Iterator[Finding]:
    """Every gradient of a weight must be there, and nothing that the network does not have."""
    known = [link.output for link in point.network.links]
    for name in answer.ignored:
        yield Finding(MINE, 1, "names", f"{name} is no tensor of this network{did_you_mean(name, known)}", name)
    missing = [name for name in point.network.gradients if mine.get(name) is None]
    if missing:
        yield Finding(MINE, 1, "names", f"{', '.join(missing)} missing", missing[0])


def _not_numbers(check: Check, answer: Answer) -> Iterator[Finding]:
    """NaN where nothing is bounded is no fault of the link, but it is never right either."""
    for row in check.rows:
        name = row.gradient
        if row.unbounded and row.verdict != "FAULT" and np.isnan(answer.shown[name]).any():
            yield Finding(MINE, 1, "non-finite", f"{name} holds NaN where a correct program may overflow", name)
