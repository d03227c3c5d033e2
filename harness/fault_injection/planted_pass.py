"""The ground on which faults are planted: the right tensors at one point, and whether a fault changes anything there.

In the working dtype a fault is put in place of its link in the hand code's own pass, and every later link goes on from
it. In float64 the same is done from the centre. A part of a gradient is shown by nobody: with a fault in it, the sum of
all parts is judged.

A program with a fault and one without it may round differently where both compute the same numbers, so unequal floats
prove nothing. The rule, in the order in which it is cheap:

1. What lies within the float64 rounding of its one link changes nothing: no program is told from a right one by it.
2. The faulty rule is run on bounded arrays. Where some entry's box and the right one's have no number in common, it
   changes something.
3. Where all boxes overlap, both are found in exact arithmetic, or in balls, from the exact tensors of the whole pass.
   If they are equal, or differ by less than balls far below that rounding can tell, the fault changes nothing.
4. What none of this settles changes something: so the power of a comparison is rather told too small than too large.

A fault of precision is rounding and nothing else: only the first rule applies to it.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from functools import cached_property, partial
from importlib.util import find_spec
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Profile, profile_of
from harness.arithmetic.entries import Entries
from harness.arithmetic.rationals import Rationals
from harness.arithmetic.true_values import TrueTensor
from harness.comparison.recomputed import Sums
from harness.evaluation.centre import NO_SUMS, KnownSums, alone, parts_of
from harness.evaluation.expected import given
from harness.evaluation.given import as_numbers
from harness.evaluation.point import Point
from harness.evaluation.truth import BITS_UNASKED, exact_tensors, why_irrational
from harness.faults import Fault
from harness.faults.precision import DTYPES
from harness.formats import FORMATS
from impls.contract import Array, Arrays, Pass
from impls.graph import LOSS, Graph, Link, Rule, evaluate
from impls.hand_numpy import EMULATED, Working

MOST_IN_BALLS = 1_000_000
"""Multiply-adds of a pass that is found in balls, which takes a second or two."""


def overlap(mine: Bounded, right: Bounded) -> bool:
    """Whether every entry's box has a number in common with the right one's; where nothing is bounded it has."""
    return right.widened(mine.bound).holds(mine.value)


def of_precision(fault: Fault) -> bool:
    """Whether a fault is lower precision, which in exact arithmetic is none."""
    return fault.cause in DTYPES


def within(fault: Fault, dtype: str) -> bool:
    """Whether a fault is the precision that a program in this dtype has, or a higher one."""
    return of_precision(fault) and FORMATS[DTYPES[fault.cause]].digits >= FORMATS[dtype].digits


class Exactly:
    """The tensors of one pass in exact arithmetic or in balls, found when they are first asked for."""

    def __init__(self, point: Point) -> None:
        self.point = point

    @cached_property
    def tensors(self) -> dict[str, Any] | None:
        """By name; None where they cannot be found here, or it would take too long."""
        point = self.point
        numbers: Any = Rationals()
        if why_irrational(point.network, point.rows) is not None:
            if find_spec("flint") is None or point.network.multiply_adds(point.rows) > MOST_IN_BALLS:
                return None
            from harness.arithmetic.balls import Balls

            numbers = Balls(BITS_UNASKED)
        try:
            return exact_tensors(point.network, numbers, point.named)
        except (ArithmeticError, ValueError):  # a number that is not finite, or a division by 0
            return None

    def same(self, fault: Fault, bound: Bounded) -> bool:
        """Whether the faulty link is shown to give what the right one gives; `bound` holds the rounding of the link."""
        if self.tensors is None:
            return False
        right = self.tensors[fault.at]
        try:
            mine = fault.rule(self.tensors)
        except (ArithmeticError, ValueError, TypeError):  # a rule that these numbers cannot follow
            return False
        if not isinstance(mine, Entries) or mine.shape != right.shape:
            return False
        difference = TrueTensor(mine - right)
        with np.errstate(invalid="ignore"):
            none = np.abs(difference.value) <= difference.radius
        return bool(np.all(none & difference.far_below(bound.bound) & np.isfinite(difference.radius)))


class Tensors:
    """The right tensors of one dtype, by name.

    Attributes:
        given: everything that a link may read, parts of gradients too.
        dtype: its name.
    """

    def __init__(self, network: Graph, given: Mapping[str, Array]) -> None:
        parts = [link for link in network.backward_links if link.output not in given]
        self.dtype = np.asarray(given[LOSS]).dtype
        self.network, self._working = network, Working(self.dtype)
        self._read = evaluate(parts, self._working.taken_by_name(given), passed_on=self._working.passed_on)
        self.given = self._working.kept_by_name(self._read)
        self._alone: dict[tuple[str, Profile | None], Bounded] = {}
        self._sums: dict[Profile, KnownSums] = {}

    def with_fault(self, fault: Fault) -> Array:
        """What the faulty link gives, in this dtype."""
        with np.errstate(all="ignore"):
            return self._working.kept(fault.rule(self._read)).astype(self.dtype, copy=False)

    def bounded(self, link: Link, profile: Profile | None = None) -> Bounded:
        """The right value of one link, fed these tensors, with the bound of this link alone; of hand code if None."""
        if (link.output, profile) not in self._alone:
            own = profile or profile_of(str(self.dtype), arithmetic=EMULATED)
            parts = parts_of(self.network, link, self.told)
            sums = self._sums_of(profile) if profile else NO_SUMS
            self._alone[link.output, profile] = alone(link, self.given, own, shown=self.told, parts=parts, sums=sums)
        return self._alone[link.output, profile]

    @cached_property
    def told(self) -> frozenset[str]:
        """What a program shows that shows everything: all but parts of gradients."""
        return frozenset(name for name in self.network.link if not self.network.tensors[name].through)

    def _sums_of(self, profile: Profile) -> KnownSums:
        if profile.eager:
            return NO_SUMS
        if profile not in self._sums:
            self._sums[profile] = Sums(self.network, self.given, self.told, profile)
        return self._sums[profile]

    def shown_after(self, wrong: Link, value: Array, shown: Container[str]) -> dict[str, Array] | None:
        """What a program shows first of a link that gave this, by name: itself, or what reads it unshown.

        None where its shape fits nothing that reads it.
        """
        if wrong.output in shown:
            return {wrong.output: value}
        if value.shape != self.given[wrong.output].shape:
            return None
        tensors = {**self._read, wrong.output: self._working.taken(value)}
        unshown, found, links = {wrong.output}, list[str](), self.network.links
        passed_on = self._working.passed_on or (lambda _, value: value)
        start = next(place for place, link in enumerate(links) if link.output == wrong.output)
        with np.errstate(all="ignore"):
            for link in links[start + 1 :]:
                if unshown.intersection(link.inputs):
                    tensors[link.output] = passed_on(link, link(tensors))
                    (found.append if link.output in shown else unshown.add)(link.output)
        return self._working.kept_by_name({name: tensors[name] for name in found})


class Ground:
    """Where faults are planted and judged.

    Attributes:
        working: the right tensors in the working dtype, as the hand code gives them.
        double: the same in float64, the centre's.
    """

    def __init__(self, point: Point, result: Pass) -> None:
        self.point, self.network = point, point.network
        self.centre = point.double.centre("float64").tensors
        self._exactly = Exactly(point.double)
        tensors = {**point.double.named, **{name: tensor.value for name, tensor in self.centre.items()}}
        self.working, self.double = Tensors(self.network, point.tensors(result)), Tensors(self.network, tensors)

    def changes(self, link: Link, fault: Fault, value: Array) -> bool:
        """Whether a fault, whose value in float64 this is, changes anything."""
        alone = self.double.bounded(link)
        if alone.holds(value):
            return False
        if of_precision(fault) or value.shape != alone.shape:
            return True
        return not overlap(self.faulty(fault), self.centre[link.output]) or not self._exactly.same(fault, alone)

    def faulty(self, fault: Fault) -> Bounded:
        """What the faulty link gives, with the bound of float64 end to end."""
        with np.errstate(all="ignore"):
            return fault.rule(self._bounded)

    @cached_property
    def _bounded(self) -> dict[str, Any]:
        """Everything that a link may read, with the bounds of float64 end to end."""
        context = next(iter(self.centre.values())).context
        return {**given(self.point.double, context), **self.centre}

    def formula(self, link: Link, value: Array, shown: Container[str] | None = None) -> bool:
        """Whether the formula check, float64 and end to end, accepts what a link gives, of all that is shown first."""
        after = self.double.shown_after(link, value, self.double.told if shown is None else shown)
        return after is not None and all(self.centre[name].holds(tensor) for name, tensor in after.items())

    def rounding(self, link: Link, value: Array, profile: Profile | None = None) -> bool:
        """Whether the rounding check, working dtype and this link alone, accepts what a link gives."""
        after = self.working.shown_after(link, value, self.working.told)
        return after is not None and all(
            self.working.bounded(self.network.link[name], profile).holds(tensor) for name, tensor in after.items()
        )

    def passes(self, dtype: str) -> tuple[Callable[[Arrays], Array], Callable[[Mapping[str, Rule]], Any], Arrays]:
        """The loss as a function of the weights, the gradient with rules planted in it, and the weights, in a dtype."""
        given = as_numbers(self.network, self.point.named, lambda array: array.astype(dtype))
        weights = {name: given.pop(name) for name in self.point.weights}
        return partial(_loss, self.network, given), partial(_gradient, self.network, given, dtype), weights


def _loss(network: Graph, given: Arrays, weights: Arrays) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(evaluate(network.links_to_loss, {**given, **weights})[LOSS])


def _gradient(
    network: Graph, given: Arrays, dtype: str, planted: Mapping[str, Rule]
) -> Callable[[Arrays], dict[str, Array]]:
    def in_dtype(_: Link, value: Any) -> Array:
        return np.asarray(value).astype(dtype, copy=False)

    def gradient(weights: Arrays) -> dict[str, Array]:
        with np.errstate(all="ignore"):
            tensors = evaluate(network.links, {**given, **weights}, planted=planted, passed_on=in_dtype)
        return {name: tensors[network.gradient[name]] for name in weights}

    return gradient
