"""What a notebook shows of a result: the verdict and one table, as plain HTML that inherits the notebook's style."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from harness.comparison.judge import SEVERITY
from harness.results.check import Check
from harness.results.numbers import part, place, share, small
from harness.results.run import Run
from harness.usage import visible


def of_run(run: Run) -> str:
    """Of a run: every weight gradient against every implementation."""
    rows = [
        [name, against, share(formula), share(rounding), place(gravest, run.network), gravest.verdict]
        for name in run.head.gradients
        for against in run.head.implementations
        if (formula := run.find("formula", name, against)) or run.find("rounding", name, against)
        for rounding in [run.find("rounding", name, against)]
        # The place is that of the check that failed; of two alike, of the rounding check.
        for gravest in [min(filter(None, (rounding, formula)), key=lambda row: SEVERITY.index(row.verdict))]
    ]
    headers = ["gradient", "against", "formula used", "rounding used", "at", "verdict"]
    return shown(run.verdict, run.outcome.reason, headers, rows)


def of_check(check: Check) -> str:
    """Of a check: every link, and what explains the first wrong one."""
    rows = [
        [row.gradient, "" if row.used is None else part(row.used), small(row.sees), row.verdict] for row in check.rows
    ]
    causes = [f"{d.at}: {d.causes[0].says if d.causes else 'the cause is unknown'}" for d in check.diagnoses]
    return shown(check.verdict, check.reason, ["link", "used", "sees", "verdict"], rows, causes)


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
