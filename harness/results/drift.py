"""Drift: how far apart implementations come when each follows its own updates, and whether rounding explains it.

A distance alone says nothing: training may damp a rounding error or double it at every step. So beside it
stands the drift of a *twin*, the hand code started from weights moved by one ulp, which shows what training
makes of the smallest difference there is.

The verdict does not rest on that comparison. In a free run every implementation is judged along its own
path: each link and each update, fed its own tensors, must be within its derived allowance. Where all are,
its path is the result of admissible roundings and nothing else, whatever training made of them: *explained
by rounding*. Where one is not, it is not explained, and the first wrong link says why. A step at which only a
sample was compared could hide one, so then nothing is told.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from harness.comparison.judge import Row
from harness.results.record import Head, Step
from impls.contract import Array

TWIN = "twin"


class DriftVerdict(NamedTuple):
    """Is the drift of one implementation explained by rounding? None where that cannot be told."""

    explained: bool | None
    reason: str

    def __str__(self) -> str:
        words = {True: "explained by rounding", False: "not explained by rounding", None: "not told"}
        return f"{words[self.explained]}: {self.reason}"


def moved_by_one_ulp(weights: Mapping[str, Array], seed: int) -> dict[str, Array]:
    """Every weight moved to the next number of its dtype, up or down at random."""
    rng = np.random.default_rng([seed, 1])
    return {
        name: np.nextafter(w, np.where(rng.random(w.shape) < 0.5, -np.inf, np.inf).astype(w.dtype))
        for name, w in weights.items()
    }


def distance(weights: Mapping[str, Array], others: Mapping[str, Array]) -> float:
    """The largest difference of any weight."""
    with np.errstate(invalid="ignore", over="ignore"):  # of weights that diverge
        return max(float(np.max(np.abs(np.float64(w) - others[name]))) for name, w in weights.items())


def explanation(name: str, head: Head, steps: Sequence[Step], rows: Sequence[Row]) -> DriftVerdict:
    """What every check along an implementation's own path says of its drift; `rows` are the worst over all steps."""
    fault = next((row for step in steps for row in step.rows if row.against == name and row.verdict == "FAULT"), None)
    if fault:
        return DriftVerdict(False, f"{fault.gradient} is outside its allowance at step {fault.step}")
    breach = next((f for step in steps for f in step.findings if f.against == name and f.fails), None)
    if breach:
        return DriftVerdict(False, f"{breach.message} at step {breach.step}")
    judged = {
        row.gradient
        for row in rows
        if row.against == name and row.verdict in ("ok", "convention") and row.check != "formula"
    }
    unjudged = [tensor for tensor in (*head.gradients, *head.weights) if tensor not in judged]
    if unjudged:
        return DriftVerdict(None, f"no check could judge {', '.join(unjudged[:4])} in {head.dtype}")
    full = sum(step.checked == "full" for step in steps)
    if full < len(steps):
        seen = f"every entry was compared at {full} of {len(steps)} steps only; --check full compares them at all"
        return DriftVerdict(None, f"nothing is outside its allowance, but {seen}")
    return DriftVerdict(True, "every gradient and update on its own path is within its allowance")


def drifts(head: Head, steps: Sequence[Step]) -> dict[str, list[float | None]]:
    """The drift of every implementation, and last of the twin, at every step."""
    names = [name for name in (*head.implementations, TWIN) if any(name in step.drift for step in steps)]
    return {name: [step.drift.get(name) for step in steps] for name in names}
