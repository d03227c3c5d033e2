"""What is shown at a point, and what is expected of it with every mistake planted that was found so far."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from harness.arithmetic import Bounded, Profile
from harness.evaluation.incremental import Reach, Replay, in_bounds, in_floats
from harness.evaluation.point import Point
from impls.contract import Array
from impls.graph import Rule


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

    def without(self, tensor: str) -> Planted:
        """The same where a tensor is not shown."""
        rest = {name: array for name, array in self.shown.items() if name != tensor}
        return replace(self, shown=rest, reach=Reach(self.point.network, rest))


def evident(actual: Array, expected: Bounded, predicted: Bounded) -> tuple[Array, Array]:
    """The entries that are wrong, and those of them in which a fault and no fault can be told apart."""
    outside = expected.outside(actual)
    with np.errstate(invalid="ignore"):
        return outside, outside & (predicted.bound < np.abs(np.asarray(actual, np.float64) - expected.value))
