"""What a tolerance lets pass and rejects, as text: each rule in a line, then, of a single rule, every mistake."""

from __future__ import annotations

from collections.abc import Iterator

from harness.rendering import columns
from harness.rendering.columns import Column, dims
from harness.results.numbers import plain
from harness.results.tolerance_check import Row, Sizes, ToleranceCheck, Tried

MOST_LINES = 40
Line = tuple[Row, str, str, str, str]
"""A row, what was tried, and how it fares by the rule, by the allowance of each entry, and by the safe pair."""


def render(check: ToleranceCheck, style: str = "table") -> str:
    """The whole text, as a table or in Markdown."""
    parts = [f"{plain(check.on, style)}\n{_sources(check)}" if check.rows else plain(check.on, style)]
    parts.append(f"{check.verdict}  {plain(check.reason, style)}")
    shown = check.rows[:MOST_LINES]
    parts.append(columns.text(_summary(check), shown, style) if shown else "")
    if len(check.rows) > len(shown):
        parts.append(f"{len(check.rows) - len(shown)} more rows; --json has them all")
    if len({(row.rule, row.where) for row in check.rows}) == 1:
        parts.append(columns.text(DETAILS, [line for row in check.rows for line in _lines(row)], style))
    parts.append("\n".join(plain(line, style) for line in _said(check)))
    return "\n\n".join(filter(None, parts))


def _sources(check: ToleranceCheck) -> str:
    told = {row.tensor: row for row in check.rows}
    return "\n".join(
        f"{row.tensor} {dims(row.shape) or 1}: allowance {row.source}, "
        + ("nothing is bounded" if row.allowed is None else "{} to {}, median {}".format(*_spread(row.allowed)))
        + (f"; {row.unbounded} entries are not bounded" if row.unbounded and row.allowed else "")
        for row in told.values()
    )


def _spread(allowed: tuple[float, float, float]) -> tuple[str, str, str]:
    least, median, most = (f"{number:.2g}" for number in allowed)
    return least, most, median


def _summary(check: ToleranceCheck) -> Iterator[Column[Row]]:
    if any(row.where for row in check.rows):
        yield Column("at", lambda row: f"{row.where[0]}:{row.where[1]}" if row.where else "", foreign=True, once=True)
    yield Column("rule", lambda row: row.rule, foreign=True, once=True)
    yield Column("tensor", lambda row: row.tensor, foreign=True)
    yield Column("mistakes passed", lambda row: f"{len(row.passed)} of {len(row.mistakes)}", "right")
    yield Column("too large by", lambda row: _largest(row.sizes.larger), "right")
    yield Column("right runs", _right)
    yield Column(
        "safe pair: atol, rtol", lambda row: f"{row.safe.atol:.2g}, {row.safe.rtol:.2g}" if row.safe else "none"
    )
    yield Column("price", lambda row: f"{row.safe.price:.2g} ×" if row.safe else "", "right")
    yield Column("verdict", lambda row: row.verdict)


def _right(row: Row) -> str:
    if row.rejected:
        return f"rejects {len(row.rejected)} of {len(row.programs)}"
    if row.short:
        times = row.shortest and row.shortest[0]
        most = f", up to {times:.2g} ×" if times else ""
        return f"grants {row.short} of {row.entries} too little{most}"
    return "may reject" if row.reaches else "accepted"


DETAILS: tuple[Column[Line], ...] = (
    Column("tensor", lambda line: line[0].tensor, foreign=True, once=True),
    Column("mistake", lambda line: line[1], foreign=True),
    Column("by the rule", lambda line: line[2]),
    Column("by the allowance of each entry", lambda line: line[3]),
    Column("by the safe pair", lambda line: line[4]),
)


def _lines(row: Row) -> Iterator[Line]:
    for tried in row.mistakes:
        by_pair = "" if tried.pair is None else _how(tried, tried.pair)
        yield row, tried.mistake, _how(tried, tried.rule), _how(tried, tried.entries), by_pair
    sizes: tuple[Sizes | None, ...] = (row.sizes, row.sizes_of_entries, row.sizes_of_pair)
    yield row, "all of it too large by", *(_largest(each.larger) if each else "" for each in sizes)  # type: ignore[misc]
    yield row, "all of it too small by", *(_largest(each.smaller) if each else "" for each in sizes)  # type: ignore[misc]


def _how(tried: Tried, passing: int) -> str:
    if tried.of == 1:
        return "passes" if passing else "caught"
    return "caught" if not passing else f"passes at {passing} of {tried.of} entries"


def _largest(x: float | None) -> str:
    return "any factor" if x is None else "0" if x == 0 else f"{x:.1e}"


def _said(check: ToleranceCheck) -> Iterator[str]:
    for row in check.rows:
        if row.rejected:
            yield f"rejects  {row.rule}, {row.tensor}: {'; '.join(row.rejected)}: within the allowance of every entry"
        if row.given is not None:
            yield f"actual   {row.rule} {'accepts' if row.given else 'rejects'} it"
    for line in check.unread:
        yield f"not read  {line}"
    if check.written:
        yield f"wrote  {check.written}"
    if check.rows:
        yield "instead  harness.allowance_of(...), an allowance for every entry: docs/tolerance.md"
