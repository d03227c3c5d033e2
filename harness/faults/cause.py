"""A cause: a mistake, held against somebody's numbers."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Cause:
    """A mistake, and how near what it gives is to the numbers that came.

    Attributes:
        cause, at, says, formula: as in `harness.faults.Fault`; no formula where the words say all.
        residual: largest |actual − predicted| at the first tensor, or in the first case, that shows it, relative to
            the largest |actual|.
        number: the constant in the mistake, where it has one that was fitted, and how far it may be off.
        entries: how many entries held against it the number could be seen in.
    """

    cause: str
    at: str
    says: str
    formula: str
    residual: float
    number: tuple[float, float] | None = None
    entries: int = 0
