"""Following an optimizer: what its rules should make of the gradients that somebody's optimizer was given.

Each step starts from the weights that somebody had, exact as shown; the state is followed in bounded arithmetic from
its first step on, because everybody keeps it in his own way. What is judged is the step, new weight minus old one.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from inspect import signature
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, profile_of
from harness.arithmetic.profile import UNIT_ROUNDOFF_64
from harness.comparison.judge import Row, judge
from harness.comparison.worst import worst
from harness.diagnosis.patterns import told_by
from harness.faults.optimizers.written import Rule, Variant
from impls.contract import Array, Arrays


@dataclass
class Taken:
    """Steps that somebody's optimizer took, one after the other, from a fresh start.

    Attributes:
        name: of the sequence of gradients.
        weights, gradients, after: by step: weights before, gradients, and weights after it, by name.
    """

    name: str
    dtype: str
    weights: list[Arrays] = field(default_factory=list)
    gradients: list[Arrays] = field(default_factory=list)
    after: list[Arrays] = field(default_factory=list)

    def add(self, weights: Arrays, gradients: Arrays, after: Arrays) -> None:
        """One step more."""
        self.weights.append(weights)
        self.gradients.append(gradients)
        self.after.append(after)


def followed(variant: Variant, run: Taken) -> Iterator[dict[str, Bounded]]:
    """Step by step, the new weights that a variant makes of somebody's weights and gradients."""
    context, rules = Context(profile_of(run.dtype)), variant.rules
    state: dict[str, dict[str, Any]] = {}
    for number, (weights, gradients) in enumerate(zip(run.weights, run.gradients, strict=True)):
        new = {}
        for tensor, (name, weight) in enumerate(weights.items()):
            fresh = {s: context.exact(np.zeros(weight.shape)) for s in rules.state}
            read = {
                "W": context.exact(weight), "dW": context.exact(gradients[name]),
                "t": variant.t(number, tensor, len(weights)), **state.get(name, fresh),
            }  # fmt: skip
            for s, rule in rules.state.items():
                read[s] = _called(rule, read)
            state[name] = {s: read[s] for s in rules.state} if variant.keeps else fresh
            new[name] = _called(rules.W, read)
        yield new


def _called(rule: Rule, read: dict[str, Any]) -> Any:
    with np.errstate(all="ignore"):
        return rule(*(read[name] for name in _parameters(rule)))


@lru_cache(maxsize=256)
def _parameters(rule: Rule) -> tuple[str, ...]:
    """What a rule reads: asked at each step for each weight, and found out once."""
    return tuple(signature(rule).parameters)


def reproduces(variant: Variant, run: Taken) -> bool:
    """Whether every new weight is what a variant makes, within its rounding; not finite only where it is not either."""
    return all(
        _matches(expected[name], after[name])
        for expected, after in zip(followed(variant, run), run.after, strict=True)
        for name in after
    )


def _matches(expected: Bounded, actual: Array) -> bool:
    with np.errstate(all="ignore"):
        inside = expected.bounded & ~expected.outside(actual)
    return bool(np.all(np.where(np.isfinite(actual), inside, ~np.isfinite(expected.value))))


def judged(variant: Variant, run: Taken, against: str) -> list[Row]:
    """Of each weight the row of its worst step; without power only if none of its steps has any."""
    found: dict[str, list[Row]] = {}
    for number, expected in enumerate(followed(variant, run)):
        for name, new in expected.items():
            actual, right = _step(run, number, name, new)
            row = judge("rounding", name, against, number + 1, actual=actual, expected=right.value, allowed=right.bound)
            found.setdefault(name, []).append(row)
    return [_of_all(rows) for rows in found.values()]


def _of_all(rows: list[Row]) -> Row:
    """The first wrong step, or else the worst of those that move the weight so far that it is seen."""
    seen = [row for row in rows if row.verdict == "ok" and row.zeros < row.entries]
    unseen = [row for row in rows if row.verdict == "no power"]
    return next((row for row in rows if row.verdict == "FAULT"), None) or worst(seen or unseen or rows)


def facts(variant: Variant, run: Taken, row: Row) -> tuple[str, ...]:
    """What the numbers of a wrong step tell of themselves."""
    new = list(followed(variant, run))[row.step - 1][row.gradient]
    actual, right = _step(run, row.step - 1, row.gradient, new)
    return tuple(f"step {row.step}: {fact}" for fact in told_by(actual, right, *("axis",) * actual.ndim))


def _step(run: Taken, number: int, name: str, new: Bounded) -> tuple[Array, Bounded]:
    """The step that was taken and the right one, from the new weights; each difference rounds in float64."""
    old = np.asarray(run.weights[number][name], np.float64)
    with np.errstate(all="ignore"):
        actual = np.asarray(run.after[number][name], np.float64) - old
        right = new.value - old
        rounded = UNIT_ROUNDOFF_64 * (np.abs(np.where(np.isfinite(actual), actual, 0.0)) + np.abs(right))
        return actual, Bounded(right, new.bound + rounded, new.context)
