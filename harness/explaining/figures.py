"""Numbers as an explanation prints them. In JSON the same numbers stand in full."""

from __future__ import annotations


def signed(number: float) -> str:
    """A factor: seven digits at most, with its sign: -0.090383, +1.234e-05, 0."""
    if number == 0:
        return "0"
    return f"{number:+.6f}" if 1e-3 <= abs(number) < 1e3 else f"{number:+.3e}"


def scientific(number: float) -> str:
    """A product or a sum: -8.105918e-04, 0."""
    return "0" if number == 0 else f"{number:+.6e}"


def operand(number: float) -> str:
    """A number inside a formula: 0.528456, (-1.2), 1."""
    if number == round(number) and abs(number) < 1e6:
        text = f"{number:.0f}"
    else:
        text = f"{number:.6f}" if 1e-3 <= abs(number) < 1e3 else f"{number:.6e}"
    return f"({text})" if number < 0 else text


def plain(number: float) -> str:
    """A value by itself: -0.966945, 5.1."""
    return f"{number:.6g}"


def few(number: float) -> str:
    """A difference or an error: three digits."""
    return "0" if number == 0 else f"{number:+.2e}"
