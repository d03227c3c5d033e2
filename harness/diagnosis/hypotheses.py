"""Hypotheses: every fault that may be why a tensor is wrong, ranked in plain floats by how well its numbers fit.

They are held against what is shown at a point, with every mistake planted that was found so far.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Profile
from harness.evaluation.incremental import Reach, Replay, in_bounds, in_floats
from harness.evaluation.point import Point
from harness.evaluation.strides import EVERY_ENTRY, Stride
from harness.faults import Fault, Fitted
from harness.faults.cause import Cause
from harness.faults.fault import Read
from harness.faults.precision import WIDE
from impls.contract import Array
from impls.graph import Rule

MOST_RANKED = 20_000
"""Entries of a tensor, about, against which every fault is held before the best are held against all."""


@dataclass(frozen=True)
class Hypothesis:
    """A fault held against the tensor that shows it, in plain floats.

    Attributes:
        fault: with its number, if it has one.
        origin: the fault as the catalogue has it.
        residual: see `harness.diagnosis.Cause`.
        number: the number, if it has one.
    """

    fault: Fault
    origin: Fault
    residual: float
    number: float = np.nan

    @property
    def tier(self) -> int:
        """0 nothing free in it, 1 a fitted number, 2 a wide allowance."""
        return 2 if self.origin.cause in WIDE else int(isinstance(self.origin, Fitted))

    def as_cause(self, number: tuple[float, float] | None = None, entries: int = 0) -> Cause:
        """For the report."""
        fault = self.fault
        return Cause(fault.cause, fault.at, fault.says, fault.formula, self.residual, number, entries)


def ranked(faults: Sequence[Fault], tensor: str, actual: Array, floats: Replay) -> list[Hypothesis]:
    """All hypotheses that reach a tensor with finite numbers, those that fit best first.

    Of a large tensor a sample of the entries is asked.
    """
    stride = stride_of(actual)
    part, size = floats.part(tensor, actual, stride), float(np.abs(actual).max())
    found = []
    for origin in faults:
        fault: Fault | None = origin
        if isinstance(origin, Read):
            fault = _read(origin, tensor, actual, part, floats, stride)
        if fault is None:
            continue
        hypothesis = _against(fault, tensor, part, size, floats, stride)
        if hypothesis is not None and np.isfinite(hypothesis.residual):
            found.append(hypothesis if fault is origin else replace(hypothesis, origin=origin))
    return sorted(found, key=lambda h: h.residual)


def _read(fault: Read, tensor: str, actual: Array, part: Array, floats: Replay, stride: Stride) -> Fault | None:
    """The mistake with what is left out, as the numbers show it."""

    def off(rule: Rule) -> float:
        return residual(part, floats.predicted(fault.at, rule, [tensor], stride)[tensor], 1.0)

    return fault.read(tensor, actual, floats.expected[tensor], off, floats.tensors)


def stride_of(actual: Array) -> Stride:
    """The entries of a tensor against which every fault is held."""
    return Stride(max(1, actual.size // MOST_RANKED), 0)


def _against(
    fault: Fault, tensor: str, actual: Array, size: float, floats: Replay, stride: Stride = EVERY_ENTRY
) -> Hypothesis | None:
    def predicted(rule: Rule) -> Any:
        return floats.predicted(fault.at, rule, [tensor], stride).get(tensor)

    if not isinstance(fault, Fitted):
        return Hypothesis(fault, fault, residual(actual, predicted(fault.rule), size))
    c = fault.fit(actual, predicted)
    if c is None:
        return None
    with_it = fault.with_number(c)
    return Hypothesis(with_it, fault, residual(actual, predicted(with_it.rule), size), c)


def residual(actual: Array, predicted: Array, size: float) -> float:
    """Largest |actual − predicted|, relative to the largest |actual|, `size`; infinite where either is not finite."""
    with np.errstate(all="ignore"):
        off = float(np.max(np.abs(actual - predicted)))
    if off == 0:
        return 0.0
    return off / size if np.isfinite(off) and np.isfinite(size) and size else np.inf


def in_full(hypothesis: Hypothesis, tensor: str, actual: Array, floats: Replay, where: Array) -> Hypothesis:
    """The hypothesis with its residual in every entry of `where`, the ones that are wrong without it."""
    fault, size = hypothesis.fault, float(np.abs(actual).max())
    predicted = floats.predicted(fault.at, fault.rule, [tensor])[tensor]
    return replace(hypothesis, residual=residual(actual[where], predicted[where], size))


@dataclass(frozen=True, eq=False)
class Planted:
    """A walk at a point, with rules planted in place of links; nothing in it changes.

    Attributes:
        shown: somebody's tensors by name, in float64.
        reach: which of them show what a link gives.
        rules_in_floats, rules_in_bounds: what is planted, by the link's name: on plain and on bounded arrays.
    """

    point: Point
    profile: Profile
    shown: Mapping[str, Array]
    reach: Reach
    rules_in_floats: Mapping[str, Rule]
    rules_in_bounds: Mapping[str, Rule]

    @classmethod
    def right(cls, point: Point, profile: Profile, shown: Mapping[str, Array], rules: Mapping[str, Rule]) -> Planted:
        """The walk as it is right, where the rules, if any, stand in place of links: other forms, sides of kinks."""
        names = {link.output for link in point.network.links}
        known = {name: np.asarray(array, np.float64) for name, array in shown.items() if name in names}
        return cls(point, profile, known, Reach(point.network, known), rules, rules)

    @cached_property
    def floats(self) -> Replay:
        """The tensors in float64."""
        return in_floats(self.point, self.reach, self.shown, self.rules_in_floats)

    @cached_property
    def bounds(self) -> Replay:
        """The tensors in bounded arithmetic."""
        return in_bounds(self.point, self.reach, self.shown, self.profile, self.rules_in_bounds)

    def wrong(self, name: str) -> bool:
        """Whether a tensor is shown and is not what is expected."""
        return name in self.shown and not self.bounds.expected[name].holds(self.shown[name])

    def outside(self, tensor: str) -> Array:
        """The entries of a shown tensor that are wrong."""
        return self.bounds.expected[tensor].outside(self.shown[tensor])

    def plus(self, at: str, in_floats: Rule, in_bounds: Rule) -> Planted:
        """The same with one more rule planted."""
        floats, bounds = {**self.rules_in_floats, at: in_floats}, {**self.rules_in_bounds, at: in_bounds}
        return replace(self, rules_in_floats=floats, rules_in_bounds=bounds)

    def plus_all(self, rules: Mapping[str, Rule]) -> Planted:
        """The same with more rules planted."""
        floats, bounds = {**self.rules_in_floats, **rules}, {**self.rules_in_bounds, **rules}
        return replace(self, rules_in_floats=floats, rules_in_bounds=bounds)

    def without(self, tensor: str) -> Planted:
        """The same where a tensor is not shown."""
        rest = {name: array for name, array in self.shown.items() if name != tensor}
        return replace(self, shown=rest, reach=Reach(self.point.network, rest))


def evident(actual: Array, expected: Bounded, predicted: Bounded) -> tuple[Array, Array]:
    """The entries that are wrong, and those of them in which a fault and no fault can be told apart."""
    outside = expected.outside(actual)
    with np.errstate(invalid="ignore"):
        return outside, outside & (predicted.bound < np.abs(np.asarray(actual, np.float64) - expected.value))
