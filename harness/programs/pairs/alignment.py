"""Alignment: tensors on the way of two programs that are the same numbers, in any order, within the allowance of both.

A tensor is a set of numbers here, so that it may be transposed, or cut into heads, in one program and not in the other.
Two sets are the same where their numbers in order of size are: if some order brings every number within a distance of
its partner, the order by size does. A tensor of one number over and over says nothing, and is left aside.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod

import numpy as np

from harness.arithmetic.enclosure import within
from harness.programs.pairs.trace import Spot, Tensor, Trace, ranks
from impls.contract import Array

FEATURES = 9
"""Ranks by which most pairs are told apart before all numbers are compared."""


@dataclass(frozen=True)
class Aligned:
    """Two traces side by side.

    Attributes:
        a, b: as they were traced.
        partners: of each tensor of `a` that is aligned, the tensors of `b` that are the same.
    """

    a: Trace
    b: Trace
    partners: dict[Spot, list[Spot]]

    @cached_property
    def turned(self) -> Aligned:
        """The other way around."""
        partners: dict[Spot, list[Spot]] = defaultdict(list)
        for spot, others in self.partners.items():
            for other in others:
                partners[other].append(spot)
        return Aligned(self.b, self.a, dict(partners))

    def same_upstream(self, spot: Spot, other: Spot) -> bool | None:
        """Whether the same gradient arrives at two tensors; None where none arrives at one, or it is unbounded."""
        mine, its = tensor_at(self.a, spot), tensor_at(self.b, other)
        if mine.upstream is None or its.upstream is None:
            return None
        if mine.upstream_allowed is None or its.upstream_allowed is None:
            return None
        allowed = mine.upstream_allowed + its.upstream_allowed
        return _within(self.a.numbers(mine.upstream), self.b.numbers(its.upstream), allowed)


def aligned(a: Trace, b: Trace) -> Aligned:
    """Every tensor of one program with those of the other that are the same."""
    groups: dict[int, list[tuple[Spot, Tensor]]] = defaultdict(list)
    for spot, tensor in telling(b):
        groups[prod(tensor.shape)].append((spot, tensor))
    sides = {size: _Side.of(b, group) for size, group in groups.items()}
    partners: dict[Spot, list[Spot]] = {}
    for spot, tensor in telling(a):
        side = sides.get(prod(tensor.shape))
        found = side.same_as(a.numbers(tensor.numbers), tensor.allowed or 0.0) if side else []
        if found:
            partners[spot] = found
    return Aligned(a, b, partners)


@dataclass(frozen=True)
class _Side:
    """The tensors of one size of a program."""

    spots: list[Spot]
    numbers: list[Array]
    features: Array
    allowed: Array

    @staticmethod
    def of(trace: Trace, group: list[tuple[Spot, Tensor]]) -> _Side:
        numbers = [trace.numbers(tensor.numbers) for _, tensor in group]
        features = np.stack([each[_ranks(each.size)] for each in numbers])
        return _Side([spot for spot, _ in group], numbers, features, np.array([t.allowed for _, t in group]))

    def same_as(self, numbers: Array, allowed: float) -> list[Spot]:
        bounds = self.allowed + allowed
        near = np.abs(self.features - numbers[_ranks(numbers.size)]) <= bounds[:, None]
        return [
            self.spots[place]
            for place in np.flatnonzero(near.all(axis=1))
            if _within(numbers, self.numbers[place], bounds[place])
        ]


def _ranks(size: int) -> Array:
    return np.linspace(0, size - 1, FEATURES).astype(np.int64)


def _within(one: Array, other: Array, allowed: float) -> bool:
    return one.shape == other.shape and within(one, other, allowed)


def telling(trace: Trace) -> Iterator[tuple[Spot, Tensor]]:
    """The tensors that can be told from others: bounded, and of more than one number."""
    for number, step in enumerate(trace.steps):
        for place, tensor in enumerate(step.gives):
            if tensor.allowed is not None and prod(tensor.shape) > 1:
                numbers = trace.numbers(tensor.numbers)
                if numbers[-1] - numbers[0] > 2 * tensor.allowed:
                    yield (number, place), tensor


def moved_leaves(trace: Trace) -> set[Spot]:
    """Tensors that are a leaf's own numbers, transposed or in another shape: what is done to weights before use."""
    numbers = {leaf.name: ranks(trace.numbers(leaf.numbers)) for leaf in trace.leaves}
    found: set[Spot] = set()
    for number, step in enumerate(trace.steps):
        read = [numbers[each] for each in step.reads if isinstance(each, str) and each in numbers]
        read += [trace.numbers(tensor_at(trace, each).numbers) for each in step.reads if each in found]
        found |= {
            (number, place)
            for place, tensor in enumerate(step.gives)
            if any(np.array_equal(each, trace.numbers(tensor.numbers)) for each in read)
        }
    return found


def tensor_at(trace: Trace, spot: Spot) -> Tensor:
    """The tensor in its place."""
    return trace.steps[spot[0]].gives[spot[1]]
