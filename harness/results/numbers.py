"""Cells: how one number, name or place is printed, the same in every table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

from harness.comparison.judge import Row
from harness.comparison.true_errors import TrueError
from harness.usage import visible
from impls.graph import local_of, prefixed
from impls.hand.notation import OPTIMIZERS

STATES = sorted({letter for optimizer in OPTIMIZERS.values() for letter in optimizer.state})
"""Of every optimizer, what it calls the arrays that it keeps of a weight."""


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


def place(row: Row | TrueError | None, weights: Iterable[str]) -> str:
    """Where the worst entry is: step and index; nothing where nothing differs. `weights` as for `counted`."""
    if row is None or row.index is None or row.used == 0:
        return ""
    return f"step {row.step} {counted(row.gradient, row.index, weights)}".strip()


def counted(tensor: str, index: tuple[int, ...], weights: Iterable[str]) -> str:
    """An entry in words, counted from 1, samples from 0 as `harness explain` takes them.

    Args:
        tensor: its name.
        index: counted from 0.
        weights: names of the weights of its network; an entry of a weight, or of what belongs to one, is ``w_32``.
    """
    numbers = [i + 1 for i in index]
    owner = next((name for name in weights if tensor in _belonging(name)), None)
    if owner is not None:
        joint = "" if max(numbers, default=0) < 10 else ","
        return f"{local_of(owner).lower()}_{joint.join(map(str, numbers))}"
    if len(index) < 2:
        return ""
    positions = f", position {','.join(map(str, numbers[1:-1]))}" if len(index) > 2 else ""
    return f"sample {index[0]}{positions}, neuron {numbers[-1]}"


def _belonging(weight: str) -> list[str]:
    """A weight, its gradient, and what optimizers keep of it."""
    return [weight, *(prefixed(letter, weight) for letter in ("d", *STATES))]
