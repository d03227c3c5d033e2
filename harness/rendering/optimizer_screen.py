"""What the check of an optimizer prints: the verdict, the worst weight of every sequence, the mistake, what next."""

from __future__ import annotations

from collections.abc import Iterator

from harness.comparison.judge import Row
from harness.comparison.worst import worst
from harness.rendering import columns
from harness.rendering.columns import Column
from harness.results.numbers import part, plain, small
from harness.results.optimizer_check import OptimizerCheck

Line = tuple[Row, tuple[str, str]]
"""A row, its sequence and dtype."""

COLUMNS: tuple[Column[Line], ...] = (
    Column("dtype", lambda line: line[1][1], once=True),
    Column("sequence", lambda line: line[1][0]),
    Column("worst weight", lambda line: line[0].gradient),
    Column("used", lambda line: "" if line[0].verdict == "no power" else part(line[0].used), "right"),
    Column("sees", lambda line: small(line[0].sees), "right"),
    Column("at", lambda line: f"step {line[0].step}"),
    Column("verdict", lambda line: line[0].verdict),
)


def rendered(check: OptimizerCheck, style: str = "table", command: str | None = None) -> str:
    """The whole text, as a table or in Markdown; `command` as it was typed, if there was one."""
    heading = f"{check.name} against {check.optimizer} · {check.steps} steps a sequence · seed {check.seed}"
    note = "each step from the weights before it, the state followed from the first; sees: relative to the step"
    parts = [plain(f"{heading}\n{note}", style) if style != "table" else f"{heading}\n{note}"]
    parts.append(f"{check.verdict}  {plain(check.reason, style)}")
    found: dict[tuple[str, str], list[Row]] = {}
    for row, at in zip(check.rows, check.where, strict=True):
        found.setdefault(at, []).append(row)
    lines = [(worst(rows), at) for at, rows in found.items()]
    parts.append(columns.text(COLUMNS, lines, style) if lines else "")
    parts.append("\n".join(plain(line, style) for line in _said(check)))
    parts.append(f"next  {plain(_next(check, command), style)}")
    return "\n\n".join(filter(None, parts))


def _said(check: OptimizerCheck) -> Iterator[str]:
    if check.mistake:
        yield f"cause  {check.mistake.cause}: {check.mistake.says}"
        yield "       reproduces every step of yours within the allowance"
        yield from (f"       or, which gives the same numbers here: {says}" for says in check.mistake.also)
    elif check.wrong:
        yield "cause  unknown: no variant of the catalogue gives these numbers"
        yield from (f"       {fact}" for fact in check.known)
    for finding in check.findings:
        yield f"{'also' if finding.fails else 'note'}   {finding.against} {finding.message}"


def _next(check: OptimizerCheck, command: str | None) -> str:
    if check.verdict == "PASS":
        return "harness check FILE.py:backward, for the gradients"
    return f"correct it, then {command or 'the same check'} draws the same gradients"
