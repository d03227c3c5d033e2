"""Ratios with a name: what a number is in the number of samples, N/(N − 1) for 1.0078740157480315."""

from __future__ import annotations

from math import sqrt


def ratios_of(rows: int) -> dict[str, float]:
    """Ratios that people get by dividing by another number of samples, for so many of them.

    >>> ratios_of(4)["N/(N − 1)"]
    1.3333333333333333
    """
    n = float(rows)
    found = {"N": n, "1/N": 1 / n, "√N": sqrt(n), "1/√N": 1 / sqrt(n), "N²": n * n, "1/N²": 1 / (n * n)}
    if rows > 1:
        found |= {"N/(N − 1)": n / (n - 1), "(N − 1)/N": (n - 1) / n, "1/(N − 1)": 1 / (n - 1), "N − 1": n - 1}
    return {name: number for name, number in found.items() if number != 1}


def in_samples(number: float, off: float, rows: int) -> str | None:
    """The name of the ratio that a number is, within `off`; None if it has none.

    >>> in_samples(128 / 127, 1e-15, 128)
    'N/(N − 1)'
    """
    return next((name for name, ratio in ratios_of(rows).items() if abs(number - ratio) <= off), None)
