"""Data from a CSV file: commas between columns, a header or none, one column the target.

The first row is a header if none of its cells is a number. The target is the last column, or the one that
is named; the other columns are features, in file order. Targets are all numbers or all class names; classes
are numbered in the order in which they first appear.

Rows are counted as a spreadsheet shows them: from 1, header and blank rows included.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable

import numpy as np

from harness.inputs.datasets.data import Data
from harness.usage import UsageError, did_you_mean, ordinary, reason

NumberedRow = tuple[int, list[str]]

MOST_SHOWN = 40
"""Characters of a cell that a message quotes."""


def read_csv(path: str, target: str | None = None) -> Data:
    """The table in a file, UTF-8 with or without a byte-order mark.

    Raises:
        UsageError: the file cannot be read, or its cells cannot be used; file, row and column are named.
    """
    try:
        with ordinary(path).open(encoding="utf-8-sig", newline="") as lines:
            return parse_csv(path, lines, target)
    except UsageError:
        raise
    except UnicodeDecodeError:
        problem, instead = "it is not text in UTF-8", "save it as a CSV file in UTF-8"
    except (OSError, ValueError) as error:
        problem, instead = reason(error), "give a readable CSV file"
    raise UsageError(f"Cannot read {path}, because {problem}; {instead}.")


def parse_csv(name: str, lines: Iterable[str], target: str | None = None) -> Data:
    """The table in some lines of text; see `read_csv`."""
    table = _Table(name, lines)
    last = table.column_of(target)
    columns = [column for column in range(table.width) if column != last]
    x = np.array([[table.number(row, column) for column in columns] for row in table.rows])
    y, classes = table.targets(last)
    return Data(name, x, y, classes)


class _Table:
    """Cells by row and column, and the complaints about them.

    Attributes:
        header: names of the columns, or None.
        rows: number and cells of each row that holds any.
        width: number of columns.
    """

    def __init__(self, name: str, lines: Iterable[str]) -> None:
        self.name = name
        self.header: list[str] | None = None
        self.rows = self._read(lines)
        first = self.rows[:1]
        if first and not any(_float(cell) is not None for cell in first[0][1]):
            self.header, self.rows = first[0][1], self.rows[1:]
        if not self.rows:
            holds = "a header and no rows" if self.header else "no rows"
            raise self._refused(f"it holds {holds}", "give at least one row of numbers", self.header or ())
        self.width = len(first[0][1])
        for number, cells in self.rows:
            if len(cells) != self.width:
                raise self._refused(
                    f"row {number} has {_columns(len(cells))} and the {'header' if self.header else 'first row'} has "
                    f"{self.width}", "give every row the same number of columns", cells,
                )  # fmt: skip
        if self.width < 2:
            raise self._refused("it has one column", "give the features and the target", first[0][1])

    def _read(self, lines: Iterable[str]) -> list[NumberedRow]:
        rows: list[NumberedRow] = []
        number = 0
        try:
            for number, cells in enumerate(csv.reader(lines, strict=True, skipinitialspace=True), 1):
                stripped = [cell.strip() for cell in cells]
                if stripped not in ([], [""]):
                    rows.append((number, stripped))
        except csv.Error as error:
            raise self._refused(f"row {number + 1} is no row of a CSV file ({error})", "mend that row") from None
        return rows

    def column_of(self, target: str | None) -> int:
        """The column called `target`, counted from 0; the last one if None."""
        if target is None:
            return self.width - 1
        header = self.header or []
        places = [place for place, label in enumerate(header) if label == target.strip()]
        if len(places) == 1:
            return places[0]
        cannot = f"Cannot choose the target column {target[:80]!r} in {self.name}, because"
        if self.header is None:
            raise UsageError(
                f"{cannot} the file has no header: its first row holds numbers; add one, or put the target last "
                f"and name none."
            )
        if places:
            both = " and ".join(str(place + 1) for place in places)
            raise UsageError(f"{cannot} columns {both} are both called so; rename one.")
        listed = ", ".join(_quoted(label) for label in header[:20]) + (", ..." if len(header) > 20 else "")
        raise UsageError(
            f"{cannot} there is no column of that name{did_you_mean(target, header)}; choose one of {listed}."
        )

    def number(self, row: NumberedRow, column: int) -> float:
        """A cell as a finite number."""
        cell = row[1][column]
        value = _float(cell)
        if value is None:
            first = self.header is None and row is self.rows[0]
            instead = "if that row is the header, no name in it may be a number" if first else "give a number"
            raise self._wrong(row, column, "is not a number", instead)
        if not math.isfinite(value):
            raise self._wrong(row, column, "is not a finite number in float64", "give a finite number")
        return value

    def targets(self, column: int) -> tuple[np.ndarray, tuple[str, ...] | None]:
        """Real targets (N, 1) and None, or labels (N,) and the names of their classes."""
        cells = [row[1][column] for row in self.rows]
        texts = [_float(cell) is None for cell in cells]
        if not any(texts):
            return np.array([[self.number(row, column)] for row in self.rows]), None
        if "" not in cells and all(texts):
            classes = {name: label for label, name in enumerate(dict.fromkeys(cells))}
            return np.array([classes[cell] for cell in cells], np.int64), tuple(classes)
        mostly_text = 2 * sum(texts) > len(texts)
        odd = next(place for place, cell in enumerate(cells) if not cell or texts[place] != mostly_text)
        among = "class names" if mostly_text else "numbers"
        raise self._wrong(
            self.rows[odd], column, f"stands among {among}", "give all targets as numbers or all as class names"
        )

    def _wrong(self, row: NumberedRow, column: int, why: str, instead: str) -> UsageError:
        number, cells = row
        label = f" ({self.header[column]})" if self.header and self.header[column] else ""
        cell = cells[column]
        holds = f"holds {_quoted(cell)}, which {why}" if cell else "is empty"
        return self._refused(f"row {number}, column {column + 1}{label} {holds}", instead, cells)

    def _refused(self, problem: str, instead: str, cells: Iterable[str] = ()) -> UsageError:
        """A complaint; where the cells hold another separator, that is what is wrong."""
        for mark, marks in ((";", "semicolons"), ("\t", "tabs")):
            if any(mark in cell for cell in cells):
                problem = f"its columns seem to be separated by {marks}: {problem}"
                instead = "write commas between the columns and points in the numbers"
        return UsageError(f"Cannot read {self.name}, because {problem}; {instead}.")


def _float(cell: str) -> float | None:
    """The number that a cell holds, be it infinite or NaN; None for text and for Python's own 1_000."""
    try:
        return None if "_" in cell else float(cell)
    except ValueError:
        return None


def _quoted(cell: str) -> str:
    more = f"... ({len(cell)} characters)" if len(cell) > MOST_SHOWN else ""
    return repr(cell[:MOST_SHOWN]) + more


def _columns(count: int) -> str:
    return "1 column" if count == 1 else f"{count} columns"
