"""Columns: a table is a list of them, and text, Markdown, the page and a notebook are made from the same list.

A column is added in one place, the list of its table: for a run `run_columns`, for a check `check_columns`.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, Literal, TypeVar

from harness.results.numbers import grid, plain

Medium = Literal["text", "page", "notebook"]
TEXT, PAGE, NOTEBOOK = ("text",), ("page",), ("notebook",)
MEDIA: tuple[Medium, ...] = ("text", "page", "notebook")
SIGNS = {"ok": "✓", "FAULT": "✗", "inherited": "↳", "convention": "≈", "no power": "○", "not comparable": "–"}
"""A sign for each verdict, beside its word."""

Thing = TypeVar("Thing")
"""What one row of a table is about."""


@dataclass(frozen=True)
class Column(Generic[Thing]):
    """One column of a table.

    Attributes:
        cell: its text in the row about a thing.
        align: numbers stand right.
        on: the media that show it.
        group: what it has in common with its neighbours; the page writes it above them.
        short: its header below that.
        foreign: whether names or words of others stand in it, in which nothing may be markup.
        once: whether text leaves out a cell that says the same as the one above it.
    """

    header: str
    cell: Callable[[Thing], str]
    align: Literal["left", "right"] = "left"
    on: Collection[str] = MEDIA
    group: str = ""
    short: str | None = None
    foreign: bool = False
    once: bool = False


def shown_on(medium: Medium, columns: Iterable[Column[Thing]]) -> list[Column[Thing]]:
    """The columns that a medium shows."""
    return [column for column in columns if medium in column.on]


def cells(columns: Iterable[Column[Thing]], things: Iterable[Thing]) -> list[list[str]]:
    """The text of every cell, row by row."""
    columns = list(columns)
    return [[column.cell(thing) for column in columns] for thing in things]


def text(columns: Iterable[Column[Thing]], things: Iterable[Thing], style: str = "table") -> str:
    """The table as text or Markdown."""
    shown = shown_on("text", columns)
    rows = cells(shown, things)
    printed: list[list[str]] = []
    for place, row in enumerate(rows):
        above = rows[place - 1] if place else None
        printed.append([_printed(column, row[i], above[i] if above else None, style) for i, column in enumerate(shown)])
    return grid(printed, [column.header for column in shown], style, [column.align for column in shown])


def _printed(column: Column[Thing], cell: str, above: str | None, style: str) -> str:
    if column.once and cell == above:
        return ""
    return plain(cell, style) if column.foreign else cell


def signed(verdict: str) -> str:
    """A verdict with its sign."""
    return f"{SIGNS[verdict]} {verdict}"


def dims(shape: Sequence[int | str]) -> str:
    """A shape in words: 4×3."""
    return "×".join(map(str, shape))
