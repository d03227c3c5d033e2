"""Branches, the sequences of levels that lead from start to loss, and the search for the largest paths over them.

A chain has one branch; where paths part there are more. The search is best first, over all branches at once. Its queue
holds samples and beginnings of paths, each with a bound on the |product| of every path that it may become,
the largest bound in front. A beginning's bound is its own product times the largest product of what can follow
(dynamic programming from the loss back); a sample's, before it is opened, is its sum of magnitudes. What comes out
whole is the largest that is left. Paths whose products differ by no more than their rounding may change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from heapq import heapify, heappop, heappush
from itertools import pairwise

import numpy as np

from impls.graph import Array
from impls.hand.paths.steps import Step


@dataclass(frozen=True)
class Branch:
    """One sequence of levels, and the steps from each of them to the next."""

    steps: tuple[Step, ...]

    @property
    def levels(self) -> tuple[int, ...]:
        """Their positions."""
        return (0, *(step.target for step in self.steps))

    @cached_property
    def routes(self) -> np.ndarray:
        """(R, levels) the node that each of its R routes takes of every level, in order."""
        routes = np.zeros((1, 1), int)
        for step in self.steps:
            before, node = np.nonzero(step.edges[routes[:, -1]])
            routes = np.column_stack([routes[before], node])
        return routes

    @cached_property
    def nodes(self) -> list[list[int]]:
        """The nodes of each level that one of the routes takes."""
        reached = [np.ones(1, bool)]
        for step in self.steps:
            reached.append(reached[-1] @ step.edges)
        for place in reversed(range(len(self.steps))):
            reached[place] = reached[place] & (self.steps[place].edges @ reached[place + 1])
        return [np.flatnonzero(at).tolist() for at in reached]

    def products(self) -> Array:
        """The product along every path (N, R), multiplied from the start on."""
        product = None
        for step, (sources, targets) in zip(self.steps, pairwise(self.routes.T), strict=True):
            factors = step.factors(sources, targets)
            product = factors if product is None else product * factors
        return product


def branches_of(outgoing: Mapping[int, Sequence[Step]], loss: int) -> Iterator[Branch]:
    """Every branch on which a path leads from level 0 to the loss, level by level in order."""
    waiting: list[tuple[tuple[Step, ...], np.ndarray]] = [((), np.ones(1, bool))]
    while waiting:
        steps, reached = waiting.pop()
        at = steps[-1].target if steps else 0
        if at == loss:
            yield Branch(steps)
            continue
        for step in reversed(outgoing[at]):
            further = reached @ step.edges
            if further.any():
                waiting.append(((*steps, step), further))


Beginning = tuple[tuple[int, int], ...]
"""Position of a level and node of it, one after the other."""


def largest(outgoing: Mapping[int, Sequence[Step]], loss: int, bounds: np.ndarray) -> Iterator[tuple[int, Beginning]]:
    """Samples and whole paths by falling |product|, equal ones in the order of sample and route. For float64 arrays.

    `bounds` has the sum of magnitudes of every sample.
    """
    ahead: dict[int, list[np.ndarray]] = {}
    queue: list[tuple[float, int, Beginning, float]] = [
        (-float(bound), sample, (), 1.0) for sample, bound in enumerate(bounds)
    ]
    heapify(queue)
    while queue:
        _, sample, begun, product = heappop(queue)
        if not begun:
            ahead[sample] = _ahead(outgoing, loss, sample)
            heappush(queue, (-float(ahead[sample][0][0]), sample, ((0, 0),), 1.0))
            continue
        level, node = begun[-1]
        if level == loss:
            yield sample, begun
            continue
        for step in outgoing[level]:
            products = product * step.at(sample, node)
            most = np.abs(products) * ahead[sample][step.target]
            for k in np.flatnonzero(step.edges[node]).tolist():
                heappush(queue, (-float(most[k]), sample, (*begun, (step.target, k)), float(products[k])))


def _ahead(outgoing: Mapping[int, Sequence[Step]], loss: int, sample: int) -> list[np.ndarray]:
    """For every node of every level the largest |product| from there to the loss, in one sample."""
    best = [np.ones(1)] * (loss + 1)
    for level in reversed(range(loss)):
        each = [(np.abs(step.at(sample)) * best[step.target]).max(axis=1) for step in outgoing[level]]
        best[level] = np.max(each, axis=0)
    return best
