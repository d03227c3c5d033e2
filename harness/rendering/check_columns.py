"""The table of a check, column by column: every link, in order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from harness.comparison.judge import Row
from harness.rendering.columns import NOTEBOOK, PAGE, TEXT, Column, dims, signed
from harness.results.numbers import part, small
from harness.results.setting import upstream

if TYPE_CHECKING:
    from harness.results.check import Check


def links(check: Check) -> tuple[Column[Row], ...]:
    """Of every link: how much of its allowance it used, what would have been seen, its verdict, and a word on it."""
    everywhere = (*TEXT, *PAGE)
    return (
        Column("link", lambda row: row.gradient),
        Column("shape", lambda row: dims(check.setting.shapes[row.gradient]) or "1", on=everywhere),
        Column("used", _used, "right", on=everywhere),
        Column("used", lambda row: "" if row.used is None else part(row.used), "right", on=NOTEBOOK),
        Column("sees", lambda row: "" if row.sees is None else f"{row.sees:.0e}", "right", on=TEXT),
        Column("sees", lambda row: small(row.sees), "right", on=(*PAGE, *NOTEBOOK)),
        Column("cos", lambda row: _cosine(check, row), "right", on=everywhere),
        Column("verdict", lambda row: row.verdict, on=(*TEXT, *NOTEBOOK)),
        Column("verdict", lambda row: signed(row.verdict), on=PAGE),
        Column("", lambda row: _note(check, row), on=TEXT, foreign=True),
        Column("", lambda row: _remark(check, row), on=PAGE),
    )


ALONE: tuple[Column[Row], ...] = (
    Column("link alone", lambda row: row.gradient),
    Column("used", lambda row: part(row.used), "right"),
    Column("sees", lambda row: "" if row.sees is None else f"{row.sees:.1e}", "right"),
    Column("verdict", lambda row: row.verdict),
)
"""Of each link as such, given its own inputs."""


def _used(row: Row) -> str:
    return "" if row.verdict == "not comparable" else part(row.used)


def _cosine(check: Check, row: Row) -> str:
    cosine = check.located.cosines.get(row.gradient)
    return "" if cosine is None else f"{cosine:.3f}"


def _note(check: Check, row: Row) -> str:
    from harness.diagnosis.location import GIVEN  # what shows other results needs no diagnosis

    if row.gradient == check.first_wrong_link:
        return "<- first wrong link"
    if row.verdict == "inherited":
        return (row.reason or "") if row.reason != GIVEN else f"right, given your {_upstream(check, row)}"
    if row.verdict in ("not comparable", "FAULT", "convention") or row.gradient in check.located.formed:
        return row.reason or ""
    return ""


def _remark(check: Check, row: Row) -> str:
    """The page has a chain of links besides, and the reason of every row."""
    if row.gradient == check.first_wrong_link:
        return "first wrong link"
    if row.verdict == "inherited":
        return f"right, given your {check.setting.upstream.get(row.gradient, 'own upstream')}"
    return row.reason or ""


def _upstream(check: Check, row: Row) -> str:
    """The tensors that a link's gradient comes from, where they are shown."""
    if not check.is_gradient(row.gradient):
        return "own inputs"
    above, judged = upstream(check.network, row.gradient), {each.gradient for each in check.judged}
    return " and ".join(above) if above and judged.issuperset(above) else "own upstream"
