"""The layout of an explanation's text: numbers, lines of at most 80 columns, tables, terms broken over lines.

In JSON the same numbers stand in full.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from decimal import Decimal
from textwrap import wrap


def signed(number: float) -> str:
    """A factor: seven digits at most, with its sign: -0.090383, +1.234e-05, 0."""
    if number == 0:
        return "0"
    return f"{number:+.6f}" if 1e-3 <= abs(number) < 1e3 else f"{number:+.3e}"


def scientific(number: float) -> str:
    """A product or a sum: -8.105918e-04, 0."""
    return "0" if number == 0 else f"{number:+.6e}"


def operand(number: float, *, bare: bool = False) -> str:
    """A number inside a formula: 0.528456, (-1.2), 1; bare without brackets."""
    number = float(number)  # of bfloat16 there is no round()
    if number == round(number) and abs(number) < 1e6:
        text = f"{number:.0f}"
    else:
        text = f"{number:.6f}" if 1e-3 <= abs(number) < 1e3 else f"{number:.6e}"
    return f"({text})" if number < 0 and not bare else text


def plain(number: float) -> str:
    """A value of the data: -1.2, 5.1."""
    return f"{number:.4g}"


def opened(formula: str) -> str:
    """A formula of numbers without the brackets of a negative one that stands in front."""
    return re.sub(r"^\((-[0-9.e+-]+)\)", r"\1", formula)


def few(number: float) -> str:
    """A difference or an error: three digits."""
    return "0" if number == 0 else f"{number:+.2e}"


def count(number: int) -> str:
    """A whole number: 2,560; beyond 15 digits its first six, 5.36871e+22."""
    if number < 10**15:
        return f"{number:,}"
    return f"{Decimal(number):.5e}"


WIDTH = 80
TIED = "\xa0"
"""A space at which no line is broken."""
LONGER = {"Σ": 2, "√": 3, "²": 1, "Φ": 2, "φ": 2}
"""Signs of formulas, and how many columns more their stand-ins in ASCII take."""


def paragraph(text: str, indent: str = "  ", more: str = "  ") -> str:
    """Text in lines: what stands before the first, and before the others."""
    return "\n".join(wrapped(text, indent, more))


def wrapped(text: str, indent: str = "  ", more: str = "  ", width: int = WIDTH) -> list[str]:
    """The lines of a paragraph."""
    lines = wrap(
        text, width, initial_indent=indent, subsequent_indent=more, break_long_words=False, break_on_hyphens=False
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
