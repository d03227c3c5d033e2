"""Mistakes that nobody listed: ``python -m reports.slips [--every N] [--offset N]``.

Every edit of every line of nine networks from scratch is made in turn; what is shown then is diagnosed. Counted are
those that the catalogue does not explain by itself: how many are named, how many at links none of which the line makes,
and the processor time of one core that a diagnosis takes. What is not named, or wrongly, is listed.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Any, NamedTuple

from tabulate import tabulate


class Figures(NamedTuple):
    """Of some slips: how many, how many are outside the catalogue, of these named and wrongly named, and seconds."""

    slips: int
    outside: int
    named: int
    wrongly: int
    median: float
    most: float

    @property
    def share(self) -> str:
        """Of those outside the catalogue, the share that is named."""
        return f"{self.named / self.outside:.1%}" if self.outside else "-"


def figures_of(slips: Sequence[Any]) -> Figures:
    """The figures of slips as `tests.helpers.slips` makes them."""
    outside = [slip for slip in slips if not slip.in_catalogue]
    named = [slip for slip in outside if slip.named]
    wrongly = sum(not slip.right for slip in named)
    seconds = [slip.seconds for slip in slips] or [0.0]
    return Figures(len(slips), len(outside), len(named), wrongly, statistics.median(seconds), max(seconds))


def table_of(rows: Sequence[tuple[str, Figures]]) -> str:
    """The figures as text, a program in a line."""
    head = ["program", "slips", "not listed", "named", "share", "at another link", "median s", "most s"]
    body = [
        (name, f.slips, f.outside, f.named, f.share, f.wrongly, f"{f.median:.3f}", f"{f.most:.3f}") for name, f in rows
    ]
    return tabulate(body, head, colalign=("left", *["right"] * (len(head) - 1)))


def main(words: Sequence[str] | None = None) -> int:
    """Print the table and what is not named; 0."""
    slips_of = import_module("tests.helpers.slips").slips_of  # the programs are those of the tests
    programs = import_module("tests.users.from_scratch").PROGRAMS
    parser = argparse.ArgumentParser(prog="python -m reports.slips", description=__doc__)
    parser.add_argument("--every", type=int, default=1, metavar="N", help="take each N-th slip alone [1]")
    parser.add_argument("--offset", type=int, default=0, metavar="N", help="slips of a program that are left out first")
    options = parser.parse_args(words)
    rows, every = list[tuple[str, Figures]](), list[Any]()
    for program in programs:
        slips = slips_of(program, options.every, options.offset)
        rows.append((program.__name__, figures_of(slips)))
        every += slips
        for slip in (slip for slip in slips if not (slip.in_catalogue or (slip.named and slip.right))):
            print(f"{'at another link' if slip.named else 'not named'}  {slip}", flush=True)
    print(table_of([*rows, ("all", figures_of(every))]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
