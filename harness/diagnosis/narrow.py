"""Narrow: is float64 no more than float32 here?

What was computed or rounded in float32 and returned in float64 is exactly a float32 number, or the mean of such
numbers taken in float64. An error that is only as small as float32's rounding is no evidence: a small number such as
1e-8, added somewhere, makes the same.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from harness.arithmetic import profile_of
from harness.arithmetic.bounded import holds
from harness.diagnosis.diagnosis import Cause
from harness.diagnosis.hypotheses import residual
from harness.diagnosis.planted import Planted
from harness.evaluation.incremental import in_float32
from harness.evaluation.point import Point
from impls.contract import Array


def float32_numbers(point: Point, tensor: Array) -> bool:
    """Whether numbers are exactly those of float32, or their mean taken in float64."""
    rows, outputs = point.rows, point.network.outputs
    return any(holds(_times(tensor, n), "float32") for n in (1, rows, rows * outputs))


def everything_in_float32(now: Planted, tensor: str, wrong: Sequence[str], at: str) -> Cause | None:
    """The cause of all that is wrong, where it is what a program gives that computes everything in float32."""
    if now.profile.dtype != "float64" or not all(float32_numbers(now.point, array) for array in now.shown.values()):
        return None
    expected = in_float32(now.point, now.reach, now.shown, profile_of("float32")).expected
    if not all(expected[name].holds(now.shown[name]) for name in wrong):
        return None
    says = (
        "everything has the accuracy of float32, not that of float64, in which it is returned: all of it are "
        "exactly float32 numbers"
    )
    size = float(np.abs(now.shown[tensor]).max())
    off = residual(now.shown[tensor], expected[tensor].value, size)
    return Cause("computed in float32", at, says, "the same, in float32", off)


def only_as_small(now: Planted, tensor: str) -> tuple[str, ...]:
    """What is known of an error in float64 that float32 could make and did not."""
    if now.profile.dtype != "float64" or float32_numbers(now.point, now.shown[tensor][now.outside(tensor)]):
        return ()
    narrow = in_float32(now.point, now.reach, now.shown, profile_of("float32")).expected
    if not narrow[tensor].holds(now.shown[tensor]):
        return ()
    return (
        "the error is as small as the rounding of float32, but these are no float32 numbers: a small number such "
        "as 1e-8 may be added or multiplied in",
    )


def _times(tensor: Array, n: int) -> Array:
    """A multiple, where the tensor is exactly its n-th part; the tensor itself elsewhere."""
    many = np.asarray(np.float32(tensor * n), np.float64)
    return np.where(many / n == tensor, many, tensor)
