"""What the check of an operation prints: the verdict, every gradient in every case, causes, contracts, what next."""

from __future__ import annotations

from collections.abc import Iterator

from harness.comparison.judge import Row, worst
from harness.faults.operations.hypothesis import Cause
from harness.inputs.cases import called
from harness.rendering import columns
from harness.rendering.columns import Column
from harness.results.numbers import part, share, small
from harness.results.operation_check import OperationCheck
from harness.usage import visible

MOST_FINDINGS = 12


def render(check: OperationCheck) -> str:
    """The whole screen."""
    parts = [_heading(check), f"{check.verdict}  {visible(check.reason)}", columns.text(_columns(check), _rows(check))]
    parts += ["\n".join(lines) for lines in (_causes(check), _votes(check), _findings(check)) if lines]
    parts.append(f"next  {_next(check)}")
    return "\n\n".join(parts)


def _heading(check: OperationCheck) -> str:
    allowance = "measured on the reference, times a stated factor" if check.measured else "derived"
    shapes = ", ".join(f"{name} {'×'.join(map(str, shape)) or 'one number'}" for name, shape in check.shapes.items())
    return (
        f"{check.name} against {check.reference} · {check.dtype} · seed {check.seed} · allowance {allowance}\n"
        f"{shapes} · upstream gradients random, different in every entry"
    )


def _rows(check: OperationCheck) -> Iterator[tuple[Row, str]]:
    """Every row, and what to call its case; a right forward pass, which is not what was asked about, in one row."""
    names = list(dict.fromkeys(row.gradient for row in check.rows))
    for name in [*check.gradients, *(["output"] if "output" in names else [])]:
        rows = [row for row in check.rows if row.gradient == name]
        if name == "output" and all(row.verdict == "ok" for row in rows):
            yield worst(rows), f"{check.case(worst(rows))}, worst of {len(rows)}"
        else:
            yield from ((row, check.case(row)) for row in rows)


def _columns(check: OperationCheck) -> tuple[Column[tuple[Row, str]], ...]:
    return (
        Column("gradient", lambda each: each[0].gradient, once=True),
        Column("case", lambda each: each[1]),
        Column("used", lambda each: _used(each[0]), "right"),
        Column("sees", lambda each: small(each[0].sees), "right"),
        Column("at", lambda each: _place(each[0])),
        Column("verdict", lambda each: _verdict(each[0], check)),
    )


def _verdict(row: Row, check: OperationCheck) -> str:
    mark = " (measured)" if check.measured and row.verdict != "not comparable" else ""
    reason = f"  {row.reason}" if row.reason and row.verdict != "FAULT" else ""
    return visible(f"{row.verdict}{mark}{reason}")


def _used(row: Row) -> str:
    return "" if row.verdict in ("not comparable", "no power") else share(row)


def _place(row: Row) -> str:
    """The entry that the numbers are of, counted from 0 as NumPy does; nothing where nothing differs."""
    return "" if row.index is None or not row.used or not row.index else f"[{', '.join(map(str, row.index))}]"


def _causes(check: OperationCheck) -> list[str]:
    lines = []
    for cause in check.causes:
        if cause.cause == "unknown":
            lines.append(f"cause  unknown: {cause.gradient}: {visible(cause.says)}")
        else:
            cases = "the one case that is wrong" if cause.reproduced == 1 else f"all cases tried ({cause.reproduced})"
            lines.append(f"cause  {cause.cause}: {visible(cause.says)}")
            lines.append(f"       reproduces your numbers to {small(cause.off)} in {cases}")
            lines += [f"       or, which gives the same numbers: {visible(says)}" for says in cause.also[:3]]
        lines += _runner_up(cause)
    return lines


def _runner_up(cause: Cause) -> list[str]:
    if cause.runner_up is None or cause.runner_up_off is None:
        return []
    return [f"       next best guess: {visible(cause.runner_up)}, off by {part(cause.runner_up_off)}"]


def _votes(check: OperationCheck) -> list[str]:
    first = {(vote.gradient, vote.odd, vote.decided): vote for vote in reversed(check.votes)}
    told = []
    for same, vote in reversed(first.items()):
        others = sum((v.gradient, v.odd, v.decided) == same for v in check.votes) - 1
        more = f" (and so in {others} more)" if others else ""
        told.append(f"vote   {visible(vote.says)}{more}")
    return told + [f"vote   {name}: yours is the odd one out" for name in check.alone]


def _findings(check: OperationCheck) -> list[str]:
    ordered = sorted(check.findings, key=lambda finding: not finding.fails)
    lines = [f"{'contract' if f.fails else 'note'}  {visible(str(f))}" for f in ordered[:MOST_FINDINGS]]
    if len(ordered) > MOST_FINDINGS:
        lines.append(f"and {len(ordered) - MOST_FINDINGS} more")
    return lines


def _next(check: OperationCheck) -> str:
    if check.undecided:
        return (
            "make both forms compute one function, or check against one of them: harness.check_vjp(..., reference=form)"
        )
    if check.verdict == "FAIL":
        worst = next((row for row in check.rows if row.verdict == "FAULT"), None)
        where = f"; {called(check.case(worst))} shows it" if worst is not None else ""
        return f"correct it, then harness.check_vjp(..., seed={check.seed}) draws the same cases{where}"
    if check.verdict != "PASS":
        return "give values of your own: harness.check_vjp(..., cases=[{name: array, ...}])"
    other = "float32" if check.dtype == "float64" else "float64"
    return f'harness.check_vjp(..., dtype="{other}")    harness.check_vjp(..., seed={check.seed + 1})'
