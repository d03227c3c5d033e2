"""The layout of an explanation's text: lines of at most 80 columns, tables, terms broken over lines."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

WIDTH = 80
TIED = "\xa0"
"""A space at which no line is broken."""
LONGER = {"Σ": 2, "√": 3, "²": 1, "Φ": 2, "φ": 2}
"""Signs of formulas, and how many columns more their stand-ins in ASCII take."""


def paragraph(text: str, indent: str = "  ", more: str = "  ") -> str:
    """Text in lines: what stands before the first, and before the others."""
    return "\n".join(wrapped(text, indent, more))


def wrapped(text: str, indent: str = "  ", more: str = "  ") -> list[str]:
    """The lines of a paragraph."""
    lines = wrap(
        text, WIDTH, initial_indent=indent, subsequent_indent=more, break_long_words=False, break_on_hyphens=False
    )
    return [line.replace(TIED, " ") for line in lines]


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], align: str, gap: int = 2) -> list[str]:
    """Lines of a table: columns aligned as `align` says, those beyond it to the right; two columns of margin."""
    every = [headers, *rows]
    widths = [max(len(row[column]) for row in every) for column in range(len(headers))]
    align = align.ljust(len(headers), "r")
    lines = []
    for row in every:
        cells = [
            cell.ljust(width) if side == "l" else cell.rjust(width)
            for cell, width, side in zip(row, widths, align, strict=True)
        ]
        lines.append(("  " + (" " * gap).join(cells)).rstrip())
    return lines


def sum_line(label: str, number: str, ends: int) -> str:
    """A line below a table: a label, and a number that ends in column `ends` if there is room."""
    text = f"  {label}"
    return text + number.rjust(max(ends - len(text), len(number) + 2))


def broken(parts: Sequence[str], indent: str, joint: str = " ") -> list[str]:
    """Parts in lines no longer than the screen; a part that is longer itself is broken at its signs."""
    lines = [parts[0]]
    for part in parts[1:]:
        if columns(lines[-1]) + len(joint) + columns(part) <= WIDTH:
            lines[-1] += joint + part
        else:
            lines.append(indent + part)
    fitting: list[str] = []
    for line in lines:
        while columns(line) > WIDTH:
            cut = max(line.rfind(sign, len(indent) + 2, WIDTH - 8) for sign in (" + ", " · "))
            if cut < 0:
                break
            fitting.append(line[:cut])
            line = indent + "  " + line[cut + 1 :]
        fitting.append(line.rstrip())
    return fitting


def columns(text: str) -> int:
    """Columns that a text takes, in ASCII too."""
    return len(text) + sum(more * text.count(sign) for sign, more in LONGER.items())
