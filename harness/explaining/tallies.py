"""Tallies over a batch: the sum of each route over all samples, and the samples that contribute most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.explaining.parts import Rest, RouteRow, SampleRow
from impls.contract import Array
from impls.hand.paths import Paths

ROUTES_LISTED, SAMPLES_LISTED = 6, 5


def route_sums(paths: Paths, names: Sequence[Sequence[str]]) -> tuple[list[RouteRow], Rest]:
    """The routes of largest |sum over samples|, largest first, and the rest; for paths that can be multiplied."""
    products = np.ascontiguousarray(paths.products())
    sums = products.sum(axis=0) if products.shape[1] > 1 else products.sum(keepdims=True)[0]
    branches = list(paths.branches())
    ends = np.cumsum([len(branch.routes) for branch in branches])
    rows = []
    for place in np.argsort(-np.abs(sums), kind="stable")[:ROUTES_LISTED].tolist():
        of = int(np.searchsorted(ends, place, side="right"))
        taken = branches[of].routes[place - ends[of]]  # from behind
        route = [names[level][node] for level, node in zip(branches[of].levels, taken, strict=True)]
        rows.append(RouteRow(route, float(sums[place])))
    return rows, rest(sums, [row.sum for row in rows])


def dominant(sums: Array, samples: Sequence[int]) -> tuple[list[SampleRow], Rest]:
    """The samples whose paths have the largest |sum|, largest first, and the rest."""
    size = float(np.abs(sums).sum())
    order = np.argsort(-np.abs(sums), kind="stable")[:SAMPLES_LISTED]
    rows = [SampleRow(samples[int(n)], float(sums[n]), abs(float(sums[n])) / size if size else None) for n in order]
    return rows, rest(sums, [row.sum for row in rows])


def rest(sums: Array, listed: Sequence[float]) -> Rest:
    """What is not listed."""
    count = sums.size - len(listed)
    return Rest(count, float(sums.sum()) - math.fsum(listed) if count else 0.0)
