"""Helpers of the tests of diagnosis: a point, the tensors of a pass with a fault in it, what is wrong in them."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.arithmetic import profile_of
from harness.evaluation.expected import walk
from harness.evaluation.point import Point
from impls.hand import Network


def point_of(network: Network, rows: int = 7, seed: int = 0) -> Point:
    """Random weights and data, of no special value."""
    rng = np.random.default_rng([seed, 17])
    x = rng.normal(size=(rows, network.inputs))
    y: Any = rng.uniform(0.05, 0.95, size=(rows, network.outputs))
    if network.loss.labels:
        y = rng.integers(0, network.outputs, rows)
    weights = {name: 1.5 * w for name, w in network.init(seed).items()}
    return Point(network, weights, x, y, 1)


def tensors_with(point: Point, faults: dict[str, Any]) -> dict[str, Any]:
    """Every tensor of a plain float64 pass with these rules planted."""
    tensors: dict[str, Any] = {**point.weights, "x": point.x, "y": point.y}
    with np.errstate(all="ignore"):
        for link in point.network.links:
            tensors[link.output] = faults.get(link.output, link)(tensors)
    return {link.output: np.asarray(tensors[link.output]) for link in point.network.links}


def faulty(point: Point, shown: dict[str, Any], dtype: str = "float64") -> list[str]:
    """Names of the shown tensors that are outside, in the order of the walk."""
    expected = walk(point, shown, profile_of(dtype)).expected
    return [name for name in expected if name in shown and not expected[name].holds(shown[name])]
