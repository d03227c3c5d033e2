"""What a certified run prints besides: what is known of the truth, and every implementation's true error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from harness.comparison.certification import CENTRE
from harness.comparison.true_errors import TrueError
from harness.rendering.columns import Column, text
from harness.results.numbers import part, place, plain, small, ulps
from harness.results.run import Run
from impls.graph import Graph


def truth(run: Run, style: str, *, verbose: bool) -> str:
    """The certificate in words, and a table of true errors: of the weights' gradients, or of all tensors."""
    certificates = run.certificates
    known = sorted({f"{c.bits}-bit balls" if c.bits else "exact rationals" for c in certificates})
    steps = sorted({c.step for c in certificates})
    centre = [row for row in run.rows if row.against == CENTRE]
    judged = [row for row in centre if row.used is not None]
    worst = max(judged, key=lambda row: row.used or 0.0, default=None)
    outside = sum(row.outside for row in centre)
    within = "is within its bound of it" if not outside else f"is OUTSIDE its bound of it at {outside} entries"
    used = f" (worst used {part(worst.used)}: {worst.gradient}, {place(worst, run.network)})" if worst else ""
    undecided = sum(c.undecided for c in certificates)
    lines = [
        f"truth  {' and '.join(known)} at step{'s' * (len(steps) > 1)} {', '.join(map(str, steps))}; the formula check "
        f"there is the distance to the true value",
        f"       the float64 centre {within}{used}; balls at most {small(max(c.radius for c in certificates))} of a "
        f"bound; comparisons undecided: {undecided}",
    ]
    lines += [f"       not certified at step {c.step}: {c.shortfall}" for c in certificates if c.shortfall]
    return "\n\n".join(filter(None, ["\n".join(plain(line, style) for line in lines), _table(run, style, verbose)]))


def _table(run: Run, style: str, verbose: bool) -> str:
    dtypes = list(dict.fromkeys(["float64", run.head.dtype]))
    found = {(e.gradient, e.against, e.dtype): e for e in run.true_errors}
    names = dict.fromkeys(error.gradient for error in run.true_errors) if verbose else run.head.gradients
    rows = [
        Truths(name, against, [found.get((name, against, dtype)) for dtype in dtypes])
        for name in names
        for against in (CENTRE, *run.head.implementations)
    ]
    rows = [row for row in rows if any(row.errors)]
    if not rows:
        return ""
    told = (
        "true error: |value - truth| as a share of the allowance, at the entry and step where it is largest; in ulp of "
        "the truth: median over entries, and largest"
    )
    return f"{plain(told, style)}\n\n{text(_columns(dtypes, run.network), rows, style)}"


@dataclass(frozen=True)
class Truths:
    """The true errors of one gradient of one implementation, by dtype."""

    gradient: str
    against: str
    errors: list[TrueError | None]


def _columns(dtypes: list[str], network: Graph | None) -> Iterator[Column[Truths]]:
    yield Column("gradient", lambda row: row.gradient, once=True)
    yield Column("against", lambda row: row.against, foreign=True)
    for number, dtype in enumerate(dtypes):
        yield Column(f"{dtype} used", _cell(number, lambda error: part(error.used)), "right")
        yield Column("ulp", _cell(number, lambda error: ulps(error.median_ulp)), "right")
        yield Column("largest", _cell(number, lambda error: ulps(error.largest_ulp)), "right")
        yield Column("at", _cell(number, lambda error: place(error, network)))


def _cell(number: int, told: Callable[[TrueError], str]) -> Callable[[Truths], str]:
    """Of the error in one dtype; nothing where there is none."""

    def cell(row: Truths) -> str:
        error = row.errors[number]
        return "" if error is None else told(error)

    return cell
