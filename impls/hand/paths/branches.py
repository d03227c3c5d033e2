"""Branches: the sequences of levels that lead from the start to the loss, one in a chain, more where paths part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
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
