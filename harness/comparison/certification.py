"""Certification: the float64 centre, and every implementation, against the truth.

At a certified point the truth takes the centre's place in the formula check: what is judged is the distance to the true
value, within the same allowance. The bound E of a tensor covers both what a program of the profile and what the float64
centre may be off from exact arithmetic, so it covers either alone. That the centre keeps it too is shown by rows of its
own, against ``centre``. What the balls could not be made small enough for is judged against the centre as without
certification, and the certificate says so.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec
import numpy as np

from harness.arithmetic.bounded import Floats
from harness.comparison.judge import Row, judge, not_comparable
from harness.comparison.true_errors import TrueError, true_error
from harness.evaluation.point import Point
from harness.evaluation.truth import Truth
from impls.contract import Array, Pass, tensors_of

CENTRE = "centre"


class Certificate(msgspec.Struct, frozen=True):
    """What is known of the truth at one point.

    Attributes:
        step: counted from 1.
        of: the implementations that stand at the point.
        truth: rational or ball.
        bits: of the balls; None for rationals.
        undecided: comparisons that the balls left undecided.
        radius: the largest radius, as a share of the bound that it helps to judge.
        shortfall: which balls are not far below their bounds, and why.
        errors: of the centre and of every implementation, in float64 and in the working dtype.
    """

    step: int
    of: tuple[str, ...]
    truth: str
    bits: int | None
    undecided: int
    radius: float
    shortfall: str | None
    errors: list[TrueError]


def certify(points: Mapping[str, Point], passes: Mapping[str, list[Pass]]) -> tuple[list[Row], list[Certificate]]:
    """The centre's rows and the certificate of every point that is certified.

    Args:
        points: where each implementation stands.
        passes: what each computed there, in whichever dtypes.
    """
    rows, certificates = [], []
    for point in {id(points[name]): points[name] for name in passes}.values():
        if point.truth is not None:
            here = {name: results for name, results in passes.items() if points[name] is point}
            rows += certify_centre(point, point.truth)
            certificates.append(certificate(point, point.truth, here))
    return rows, certificates


def certify_centre(point: Point, truth: Truth) -> list[Row]:
    """One row for each tensor of the float64 centre: is it within its own bound of the truth?"""
    rows = []
    for name, tensor in point.double.centre("float64").tensors.items():
        if name in truth.wide:
            rows.append(
                not_comparable("formula", name, CENTRE, point.step, f"its ball is too wide at {truth.bits} bits")
            )
            continue
        true = truth.tensors[name]
        rows.append(
            judge(
                "formula", name, CENTRE, point.step,
                actual=tensor.value, expected=true.value, allowed=tensor.bound, tail=true.tail,
            )
        )  # fmt: skip
    return rows


def true_errors(point: Point, against: str, tensors: Mapping[str, Array]) -> list[TrueError]:
    """Every tensor of an implementation in one dtype, or of the centre, against the truth of a certified point."""
    truth = point.truth
    if truth is None:
        return []
    errors = []
    for name, true in truth.tensors.items():
        if name in tensors and tensors[name].shape == true.shape and name not in truth.wide:
            actual = np.asarray(tensors[name])
            allowed = _bound(point, name, str(actual.dtype))
            errors.append(true_error(name, against, point.step, actual, true, allowed))
    return errors


def certificate(point: Point, truth: Truth, passes: Mapping[str, list[Pass]]) -> Certificate:
    """The certificate of a point; `passes` holds what each implementation computed there, in whichever dtypes."""
    centre = {name: tensor.value for name, tensor in point.double.centre("float64").tensors.items()}
    errors = true_errors(point, CENTRE, centre)
    for against, results in passes.items():
        for result in results:
            errors += true_errors(point, against, tensors_of(result))
    return Certificate(
        point.step,
        tuple(passes),
        truth.kind,
        truth.bits,
        truth.undecided,
        _largest_share(point, truth),
        truth.shortfall,
        errors,
    )


def _bound(point: Point, name: str, dtype: str) -> Floats:
    at = point.double if dtype == "float64" else point
    return at.centre(dtype).tensors[name].bound


def _largest_share(point: Point, truth: Truth) -> float:
    shares = [0.0]
    for name, true in truth.tensors.items():
        bound = _bound(point, name, "float64")
        judged = np.isfinite(bound) & (bound > 0) & np.isfinite(true.radius)
        shares += [float(np.max(true.radius[judged] / bound[judged]))] if judged.any() else []
    return max(shares)
