"""Patterns: what the numbers of a wrong tensor tell by themselves, beside what they should be.

Everything is held against the allowance: two numbers agree where they differ by no more than what rounding can do to
either. A ratio r that one entry gives is passed on with the bound of both its parts. Neurons and inputs are counted
from 1, samples from 0, as everywhere that entries are named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import Bounded
from harness.arithmetic.enclosure import bounded, outside, within
from harness.faults.fault import in_samples, number_text

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

MOST_LISTED = 6
"""Rows or columns that a sentence lists."""


def told_by(actual: Any, expected: Bounded, *axes: str, samples: int = 1) -> tuple[str, ...]:
    """Sentences about a wrong tensor, the most telling first.

    Args:
        actual: somebody's numbers, of the shape of `expected`.
        axes: what an index of each axis counts: sample, position, neuron, input.
        samples: how many there are in the batch, for ratios such as N/(N − 1).
    """
    actual = np.asarray(actual, np.float64)
    finite = np.isfinite(actual)
    if not finite.all():
        kinds = "NaN" if np.isnan(actual).any() else "infinite"
        first = _place(~finite, axes)
        return (f"{int((~finite).sum())} of {actual.size} entries are {kinds}, the first at {first}",)
    value, bound = expected.value, expected.bound
    same = ~expected.outside(actual)
    found = [
        *_whole(actual, value, bound, samples),
        *_transposed(actual, value, bound),
        *_permuted(actual, value, bound, axes),
        *_scaled_along(actual, value, bound, axes),
        *(_where(same, axes) if not _factor(actual, value, bound) else ()),
        *_zeros(actual, value, bound, axes),
        *_clipped(actual, value),
    ]
    told = dict.fromkeys(found or [f"all of its {actual.size} entries are wrong"])
    return (*told, *_cosine(actual, value))


def ratio(actual: Floats, value: Floats, bound: Floats) -> tuple[float, float] | None:
    """The number r with actual = r · value within the allowance, and how far it may be off; None if there is none.

    r is taken at the largest |value|, v with bound E: it is off by at most |r| E / (|v| − E).
    """
    entry = np.unravel_index(int(np.argmax(np.where(bounded(value, bound), np.abs(value), 0.0))), value.shape)
    v, e = abs(float(value[entry])), float(bound[entry])
    if not v > e:
        return None
    r = float(actual[entry] / value[entry])
    off = (abs(r) * e + e) / (v - e)
    allowed = np.abs(r) * bound + off * (np.abs(value) + bound) + bound
    return (r, off) if within(actual, r * value, allowed) else None


def _factor(actual: Floats, value: Floats, bound: Floats) -> tuple[float, float] | None:
    """A ratio of the whole that is not 1 within rounding."""
    constant = ratio(actual, value, bound)
    return constant if constant and abs(constant[0] - 1) > constant[1] else None


def _whole(actual: Floats, value: Floats, bound: Floats, samples: int) -> Iterator[str]:
    if not actual.any():
        yield "every entry is 0"
        return
    if actual.size == 1:
        with np.errstate(all="ignore"):
            r = float(actual.flat[0] / value.flat[0])
        if np.isfinite(r):
            off = float((abs(r) + 1) * bound.flat[0] / np.abs(value.flat[0]))
            yield f"it is {_told(r, off, samples)} times what it should be"
        return
    constant = _factor(actual, value, bound)
    if constant:
        r, off = constant
        if abs(r + 1) <= off:
            yield "every entry has the opposite sign and the right size"
        else:
            yield f"every entry is {_told(r, off, samples)} times what it should be"
        return
    if within(np.abs(actual), np.abs(value), bound):
        flipped = int(np.sum(outside(np.abs(actual - value), value, bound)))
        yield f"every entry has the right size; {flipped} of {actual.size} have the opposite sign"
    difference = actual - value
    middle = float(difference.flat[int(np.argmin(bound))])
    if within(actual, value + middle, bound + bound.min()):
        yield f"every entry is off by the same {number_text(middle)}"
    if actual.ndim == 2 and len(actual) > 1 and np.all(actual == actual[0]):
        yield "every row is the same"


def _transposed(actual: Floats, value: Floats, bound: Floats) -> Iterator[str]:
    if actual.ndim == 2 and min(actual.shape) > 1:
        if actual.shape[0] == actual.shape[1] and within(actual, value.T, bound.T):
            yield "it is transposed"
        elif within(actual, value.T.reshape(actual.shape), bound.T.reshape(actual.shape)):
            yield "it is the transpose, read row by row in the right shape"


def _permuted(actual: Floats, value: Floats, bound: Floats, axes: Sequence[str]) -> Iterator[str]:
    order, expected = np.argsort(actual, axis=None), np.argsort(value, axis=None)
    permuted = within(actual.flat[order], value.flat[expected], bound.flat[expected])
    if actual.size < 2 or not permuted or within(actual, value, bound):
        return
    for axis, what in enumerate(axes):
        size = actual.shape[axis] if axis < actual.ndim else 0
        for step in (1, -1) if size > 1 else ():
            if within(actual, np.roll(value, step, axis), np.roll(bound, step, axis)):
                yield f"the {what}s are right, but moved by {'one' if step > 0 else 'minus one'}"
                return
        if size > 1 and within(actual, np.flip(value, axis), np.flip(bound, axis)):
            yield f"the {what}s are right, but in reverse order"
            return
    yield "the numbers are right, but at other entries"


def _scaled_along(actual: Floats, value: Floats, bound: Floats, axes: Sequence[str]) -> Iterator[str]:
    """A constant ratio in each row, or in each column, which is not the same in all."""
    if actual.ndim < 2 or min(actual.shape) < 2 or ratio(actual, value, bound):
        return
    for axis, what in enumerate(axes):
        parts = [np.moveaxis(a, axis, 0) for a in (actual, value, bound)]
        found = [ratio(*part) for part in zip(*parts, strict=True)]
        # What is within rounding of 1 is 1.
        known = [1.0 if abs(r[0] - 1) <= r[1] else r[0] for r in found if r]
        if len(known) == len(found) and min(known) != max(known):
            listed = ", ".join(number_text(r) for r in known[:MOST_LISTED]) + (
                ", ..." if len(known) > MOST_LISTED else ""
            )
            yield f"every {what} is right but for a factor of its own: {listed}"
            return


def _where(same: Mask, axes: Sequence[str]) -> Iterator[str]:
    """Which rows or columns hold everything that is wrong."""
    if not same.any() or same.size == 1:
        return
    wrong = ~same
    yield f"{int(wrong.sum())} of {same.size} entries are wrong"
    for axis, what in enumerate(axes[: same.ndim]):
        others = tuple(k for k in range(same.ndim) if k != axis)
        touched = np.asarray(wrong.any(axis=others) if others else wrong)
        places = np.flatnonzero(touched)
        if len(places) == len(touched):
            continue
        if len(places) <= MOST_LISTED:
            plural, are = ("s", "are") if len(places) > 1 else ("", "is")
            edge = _edge(places, len(touched))
            yield f"only {what}{plural} {_listed(what, places)}{edge} {are} wrong"
        elif len(touched) - len(places) <= MOST_LISTED:
            yield f"every {what} but {_listed(what, np.flatnonzero(~touched))} is wrong"


def _edge(places: Any, size: int) -> str:
    ends = {0: "the first", size - 1: "the last"}
    if all(int(p) in ends for p in places):
        return ", " + " and ".join(ends[int(p)] for p in places) + ","
    return ""


def _zeros(actual: Floats, value: Floats, bound: Floats, axes: Sequence[str]) -> Iterator[str]:
    zero = (actual == 0) & (np.abs(value) > bound)
    if zero.any() and actual.any():
        yield f"{int(zero.sum())} entries are 0 where they should not be, the first at {_place(zero, axes)}"


def _clipped(actual: Floats, value: Floats) -> Iterator[str]:
    largest = np.abs(actual).max()
    at = np.abs(actual) == largest
    if largest and at.sum() > 1 and np.all(np.abs(value[at]) > largest) and np.all(actual[at] * value[at] > 0):
        yield f"no entry is larger than {number_text(float(largest))}, where {int(at.sum())} stand: it is clipped there"


def _cosine(actual: Floats, value: Floats) -> Iterator[str]:
    if actual.size < 2:
        return
    with np.errstate(all="ignore"):
        scale = np.abs(actual).max() * np.abs(value).max()
        a, v = actual.ravel() / np.abs(actual).max(), value.ravel() / np.abs(value).max()
        cosine = float(a @ v / np.sqrt((a @ a) * (v @ v))) if scale else np.nan
    if np.isfinite(cosine):
        yield f"its cosine with what it should be is {cosine:.3f}".replace("-", "−")


def _told(r: float, off: float, samples: int) -> str:
    name = in_samples(r, off, samples)
    return number_text(r) if name is None else f"{number_text(r)} = {name}"


def _listed(what: str, places: Any) -> str:
    """Numbers of neurons or inputs; of samples, which alone are counted from 0, with a word on it."""
    first = 0 if what == "sample" else 1
    return ", ".join(str(int(p) + first) for p in places) + (" (counted from 0)" if first == 0 else "")


def _place(mask: Mask, axes: Sequence[str]) -> str:
    """The first entry of a mask, in words."""
    index = np.argwhere(mask)[0]
    return ", ".join(f"{what} {_listed(what, [i])}" for what, i in zip(axes, index, strict=False)) or "it"
