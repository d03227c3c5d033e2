"""Branches: the sequences of levels that lead from the start to the loss, one in a chain, more where paths part."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from impls.graph import Array
from impls.hand.paths.steps import Step


@dataclass(frozen=True)
class Branch:
    """One sequence of levels.

    Attributes:
        levels: positions of the levels.
        steps: from each of them to the next.
        routes: (R, levels) the node that each of its R routes takes of every level, in order.
    """

    levels: tuple[int, ...]
    steps: tuple[Step, ...]
    routes: np.ndarray

    def products(self) -> Array:
        """The product along every path (N, R), multiplied from the start on."""
        product = None
        for step, (sources, targets) in zip(self.steps, pairwise(self.routes.T), strict=True):
            factors = step.factors(sources, targets)
            product = factors if product is None else product * factors
        return product

    def nodes(self) -> list[list[int]]:
        """The nodes of each level that one of the routes takes."""
        return [np.unique(taken).tolist() for taken in self.routes.T]


def branches_of(outgoing: Mapping[int, Sequence[Step]], loss: int) -> Iterator[Branch]:
    """Every branch on which a path leads from level 0 to the loss, level by level in order."""
    waiting: list[tuple[tuple[Step, ...], np.ndarray]] = [((), np.zeros((1, 1), int))]
    while waiting:
        steps, routes = waiting.pop()
        at = steps[-1].target if steps else 0
        if at == loss:
            yield Branch((0, *(step.target for step in steps)), steps, routes)
            continue
        for step in reversed(outgoing[at]):
            before, node = np.nonzero(step.edges[routes[:, -1]])
            if len(before):
                waiting.append(((*steps, step), np.column_stack([routes[before], node])))
