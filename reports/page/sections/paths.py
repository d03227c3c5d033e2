"""Path by path: a derivative as the sum over all paths to the loss, and the waterfall of how they add up."""

from __future__ import annotations

import json
from typing import Any

from harness.rendering.columns import Column
from reports.page import charts
from reports.page.environment import environment
from reports.page.explorer import Cell, Described, Explorer, best_of
from reports.page.plots import Figure
from reports.page.sections.section import Content, Section
from reports.page.subjects import CheckSubject, RunSubject
from reports.page.tables import Table, table

COUNTS = {4: "four", 5: "five", 6: "six", 7: "seven"}


def of_run(subject: RunSubject) -> Content:
    """Every explained derivative."""
    missing = f"No derivative is explained here: {subject.explorer.missing}."
    return _content(subject.explorer, missing, drawn=subject.drawing is not None)


def of_check(subject: CheckSubject) -> Content:
    """Every explained derivative, or how one is had."""
    check, missing = subject.check, subject.explorer.missing
    entry = check.entry_near(check.first_wrong_link) if check.first_wrong_link and check.setting.explain else None
    command = f'harness explain "{entry}" {check.setting.explain}' if entry else "harness explain"
    told = f"No derivative is explained here: {missing}. {command} follows one path by path."
    return _content(subject.explorer, told, drawn=subject.drawing is not None)


def _content(explorer: Explorer, missing: str, *, drawn: bool) -> Content:
    chosen = explorer.worth
    data = {"explained": explorer.steps, "chosen": chosen}
    cells = {
        name: [_cell(explorer.weights[name], cell, drawn) for cell in made] for name, made in explorer.cells.items()
    }
    packed = {"cells": json.dumps(cells, separators=(",", ":"))} if cells else {}
    begin = explorer.cells[chosen][-1] if chosen else None
    if begin is None or chosen is None:
        return Content({"cell": None, "missing": missing}, data=data, packed=packed)
    shows = {
        "cell": cells[chosen][-1], "weights": explorer.weights, "chosen": chosen,
        "rule": explorer.rule, "last": explorer.steps[-1], "drawn": drawn, "derivatives": derivatives(explorer),
    }  # fmt: skip
    return Content(shows, data=data, packed=packed)


def _cell(described: Described, cell: Cell | None, drawn: bool) -> str:
    if cell is None:
        return "<p>Not explained here: the loss or a derivative on the way is not finite.</p>"
    reference = best_of(cell.ways)
    shows: dict[str, Any] = {
        "d": described, "c": cell, "drawn": drawn,
        "cancels": _cancels(cell), "count": COUNTS.get(len(cell.ways), str(len(cell.ways))),
        "reference": "exact" if reference is cell.ways[-1] else "matrix", "waterfall": waterfall(cell),
    }  # fmt: skip
    return environment().get_template("cell.html.j2").render(**shows)


def _cancels(cell: Cell) -> str:
    if cell.count == 1:
        return "There is one path."
    if cell.cancellation is None:
        return "The paths cancel completely." if cell.magnitude else "Nothing arrives: every path is 0."
    times = f"{cell.cancellation:.3g}"
    if times == "1":
        return f"{cell.count:,} paths, all of one sign: nothing cancels."
    return f"{cell.count:,} paths; their magnitudes add up to {times} times the magnitude of their sum."


def derivatives(explorer: Explorer) -> Table:
    """Every explained derivative at the last step, by paths and by every other way."""
    last = {name: cells[-1] for name, cells in explorer.cells.items() if cells and cells[-1]}
    ways = next(iter(last.values())).ways
    columns: list[Column[tuple[str, Cell]]] = [
        Column("weight", lambda row: row[0]),
        Column("paths", lambda row: f"{row[1].count:,}", "right"),
        *(Column(way.way.split(",")[0], _value(number), "right") for number, way in enumerate(ways)),
    ]
    caption = f"Derivatives of the loss; the last column is the reference, {best_of(ways).way}"
    return table(caption, columns, [(name, cell) for name, cell in last.items() if cell])


def _value(number: int) -> Any:
    def cell(row: tuple[str, Cell]) -> str:
        if not number:
            return repr(row[1].total)
        value = row[1].ways[number].value
        return "–" if value is None else repr(value)

    return cell


SECTION = Section("paths", "Path by path", of_run, of_check, "paths.html.j2")


def waterfall(cell: Cell) -> Figure:
    """How the products of the paths add up: a bar for each that is listed, one for the others, one for the sum."""
    bars = [(f"sample {p.sample}, {'▸'.join(p.route)}", p.product) for p in cell.paths]
    if cell.others.count:
        bars.append((f"{cell.others.count:,} others", cell.others.sum))
    return charts.waterfall(bars, (f"sum of {cell.count:,} paths", cell.total))
