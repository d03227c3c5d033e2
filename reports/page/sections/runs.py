"""The runs of a sweep: a row for all that differ in their seed alone, and every one that did not pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.rendering.columns import Column
from harness.sweeping.table import groups, of_groups, wrong
from reports.page.sections.section import Content, Lines, Section
from reports.page.subjects import SweepSubject
from reports.page.tables import table

if TYPE_CHECKING:
    from harness.sweeping.summary import Ran

MOST_ROWS = 200
WRONG: tuple[Column[Ran], ...] = (
    Column("run", lambda each: each.job.command, foreign=True),
    Column("verdict", lambda each: each.result.verdict),
    Column("because", lambda each: each.result.reason, foreign=True),
)


def of_sweep(subject: SweepSubject) -> Content:
    """Both tables."""
    sweep = subject.result
    every, told = groups(sweep), wrong(sweep)
    tables = []
    if every:
        tables.append(table("Runs that differ in their seed alone are one row.", of_groups(every), every))
    if told:
        more = f"and {len(told) - MOST_ROWS} more, in {sweep.folder}/summary.json" if len(told) > MOST_ROWS else None
        tables.append(table("Every run that did not pass, the gravest first.", WRONG, told[:MOST_ROWS], more=more))
    return Content(Lines(tables=tables, after=[f"Records: {sweep.folder}; harness report makes a page of one."]))


SECTION = Section("runs", "Runs", None, None, of_sweep=of_sweep)
