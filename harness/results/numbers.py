"""Cells: how one number, name or place is printed, the same in every table."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from harness.comparison.certification import TrueError
from harness.comparison.judge import Row
from harness.usage import visible
from impls.graph import Graph, Tensor, prefixed
from impls.hand.network import Network
from impls.hand.notation import OPTIMIZERS

STATES = sorted({letter for optimizer in OPTIMIZERS.values() for letter in optimizer.state})
"""What the optimizers call what they keep of a weight."""


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


def percent(number: float) -> str:
    """A share to two digits, however small; what is many times the whole as that."""
    return f"{100 * number:.2g} %" if number < 10 else f"{number:.1g} ×"


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


def place(row: Row | TrueError | None, network: Graph | None) -> str:
    """Where the worst entry is: step and index; nothing where nothing differs."""
    if row is None or row.index is None or row.used == 0:
        return ""
    return f"step {row.step} {counted(network, row.gradient, row.index)}".strip()


def counted(network: Graph | None, tensor: str, index: tuple[int, ...]) -> str:
    """An entry in words, counted from 1, samples from 0 as `harness explain` takes them.

    A weight's is ``w_32`` in a chain, whatever is said of the weight; in a graph it is ``fc1.W[3,2]``. Of a network
    that is not known it is the index alone.
    """
    if not index:
        return ""
    numbers = [str(i + 1) for i in index]
    told = owner(network, tensor) if network else None
    if told is None:
        return f"[{','.join(numbers)}]"
    if told.per_row:
        counts = [str(index[0]), *numbers[1:]]
        # A record may hold indices of any length.
        return ", ".join(f"{what} {count}" for what, count in zip(told.axes, counts, strict=False))
    if not isinstance(network, Network):
        return f"{told.name}[{','.join(numbers)}]"
    joint = "" if max(index) < 9 else ","
    return f"{told.local.lower()}_{joint.join(numbers)}"


def owner(network: Graph, name: str) -> Tensor | None:
    """The tensor of that name; what a gradient, or what an optimizer keeps, belongs to."""
    tensor = network.tensors.get(name)
    if tensor is None:
        kept = (w for w in network.weights for letter in STATES if prefixed(letter, w) == name)
        return next((network.tensors[weight] for weight in kept), None)
    return network.tensors[tensor.of] if tensor.of else tensor
