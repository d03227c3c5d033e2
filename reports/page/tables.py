"""Tables of a page: headers and cells, and what says which columns they have."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import groupby

from harness.rendering.columns import Column, Thing, cells, shown_on


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
