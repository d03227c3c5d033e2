"""The hand code at a point as a program that others check: a loss and gradients, with mistakes planted in it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from harness.evaluation.given import named
from harness.faults import Fault
from harness.faults.catalogue import faults_at
from impls.contract import Array, Arrays
from impls.graph import LOSS, Graph, Link, Rule, evaluate

CAUSES = (
    "zero", "sign flipped", "doubled", "half", "times N", "divided by N", "dropped sample", "only one sample",
    "dropped neuron", "transposed", "derivative missing", "upstream missing", "path of another weight",
)  # fmt: skip
"""Of the catalogue; of a gradient that is a mean over N, ``times N`` is a 1/N that is lost in one layer."""
OFF = {"one entry doubled": 2.0, "one entry 1 % off": 1.01, "all 1 % off": 1.01, "all 0.1 % off": 1.001}
NOTICEABLE = 1e-9
"""What changes no gradient by more of its largest entry is no mistake in float64."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Program:
    """Forward and backward pass of a network.

    Attributes:
        weights, x, y: where, in the dtype in which it computes.
        planted: rules in place of its own, by the name of what they give.
    """

    network: Graph
    weights: Arrays
    x: Any
    y: Array
    planted: Mapping[str, Rule] = field(default_factory=dict)

    @property
    def dtype(self) -> str:
        """Of the weights."""
        return str(next(iter(self.weights.values())).dtype)

    def with_mistake(self, fault: Fault) -> Program:
        """The same with a fault in it."""
        return replace(self, planted={fault.at: fault.rule})

    def tensors(self, weights: Arrays, x: Any, y: Array) -> dict[str, Array]:
        """Everything that it computes."""

        def in_dtype(_: Link, value: Any) -> Array:
            return np.asarray(value).astype(self.dtype, copy=False)

        with np.errstate(all="ignore"):
            given = named(self.network, weights, x, y)
            found = evaluate(self.network.links, given, planted=self.planted, passed_on=in_dtype)
        return {name: found[name] for name in self.network.link}

    def loss(self, weights: Arrays) -> Array:
        """The loss as a function of the weights."""
        given = named(self.network, weights, self.x, self.y)
        return np.asarray(evaluate(self.network.links_to_loss, given)[LOSS])

    def gradient(self, weights: Arrays) -> dict[str, Array]:
        """Its gradient by the names of the weights."""
        found = self.tensors(weights, self.x, self.y)
        return {name: found[self.network.gradient[name]] for name in weights}


def program_of(network: Graph, batch: tuple[Any, Array], dtype: str, seed: int) -> Program:
    """The right one, at the weights of a seed."""
    x, y = batch
    return Program(network=network, weights=network.init(seed, dtype), x=x.astype(dtype), y=y)


def mistakes(program: Program, most: int) -> list[Fault]:
    """At most so many that change a gradient, every kind at weights, pre-activations and activations of every depth."""
    network = program.network
    at = [link for link in network.backward_links if link.output != network.output]
    kinds: dict[str, list[Fault]] = {}
    for link in at:
        for fault in [*faults_at(network, link), *_off(link)]:
            if fault.cause in (*CAUSES, *OFF):
                kinds.setdefault(fault.cause, []).append(fault)
    right = program.gradient(program.weights)
    found, turn = list[Fault](), 0
    while len(found) < most and any(kinds.values()):  # of each kind one, each time at another depth
        for left in kinds.values():
            if left and len(found) < most:
                fault = left.pop(turn % len(left))
                if _changes(right, program.with_mistake(fault).gradient(program.weights)):
                    found.append(fault)
                turn += 1
    return found


def _off(link: Link) -> Iterator[Fault]:
    for cause, by in OFF.items():
        yield _times(link, cause, _one_entry(by) if cause.startswith("one") else _all(by))


def off_by(link: Link, relative: float, *, everywhere: bool) -> Fault:
    """A gradient of which one entry, or every one, is off by a part of itself."""
    return _times(link, "off", _all(1 + relative) if everywhere else _one_entry(1 + relative))


def _times(link: Link, cause: str, factor: Callable[[Array], Array]) -> Fault:
    return Fault(cause, link.output, f"{link.output}: {cause}", "", lambda t: factor(np.asarray(link(t))))


def _all(by: float) -> Callable[[Array], Array]:
    return lambda array: array * array.dtype.type(by)


def _one_entry(by: float) -> Callable[[Array], Array]:
    """Of the median size of those that are not 0."""

    def changed(array: Array) -> Array:
        there = np.flatnonzero(array)
        if not there.size:
            return array
        sizes = np.abs(array.flat[there])
        array = array.copy()
        array.flat[there[np.argsort(sizes)[len(sizes) // 2]]] *= by
        return array

    return changed


def _changes(right: Arrays, wrong: Arrays) -> bool:
    for name, array in right.items():
        if wrong[name].shape != array.shape:
            return True
        if np.abs(wrong[name] - array).max() > NOTICEABLE * np.abs(array).max():
            return True
    return False
