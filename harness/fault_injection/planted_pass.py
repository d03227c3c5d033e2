"""The ground on which faults are planted: the right tensors at one point, and what a fault makes of them.

In the working dtype a fault is put in place of its link in the hand code's own pass, and every later link goes on from
it. In float64 the same is done from the centre.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property, partial
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, profile_of
from harness.evaluation.centre import alone
from harness.evaluation.expected import given
from harness.evaluation.point import Point
from harness.fault_injection.effect import Exactly, of_precision, overlap
from harness.faults import Fault
from impls.contract import Array, Arrays, Pass
from impls.graph import Graph, Link, Rule


class Tensors:
    """The right tensors of one dtype, by name.

    Attributes:
        given: everything that a link may read.
        dtype: its name.
    """

    def __init__(self, network: Graph, given: Mapping[str, Array]) -> None:
        self.network, self.given = network, given
        self.dtype = np.asarray(given["loss"]).dtype
        self._alone: dict[str, Bounded] = {}

    def with_fault(self, fault: Fault) -> Array:
        """What the faulty link gives, in this dtype."""
        with np.errstate(all="ignore"):
            return np.asarray(fault.rule(self.given)).astype(self.dtype, copy=False)

    def bounded(self, link: Link) -> Bounded:
        """The right value of one link, fed these tensors, with the bound of this link alone."""
        if link.output not in self._alone:
            shown = set(self.given) - set(self.network.weights) - {"x", "y"}
            self._alone[link.output] = alone(link, self.given, profile_of(str(self.dtype)), shown=shown)
        return self._alone[link.output]

    def gradients_after(self, link: Link, value: Array) -> dict[str, Array]:
        """Of a pass that goes on from a wrong link, the gradients of the weights that depend on it."""
        return gradients_after(self.network, self.given, {link.output: value})


def gradients_after(network: Graph, given: Mapping[str, Any], wrong: Mapping[str, Any]) -> dict[str, Array]:
    """The gradients of the weights that depend on a link that gave something wrong; the others stay as they are."""
    tensors = {**given, **wrong}
    (start,) = [place for place, link in enumerate(network.backward_links) if link.output in wrong]
    changed = set(wrong)
    with np.errstate(all="ignore"):
        for link in network.backward_links[start + 1 :]:
            if changed.intersection(link.inputs):
                tensors[link.output] = link(tensors)
                changed.add(link.output)
    return {name: np.asarray(tensors[name]) for name in network.gradients if name in changed}


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
        y = point.double.y
        tensors = {**point.double.weights, "x": point.double.x, "y": y, **{n: t.value for n, t in self.centre.items()}}
        self.working, self.double = Tensors(self.network, point.tensors(result)), Tensors(self.network, tensors)

    def changes(self, link: Link, fault: Fault, value: Array) -> bool:
        """Whether a fault, whose value in float64 this is, changes anything; see `harness.fault_injection.effect`."""
        alone = self.double.bounded(link)
        if accepted(value, alone):
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

    def formula(self, link: Link, value: Array) -> bool:
        """Whether the formula check, float64 and end to end, accepts what a link gives."""
        return accepted(value, self.centre[link.output])

    def formula_of_weights(self, link: Link, value: Array) -> bool:
        """Whether it accepts the gradients of all weights, which is what it sees of a program that shows no more."""
        after = self.double.gradients_after(link, value)
        return all(accepted(after[name], self.centre[name]) for name in after)

    def rounding(self, link: Link, value: Array) -> bool:
        """Whether the rounding check, working dtype and this link alone, accepts what a link gives."""
        return accepted(value, self.working.bounded(link))

    def passes(self, dtype: str) -> tuple[Callable[[Arrays], Array], Callable[[Mapping[str, Rule]], Any], Arrays]:
        """The loss as a function of the weights, the gradient with rules planted in it, and the weights, in a dtype."""
        weights = {name: w.astype(dtype) for name, w in self.point.weights.items()}
        x = self.point.x.astype(dtype)
        y = self.point.y if self.network.loss.labels else self.point.y.astype(dtype)
        return partial(_loss, self.network, x, y), partial(_gradient, self.network, x, y), weights


def accepted(value: Array, expected: Bounded) -> bool:
    """Whether a value has the shape, is finite where the right one is, and lies within the bound."""
    return expected.holds(value)


def _loss(network: Graph, x: Array, y: Array, weights: Arrays) -> Array:
    with np.errstate(all="ignore"):
        return np.asarray(network.loss_of(network.forward(weights, x), y))


def _gradient(network: Graph, x: Array, y: Array, planted: Mapping[str, Rule]) -> Callable[[Arrays], dict[str, Array]]:
    def gradient(weights: Arrays) -> dict[str, Array]:
        tensors: dict[str, Any] = {**weights, "x": x, "y": y, **network.forward(weights, x)}
        tensors["loss"] = network.loss_of(tensors, y)
        with np.errstate(all="ignore"):
            for link in network.backward_links:
                value = planted.get(link.output, link)(tensors)
                tensors[link.output] = np.asarray(value).astype(x.dtype, copy=False)
        return {name: tensors["d" + name] for name in weights}

    return gradient
