"""Certification: the float64 centre, and every implementation, against the truth.

At a certified point the truth takes the centre's place in the formula check: what is judged is the distance to the true
value, within the same allowance. The bound E of a tensor covers both what a program of the profile and what the float64
centre may be off from exact arithmetic, so it covers either alone. That the centre keeps it too is shown by rows of its
own, against ``centre``. What the balls could not be made small enough for is judged against the centre as without
certification, and the certificate says so.

    error = |value - truth|           used = error / allowed          ulp: error / ulp(truth)

An ulp is the distance between neighbouring numbers of the implementation's dtype where the truth lies: with p bits and
a smallest exponent e_min, ulp(t) = 2^(max(e, e_min) - (p - 1)) for 2^e <= |t| < 2^(e + 1). So it is never 0: below the
normal numbers it is the distance of subnormal ones. t is the float64 nearest to the truth. Entries whose truth is 0, or
cannot be told from it, have no error in ulp: they are counted apart.

Source: Muller et al., "Handbook of Floating-Point Arithmetic" (2018), definition 2.6 (Goldberg's ulp, on all reals).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from harness.arithmetic import enclosure
from harness.arithmetic.bounded import Floats
from harness.arithmetic.true_values import TrueTensor
from harness.comparison.judge import Row, finite, judge, not_comparable
from harness.comparison.worst import largest
from harness.evaluation.point import Point
from harness.evaluation.truth import Truth
from harness.formats import FORMATS
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
        step=point.step, of=tuple(passes), truth=truth.kind, bits=truth.bits, undecided=truth.undecided,
        radius=_largest_share(point, truth), shortfall=truth.shortfall, errors=errors,
    )  # fmt: skip


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


class TrueError(msgspec.Struct, frozen=True, array_like=True):
    """How far one tensor of one implementation is from the truth at one step.

    ``error``, ``allowed``, ``used`` and ``ulp`` belong to the same entry, the one with the largest share, at ``index``
    (counted from 0). A number that does not exist is None.

    Attributes:
        gradient: name of the tensor: dW1, dz1, also z1, a1 and loss.
        against: name of the implementation, or ``centre`` for the hand code's bounded float64 value.
        dtype: in which it was computed, and in which its ulp is measured.
        median_ulp, largest_ulp: over the entries whose truth is not 0.
        zeros: entries whose truth is 0.
    """

    gradient: str
    against: str
    dtype: str
    step: int
    error: float | None = None
    allowed: float | None = None
    used: float | None = None
    ulp: float | None = None
    index: tuple[int, ...] | None = None
    median_ulp: float | None = None
    largest_ulp: float | None = None
    entries: int = 0
    zeros: int = 0


def ulp(truth: Floats, dtype: str) -> Floats:
    """The distance between neighbouring numbers of a dtype where each true value lies.

    >>> float(ulp(np.array(1.5), "float32")) == 2.0**-23, float(ulp(np.array(0.0), "float64"))
    (True, 5e-324)
    """
    of = FORMATS[dtype]
    _, exponent = np.frexp(truth)  # |truth| = m 2^exponent with 1/2 <= m < 1
    exponent = np.where(truth == 0, of.least, np.clip(exponent - 1, of.least, of.most))
    return np.ldexp(1.0, np.where(np.isfinite(truth), exponent, of.most) - (of.digits - 1))


def true_error(
    gradient: str, against: str, step: int, actual: NDArray[Any], truth: TrueTensor, allowed: Floats
) -> TrueError:
    """Measure one tensor, of the truth's shape, in its own dtype."""
    dtype = str(actual.dtype)
    with np.errstate(all="ignore"):
        error = truth.distance(actual)
        bounded = enclosure.bounded(truth.value, allowed)
        used = np.where((error == 0) | ~bounded, 0.0, error / allowed)
        flat = int(used.argmax())  # the first NaN, if there is one
        ulps = error / ulp(truth.value, dtype)
        told = np.abs(truth.value) > truth.radius
    index = tuple(int(i) for i in np.unravel_index(flat, used.shape))
    sized = np.sort(ulps[told])
    return TrueError(
        gradient=gradient, against=against, dtype=dtype, step=step, index=index,
        error=finite(error[index]), allowed=finite(allowed[index]), used=finite(used[index]),
        ulp=finite(ulps[index]) if told[index] else None,
        median_ulp=finite(sized[len(sized) // 2]) if len(sized) else None,
        largest_ulp=finite(sized[-1]) if len(sized) else None,
        entries=actual.size, zeros=actual.size - len(sized),
    )  # fmt: skip


def worst_error(errors: Iterable[TrueError]) -> TrueError:
    """One for many steps: the largest share, and of the medians and largest in ulp the largest."""
    errors = list(errors)
    gravest = max(errors, key=lambda e: math.inf if e.used is None else e.used)
    return replace(
        gravest, entries=sum(e.entries for e in errors), zeros=sum(e.zeros for e in errors),
        median_ulp=largest([e.median_ulp for e in errors]), largest_ulp=largest([e.largest_ulp for e in errors]),
    )  # fmt: skip
