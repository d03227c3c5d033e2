"""The search for the largest paths: best first, over all branches at once.

The queue holds samples and beginnings of paths, each with a bound on the |product| of every path that it may become,
the largest bound in front. A beginning's bound is its own product times the largest product of what can follow
(dynamic programming from the loss back); a sample's, before it is opened, is its sum of magnitudes. What comes out
whole is the largest that is left. Paths whose products differ by no more than their rounding may change places.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from impls.hand.paths.steps import Step

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
