"""Why a gradient is wrong: every hypothesis is computed anew, and named only if it gives the numbers that came.

A cause must reproduce the gradient within the allowance in every case that is looked at. Hypotheses stand in the
order in which they are believed: one that says more precisely what happened stands before one that covers it. Where
several give the same numbers in all of these cases they cannot be told apart, and all are listed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from harness.centre import Array
from harness.operations.catalogued import catalogued
from harness.operations.estimate import Estimate
from harness.operations.hypothesis import Cause, Hypotheses, Hypothesis, Situation
from harness.operations.normalising import normalisations
from harness.operations.scaled import recognisable
from harness.operations.substituted import elsewhere, lower_precision
from harness.operations.upstreams import changed_upstream

FAMILIES: tuple[Hypotheses, ...] = (
    recognisable, changed_upstream, normalisations, catalogued, elsewhere, lower_precision,
)  # fmt: skip
LOOKED_AT = 4
"""Cases in which a hypothesis must hold, the first in which the gradient is wrong: ordinary numbers, then others."""


FAR_OFF = 0.5
"""A guess that is off by more of the largest entry is none."""


class _Tried(NamedTuple):
    hypothesis: Hypothesis
    family: Hypotheses
    off: float
    holds: bool
    reproduces: bool
    """Whether every entry that is bounded is within its allowance, be it evidence or not."""


def cause_of(name: str, situations: Sequence[Situation]) -> Cause:
    """The cause of one gradient's being wrong in these cases, or unknown with what is known."""
    first, *further = situations[:LOOKED_AT]
    tried = list(_tried(first, name, {}))
    holding = {one.hypothesis.says: one for one in tried if one.holds}
    for situation in further:
        if holding:
            again = {one.hypothesis.says for one in _tried(situation, name, holding) if one.holds}
            holding = {says: one for says, one in holding.items() if says in again}
    # One that reproduces the numbers here and fails in a case further on is off by nothing here.
    others = [one for one in tried if not one.reproduces and one.off <= FAR_OFF]
    nearest = min(others, key=lambda one: one.off, default=None)
    runner_up = None if nearest is None else nearest.hypothesis.says
    runner_up_off = None if nearest is None else nearest.off
    if not holding:
        known = patterns(first.answered[name], first.expected[name])
        return Cause(f"d{name}", "unknown", known, runner_up=runner_up, runner_up_off=runner_up_off)
    best, *rest = holding.values()
    return Cause(
        f"d{name}", best.hypothesis.cause, best.hypothesis.says, best.off, len(situations[:LOOKED_AT]),
        tuple(one.hypothesis.says for one in rest), runner_up, runner_up_off,
    )  # fmt: skip


def _tried(at: Situation, name: str, only: dict[str, _Tried]) -> Iterator[_Tried]:
    actual = at.answered[name]
    if actual is None:
        return
    right = at.expected[name]
    for family in {one.family: None for one in only.values()} or FAMILIES:
        for hypothesis in family(at, name):
            if only and hypothesis.says not in only:
                continue
            try:
                with np.errstate(all="ignore"):
                    estimate = hypothesis.predict()
            except Exception:  # a reference may refuse what a mistake makes of its inputs; then it is no explanation
                continue
            yield _Tried(
                hypothesis, family, estimate.off(actual), _explains(estimate, actual, right), estimate.holds(actual)
            )


def _explains(estimate: Estimate, actual: Array, right: Estimate) -> bool:
    """Whether it holds, and where anything is bounded at all that is wrong."""
    if not estimate.holds(actual):
        return False
    if actual.shape != right.value.shape:
        return bool(estimate.bounded.any())
    wrong = ~right.inside(actual) & right.bounded
    return bool(np.any(estimate.bounded & wrong))


def patterns(actual: Array | None, right: Estimate) -> str:
    """What is known of a gradient whose cause is not: where it is wrong, signs, the range of its ratio."""
    if actual is None or actual.shape != right.value.shape:
        return "no cause known gives this shape"
    wrong = ~right.inside(actual) & right.bounded
    told = [f"{int(wrong.sum())} of {wrong.size} entries are wrong"]
    for axis in range(actual.ndim if actual.ndim > 1 else 0):
        places = np.flatnonzero(wrong.any(axis=tuple(a for a in range(actual.ndim) if a != axis)))
        if len(places) < actual.shape[axis]:
            told.append(f"only at {', '.join(map(str, places[:8]))} of axis {axis}")
    with np.errstate(all="ignore"):
        ratio = (np.asarray(actual, np.float64) / right.value)[wrong]
    ratio = ratio[np.isfinite(ratio)]
    if ratio.size:
        told.append(f"{ratio.min():.3g} to {ratio.max():.3g} times the right ones")
        if np.all(ratio < 0):
            told.append("all of the other sign")
    elif np.all(~np.isfinite(np.asarray(actual)[wrong])):
        told.append("they are not finite")
    return ", ".join(told)
