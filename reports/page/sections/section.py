"""A section: what it is called, what it shows of each result and by which template; and the tables in it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from harness.rendering.columns import Column, Thing, cells, shown_on
from reports.page.plots import Figure
from reports.page.subjects import (
    ChainSubject,
    CheckSubject,
    OperationSubject,
    PairSubject,
    ProgramSubject,
    RunSubject,
    SweepSubject,
)

PLAIN = "section.html.j2"
"""The template of a section that is made of lines, charts and tables: it shows `Lines`."""


@dataclass(frozen=True)
class Shown:
    """A chart with its heading, a table to it, and what that holds."""

    title: str
    figure: Figure
    table: Table | None = None
    table_says: str = "The same as a table"


@dataclass(frozen=True)
class Lines:
    """Small print, sentences, charts, more sentences, and tables."""

    small: Sequence[str] = ()
    before: Sequence[str] = ()
    charts: Sequence[Shown] = ()
    after: Sequence[str] = ()
    tables: Sequence[Table] = ()


@dataclass(frozen=True)
class Content:
    """What one section shows.

    Attributes:
        shows: what its template reads, as `c`.
        figures: charts in it that have a finer picture, perhaps.
        data: what the script reads.
        packed: texts that travel compressed, by the id of their element.
    """

    shows: Any
    figures: Sequence[Figure] = ()
    data: Mapping[str, Any] = field(default_factory=dict)
    packed: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Section:
    """One section of the page.

    Attributes:
        id: by which links lead to it.
        of_run, of_check, of_operation, of_chain, of_sweep, of_program, of_pair: make its content; None where it does
            not apply there.
    """

    id: str
    title: str
    of_run: Callable[[RunSubject], Content] | None
    of_check: Callable[[CheckSubject], Content] | None
    template: str = PLAIN
    of_operation: Callable[[OperationSubject], Content] | None = None
    of_chain: Callable[[ChainSubject], Content] | None = None
    of_sweep: Callable[[SweepSubject], Content] | None = None
    of_program: Callable[[ProgramSubject], Content] | None = None
    of_pair: Callable[[PairSubject], Content] | None = None


@dataclass(frozen=True)
class Table:
    """Headers, rows of cells, and for each column whether it holds numbers; a verdict of a row colours it.

    Attributes:
        groups: headers above the headers, each with the number of columns that it spans.
        anchors: an id for each row that something leads to.
        more: what is left out.
    """

    caption: str
    headers: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    verdicts: Sequence[str] = field(default_factory=list)
    more: str | None = None
    groups: list[tuple[str, int]] = field(default_factory=list)
    anchors: Sequence[str] = field(default_factory=list)


def table(
    caption: str,
    columns: Iterable[Column[Thing]],
    things: Iterable[Thing],
    *,
    verdict: Callable[[Thing], str] | None = None,
    anchor: Callable[[Thing], str] | None = None,
    more: str | None = None,
) -> Table:
    """The table of these columns, a row for each thing."""
    columns, things = shown_on("page", columns), list(things)
    groups = [(group, len(list(of))) for group, of in groupby(column.group for column in columns)]
    return Table(
        caption=caption,
        headers=[column.short or column.header for column in columns],
        rows=cells(columns, things),
        numeric=[column.align == "right" for column in columns],
        verdicts=[verdict(thing) for thing in things] if verdict else [],
        more=more,
        groups=groups if any(group for group, _ in groups) else [],
        anchors=[anchor(thing) for thing in things] if anchor else [],
    )
