"""What the check of an operation prints: the verdict, every gradient in every case, causes, contracts, what next.

Its table, column by column, is the page's too: every gradient in every case, the output last.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from harness.comparison.judge import Row
from harness.comparison.worst import worst
from harness.inputs.cases import called
from harness.rendering import columns
from harness.rendering.columns import PAGE, TEXT, Column, signed
from harness.results.numbers import percent, plain, share, small

if TYPE_CHECKING:
    from harness.faults.operations.explanation import Explanation
    from harness.results.operation_check import OperationCheck

MOST_FINDINGS = 12


class Typed(NamedTuple):
    """The command as it was typed, and without its --dtype or its --seed; None where there was none."""

    same: str | None = None
    other_dtype: str | None = None
    other_seed: str | None = None


UNTYPED = Typed()


def render(check: OperationCheck, style: str = "table", typed: Typed = UNTYPED) -> str:
    """The whole text: a table or Markdown, and what to type next."""
    parts = ["\n".join(plain(line, style) for line in heading(check))]
    parts += [f"{check.verdict}  {plain(check.reason, style)}"]
    parts += [columns.text(of_operation(check), every_case(check), style)]
    said = (told_causes(check.causes), _votes(check), _findings(check), not_tried(check))
    parts += ["\n".join(plain(line, style) for line in lines) for lines in said if lines]
    parts.append(f"next  {plain(_next(check, typed), style)}")
    return "\n\n".join(parts)


def heading(check: OperationCheck) -> list[str]:
    """What was compared, in two lines."""
    allowance = "measured on the reference, times a stated factor" if check.measured else "derived"
    shapes = ", ".join(f"{name} {'×'.join(map(str, shape)) or 'one number'}" for name, shape in check.shapes.items())
    return [
        f"{check.name} against {check.reference} · {check.dtype} · seed {check.seed} · allowance {allowance}",
        f"{shapes} · upstream gradients random, different in every entry",
    ]


def told_causes(found: Sequence[Explanation]) -> list[str]:
    """Each with how well it reproduces the numbers, and the next best guess."""
    lines = []
    for explanation in found:
        repair = explanation.repair
        if not explanation.causes:
            told = f"{repair.cause}: {repair.says}" if repair else f"unknown: {explanation.at}: {explanation.known}"
            lines.append(f"cause  {told}")
        for best in explanation.causes[:1]:
            n = explanation.reproduced
            cases = "the one case that is wrong" if n == 1 else f"all cases tried ({n})"
            lines.append(f"cause  {best.cause}: {best.says}")
            lines.append(f"       reproduces your numbers to {small(best.residual)} in {cases}")
        lines += [f"       or, which gives the same numbers: {other.says}" for other in explanation.causes[1:4]]
        if explanation.causes and repair:
            lines.append(f"       {repair.says}")
        elif repair:
            lines.append(f"       {explanation.known}")
        elif guess := explanation.runner_up:
            lines.append(f"       next best guess: {guess.says}, off by {percent(guess.residual)}")
    return lines


def _votes(check: OperationCheck) -> list[str]:
    first = {(vote.gradient, vote.odd, vote.decided): vote for vote in reversed(check.votes)}
    told = []
    for same, vote in reversed(first.items()):
        others = sum((v.gradient, v.odd, v.decided) == same for v in check.votes) - 1
        more = f" (and so in {others} more)" if others else ""
        told.append(f"vote   {vote.says}{more}")
    return told + [f"vote   {name}: yours is the odd one out" for name in check.alone]


def _findings(check: OperationCheck) -> list[str]:
    ordered = sorted(check.findings, key=lambda finding: not finding.fails)
    lines = [f"{'contract' if f.fails else 'note'}  {check.said(f)}" for f in ordered[:MOST_FINDINGS]]
    if len(ordered) > MOST_FINDINGS:
        lines.append(f"and {len(ordered) - MOST_FINDINGS} more")
    return lines


FLOAT32 = re.compile(r"float32|\bFloat\b.*\bDouble\b|\bDouble\b.*\bFloat\b|\bfloat\b.*\bdouble\b|\bdouble\b.*\bfloat\b")
"""In what frameworks raise where float32 meets float64."""


def _is_float32(check: OperationCheck) -> bool:
    """Whether it is float32 code that was asked in float64: by what it gives, or by what its framework says."""
    if check.dtype != "float64":
        return False
    told = (f for f in check.failing if f.kind in ("dtype", "raised") and FLOAT32.search(f.message))
    return any(told) or any(explanation.cause == "computed in float32" for explanation in check.causes)


def not_tried(check: OperationCheck) -> list[str]:
    """Cases that were not asked, those with the same reason together."""
    reasons: dict[str, list[str]] = {"you left it out": [*check.left_out]} if check.left_out else {}
    for name, why in check.untried.items():
        reasons.setdefault(why, []).append(name)
    return [f"not tried  {', '.join(names)}: {why}" for why, names in reasons.items()]


def _next(check: OperationCheck, typed: Typed) -> str:
    if _is_float32(check):
        again = (
            f"{typed.other_dtype} --dtype float32" if typed.other_dtype else 'harness.check_vjp(..., dtype="float32")'
        )
        return f"if this is float32 code, check it as that: {again}"
    if check.undecided:
        return (
            "make both forms compute one function, or check against one of them: harness.check_vjp(..., reference=form)"
        )
    if check.verdict == "FAIL":
        worst = next((row for row in check.rows if row.verdict == "FAULT"), None)
        where = f"; {called(check.case(worst))} shows it" if worst is not None else ""
        same = typed.same or f"harness.check_vjp(..., seed={check.seed})"
        return f"correct it, then {same} draws the same cases{where}"
    if check.verdict != "PASS":
        return "give values of your own: harness.check_vjp(..., cases=[{name: array, ...}])"
    other = "float32" if check.dtype == "float64" else "float64"
    if typed.other_dtype and typed.other_seed:
        return f"{typed.other_dtype} --dtype {other}    {typed.other_seed} --seed {check.seed + 1}"
    return f'harness.check_vjp(..., dtype="{other}")    harness.check_vjp(..., seed={check.seed + 1})'


Line = tuple[Row, str]
"""A row, and what to call its case."""


def every_case(check: OperationCheck) -> Iterator[Line]:
    """Every row; a right forward pass, which is not what was asked about, in one."""
    for name in [*check.gradients, *check.outputs]:
        rows = [row for row in check.rows if row.gradient == name]
        if name in check.outputs and all(row.verdict == "ok" for row in rows):
            yield worst(rows), f"{check.case(worst(rows))}, worst of {len(rows)}"
        else:
            yield from ((row, check.case(row)) for row in rows)


def of_operation(check: OperationCheck) -> tuple[Column[Line], ...]:
    """How much of its allowance each gradient used in each case, what would have been seen, its verdict."""
    return (
        Column("gradient", lambda line: line[0].gradient, once=True, foreign=True),
        Column("case", lambda line: line[1]),
        Column("used", lambda line: _used(line[0]), "right"),
        Column("sees", lambda line: small(line[0].sees), "right"),
        Column("at", lambda line: _place(line[0]), foreign=True),
        Column("verdict", lambda line: _verdict(line[0].verdict, line[0], check), on=TEXT, foreign=True),
        Column("verdict", lambda line: _verdict(signed(line[0].verdict), line[0], check), on=PAGE),
    )


def _verdict(word: str, row: Row, check: OperationCheck) -> str:
    mark = " (measured)" if check.measured and row.verdict != "not comparable" else ""
    reason = f"  {row.reason}" if row.reason and row.verdict != "FAULT" else ""
    return f"{word}{mark}{reason}"


def _used(row: Row) -> str:
    return "" if row.verdict in ("not comparable", "no power") else share(row)


def _place(row: Row) -> str:
    """The entry that the numbers are of, counted from 0 as NumPy does; nothing where nothing differs."""
    return "" if row.index is None or not row.used or not row.index else f"[{', '.join(map(str, row.index))}]"
