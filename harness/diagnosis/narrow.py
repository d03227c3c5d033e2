"""Narrow: is float64 no more than float32 here?

What was computed or rounded in float32 and returned in float64 is exactly a float32 number, or the mean of such
numbers taken in float64. An error that is only as small as float32's rounding is no evidence: a small number such as
1e-8, added somewhere, makes the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from harness.arithmetic import Bounded, profile_of
from harness.arithmetic.rounding import holds
from harness.evaluation.incremental import Reach, in_float32
from harness.evaluation.point import Point
from impls.contract import Array


def float32_numbers(point: Point, tensor: Array) -> bool:
    """Whether numbers are exactly those of float32, or their mean taken in float64."""
    rows, outputs = len(point.x), point.network.outputs
    return any(holds(_times(tensor, n), "float32") for n in (1, rows, rows * outputs))


def wholly_in_float32(
    point: Point, reach: Reach, shown: Mapping[str, Array], wrong: Sequence[str]
) -> Mapping[str, Bounded] | None:
    """What a program that computes everything in float32 gives, if that is what is shown; else None."""
    if not all(float32_numbers(point, array) for array in shown.values()):
        return None
    expected = in_float32(point, reach, shown, profile_of("float32")).expected
    return expected if all(expected[name].holds(shown[name]) for name in wrong) else None


def only_as_small(
    point: Point, reach: Reach, shown: Mapping[str, Array], tensor: str, outside: Array
) -> tuple[str, ...]:
    """What is known of an error that float32 could make and did not; `outside` marks the wrong entries."""
    if float32_numbers(point, shown[tensor][outside]):
        return ()
    if not in_float32(point, reach, shown, profile_of("float32")).expected[tensor].holds(shown[tensor]):
        return ()
    return (
        "the error is as small as the rounding of float32, but these are no float32 numbers: a small number such "
        "as 1e-8 may be added or multiplied in",
    )


def _times(tensor: Array, n: int) -> Array:
    """A multiple, where the tensor is exactly its n-th part; the tensor itself elsewhere."""
    many = np.asarray(np.float32(tensor * n), np.float64)
    return np.where(many / n == tensor, many, tensor)
