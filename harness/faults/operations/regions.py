"""Regions: a simple mistake in some entries alone, and the right numbers in all others.

It is the mistake of a loop that ends too early, of a block that is not whole, of a condition. A region is a rule, not a
list of entries: the last row, columns from 4 on, what is left over of blocks of four, entries where x < 0. So it says
in every other case, of other sizes, which entries should be wrong there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import Bounded
from harness.evaluation.references.expected import gradient_of
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import Situation
from impls.contract import Array

Mask = NDArray[np.bool_]
Region = Callable[[Situation], Mask]

BLOCKS = (2, 4, 8, 16, 32, 64)
"""Sizes of blocks in which kernels work."""
FACTORS: tuple[tuple[str, str, float], ...] = (
    ("zero", "is 0", 0.0),
    ("sign flipped", "has the other sign", -1.0),
    ("doubled", "is the right one times 2", 2.0),
    ("half", "is the right one times 1/2", 0.5),
)
"""The cause, the mistake in words, and what the right gradient is multiplied by."""


def in_regions(at: Situation, name: str) -> Iterator[OperationFault]:
    """Simple mistakes in every region in which the gradient may be wrong alone."""
    dx = gradient_of(name)
    right, actual = at.expected[name], at.answered.get(name)
    if actual is None or actual.shape != right.shape or not right.value.ndim:
        return
    wrong = right.outside(actual)
    ratio = _ratio(actual, right, wrong)
    mistakes: list[tuple[str, str, Callable[[Situation], Bounded]]]
    mistakes = [(cause, how, partial(_times, name, factor)) for cause, how, factor in FACTORS]
    if right.shape == at.upstream.shape:
        mistakes.append(("derivative missing", "is the upstream gradient as it came", _upstream))
    if ratio is not None:
        told = f"is the right one times {ratio:.6g}"
        mistakes.append(("scaled by a constant", told, partial(_times, name, ratio)))
    for says, region in _regions(at, name):
        mask = np.broadcast_to(region(at), right.shape)
        if mask.all() or np.any(wrong & ~mask):
            continue
        for cause, how, mistake in mistakes:
            again = partial(_in_region, name, region, mistake)
            yield OperationFault(cause, f"{dx} {how}, {says}", partial(again, at), again=again)


def _times(name: str, factor: float, at: Situation) -> Bounded:
    return at.expected[name] * factor


def _upstream(at: Situation) -> Bounded:
    return at.context.exact(at.upstream)


def _in_region(name: str, region: Region, mistake: Callable[[Situation], Bounded], at: Situation) -> Bounded:
    right, there = at.expected[name], mistake(at)
    mask = np.broadcast_to(region(at), right.shape)
    return Bounded(np.where(mask, there.value, right.value), np.where(mask, there.bound, right.bound), right.context)


def _ratio(actual: Array, right: Bounded, wrong: Mask) -> float | None:
    with np.errstate(all="ignore"):
        ratios = (np.asarray(actual, np.float64) / right.value)[wrong & right.bounded]
    if not ratios.size or not np.isfinite(ratios).all():
        return None
    ratio = float(np.median(ratios))
    return ratio if ratio not in (0, -1, 2, 0.5, 1) else None


def _regions(at: Situation, name: str) -> Iterator[tuple[str, Region]]:
    """Rules for which entries are wrong, those that take in fewest before those that take in more."""
    shape = at.expected[name].shape
    actual = at.answered[name]
    assert actual is not None
    outside = at.expected[name].outside(actual)
    for axis in range(len(shape)):
        across = tuple(k for k in range(len(shape)) if k != axis)
        touched = np.flatnonzero(outside.any(axis=across))
        if 0 < len(touched) < shape[axis]:
            for says, chosen in _places(touched, shape[axis]):
                yield f"{says} of axis {axis}", partial(_along, name, axis, chosen)
    tensors: dict[str, Callable[[Situation], Array]] = {n: partial(_input, n) for n in at.reals}
    tensors |= {"the upstream": lambda s: s.upstream, "the output": lambda s: s.output.value}
    for what, take in tensors.items():
        if np.shape(take(at)) == shape:
            for says, condition in CONDITIONS.items():
                yield f"where {what} {says}", partial(_where, take, condition)
    for index in at.inputs:
        if at.inputs[index].dtype.kind == "b" and at.inputs[index].shape == shape:
            yield f"where {index} is False", partial(_where, partial(_input, index), np.logical_not)


CONDITIONS: dict[str, Callable[[Array], Mask]] = {
    "= 0": lambda a: a == 0,
    "> 1": lambda a: a > 1,
    "< −1": lambda a: a < -1,
    "is beyond ±1": lambda a: np.abs(a) > 1,
    "is within ±1": lambda a: np.abs(a) < 1,
    "< 0": lambda a: a < 0,
    "> 0": lambda a: a > 0,
    "≤ 0": lambda a: a <= 0,
    "≥ 0": lambda a: a >= 0,
}


def _input(name: str, at: Situation) -> Array:
    return at.inputs[name]


def _where(take: Callable[[Situation], Array], condition: Callable[[Array], Mask], at: Situation) -> Mask:
    return condition(take(at))


def _along(name: str, axis: int, chosen: Callable[[int], Any], at: Situation) -> Mask:
    shape = at.expected[name].shape
    mask = np.zeros(shape[axis], bool)
    mask[chosen(shape[axis])] = True
    return mask.reshape([-1 if k == axis else 1 for k in range(len(shape))])


def _places(touched: Array, size: int) -> Iterator[tuple[str, Callable[[int], Any]]]:
    """Rules for places along an axis, by how many there are."""
    first, last = int(touched[0]), int(touched[-1])
    whole = np.array_equal(touched, np.arange(first, last + 1))
    if len(touched) == 1:
        if last == size - 1:
            yield "at the last place", lambda n: [n - 1]
        yield f"at place {first} (counted from 0)", lambda n: [first] if first < n else []
    for block in BLOCKS:
        if whole and last == size - 1 and first == size // block * block:
            yield f"beyond the last whole block of {block}", partial(_left_over, block)
    if whole and last == size - 1 and first > 0:
        yield f"from place {first} on (counted from 0)", lambda _: slice(first, None)
        yield f"at the last {size - first} places", lambda n: slice(max(n - (size - first), 0), None)
    if whole and first == 0:
        yield f"before place {last + 1} (counted from 0)", lambda _: slice(0, last + 1)
    if np.array_equal(touched, np.arange(1, size, 2)):
        yield "at odd places (counted from 0)", lambda _: slice(1, None, 2)
    if np.array_equal(touched, np.arange(0, size, 2)):
        yield "at even places (counted from 0)", lambda _: slice(0, None, 2)


def _left_over(block: int, size: int) -> slice:
    return slice(size // block * block, None)
