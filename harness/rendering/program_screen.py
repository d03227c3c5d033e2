"""What the check of a program prints: the verdict, what is not ok, operations by module, coverage, what next."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.rendering import columns
from harness.rendering.columns import PAGE, TEXT, Column, dims, signed
from harness.rendering.operation_screen import told_causes
from harness.results.numbers import plain, share, small
from harness.results.program_check import MEASURED, UNCHECKED, JudgedOperation, ProgramCheck

MOST_ROWS = 24
"""Lines of the table, where --verbose does not ask for all."""


def render(check: ProgramCheck, style: str = "table", verbose: bool = False) -> str:
    """The whole text: a table or Markdown."""
    parts = [plain(heading(check), style), f"{check.verdict}  {plain(check.reason, style)}"]
    shown, folded = told_of(check, verbose)
    if shown:
        parts.append(columns.text(OF_PROGRAM, shown, style))
    said = [[*folded], [*_causes(check)], [*_notes(check)], [coverage(check)]]
    parts += ["\n".join(plain(line, style) for line in lines) for lines in said if lines]
    parts.append(f"next  {plain(_next(check), style)}")
    return "\n\n".join(parts)


def heading(check: ProgramCheck) -> str:
    """What ran, in one line."""
    modules = f", {check.modules} modules" if check.modules > 1 else ""
    many = sum(check.coverage.values()) + check.left_out
    return f"{check.version} · {check.dtype} · {check.name}: {many} operations{modules} · loss {check.loss:.6g}"


def told_of(check: ProgramCheck, verbose: bool) -> tuple[list[JudgedOperation], list[str]]:
    """The operations that the table has, and a line on those that it has not."""
    every = list(check.operations)
    if verbose or len(every) <= MOST_ROWS:
        return every, []
    telling = [o for o in every if o.verdict != "ok" or o.kind in UNCHECKED]
    others = sorted((o for o in every if o not in telling), key=lambda o: -(o.row.used or 0.0) if o.row else 0.0)
    kept = {id(o) for o in [*telling[:MOST_ROWS], *others[: max(MOST_ROWS - len(telling), 4)]]}
    shown = [o for o in every if id(o) in kept]
    rest = len(every) - len(shown)
    return shown, [f"and {rest} more, all ok with less of their allowance used: --verbose shows every one"] * bool(rest)


def _verdict(operation: JudgedOperation) -> str:
    if operation.broken:
        return f"FAULT  {operation.broken}"
    if operation.kind in UNCHECKED and operation.verdict not in ("FAULT",):
        return f"no reference  {operation.why_not}" if operation.why_not else "no reference"
    row = operation.row
    word = str(operation.verdict)
    wrong = f"  {', '.join(operation.wrong)}" if operation.wrong else ""
    return f"{word}{wrong}" if wrong or row is None or not row.reason else f"{word}  {row.reason}"


def _sees(operation: JudgedOperation) -> str:
    return small(max((row.sees for row in operation.rows if row.sees is not None), default=None))


def _signed(operation: JudgedOperation) -> str:
    told = _verdict(operation)
    word = operation.verdict
    return told if word is None or operation.kind in UNCHECKED else told.replace(word, signed(word), 1)


OF_PROGRAM: tuple[Column[JudgedOperation], ...] = (
    Column("module", lambda o: o.module or o.meets, foreign=True, once=True),
    Column("op", lambda o: o.name, foreign=True),
    Column("line", lambda o: o.where, foreign=True),
    Column("shape", lambda o: dims(o.shape)),
    Column("used", lambda o: share(o.row) if o.row else "", "right"),
    Column("sees", _sees, "right"),
    Column("reference", lambda o: f"{o.kind}, measured" if o.kind in MEASURED else o.kind),
    Column("verdict", _verdict, on=TEXT, foreign=True),
    Column("verdict", _signed, on=PAGE),
)
"""Every operation in the order of the backward pass."""


def _causes(check: ProgramCheck) -> Iterator[str]:
    for operation in check.wrong[:3]:
        yield from told_causes([cause for cause in operation.causes if cause.causes])


def _notes(check: ProgramCheck) -> Iterator[str]:
    yield from (f"note  {note}" for note in check.notes)
    if check.first is not None and check.lost is not None:
        yield f"note  {check.lost.called}: {check.lost.lost}"
    if check.left_out:
        yield f"note  {check.left_out} operations of other modules were left out"


def coverage(check: ProgramCheck) -> str:
    """By what operations were judged, those without a formula by name."""
    counts = check.coverage
    measured = sum(counts.get(kind, 0) for kind in MEASURED)
    told = [f"{counts.get('derived', 0)} derived", f"{measured} measured"]
    for kind, words in (("rounding only", "rounding only"), ("none", "without reference")):
        names = dict.fromkeys(o.name for o in check.operations if o.kind == kind and not o.meets)
        told += [f"{counts[kind]} {words} ({_few([*names])})"] if names else []  # type: ignore[index]
    sums = sum(1 for o in check.operations if o.meets)
    return f"coverage  {sum(counts.values())} operations: {', '.join(told)}; {sums} sums of gradients"


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:6]) + (f", and {len(names) - 6} more" if len(names) > 6 else "")


def _next(check: ProgramCheck) -> str:
    first = check.first
    if first is not None:
        if first.kind in UNCHECKED:
            return "look at that operation by itself: harness.check_vjp has more inputs to try it on"
        return f"correct {first.called}; what is wrong further on is wrong by itself"
    if check.lost is not None:
        return "give it inputs or weights with which that stays finite"
    if check.dtype == "float32":
        how = "jax_enable_x64" if check.version.startswith("jax") else "model.double(), arguments of float64"
        return f"the same in float64, which sees a billion times more: {how}"
    return "the same in float32, the dtype that it trains in"
