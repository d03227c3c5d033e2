"""What the check of an operation prints: the verdict, every gradient in every case, causes, contracts, what next."""

from __future__ import annotations

from typing import NamedTuple

from harness.comparison.judge import Row, worst
from harness.faults.operations.hypothesis import Cause
from harness.inputs.cases import called
from harness.results.numbers import grid, part, plain, share, small
from harness.results.operation_check import OperationCheck

HEADERS = ("gradient", "case", "used", "sees", "at", "verdict")
ALIGN = ("left", "left", "right", "right", "left", "left")
MOST_FINDINGS = 12


class Typed(NamedTuple):
    """The command as it was typed, and without its --dtype or its --seed; None where there was none."""

    same: str | None = None
    other_dtype: str | None = None
    other_seed: str | None = None


UNTYPED = Typed()


def render(check: OperationCheck, style: str = "table", typed: Typed = UNTYPED) -> str:
    """The whole text: a table or Markdown, and what to type next."""
    heading = "\n".join(plain(line, style) for line in _heading(check))
    parts = [heading, f"{check.verdict}  {plain(check.reason, style)}", _grid(check, style)]
    said = (_causes(check), _votes(check), _findings(check))
    parts += ["\n".join(plain(line, style) for line in lines) for lines in said if lines]
    parts.append(f"next  {plain(_next(check, typed), style)}")
    return "\n\n".join(parts)


def _heading(check: OperationCheck) -> list[str]:
    allowance = "measured on the reference, times a stated factor" if check.measured else "derived"
    shapes = ", ".join(f"{name} {'×'.join(map(str, shape)) or 'one number'}" for name, shape in check.shapes.items())
    return [
        f"{check.name} against {check.reference} · {check.dtype} · seed {check.seed} · allowance {allowance}",
        f"{shapes} · upstream gradients random, different in every entry",
    ]


def _grid(check: OperationCheck, style: str) -> str:
    lines = []
    names = list(dict.fromkeys(row.gradient for row in check.rows))
    for name in [*check.gradients, *(["output"] if "output" in names else [])]:
        label = name
        rows = [row for row in check.rows if row.gradient == name]
        together = name == "output" and all(row.verdict == "ok" for row in rows)
        for row in [worst(rows)] if together else rows:  # a right forward pass is not what was asked about
            case = f"{check.case(row)}, worst of {len(rows)}" if together else check.case(row)
            cells = [label, case, _used(row), small(row.sees), _place(row), _verdict(row, check)]
            lines.append([plain(cell, style) for cell in cells])
            label = ""
    return grid(lines, HEADERS, style, ALIGN)


def _verdict(row: Row, check: OperationCheck) -> str:
    mark = " (measured)" if check.measured and row.verdict != "not comparable" else ""
    reason = f"  {row.reason}" if row.reason and row.verdict != "FAULT" else ""
    return f"{row.verdict}{mark}{reason}"


def _used(row: Row) -> str:
    return "" if row.verdict in ("not comparable", "no power") else share(row)


def _place(row: Row) -> str:
    """The entry that the numbers are of, counted from 0 as NumPy does; nothing where nothing differs."""
    return "" if row.index is None or not row.used or not row.index else f"[{', '.join(map(str, row.index))}]"


def _causes(check: OperationCheck) -> list[str]:
    lines = []
    for cause in check.causes:
        if cause.cause == "unknown":
            lines.append(f"cause  unknown: {cause.gradient}: {cause.says}")
        else:
            cases = "the one case that is wrong" if cause.reproduced == 1 else f"all cases tried ({cause.reproduced})"
            lines.append(f"cause  {cause.cause}: {cause.says}")
            lines.append(f"       reproduces your numbers to {small(cause.off)} in {cases}")
            lines += [f"       or, which gives the same numbers: {says}" for says in cause.also[:3]]
        lines += _runner_up(cause)
    return lines


def _runner_up(cause: Cause) -> list[str]:
    if cause.runner_up is None or cause.runner_up_off is None:
        return []
    return [f"       next best guess: {cause.runner_up}, off by {part(cause.runner_up_off)}"]


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


def _next(check: OperationCheck, typed: Typed) -> str:
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
