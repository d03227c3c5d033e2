"""What a run did step by step, in columns: losses, differences, the worst share of each gradient, drift.

A page shows at most `COLUMNS` columns. Of more steps, several share a column, and a column keeps its extremes: the
largest share and who had it, the largest difference, the smallest and the largest loss.

And the weights of a result, which are kept at some steps only.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from math import isfinite
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.comparison.judge import Row
from harness.results.run import Run
from impls.contract import Array
from impls.registry import REFERENCE

COLUMNS = 400
CHECKS = ("formula", "rounding", "end-to-end")

Floats = NDArray[np.float64]


class Worst(NamedTuple):
    """The largest share of one gradient in one column; `used` is None where a number does not exist."""

    gradient: str
    first: int
    last: int
    step: int
    against: str
    check: str
    used: float | None
    verdict: str


@dataclass(frozen=True)
class Series:
    """A run in at most `most` columns of steps."""

    run: Run
    most: int = COLUMNS

    @property
    def last(self) -> int:
        """Number of steps."""
        return len(self.run.steps)

    @cached_property
    def columns(self) -> list[tuple[int, int]]:
        """First and last step of every column."""
        edges = np.linspace(0, self.last, min(self.last, self.most) + 1).round().astype(int)
        return [(int(a) + 1, int(b)) for a, b in pairwise(edges)]

    @property
    def reduced(self) -> str | None:
        """What was left out, in words; None if nothing."""
        if self.last <= self.most:
            return None
        return (
            f"{self.last:,} steps in {len(self.columns)} columns; a column keeps the largest share and difference and "
            f"the smallest and largest loss of its steps"
        )

    @cached_property
    def worst(self) -> list[Worst]:
        """Of every gradient in every column the row with the gravest verdict, and of these the largest share."""
        shown: list[Worst] = []
        for first, last in self.columns:
            best: dict[str, tuple[tuple[int, float], Row]] = {}
            for step in self.run.steps[first - 1 : last]:
                for row in step.rows:
                    if row.gradient in self._gradients and row.check != "end-to-end":
                        rank = _rank(row)
                        if row.gradient not in best or rank > best[row.gradient][0]:
                            best[row.gradient] = (rank, row)
            shown += [
                Worst(name, first, last, best[name][1].step, *_told(best[name][1]))
                for name in self.run.head.gradients
                if name in best
            ]
        return shown

    @cached_property
    def _gradients(self) -> frozenset[str]:
        return frozenset(self.run.head.gradients)

    def losses(self) -> list[dict[str, Any]]:
        """Records step, against, loss: every one, or the first, smallest, largest and last of each column."""
        records = []
        for name, values in self.run.losses.items():
            for first, last in self.columns:
                part = [(v, s) for s, v in enumerate(values[first - 1 : last], first) if v is not None]
                kept = {part[0], min(part), max(part), part[-1]} if part else set()
                records += [{"step": s, "against": name, "loss": v} for v, s in sorted(kept, key=lambda p: p[1])]
        return records

    def differences(self) -> list[dict[str, Any]]:
        """Records step, against, difference from the hand code's loss: of each column the largest that is not 0."""
        losses = self.run.losses
        reference = losses.get(REFERENCE, [None] * self.last)
        records = []
        for name, values in losses.items():
            if name == REFERENCE:
                continue
            for first, last in self.columns:
                found = [
                    (abs(v - r), s)
                    for s, (v, r) in enumerate(
                        zip(values[first - 1 : last], reference[first - 1 : last], strict=True), first
                    )
                    if v is not None and r is not None and v != r and isfinite(v - r)
                ]
                if found:
                    gap, step = max(found)
                    records.append({"step": step, "against": name, "difference": gap})
        return records

    def allowances(self) -> list[dict[str, Any]]:
        """Records step, allowed: how far rounding can bring a loss in the working dtype, the largest of each column."""
        records = []
        for first, last in self.columns:
            found = [
                (row.allowed, step.step)
                for step in self.run.steps[first - 1 : last]
                for row in step.rows
                if row.gradient == "loss" and row.check == "end-to-end" and row.allowed
            ]
            if found:
                allowed, step = max(found)
                records.append({"step": step, "allowed": allowed})
        return records

    def drift(self) -> list[dict[str, Any]]:
        """Records step, against, drift: of each column the largest that is not 0; none in lockstep."""
        records = []
        for name, values in self.run.drift.items():
            for first, last in self.columns:
                found = [(v, s) for s, v in enumerate(values[first - 1 : last], first) if v]
                if found:
                    drift, step = max(found)
                    records.append({"step": step, "against": name, "drift": drift})
        return records

    @cached_property
    def histogram(self) -> list[dict[str, Any]]:
        """Records check, from, to, rows: how many rows used which share, in twentieths; 1.05 is outside."""
        shares: dict[str, list[float]] = {check: [] for check in CHECKS}
        for step in self.run.steps:
            for row in step.rows:
                if row.used is not None:
                    shares[row.check].append(row.used)
        counts: dict[str, NDArray[np.int64]] = {}
        for check, known in shares.items():
            used = np.array(known)
            if used.size:
                place = np.where(used > 1, 20, np.minimum(used * 20, 19).astype(int))
                counts[check] = np.bincount(place, minlength=21)
        return [
            {
                "check": check,
                "from": i / 20,
                "to": (i + 1) / 20,
                "rows": int(n),
                "where": "outside" if i == 20 else "inside",
            }
            for check, found in counts.items()
            for i, n in enumerate(found)
        ]


def _rank(row: Row) -> tuple[int, float]:
    bad = row.verdict in ("FAULT", "inherited")
    used = row.used if row.used is not None else (np.inf if row.outside else -1.0)
    return (2 if row.verdict == "FAULT" else int(bad), used)


def _told(row: Row) -> tuple[str, str, float | None, str]:
    return row.against, row.check, row.used, row.verdict


@dataclass(frozen=True)
class Weights:
    """Weights by name, before the update of a step.

    Attributes:
        steps: at which they are kept, of `last` steps.
        at: gives them.
        dtype: they are of.
    """

    steps: list[int]
    last: int
    at: Callable[[int], dict[str, Array] | None]
    dtype: str

    def before(self, step: int) -> dict[str, Array]:
        """At a step at which they are kept."""
        weights = self.at(step)
        assert weights is not None
        return weights
