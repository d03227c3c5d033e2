"""The README's figures: made of what a full benchmark kept, so that nobody copies a number by hand."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from tabulate import tabulate

from reports.benchmark.figure import Figure
from reports.benchmark.kept import Measured, kept
from reports.benchmark.verdicts import checks_table

README = Path(__file__).parents[2] / "README.md"
BEGIN, END = "<!-- figures: python -m reports.benchmark -->\n", "<!-- end of figures -->\n"
ALONE = (
    "`make bench` measures what a step, a check and a start cost on a machine, and what other checks of gradients do "
    "not see.\n"
)
STEPS = {
    "hand against the faster of torch and JAX": "hand step",
    "checked against plain": "fully checked step",
    "schedule against plain": "step of the default schedule",
}


def section(found: Measured | None) -> str:
    """What stands between the two marks."""
    if found is None:
        return ALONE
    return "\n\n".join(_parts(found)) + "\n"


def _parts(found: Measured) -> Iterator[str]:
    where = f"{found.machine.get('processor', 'unknown')}, {found.machine.get('cores', '?')} cores"
    yield (
        f"`make bench` measured this ({where}); all of it is in `reports/benchmark.md`. A plain step is the step of a "
        "training loop by hand, in torch and in jitted JAX, one after the other; a checked one compares every tensor."
    )
    if steps := _steps(found.rows):
        yield tabulate(
            steps, ("network", *STEPS), "github", disable_numparse=True, colalign=("left", *["right"] * len(STEPS))
        )
    if found.checks:
        yield "A verdict on the same gradients, right and with mistakes planted in them:"
        yield checks_table(found.checks, "github")
    starts = [
        row for row in found.rows if row.unit == "s" and row.network.startswith(("harness run", "harness --help"))
    ]
    if starts:
        yield "From the shell: " + ", ".join(f"`{row.network}` {row.ratio:.2g} s" for row in starts) + "."


def _steps(rows: Sequence[Figure]) -> list[list[str]]:
    lines: dict[str, dict[str, str]] = {}
    for row in rows:
        for column, measure in STEPS.items():
            if row.measure.startswith(measure):
                lines.setdefault(row.network, {})[column] = f"{row.ratio:.2g} x"
    return [[network, *(line.get(column, "") for column in STEPS)] for network, line in lines.items()]


def refreshed(text: str, found: Measured | None) -> str:
    """The README with these figures.

    Raises:
        ValueError: it has no place for them.
    """
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"Cannot put figures into the README, because {BEGIN!r} or {END!r} is not in it; add both.")
    return f"{before}{begin}{section(found)}{end}{after}"


def refresh(path: Path = README) -> None:
    """Write the README with the figures that were kept."""
    path.write_text(refreshed(path.read_text(encoding="utf-8"), kept()), encoding="utf-8")
