"""Scales: from the numbers of a chart to places along one side of it, with the ticks and how they are written."""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

MOST = sys.float_info.max
EVEN = (1, 2, 5)
"""Times a power of ten, these are apart what a reader counts in."""


@dataclass(frozen=True)
class Scale:
    """A side of a chart.

    Attributes:
        low, high: the numbers at its ends.
        start, end: where these are, in the units of the picture.
        ticks: numbers on the way, each with its text.
        bend: makes the scale that of a logarithm, say.
    """

    low: float
    high: float
    start: float
    end: float
    ticks: Sequence[tuple[float, str]] = ()
    bend: Callable[[float], float] = float

    @cached_property
    def _bent(self) -> tuple[float, float]:
        low = self.bend(self.low)
        return low, (self.end - self.start) / ((self.bend(self.high) - low) or 1.0)

    def __call__(self, value: float) -> float:
        """Where a number is."""
        low, slope = self._bent
        return self.start + (self.bend(value) - low) * slope


def linear(values: Sequence[float], start: float, end: float, count: int) -> Scale:
    """Of numbers and 0, with about so many ticks, from one tick to another."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *finite]), max([0.0, *finite])
    apart = _apart(max(high / count - low / count, 1e-300) if low < high else 1.0)
    first, last = math.floor(low / apart), math.ceil(high / apart)
    last += first == last
    digits = max(0, -math.floor(math.log10(apart)))
    low, high = max(first * apart, -MOST), min(last * apart, MOST)
    ticks = [(place * apart, _written(place * apart, digits)) for place in range(first, last + 1)]
    return Scale(low, high, start, end, [(value, text) for value, text in ticks if low <= value <= high])


def steps(first: float, last: float, start: float, end: float) -> Scale:
    """Of whole steps: all are ticks where they are few."""
    apart = 1 if last <= 10 else max(1, int(_apart(last / 20)))
    ticks = [(float(step), str(step)) for step in range(apart, math.floor(last) + 1, apart)]
    return Scale(first, last, start, end, ticks)


def log(values: Sequence[float], start: float, end: float) -> Scale:
    """Of numbers above 0, with a tick at each power of ten, or at every so many where there are many."""
    # Beyond these powers a float64 is 0 or infinite.
    low = max(math.floor(math.log10(min(values))), -323)
    high = min(math.ceil(math.log10(max(values))), 308)
    low = min(low, high - 1)
    ticks = [(float(f"1e{power}"), f"1e{power}") for power in range(low, high + 1, max(1, (high - low) // 5))]
    return Scale(float(f"1e{low}"), float(f"1e{high}"), start, end, ticks, math.log10)


def counts(most: int, start: float, end: float) -> Scale:
    """Of counts from 0: even up to some ten, like a logarithm beyond."""
    powers = [10**power for power in range(1, len(str(most)) + 1) if 10**power <= most]
    ticks = [(float(count), f"{count:,}") for count in (0, *powers)]
    return Scale(0.0, float(most), start, end, ticks, lambda count: math.log1p(count / 10))


def rows(names: Sequence[str], height: float) -> Scale:
    """Of names, one below the other, each in the middle of a row of that height."""
    ticks = [(place + 0.5, name) for place, name in enumerate(names)]
    return Scale(0.0, float(len(names)), 0.0, height * len(names), ticks)


def without_names(scale: Scale) -> Scale:
    """The same with ticks that are not written."""
    return replace(scale, ticks=[(value, "") for value, _ in scale.ticks])


def _apart(least: float) -> float:
    """The next even number from `least` on."""
    power = 10.0 ** math.floor(math.log10(least))
    return next((times * power for times in EVEN if times * power >= least * (1 - 1e-9)), 10 * power)


def _written(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    if not 1e-4 <= abs(value) < 1e6:
        return f"{value:.6g}".replace("-", "−").replace("e−0", "e−").replace("e+0", "e").replace("e+", "e")
    return f"{value:.{min(digits, 8)}f}".replace("-", "−")
