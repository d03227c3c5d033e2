"""The pair (atol, rtol) that is safe: it grants every entry what a right program may be off by, and as little more.

    atol + rtol |e_i| >= allowed_i for every i,    mean of atol + rtol |e_i| as small as possible

With |e| to the right and the allowance upwards, a pair is a straight line, not falling and not below 0 on the left, and
has to lie above every point. The lowest line above the middle of the |e| goes through two corners of the points' upper
hull, those to the left and the right of it. A point below and to the right of another one is no corner, so that few are
left to look at: each with a larger allowance than all before it. Its price is by how much it grants more than needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from harness.tolerances.subject import Floats, Subject


class SafePair(NamedTuple):
    """A pair and its price.

    Attributes:
        price: how many times more than its allowance it grants an entry: the median.
        most: the same, at the entry with the largest.
    """

    atol: float
    rtol: float
    price: float
    most: float


def safe_pair(subject: Subject) -> SafePair | None:
    """The cheapest that is safe; None where nothing is bounded."""
    bounded = np.isfinite(subject.allowed)
    size, allowed = np.abs(subject.expected[bounded]), subject.allowed[bounded]
    if not size.size:
        return None
    atol, rtol = _line(size, allowed)
    atol, rtol = _two_digits(atol), _two_digits(rtol)
    granted, needed = atol + rtol * size, allowed > 0
    times = granted[needed] / allowed[needed]
    return SafePair(atol, rtol, *((float(np.median(times)), float(times.max())) if times.size else (1.0, 1.0)))


def _line(size: Floats, allowed: Floats) -> tuple[float, float]:
    """Where the line begins, and its slope."""
    order = np.lexsort((-allowed, size))
    x, y = size[order], allowed[order]
    higher = np.concatenate([[True], y[1:] > np.maximum.accumulate(y)[:-1]])
    corners: list[tuple[float, float]] = [(0.0, 0.0)]
    for point in zip(x[higher].tolist(), y[higher].tolist(), strict=True):
        while len(corners) > 1 and _below(corners[-2], corners[-1], point):
            corners.pop()
        if point[0] == corners[-1][0]:
            corners[-1] = (point[0], max(point[1], corners[-1][1]))
        else:
            corners.append(point)
    middle = float(size.mean())
    right = next((i for i, corner in enumerate(corners) if corner[0] >= middle), None)
    if right is None or right == 0:  # the highest corner is left of the middle: the line is level
        return max(corner[1] for corner in corners), 0.0
    (x0, y0), (x1, y1) = corners[right - 1], corners[right]
    slope = (y1 - y0) / (x1 - x0)
    return max(0.0, max(y - slope * x for x, y in corners)), slope


def _below(first: tuple[float, float], middle: tuple[float, float], last: tuple[float, float]) -> bool:
    """Whether the middle one is not above the line from the first to the last."""
    return (middle[1] - first[1]) * (last[0] - first[0]) <= (last[1] - first[1]) * (middle[0] - first[0])


def _two_digits(number: float) -> float:
    """A number of two digits that is not smaller."""
    if number == 0:
        return 0.0
    unit = 10.0 ** (np.floor(np.log10(number)) - 1)
    rounded = float(f"{np.ceil(number / unit) * unit:.1e}")
    return rounded if rounded >= number else float(f"{rounded + unit:.1e}")
