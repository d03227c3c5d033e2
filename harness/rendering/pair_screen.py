"""What the comparison of two programs prints: the verdict, both programs, whose weights are whose, end to end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING

from harness.comparison.judge import SEVERITY, Row
from harness.rendering import columns
from harness.rendering.columns import PAGE, TEXT, Column, signed
from harness.results.numbers import plain, share, small

if TYPE_CHECKING:
    from harness.results.program_pair import Given, How, ProgramPair

MOST_ROWS = 8
"""Lines of a table, where --verbose does not ask for all."""
HOW: dict[How, str] = {
    "map": "as you say", "numbers": "the same numbers", "name": "the same name", "shape": "the only one of its shape",
    "order": "by names and order, among several",
}  # fmt: skip


def render(pair: ProgramPair, style: str = "table", verbose: bool = False) -> str:
    """The whole text: a table or Markdown."""
    parts = ["\n".join(plain(line, style) for line in heading(pair)), f"{pair.verdict}  {plain(pair.reason, style)}"]
    shown = end_to_end(pair, verbose)
    parts.append(columns.text(END_TO_END, shown, style))
    if rest := len(pair.rows) - len(shown):
        parts.append(f"and {rest} more with less of their allowance used: --verbose shows every one")
    given = told_pairs(pair, verbose)
    if given:
        parts.append(columns.text(WEIGHTS, given, style))
    said = [*weights(pair), *_notes(pair)]
    parts.append("\n".join(plain(line, style) for line in said))
    parts.append(f"next  {plain(_next(pair), style)}")
    return "\n\n".join(parts)


def heading(pair: ProgramPair) -> list[str]:
    """Both programs, a line each."""
    width = max(len(side.name) for side in pair.sides)
    return [
        f"{side.name:<{width}}  {side.framework} · {side.dtype}{' · ' + side.compiled if side.compiled else ''} · "
        f"{side.operations} operations, {side.alike} give what the other gives too · loss {side.loss:.9g}"
        for side in pair.sides
    ]


def end_to_end(pair: ProgramPair, verbose: bool = False) -> list[Row]:
    """The rows that are shown: the loss, what is wrong, and then what used most of its allowance."""
    if verbose or len(pair.rows) <= MOST_ROWS:
        return list(pair.rows)
    most = sorted(pair.rows, key=lambda row: (SEVERITY.index(row.verdict), -(row.used or 0.0)))
    kept = {id(row) for row in [pair.rows[0], *most[:MOST_ROWS]]}
    return [row for row in pair.rows if id(row) in kept]


def told_pairs(pair: ProgramPair, verbose: bool = False) -> list[Given]:
    """Weights of which somebody should look whether they are meant; all of them if asked."""
    if verbose:
        return list(pair.pairs)
    doubtful = [given for given in pair.pairs if given.how == "order" or given.chosen]
    return doubtful[:MOST_ROWS]


END_TO_END: tuple[Column[Row], ...] = (
    Column("end to end", lambda row: row.gradient, foreign=True),
    Column("used", share, "right"),
    Column("sees", lambda row: small(row.sees), "right"),
    Column("verdict", lambda row: _verdict(row, row.verdict), on=TEXT),
    Column("verdict", lambda row: _verdict(row, signed(row.verdict)), on=PAGE),
)
"""Loss, gradients and what is left behind, in float64."""
WEIGHTS: tuple[Column[Given], ...] = (
    Column("is given", lambda given: given.target, foreign=True),
    Column("this", lambda given: f"{given.source}{given.arrangement}", foreign=True),
    Column("because", lambda given: HOW[given.how] + (", lying so by trying both" if given.chosen else "")),
)
"""Whose weight is whose."""


def _verdict(row: Row, told: str) -> str:
    return f"{told}  {row.reason}" if row.reason else told


def weights(pair: ProgramPair) -> Iterator[str]:
    """How weights were paired, in a line, and which are left over."""
    counts = Counter(given.how for given in pair.pairs)
    told = [f"{counts[how]} {words}" for how, words in HOW.items() if counts[how]]
    changed = sum(given.changed for given in pair.pairs)
    given = f"{changed} held other numbers and {'was' if changed == 1 else 'were'} given these"
    yield f"arrays  {len(pair.pairs)} pairs: {', '.join(told) or 'none'}; {given}"
    for side, other in (pair.sides, pair.sides[::-1]):
        if side.left:
            yield f"left over  {', '.join(side.left[:6])} of {side.name}: {other.name} has no such weight"


def _notes(pair: ProgramPair) -> Iterator[str]:
    yield from (f"note  {note}" for note in pair.notes)
    if pair.difference is not None:
        for side, places in zip(pair.sides, pair.difference.beside, strict=True):
            if places:
                more = f" and {len(places) - 3} more" if len(places) > 3 else ""
                yield f"note  beside it, in {side.name}: {', '.join(map(str, places[:3]))}{more} may be first too"


def _next(pair: ProgramPair) -> str:
    wrong = [side for side in pair.sides if side.wrong]
    if wrong and wrong[0].compiled:
        return "compile it in parts, or with backend='aot_eager' in place of inductor, to see which does it"
    if wrong:
        return f"harness program on {wrong[0].name}, which names the cause"
    if pair.difference is not None or pair.factor is not None:
        return "look at both places; --verbose shows whose weight is whose, --map FILE.toml says it otherwise"
    return "the same on other inputs, and with the weights that it was trained to"
