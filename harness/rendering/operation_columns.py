"""The table of an operation's check, column by column: every gradient in every case, the output last."""

from __future__ import annotations

from collections.abc import Iterator

from harness.comparison.judge import Row, worst
from harness.rendering.columns import PAGE, TEXT, Column, signed
from harness.results.numbers import share, small
from harness.results.operation_check import OperationCheck

Line = tuple[Row, str]
"""A row, and what to call its case."""


def every_case(check: OperationCheck) -> Iterator[Line]:
    """Every row; a right forward pass, which is not what was asked about, in one."""
    names = list(dict.fromkeys(row.gradient for row in check.rows))
    for name in [*check.gradients, *(["output"] if "output" in names else [])]:
        rows = [row for row in check.rows if row.gradient == name]
        if name == "output" and all(row.verdict == "ok" for row in rows):
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
