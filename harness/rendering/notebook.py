"""What a notebook shows of a result: the verdict and one table, as plain HTML that inherits the notebook's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from harness.rendering import check_columns, run_columns
from harness.rendering.columns import Column, Thing, cells, shown_on
from harness.results.check import Check
from harness.results.run import Run
from harness.usage import visible


def of_run(run: Run) -> str:
    """Of a run: every weight gradient against every implementation."""
    judged = [each for each in run_columns.compared(run) if each.apart]
    return shown(run.verdict, run.outcome.reason, *_table(run_columns.gradients(run), judged))


def of_check(check: Check) -> str:
    """Of a check: every link, and what explains the first wrong one."""
    causes = [f"{d.at}: {d.causes[0].says if d.causes else 'the cause is unknown'}" for d in check.diagnoses]
    return shown(check.verdict, check.reason, *_table(check_columns.links(check), check.rows), causes)


def _table(columns: Sequence[Column[Thing]], things: Iterable[Thing]) -> tuple[list[str], list[list[str]]]:
    columns = shown_on("notebook", columns)
    return [column.header for column in columns], cells(columns, things)


def shown(
    first: str, rest: str, headers: Sequence[str], rows: Iterable[Sequence[str]], notes: Iterable[str] = ()
) -> str:
    """A first line that begins in bold, one table, and sentences below it."""
    head = "".join(f"<th>{_text(cell)}</th>" for cell in headers)
    body = "".join(f"<tr>{''.join(f'<td>{_text(cell)}</td>' for cell in row)}</tr>" for row in rows)
    said = "".join(f"<p>{_text(note)}</p>" for note in notes)
    return (
        f"<div><p><strong>{_text(first)}</strong> {_text(rest)}</p><table><thead><tr>{head}</tr></thead>"
        f"<tbody>{body}</tbody></table>{said}</div>"
    )


def _text(text: str) -> str:
    return escape(visible(text))
