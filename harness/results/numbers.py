"""Cells: how one number, name or place is printed, the same in every table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from harness.comparison.judge import Row
from harness.comparison.true_errors import TrueError
from harness.usage import visible


def plain(text: str, style: str) -> str:
    """Names and messages of others in one line; in Markdown nothing in them is markup, nor parts a table's cells."""
    text = visible(text)
    return re.sub(r"([\\`*_\[\]<>#|~&@])", r"\\\1", text) if style == "markdown" else text


def grid(cells: Sequence[Sequence[str]], headers: Sequence[str], style: str, align: Sequence[str]) -> str:
    """A table as text or Markdown, its cells as they are; `align` is left or right for each column."""
    # Without disable_numparse, tabulate rounds text that looks like a number.
    form = "github" if style == "markdown" else "simple"
    return tabulate(cells, [plain(h, style) for h in headers], form, disable_numparse=True, colalign=align)


def share(row: Row | None) -> str:
    """Used, in percent or as a multiple; the verdict's word where there is no number or no power."""
    if row is None:
        return ""
    if row.verdict in ("not comparable", "no power") or row.used is None:
        return row.verdict
    return part(row.used)


def part(used: float | None) -> str:
    """A share of an allowance, in percent, or as a multiple where it is more than all of it."""
    if used is None:
        return "outside"
    if used > 1e300:
        return "over 1e300 ×"
    if used > 1000:
        return f"{used:.0e} ×".replace("e+0", "e").replace("e+", "e")
    if used > 1:
        return f"{used:.3g} ×"
    # Never print 100 % for something outside, nor more for something inside.
    return f"{100 * used:.1f} %"


def small(number: float | None) -> str:
    """A number to two digits, or nothing."""
    if number is None:
        return ""
    return "0" if number == 0 else f"{number:.1e}"


def ulps(number: float | None) -> str:
    """A number of ulp to two digits, or all of them before the point; nothing where there is none."""
    if number is None:
        return ""
    return f"{number:.2g}" if number < 99.5 else f"{number:.0f}" if number < 1e5 else f"{number:.0e}"


def place(row: Row | TrueError | None) -> str:
    """Where the worst entry is: step and index; nothing where nothing differs."""
    if row is None or row.index is None or row.used == 0:
        return ""
    return f"step {row.step} {entry(row)}".strip()


def entry(row: Row | TrueError) -> str:
    """Which entry is the worst; nothing where there is none."""
    return "" if row.index is None else counted(row.gradient, row.index)


def counted(tensor: str, index: tuple[int, ...]) -> str:
    """An entry in words, counted from 1, samples from 0 as `harness explain` takes them."""
    numbers = [i + 1 for i in index]
    kind = tensor.lstrip("dmv")[:1] if tensor != "loss" else ""
    if kind == "W":
        joint = "" if max(numbers) < 10 else ","
        return f"w_{joint.join(map(str, numbers))}"
    if kind == "b":
        return f"b_{numbers[0]}"
    return f"sample {index[0]}, neuron {numbers[1]}" if len(index) == 2 else ""
