"""A common factor: is every gradient the right one times one and the same number?

Then the chain rule is right, and the loss is another: half of it, its mean, its negative. Where the first gradient
may be right as it is, the number is 1, and whatever is wrong has another reason.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from harness.evaluation.point import Point
from harness.faults.ratios import ratios_of
from impls.contract import Array

SHORT = 6
"""Digits that a person would have typed."""


def common_factor(point: Point, shown: Mapping[str, Array]) -> float | None:
    """The number, as short as the allowances let it be written; None if there is none, or if it is 1.

    The entry of each gradient that fixes it best, value a and centre e with bound E, leaves c = a / e within
    (1 + |c|) E / |e|; every entry of every gradient must be within |c| E plus what that leaves of c.
    """
    centre = point.centre(str(point.x.dtype)).tensors
    names = [link.output for link in point.network.backward_links if link.output in shown]
    least, most = -np.inf, np.inf
    for name in names:
        value, expected = np.asarray(shown[name], np.float64), centre[name]
        with np.errstate(all="ignore"):
            relative = expected.bound / np.abs(expected.value)
            flat = int(np.argmin(relative))
            c = float(value.flat[flat] / expected.value.flat[flat])
            off = (1 + abs(c)) * float(relative.flat[flat])
            outside = np.abs(value - c * expected.value) > abs(c) * expected.bound + off * np.abs(expected.value)
        if not np.isfinite(c) or not np.isfinite(off) or outside.any() or c == 0:
            return None
        if name == names[0] and c - off <= 1 <= c + off:
            return None
        least, most = max(least, c - off), min(most, c + off)
    if not names or least > most:
        return None
    return _shortest(least, most, len(point.x))


def _shortest(least: float, most: float, rows: int) -> float:
    """The number between the two with the fewest digits; a ratio with a name, such as N/(N − 1), where it has many."""
    middle = (least + most) / 2
    named = next((n for n in ratios_of(rows).values() if least <= n <= most), middle)
    numbers = (float(f"{middle:.{digits}g}") for digits in range(1, SHORT + 1))
    return next((n for n in numbers if least <= n <= most), named)
