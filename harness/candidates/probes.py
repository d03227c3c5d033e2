"""Probes: the other points at which a backward pass is asked, and what is different there.

    weights         others of the same size: what is kept of the first call is stale
    rows            fewer, one, twice the same, as many as do not fit a block of 16, 32, 64 or 128, where their tensors
                    fit too; a class missing
    targets         others, any numbers where the loss reads any
    small           weights and inputs 2^-10 times as large
    large           weights, or inputs, larger and larger, with these targets, until arguments reach a thousand: first
                    20 times as large, then the largest, then those between

The cheap ones come first. The rows of a probe are drawn from the rows of the point, with repetitions where it has too
few. Where the loss reads probabilities nothing is made large: beside their poles every guard against them shows.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import NamedTuple

import numpy as np

from harness.evaluation.point import Point
from impls.contract import Array, is_real
from impls.graph import TARGET

BLOCKS = (17, 33, 65, 129)
"""One row more than usual blocks hold."""
SMALL = 2.0**-10
SCALES = (1.25, 2.5, 5.0, 10.0, 20.0, *(20.0 * 2.0**k for k in range(1, 12)))
FIRST = 20.0
"""The scale that is tried first."""
LARGEST = 1000.0
"""Arguments up to which a form that does not overflow is told from one that does."""
MOST_ROWS = 64
"""Rows of a probe where nothing depends on how many they are."""
LEAST_ROWS = 8
MOST_ENTRIES = 20_000_000
"""Entries of all tensors at a probe of many rows, whose bounds are in memory together: 50 bytes for each, about."""
MOST_PRODUCTS = 8_000_000
"""Multiply-adds, about, that a pass at such a probe may take: of a wide network fewer rows are enough."""


class Probe(NamedTuple):
    """A point, and in words what is different there."""

    when: str
    at: Point


class Larger(NamedTuple):
    """A probe at a scale, and the largest number of its forward pass."""

    scale: float
    when: str
    at: Point
    largest: float


def probes(point: Point) -> Iterator[Probe]:
    """Points at which a right function is right, and a naive one too."""
    everything, most = np.arange(point.rows), _most_rows(point)
    yield Probe("at other weights", point.elsewhere(_others(point, 1), slice(None, None, -1)))
    if point.rows > 1:
        yield Probe("at other weights and on fewer rows", point.elsewhere(_others(point, 2), slice(None, None, -2)))
        if not point.network.buffers:  # one row has no variance
            yield Probe("at one row", point.elsewhere(point.weights, slice(0, 1)))
        twice = np.repeat(everything[: min(-(-point.rows // 2), most // 2)], 2)
        yield Probe("at rows that repeat", point.elsewhere(point.weights, twice))
        if (rows := _without_a_class(point)) is not None:
            yield Probe("at rows without one of the classes", point.elsewhere(point.weights, rows))
    few = point.elsewhere(point.weights, slice(0, most))
    yield Probe("at other targets", _other_targets(few))
    small = {name: w * w.dtype.type(SMALL) for name, w in point.weights.items()}
    yield Probe("at weights and inputs 1024 times smaller", _scaled_inputs(few.elsewhere(small, slice(None)), SMALL))
    rng = np.random.default_rng(0)
    for count in BLOCKS:
        if count != point.rows and count * _entries_of_a_row(point) <= MOST_ENTRIES:
            drawn = rng.permutation(np.resize(everything, count))
            yield Probe(f"at {count} rows", point.elsewhere(point.weights, drawn))


def ladders(point: Point) -> Iterator[list[Larger]]:
    """Points at larger and larger weights, and at larger and larger inputs."""
    if point.network.loss.output_activation not in (None, "identity"):
        return
    few = _other_targets(point.elsewhere(point.weights, slice(0, _most_rows(point))))
    for what in ("weights", "inputs"):
        ladder = list[Larger]()
        for scale in SCALES:
            if what == "weights":
                at = few.elsewhere({name: w * w.dtype.type(scale) for name, w in few.weights.items()}, slice(None))
            else:
                at = _scaled_inputs(few, scale)
            ladder.append(Larger(scale, f"{what} {scale:g} times as large", at, _largest(at)))
            if not ladder[-1].largest < LARGEST:
                break
        yield ladder


def _most_rows(point: Point) -> int:
    return max(LEAST_ROWS, min(MOST_ROWS, MOST_PRODUCTS // point.network.multiply_adds(1)))


def _entries_of_a_row(point: Point) -> int:
    tensors = point.network.tensors.values()
    return sum(prod(tensor.sized(1)) for tensor in tensors if tensor.per_row)


def _others(point: Point, number: int) -> dict[str, Array]:
    """Weights of the same size and certainly others; new ones from a seed might be those of the point."""
    return {name: np.roll(w, number) * w.dtype.type(-0.75) for name, w in point.weights.items()}


def _without_a_class(point: Point) -> Array | None:
    """The rows without those of the last target, where there are few different ones; None where there are not."""
    kinds, which = np.unique(point.y, axis=0, return_inverse=True)
    rows = np.flatnonzero(np.ravel(which) != len(kinds) - 1)
    return rows[: 2 * _most_rows(point)] if 2 <= len(kinds) <= point.rows // 2 else None


def _scaled_inputs(point: Point, scale: float) -> Point:
    tensors = point.network.tensors
    real = {s.name: point.named[s.name] for s in point.network.sources if not tensors[s.name].whole}
    return point.where({name: array * array.dtype.type(scale) for name, array in real.items()})


def _other_targets(point: Point) -> Point:
    """Newly drawn ones, beyond 0 and 1, where the loss takes any; those of other rows elsewhere."""
    loss, y = point.network.loss, point.y
    if loss.labels or loss.unit_targets:
        return point.where({TARGET: np.roll(y, 1, axis=0)})
    drawn = 3 * np.random.default_rng(1).normal(size=y.shape)
    return point.where({TARGET: drawn.astype(y.dtype)})


def _largest(point: Point) -> float:
    """The largest number of the forward pass, or infinity."""
    double = point.double
    with np.errstate(all="ignore"):
        found = double.network.forward(double.weights, double.x)
        return max(float(np.max(np.abs(array))) for array in found.values() if is_real(np.asarray(array)))
