"""Replay: the tensors of a walk, kept, so that a fault planted at one link costs no more than what it changes.

What a walk gives when a rule stands in place of a link differs from the walk without it only behind that link, and
only up to the tensors that are shown. The same code runs on plain arrays, where a search is cheap, and on bounded
ones, where it is decided.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import numpy as np

from harness.arithmetic import Context, Profile
from harness.arithmetic.bounded import rounded
from harness.evaluation.expected import given, passed_on
from harness.evaluation.given import as_numbers
from harness.evaluation.point import Point
from harness.evaluation.strides import EVERY_ENTRY, Stride
from harness.formats import FORMATS
from impls.contract import Array
from impls.graph import TARGET, Graph, Link, Rule, evaluate


class Reach:
    """Which shown tensors read a link's output through links that are not shown."""

    def __init__(self, network: Graph, shown: Collection[str]) -> None:
        self.network, self.shown = network, frozenset(shown)
        self._of: dict[str, frozenset[str]] = {}
        for link in reversed(network.links):
            if link.output in self.shown:
                self._of[link.output] = frozenset([link.output])
            else:
                readers = network.readers.get(link.output, ())
                self._of[link.output] = frozenset().union(*(self._of.get(reader.output, ()) for reader in readers))

    def of(self, name: str) -> frozenset[str]:
        """Shown tensors that show what a link gives: itself if it is shown."""
        return self._of[name]

    def suspects(self, tensor: str) -> list[Link]:
        """Links that may be why a shown tensor is wrong, in the order of the walk."""
        return [link for link in self.network.links if tensor in self._of[link.output]]


class Replay:
    """The tensors of one walk, of one number type.

    Attributes:
        tensors: what later links read, by name.
        expected: what each link gives.
    """

    def __init__(
        self,
        reach: Reach,
        tensors: dict[str, Any],
        shown: Mapping[str, Array],
        planted: Mapping[str, Rule],
        pass_on: Callable[[Array, Any], Any],
    ) -> None:
        self._reach, self._planted = reach, planted
        self.tensors, self.expected = tensors, dict[str, Any]()

        def read(link: Link, value: Any) -> Any:
            self.expected[link.output] = value
            return pass_on(shown[link.output], value) if link.output in shown else value

        with np.errstate(all="ignore"):
            evaluate(reach.network.links, tensors, planted=planted, passed_on=read)

    @property
    def rows(self) -> int:
        """Samples in the batch."""
        return len(self.tensors[TARGET])

    def predicted(self, at: str, rule: Rule, wanted: Collection[str], stride: Stride = EVERY_ENTRY) -> dict[str, Any]:
        """What the tensors of `wanted` would be with the rule in place of the link at `at`, if it reaches them.

        Restricted to a sample of their entries, where only part of a link need be computed for that.
        """
        reach, found = self._reach, {}
        with np.errstate(all="ignore"):
            value = reach.network.link[at].read(rule(self.tensors), self.tensors)
            if at in reach.shown:
                return {at: self.part(at, value, stride)} if at in wanted else {}
            tensors, changed = {**self.tensors, at: value}, {at}
            for link in reach.network.links:
                name = link.output
                if name == at or changed.isdisjoint(link.inputs) or reach.of(name).isdisjoint(wanted):
                    continue
                rule = self._planted.get(name, link)
                if name not in reach.shown:
                    tensors[name] = link.read(rule(tensors), tensors)
                    changed.add(name)
                elif rule is link and link.slices:
                    parts = {n: stride.of(tensors[n], axis) for n, axis in link.slices.items()}
                    found[name] = link.read(link({**tensors, **parts}), tensors)
                else:
                    found[name] = self.part(name, link.read(rule(tensors), tensors), stride)
        return found

    def part(self, name: str, tensor: Any, stride: Stride) -> Any:
        """The entries of a tensor that a stride of them takes: all, where its link can compute none apart."""
        link = self._reach.network.link[name]
        return stride.of(tensor, link.axis) if link.slices else tensor


def in_floats(point: Point, reach: Reach, shown: Mapping[str, Array], planted: Mapping[str, Rule]) -> Replay:
    """A replay in plain float64, for a search."""
    tensors = as_numbers(point.network, point.named, lambda array: np.asarray(array, np.float64))
    return Replay(reach, tensors, shown, planted, lambda actual, _: np.asarray(actual, np.float64))


def in_bounds(
    point: Point, reach: Reach, shown: Mapping[str, Array], profile: Profile, planted: Mapping[str, Rule]
) -> Replay:
    """A replay in bounded arithmetic, as `harness.evaluation.expected` has it."""
    context = Context(profile)
    return Replay(
        reach, given(point, context), shown, planted, lambda actual, expected: passed_on(actual, expected, context)
    )


def in_float32(point: Point, reach: Reach, shown: Mapping[str, Array], profile: Profile) -> Replay:
    """A replay of a program that rounds what it is given to float32 and computes in it; `profile` is float32's."""
    context, float32 = Context(profile), FORMATS["float32"]
    tensors = {name: rounded(t, float32) if hasattr(t, "bound") else t for name, t in given(point, context).items()}

    def pass_on(actual: Array, expected: Any) -> Any:
        return rounded(passed_on(actual, expected, context), float32)

    return Replay(reach, tensors, shown, {}, pass_on)
