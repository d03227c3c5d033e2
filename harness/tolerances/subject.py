"""Subject: a tensor that somebody compares, what is expected of it, and how far off a right program may be."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic.enclosure import within

Floats = NDArray[np.float64]
Source = Literal["derived", "measured", "given", "rounding of the result alone"]
"""Where an allowance comes from. Of a tensor of which nothing is known but its numbers, even a program that computes
without any error rounds once, to the dtype: its allowance is no larger for that reason alone."""


@dataclass(frozen=True)
class Subject:
    """One tensor.

    Attributes:
        name: for people.
        expected: the centre, in float64.
        allowed: of each entry, how far off a right program of the dtype may be; infinite where nothing is bounded.
        source: where that comes from.
        programs: what right programs of the dtype give, by their names.
        mistakes: what mistakes give that are known of this tensor alone, by their names.
        given: what somebody's program gave, where that was shown.
    """

    name: str
    expected: Floats
    allowed: Floats
    dtype: str
    source: Source
    programs: Mapping[str, Floats] = field(default_factory=dict)
    mistakes: Mapping[str, Callable[[], Floats]] = field(default_factory=dict)
    given: Floats | None = None

    def holds(self, actual: Floats) -> bool:
        """Whether every entry is within its allowance; NaN is not."""
        return within(actual, self.expected, self.allowed)
