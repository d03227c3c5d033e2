"""Mistakes that leave the right numbers recognisable: a factor, another place, another shape, another gradient."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import product
from math import prod, sqrt
from operator import add, mul

import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.references.expected import gradient_of
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import Situation
from impls.contract import Array

MOST_ROWS = 64
"""Rows for which the reference is asked one by one: enough for every case that is drawn."""


def recognisable(at: Situation, name: str) -> Iterator[OperationFault]:
    """Everything of this kind for the gradient of one input."""
    dx = gradient_of(name)
    right = at.expected[name]
    zeros = at.context.exact(np.zeros(right.shape))
    yield OperationFault("zero", f"{dx} is 0 everywhere: its path is missing", lambda: zeros)
    yield from _factors(at, name, right)
    if right.value.ndim > 1:
        yield OperationFault(
            "transposed", f"{dx} is transposed", partial(right.moved, lambda array: array.swapaxes(-1, -2))
        )
    for other in at.expected:
        if other != name:
            says = f"{dx} is {gradient_of(other)}, the gradient of another input"
            yield OperationFault("gradient of another input", says, partial(at.expected.__getitem__, other))
    if right.value.shape == at.upstream.shape:
        passed = at.context.exact(at.upstream)
        yield OperationFault("derivative missing", f"{dx} is the upstream gradient as it came", lambda: passed)
        yield OperationFault("derivative twice", f"the derivative is applied twice in {dx}", partial(_twice, at, name))
    yield from _shapes(at, name, right)
    yield from _states(at, name, right)


def _twice(at: Situation, name: str) -> Bounded:
    """The derivative of what is right; what is allowed to that passes through the derivative too."""
    right = at.expected[name]
    again, room = at.with_upstream(name, right.value), at.with_upstream(name, right.bound)
    return again.widened(np.abs(room.value) + room.bound)


def _factors(at: Situation, name: str, right: Bounded) -> Iterator[OperationFault]:
    dx = gradient_of(name)
    for factor, cause, told in FIXED:
        yield OperationFault(cause, f"{dx} is the right one times {told}", partial(mul, right, factor))
    actual = at.answered.get(name)
    ratio = None if actual is None or actual.shape != right.value.shape else _ratio(actual, right)
    if ratio is not None and f"{ratio:.6g}" in {"1", "0", *(f"{factor:.6g}" for factor, _, _ in FIXED)}:
        ratio = None  # it has a name already
    for number, (of, size) in _named_sizes(at).items():
        for make, cause, told in BY_SIZE:
            if cause in ALWAYS or (ratio is not None and f"{make(number):.6g}" == f"{ratio:.6g}"):
                again = partial(_by_size, name, make, size)
                says = f"{dx} is the right one times {told.format(of)}"
                yield OperationFault(cause, says, partial(again, at), again=again)
    if ratio is not None:
        says = f"{dx} is the right one times {ratio:.6g}"
        yield OperationFault("scaled by a constant", says, partial(_measured_ratio, right, ratio), "constant")


FIXED = (
    (-1.0, "sign flipped", "−1: the sign is turned"),
    (0.5, "half", "1/2"),
    (2.0, "doubled", "2"),
    (-2.0, "scaled by a constant", "−2"),
    (4.0, "scaled by a constant", "4"),
    (0.25, "scaled by a constant", "1/4"),
)
"""Factors, each with its cause and the words for it."""


BY_SIZE: tuple[tuple[Callable[[float], float], str, str], ...] = (
    (lambda n: 1 / n, "mean for sum", "1/({}): a mean for a sum"),
    (lambda n: n, "sum for mean", "{}: a sum for a mean"),
    (sqrt, "root of a size", "√({})"),
    (lambda n: 1 / sqrt(n), "root of a size", "1/√({})"),
    (lambda n: (n - 1) / n, "biased for unbiased", "(n − 1)/n, n being {}: n in place of n − 1"),
    (lambda n: n / (n - 1), "variance over one less", "n/(n − 1), n being {}: n − 1 in place of n"),
)
"""Numbers that are made of a size, each with its cause and the words for it."""
ALWAYS = ("mean for sum", "sum for mean")
"""Tried whatever the ratio is; the others where it is theirs."""


def _by_size(name: str, make: Callable[[float], float], size: Callable[[Situation], int], at: Situation) -> Bounded:
    return at.expected[name] * make(float(size(at)))


def _named_sizes(at: Situation) -> dict[int, tuple[str, Callable[[Situation], int]]]:
    """Every size by its tensor and axis, the first of equal ones, and how it is read in another case."""
    sizes: dict[int, tuple[str, Callable[[Situation], int]]] = {}
    tensors = [*at.inputs, "the output"]
    for what in tensors:
        for axis, size in enumerate(_shape(what, at)):
            of = f"the size of axis {axis} of {what}"
            sizes.setdefault(size, (of, partial(_size_of, what, axis)))
    for what in tensors:
        of = f"the number of entries of {what}"
        sizes.setdefault(prod(_shape(what, at)), (of, partial(_size_of, what, None)))
    sizes.pop(1, None)
    return sizes


def _size_of(what: str, axis: int | None, at: Situation) -> int:
    shape = _shape(what, at)
    return prod(shape) if axis is None else shape[axis]


def _shape(what: str, at: Situation) -> tuple[int, ...]:
    return at.inputs[what].shape if what in at.inputs else at.upstream.shape


def _ratio(actual: Array, right: Bounded) -> float | None:
    """The ratio at the largest entry."""
    size = np.where(right.bounded, np.abs(right.value), -1.0)
    place = np.unravel_index(int(size.argmax()), size.shape)
    if size[place] <= 0 or not np.isfinite(actual[place]):
        return None
    return float(actual[place] / right.value[place])


def _measured_ratio(right: Bounded, ratio: float) -> Bounded:
    """A ratio read off one entry is itself as uncertain as that entry."""
    place = np.unravel_index(int(np.where(right.bounded, np.abs(right.value), -1.0).argmax()), right.value.shape)
    share = right.bound[place] / abs(right.value[place])
    return right * Bounded(np.asarray(ratio), np.asarray(share * abs(ratio)), right.context)


def _shapes(at: Situation, name: str, right: Bounded) -> Iterator[OperationFault]:
    """The right numbers in another shape, or a broadcast input's gradient that is not summed as it should be."""
    dx = gradient_of(name)
    actual = at.answered.get(name)
    if actual is not None and actual.shape != right.value.shape:
        if actual.size == right.value.size:
            says = f"{dx} has the right numbers in another shape"
            yield OperationFault("shape", says, partial(right.moved, lambda array: array.reshape(actual.shape)))
        elif np.broadcast_shapes(actual.shape, right.value.shape) == actual.shape if _fit(actual, right) else False:
            says = f"{dx} is broadcast: the right numbers, repeated"
            yield OperationFault(
                "shape", says, partial(right.moved, lambda array: np.broadcast_to(array, actual.shape))
            )
    lead, given = at.upstream.ndim - right.value.ndim, right.value.shape
    if actual is None or lead < 1 or actual.shape == given:
        return
    # Asking the reference row by row costs: only for what has the shape that came.
    whole = partial(unsummed, at, name)
    if actual.shape == at.upstream.shape[:lead] + given:
        yield OperationFault(
            "broadcast gradient not summed", f"{dx} is not summed over the rows that share {name}", whole
        )
    for axis, keep in product(range(at.upstream.ndim), (False, True)):
        size = at.upstream.shape[axis]
        if np.sum(np.empty(at.upstream.shape[:lead] + given), axis=axis, keepdims=keep).shape == actual.shape:
            over = f"over axis {axis} only" + (", which is kept" if keep else "")
            added = partial(_added, whole, axis, keep)
            yield OperationFault("summed over the wrong axis", f"{dx} is summed {over}", added)
            averaged = partial(_added, whole, axis, keep, size)
            yield OperationFault("mean for sum", f"{dx} is averaged {over}", averaged)


def _added(whole: Callable[[], Bounded], axis: int, keep: bool, divisor: int = 1) -> Bounded:
    total = whole().sum(axis=axis, keepdims=keep)
    return total if divisor == 1 else total / divisor


def _fit(actual: Array, right: Bounded) -> bool:
    try:
        np.broadcast_shapes(actual.shape, right.value.shape)
    except ValueError:
        return False
    return True


def unsummed(at: Situation, name: str) -> Bounded:
    """The gradient of an input that every leading row shares, row by row, before it is summed.

    Found by giving the reference the upstream of one row at a time, whatever the function is.

    Raises:
        ValueError: there are more rows than `MOST_ROWS`.
    """
    given, shape = at.inputs[name], at.upstream.shape
    lead = len(shape) - given.ndim
    if np.prod(shape[:lead]) > MOST_ROWS:
        raise ValueError("too many rows to ask for one by one")
    rows = []
    for row in np.ndindex(shape[:lead]):
        alone = np.zeros_like(at.upstream)
        alone[row] = at.upstream[row]
        rows.append(at.with_upstream(name, alone))
    parts = [row.value for row in rows], [row.bound for row in rows]
    values, bounds = (np.stack(part).reshape(shape[:lead] + given.shape) for part in parts)
    return Bounded(values, bounds, at.context)


def _states(at: Situation, name: str, right: Bounded) -> Iterator[OperationFault]:
    """What an earlier call left behind."""
    dx = gradient_of(name)
    earlier = at.before.get(name)
    if earlier is None or earlier.shape != right.value.shape:
        return
    old = at.context.exact(earlier)
    yield OperationFault("stale", f"{dx} is that of the call before", lambda: old)
    yield OperationFault("accumulated", f"{dx} is added to that of the call before", partial(add, right, old))
