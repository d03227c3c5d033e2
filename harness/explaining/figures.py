"""Numbers as an explanation prints them. In JSON the same numbers stand in full."""

from __future__ import annotations

import re
from decimal import Decimal


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
