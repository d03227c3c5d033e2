"""Tallies over a batch: the sum of each route over all samples, and the samples that contribute most."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.centre import Array
from harness.explaining.parts import Rest, RouteRow, SampleRow
from impls.hand.paths import Paths

ROUTES_LISTED, SAMPLES_LISTED = 6, 5


def route_sums(paths: Paths, names: Sequence[Sequence[str]]) -> tuple[list[RouteRow], Rest]:
    """The routes of largest |sum over samples|, largest first, and the rest; for paths that can be multiplied."""
    sums = np.broadcast_to(paths.products(), (paths.samples, *paths_shape(paths))).sum(axis=0)
    order = np.argsort(-np.abs(sums), axis=None, kind="stable")[:ROUTES_LISTED]
    rows = []
    for flat in order:
        nodes = (0, *np.unravel_index(flat, sums.shape))
        rows.append(RouteRow([level[int(n)] for level, n in zip(names, nodes, strict=True)], float(sums.flat[flat])))
    return rows, rest(sums, [row.sum for row in rows])


def paths_shape(paths: Paths) -> tuple[int, ...]:
    """Number of nodes of every level behind the start."""
    return tuple(len(level.entries) for level in paths.levels[1:])


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
