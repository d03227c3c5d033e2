"""A section: what it is called, what it shows of each result and by which template."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

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
from reports.page.tables import Table

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
