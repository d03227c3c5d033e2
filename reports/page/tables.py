"""Tables of a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from harness.comparison.judge import SEVERITY, Row
from harness.results.check import Check
from harness.results.numbers import part, place, share, small, ulps
from harness.results.run import Run
from impls.graph import prefixed
from impls.registry import REFERENCE
from reports.page.explorer import Explorer, best_of

SIGNS = {"ok": "✓", "FAULT": "✗", "inherited": "↳", "convention": "≈", "no power": "○", "not comparable": "–"}
"""A sign for each verdict, beside its word."""


@dataclass(frozen=True)
class Table:
    """Headers, rows of cells, and for each column whether it holds numbers; a verdict of a row colours it.

    Attributes:
        groups: headers above the headers, each with the number of columns that it spans.
        more: what is left out.
    """

    caption: str
    headers: list[str]
    rows: list[list[str]]
    numeric: list[bool]
    verdicts: Sequence[str] = field(default_factory=list)
    more: str | None = None
    groups: list[tuple[str, int]] = field(default_factory=list)


def gradients(run: Run) -> Table:
    """One row for each weight gradient and implementation: both checks and the difference in the working dtype."""
    shapes = {prefixed("d", weight): shape for weight, shape in run.head.weights.items()}
    rows, verdicts = [], []
    for name in run.head.gradients:
        label = f"{name} {'×'.join(map(str, shapes.get(name, ())))}"
        for against in run.head.implementations:
            found = {check: run.find(check, name, against) for check in ("formula", "rounding", "end-to-end")}
            judged = [row for row in found.values() if row]
            if not judged:
                continue
            cells = [label, against]
            for check in ("formula", "rounding"):
                row = found[check]
                cells += [share(row), small(row.sees if row else None), place(row, run.network)]
            last = found["end-to-end"]
            gap = None if last is None or last.difference is None else abs(last.difference)
            gravest = min(judged, key=lambda row: SEVERITY.index(row.verdict)).verdict
            rows.append([*cells, small(gap), share(last), f"{SIGNS[gravest]} {gravest}"])
            verdicts.append(gravest)
    dtype = run.head.dtype
    return Table(
        "Every weight gradient, the worst of all steps. Used is the share of the allowance, sees the smallest relative "
        "error that would have been seen.",
        ["gradient", "against", *["used", "sees", "at"] * 2, "|Δ|", "used", "verdict"],
        rows,
        [False, False, *[True, True, False] * 2, True, True, False],
        verdicts,
        groups=[
            ("", 2),
            ("formula: float64, end to end", 3),
            (f"rounding: {dtype}, link by link", 3),
            (f"{dtype}, hand to it", 2),
            ("", 1),
        ],
    )


def losses(run: Run, steps: list[int]) -> Table:
    """The loss of every implementation at some steps, how far it is from the hand code's, and what rounding allows."""
    names = list(run.head.implementations)
    others = [name for name in names if name != REFERENCE]
    rows = []
    for s in steps:
        found, ends = run.steps[s - 1].losses, [r for r in run.steps[s - 1].rows if r.check == "end-to-end"]
        allowed = [row.allowed for row in ends if row.gradient == "loss" and row.allowed is not None]
        gaps = [_gap(found.get(name), found.get(REFERENCE)) for name in others]
        rows.append([str(s), *(_number(found.get(name)) for name in names), *gaps, small(max(allowed, default=None))])
    headers = ["step", *names, *(f"|{name} − {REFERENCE}|" for name in others), "allowed"]
    return Table("Loss before the update of a step", headers, rows, [True] * len(headers))


def _gap(loss: float | None, reference: float | None) -> str:
    return "" if loss is None or reference is None else small(abs(loss - reference))


def histogram(records: list[dict[str, Any]]) -> Table:
    """How many rows of all steps used which share of their allowance, for each check."""
    checks = list(dict.fromkeys(record["check"] for record in records))
    counts: dict[float, dict[str, int]] = {}
    for record in records:
        counts.setdefault(record["from"], {})[record["check"]] = record["rows"]
    rows = [
        [f"{start:.0%} to {start + 0.05:.0%}" if start < 1 else "outside", *(f"{found[c]:,}" for c in checks)]
        for start, found in counts.items()
        if any(found.values())
    ]
    return Table("Rows by the share that they used", ["used", *checks], rows, [False, *[True] * len(checks)])


def drift(run: Run, steps: list[int]) -> Table:
    """The drift of every implementation and the twin at some steps of a free run."""
    rows = [[str(s), *(small(values[s - 1]) for values in run.drift.values())] for s in steps]
    return Table(
        "Largest |w − w of hand| before the update of a step", ["step", *run.drift], rows, [True] * (len(run.drift) + 1)
    )


def links(check: Check) -> Table:
    """Every tensor that a backward pass shows, in order, with its verdict."""
    rows = []
    for row in check.rows:
        cosine = check.located.cosines.get(row.gradient)
        note = row.reason or ""
        if row.gradient == check.first_wrong:
            note = "first wrong link"
        elif row.verdict == "inherited":
            note = f"right, given your {check.setting.upstream.get(row.gradient, 'own upstream')}"
        rows.append(
            [
                row.gradient,
                "×".join(map(str, check.setting.shapes[row.gradient])) or "1",
                "" if row.verdict == "not comparable" else part(row.used),
                small(row.sees),
                "" if cosine is None else f"{cosine:.3f}",
                f"{SIGNS[row.verdict]} {row.verdict}",
                note,
            ]
        )
    headers = ["link", "shape", "used", "sees", "cos", "verdict", ""]
    numeric = [False, False, True, True, True, False, False]
    return Table("Links of the backward pass", headers, rows, numeric, [row.verdict for row in check.rows])


def sees(rows: Iterable[Row], names: Iterable[str]) -> Table:
    """The smallest relative error that each check is certain to catch, for each gradient the least seeing."""
    judged = [row for row in rows if row.sees is not None]
    cells = []
    for name in names:
        best = [
            max((row.sees for row in judged if row.gradient == name and row.check == check and row.sees), default=None)
            for check in ("formula", "rounding")
        ]
        if any(best):
            cells.append([name, *map(small, best)])
    return Table(
        "The smallest relative error of an entry that would have been seen",
        ["gradient", "formula", "rounding"],
        cells,
        [False, True, True],
    )


def _number(value: float | None) -> str:
    return "not finite" if value is None else repr(value)


def derivatives(explorer: Explorer) -> Table:
    """Every explained derivative at the last step, by paths and by every other way."""
    last = {name: cells[-1] for name, cells in explorer.cells.items() if cells and cells[-1]}
    ways = [way.way.split(",")[0] for way in next(iter(last.values())).ways] if last else []
    rows = []
    for name, cell in last.items():
        assert cell is not None
        values = [repr(way.value) if way.value is not None else "–" for way in cell.ways]
        rows.append([name, f"{cell.count:,}", repr(cell.total), *values[1:]])
    headers = ["weight", "paths", *ways]
    return Table(
        f"Derivatives of the loss; the last column is the reference, {best_of(next(iter(last.values())).ways).way}"
        if last
        else "",
        headers,
        rows,
        [False, *[True] * (len(headers) - 1)],
    )


def truth(run: Run) -> Table:
    """How far each implementation is from the truth, where a run found it."""
    names = [name for name in run.head.gradients if any(error.gradient == name for error in run.true_errors)]
    errors = sorted(
        (error for error in run.true_errors if error.gradient in names), key=lambda e: names.index(e.gradient)
    )
    rows = [
        [e.gradient, e.against, e.dtype, part(e.used), ulps(e.median_ulp), ulps(e.largest_ulp), place(e, run.network)]
        for e in errors
    ]
    headers = ["gradient", "against", "dtype", "used", "median ulp", "largest ulp", "at"]
    numeric = [False, False, False, True, True, True, False]
    return Table(
        "True errors: the distance to the true gradient, as a share of the allowance and in ulp", headers, rows, numeric
    )
