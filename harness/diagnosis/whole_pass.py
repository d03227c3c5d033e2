"""Mistakes of the whole pass: a constant factor of every gradient, beside another mistake too, and float32 for float64.

Where every gradient is the right one times one and the same number, the chain rule is right, and the loss is another:
half of it, its mean, its negative. Where the first gradient may be right as it is, the number is 1, and whatever is
wrong has another reason.

Whoever shows gradients of the weights only, and takes the mean where the network's loss is a sum, may have a slip in
the first derivative besides. Neither explains anything alone. But everything is linear in the gradient of the loss:
with the slip planted, the numbers are right up to one constant, and that constant tells the factor.

What was computed or rounded in float32 and returned in float64 is exactly a float32 number, or the mean of such
numbers taken in float64. An error that is only as small as float32's rounding is no evidence: a small number such as
1e-8, added somewhere, makes the same.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import numpy as np

from harness.arithmetic import profile_of
from harness.arithmetic.bounded import holds
from harness.arithmetic.enclosure import within
from harness.diagnosis.hypotheses import Hypothesis, Planted, residual, stride_of
from harness.evaluation.incremental import Replay, in_float32
from harness.evaluation.point import Point
from harness.faults import Fault
from harness.faults.cause import Cause
from harness.faults.fault import ratios_of
from harness.faults.fitted import short_length
from impls.contract import Array

FACTORS = (
    "sign flipped", "half", "doubled", "times N", "divided by N", "times K", "divided by K", "sum for mean",
    "mean for sum",
)  # fmt: skip
"""Causes that multiply all of a gradient by a constant."""
MOST_PAIRED = 4
"""Pairs, best first, that are worth a try in bounded arithmetic."""


def paired(
    tensor: str, actual: Array, tried: Sequence[Hypothesis], first: Sequence[Fault], floats: Replay
) -> Iterator[tuple[Fault, Hypothesis]]:
    """A factor at the first suspect, and a hypothesis that fits better with it; the best first.

    Args:
        tried: hypotheses, none of which explains the tensor alone.
        first: faults at the first link that leads to the tensor unseen.
    """
    stride = stride_of(actual)
    size, part = float(np.abs(actual).max()), floats.part(tensor, actual, stride)

    def predicted(fault: Fault) -> Array:
        return np.asarray(floats.predicted(fault.at, fault.rule, [tensor], stride)[tensor])

    right = floats.part(tensor, floats.expected[tensor], stride)
    factors = {_factor(predicted(fault), right): fault for fault in first if fault.cause in FACTORS}
    constants = [k for k in factors if np.isfinite(k) and k]
    found = []
    for hypothesis in tried if constants else ():
        if hypothesis.tier or hypothesis.fault.at == first[0].at:
            continue
        unscaled = predicted(hypothesis.fault)
        c = _factor(part, unscaled)
        if np.isfinite(c) and c:
            k = min(constants, key=lambda k: abs(k / c - 1))
            found.append((residual(part, k * unscaled, size), factors[k], hypothesis))
    found.sort(key=lambda each: each[0])
    for off, fault, hypothesis in found[:MOST_PAIRED]:
        if off < hypothesis.residual:
            yield fault, hypothesis


def _factor(actual: Array, predicted: Array) -> float:
    entry = int(np.argmax(np.abs(predicted)))
    with np.errstate(all="ignore"):
        return float(actual.flat[entry] / predicted.flat[entry])


SHORT = 6
"""Digits that a person would have typed."""


def common_factor(point: Point, shown: Mapping[str, Array]) -> float | None:
    """The number, as short as the allowances let it be written; None if there is none, or if it is 1.

    The entry of each gradient that fixes it best, value a and centre e with bound E, leaves c = a / e within
    (1 + |c|) E / |e|; every entry of every gradient must be within |c| E plus what that leaves of c, or within E, which
    is what reading it off an update takes whatever c is.
    """
    centre = point.centre(point.dtype).tensors
    names = [link.output for link in point.network.backward_links if link.output in shown]
    least, most = -np.inf, np.inf
    for name in names:
        value, expected = np.asarray(shown[name], np.float64), centre[name]
        with np.errstate(all="ignore"):
            relative = expected.bound / np.abs(expected.value)
            flat = int(np.argmin(relative))
            c = float(value.flat[flat] / expected.value.flat[flat])
            off = (1 + abs(c)) * float(relative.flat[flat])
            allowed = max(1.0, abs(c)) * expected.bound + off * np.abs(expected.value)
            multiple = within(value, c * expected.value, allowed)
        if not np.isfinite(c) or not np.isfinite(off) or not multiple or c == 0:
            return None
        if name == names[0] and c - off <= 1 <= c + off:
            return None
        least, most = max(least, c - off), min(most, c + off)
    if not names or least > most:
        return None
    return _shortest(least, most, point.rows)


def common_length(point: Point, shown: Mapping[str, Array], factor: float) -> float | None:
    """The length of all gradients of weights together, where they are scaled down to it; None if it is no short number.

    Args:
        factor: that of `common_factor`.
    """
    names = point.network.gradients
    if not 0 < factor < 1 or not all(name in shown for name in names):
        return None
    bounds = (point.centre(point.dtype).tensors[name].bound for name in names)
    off = float(np.sqrt(sum(np.square(bound).sum() for bound in bounds)))
    return short_length([np.asarray(shown[name], np.float64) for name in names], off)


def _shortest(least: float, most: float, rows: int) -> float:
    """The number between the two with the fewest digits; a ratio with a name, such as N/(N − 1), where it has many."""
    middle = (least + most) / 2
    named = next((n for n in ratios_of(rows).values() if least <= n <= most), middle)
    numbers = (float(f"{middle:.{digits}g}") for digits in range(1, SHORT + 1))
    return next((n for n in numbers if least <= n <= most), named)


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
