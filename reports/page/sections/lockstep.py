"""The charts: losses, shares of the allowance and drift of a run, step by step; the shares of a check."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from harness.inputs.schedule import milestone
from harness.rendering import run_columns
from harness.rendering.columns import Column
from harness.results.numbers import part, small
from harness.results.run import Run
from impls.registry import REFERENCE
from reports.page import charts
from reports.page.sections.section import Content, Lines, Section, Shown
from reports.page.series import Series, Worst
from reports.page.subjects import CheckSubject, RunSubject
from reports.page.tables import Table, table

SOME = "1, 2, 4, 8, ... and the last"
TOLD_LOSSES = f"At steps {SOME} as a table: losses, differences and what rounding allows"
TOLD_SHARES = "The largest share of each gradient over all steps, as a table"
NO_STEPS = "A check compares one backward pass at one point, so there are no steps, no losses and no drift to show."

SHARES: tuple[Column[Worst], ...] = (
    Column("gradient", lambda worst: worst.gradient),
    Column("used", lambda worst: part(worst.used), "right"),
    Column("by", lambda worst: worst.against),
    Column("check", lambda worst: worst.check),
    Column("step", lambda worst: str(worst.step), "right"),
    Column("verdict", lambda worst: worst.verdict),
)


def of_run(subject: RunSubject) -> Content:
    """The charts of a run, each with its table."""
    run, series = subject.run, subject.series
    shown, notes = _charts(run, series)
    reduced = [f"Shown are {series.reduced}."] if series.reduced else []
    return Content(Lines(small=reduced, charts=shown, after=notes), [each.figure for each in shown])


def of_check(subject: CheckSubject) -> Content:
    """The share of every link."""
    check = subject.check
    used = any(row.used for row in check.rows)
    shown = [Shown("Shares of the allowance", charts.shares(check))] if used else []
    return Content(Lines(charts=shown, after=[NO_STEPS]), [each.figure for each in shown])


def _charts(run: Run, series: Series) -> tuple[list[Shown], list[str]]:
    last = len(run.steps)
    if not last:
        return [], ["No step was run, so there is nothing to chart."]
    at = [step for step in range(1, last + 1) if milestone(step, last)]
    shown, notes = [], []
    if any(value is not None for values in run.losses.values() for value in values):
        shown.append(Shown("Loss, and how far the losses are apart", charts.loss(series), losses(run, at), TOLD_LOSSES))
    if run.rows:
        shown.append(Shown("Shares of the allowance", charts.heat(series), shares(series), TOLD_SHARES))
        shown.append(Shown("How often which share was used", charts.histogram(series), histogram(series.histogram)))
    if series.drift():
        shown.append(Shown("Drift", charts.drift(series), drift(run, at), f"At steps {SOME} as a table"))
        notes += [f"{name}: drift {run.explanation(name)}." for name in run.drift if name in run.head.implementations]
    elif run.head.free_run:
        notes.append("Drift: no weights came apart.")
    else:
        notes.append(
            "Drift: none, since in lockstep all start every step from the same weights; --free-run lets them drift."
        )
    return shown, notes


def losses(run: Run, steps: list[int]) -> Table:
    """The loss of every implementation at some steps, how far it is from the hand code's, and what rounding allows."""
    names = list(run.head.implementations)
    columns: list[Column[int]] = [
        Column("step", str, "right"),
        *(Column(name, _loss(run, name), "right") for name in names),
        *(Column(f"|{name} − {REFERENCE}|", _gap(run, name), "right") for name in names if name != REFERENCE),
        Column("allowed", lambda step: small(_allowed(run, step)), "right"),
    ]
    return table("Loss before the update of a step", columns, steps)


def _loss(run: Run, name: str) -> Callable[[int], str]:
    def cell(step: int) -> str:
        loss = run.steps[step - 1].losses.get(name)
        return "not finite" if loss is None else repr(loss)

    return cell


def _gap(run: Run, name: str) -> Callable[[int], str]:
    def cell(step: int) -> str:
        losses = run.steps[step - 1].losses
        loss, reference = losses.get(name), losses.get(REFERENCE)
        return "" if loss is None or reference is None else small(abs(loss - reference))

    return cell


def _allowed(run: Run, step: int) -> float | None:
    ends = [row for row in run.steps[step - 1].rows if row.check == "end-to-end" and row.gradient == "loss"]
    return max((row.allowed for row in ends if row.allowed is not None), default=None)


def shares(series: Series) -> Table:
    """Of each gradient the columns in which the largest share was used."""
    best: dict[str, Worst] = {}
    for worst in series.worst:
        if worst.used is not None and worst.used > (
            (best[worst.gradient].used or 0.0) if worst.gradient in best else -1.0
        ):
            best[worst.gradient] = worst
    return table("The largest share of each gradient", SHARES, best.values())


def histogram(records: list[dict[str, Any]]) -> Table:
    """How many rows of all steps used which share of their allowance, for each check."""
    checks = list(dict.fromkeys(record["check"] for record in records))
    counts: dict[float, dict[str, int]] = {}
    for record in records:
        counts.setdefault(record["from"], {})[record["check"]] = record["rows"]

    def of_check(check: str) -> Callable[[float], str]:
        return lambda start: f"{counts[start][check]:,}"

    columns = [
        Column("used", lambda start: f"{start:.0%} to {start + 0.05:.0%}" if start < 1 else "outside"),
        *(Column(check, of_check(check), "right") for check in checks),
    ]
    return table(
        "Rows by the share that they used", columns, [start for start, found in counts.items() if any(found.values())]
    )


def drift(run: Run, steps: list[int]) -> Table:
    """The drift of every implementation and the twin at some steps of a free run."""
    return table("Largest |w − w of hand| before the update of a step", run_columns.drift(run), steps)


SECTION = Section("charts", "Lockstep", of_run, of_check)
