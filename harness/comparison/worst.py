"""The worst of many rows: of one tensor at many steps, or of many tensors."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from msgspec.structs import replace

from harness.comparison.judge import SEVERITY, Row


class Worst:
    """One row for many steps, taken in one after the other: see `worst`."""

    __slots__ = ("_entries", "_gravest", "_outside", "_rank", "_sees", "_sees_95", "_unbounded", "_zeros")

    def __init__(self, first: Row) -> None:
        self._gravest, self._rank = first, _rank(first)
        self._sees, self._sees_95 = first.sees, first.sees_95
        self._entries, self._outside, self._zeros, self._unbounded = (
            first.entries, first.outside, first.zeros, first.unbounded,
        )  # fmt: skip

    def add(self, row: Row) -> None:
        """Take in one more."""
        rank = _rank(row)
        if rank < self._rank:
            self._gravest, self._rank = row, rank
        if row.sees is not None and (self._sees is None or row.sees > self._sees):
            self._sees = row.sees
        if row.sees_95 is not None and (self._sees_95 is None or row.sees_95 > self._sees_95):
            self._sees_95 = row.sees_95
        self._entries += row.entries
        self._outside += row.outside
        self._zeros += row.zeros
        self._unbounded += row.unbounded

    @property
    def row(self) -> Row:
        """The gravest, with the least that was seen and the sums of all."""
        return replace(
            self._gravest, sees=self._sees, sees_95=self._sees_95, entries=self._entries,
            outside=self._outside, zeros=self._zeros, unbounded=self._unbounded,
        )  # fmt: skip


def worst(rows: Iterable[Row]) -> Row:
    """One row for many steps: the gravest verdict, then the largest share used; sees the least seeing.

    `entries`, `outside`, `zeros` and `unbounded` are summed.
    """
    first, *others = rows
    found = Worst(first)
    for row in others:
        found.add(row)
    return found.row


_GRAVITY: dict[str, int] = {verdict: place for place, verdict in enumerate(SEVERITY)}


def _rank(row: Row) -> tuple[int, float]:
    return _GRAVITY[row.verdict], -_share(row)


def _share(row: Row) -> float:
    if row.used is None:
        return np.inf if row.outside else -1.0
    return row.used


def largest(numbers: list[float | None]) -> float | None:
    """The largest of the numbers that exist, or None."""
    known = [number for number in numbers if number is not None]
    return max(known, default=None)
