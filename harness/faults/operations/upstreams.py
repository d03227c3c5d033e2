"""Mistakes with the upstream gradient: what the reference gives for another one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import numpy as np

from harness.arithmetic import Bounded
from harness.evaluation.references.expected import gradient_of
from harness.faults.operations.operation_fault import OperationFault
from harness.faults.operations.situation import Situation
from impls.contract import Array

Change = Callable[[Array], Array]


def _reduced(reduce: Callable[..., Array], axis: int | None) -> Change:
    return lambda u: np.broadcast_to(reduce(u, axis=axis, keepdims=True), u.shape).copy()


def _only(row: int) -> Change:
    def change(u: Array) -> Array:
        kept = np.zeros_like(u)
        kept[row] = u[row]
        return kept

    return change


CHANGES: tuple[tuple[str, str, Change], ...] = (
    ("upstream missing", "all ones are used in place of the upstream", np.ones_like),
    ("only the first row's upstream", "only the first row of the upstream is used, the others count as 0", _only(0)),
    (
        "first row's upstream for all",
        "the first row of the upstream is used for every row",
        lambda u: np.broadcast_to(u[:1], u.shape).copy(),
    ),
    ("only the last row's upstream", "only the last row of the upstream is used, the others count as 0", _only(-1)),
    ("upstream averaged", "the upstream is averaged over the rows before it is used", _reduced(np.mean, 0)),
    ("upstream summed", "the upstream is summed over the rows before it is used", _reduced(np.sum, 0)),
    ("upstream averaged", "the upstream is averaged over its last axis before it is used", _reduced(np.mean, -1)),
    ("upstream summed", "the upstream is summed over its last axis before it is used", _reduced(np.sum, -1)),
    ("upstream averaged", "the upstream is averaged over all entries before it is used", _reduced(np.mean, None)),
    ("upstream summed", "the upstream is summed over all entries before it is used", _reduced(np.sum, None)),
    ("upstream squared", "the upstream is squared", np.square),
    ("upstream without sign", "the absolute value of the upstream is used", np.abs),
    ("upstream without sign", "only the sign of the upstream is used", np.sign),
    ("upstream clipped", "negative entries of the upstream count as 0", lambda u: np.maximum(u, 0)),
    ("upstream reversed", "the rows of the upstream are in reverse order", lambda u: u[::-1].copy()),
)
"""The cause, the mistake in words, and what it makes of the upstream."""


def changed_upstream(at: Situation, name: str) -> Iterator[OperationFault]:
    """Everything of this kind for the gradient of one input."""
    dx = gradient_of(name)
    for cause, says, change in CHANGES:
        if at.upstream.ndim or cause in ("upstream missing", "upstream squared", "upstream without sign"):
            yield OperationFault(cause, f"{says}, in {dx}", partial(_with, at, name, change))
    for index in at.inputs:
        if at.inputs[index].dtype.kind == "i":
            for keep, kept in (("last", False), ("first", True)):
                for axis, mask in _once(at.inputs[index], at.upstream.shape, first=kept):
                    says = f"where {index} repeats an index{axis}, {dx} keeps only the {keep} upstream, not their sum"
                    change = partial(np.multiply, mask)
                    yield OperationFault("repeated index overwritten", says, partial(_with, at, name, change))


def _with(at: Situation, name: str, change: Change) -> Bounded:
    return at.if_upstream(name, np.asarray(change(at.upstream)))


def _once(index: Array, shape: tuple[int, ...], *, first: bool) -> Iterator[tuple[str, Array]]:
    """Masks over an upstream of that shape that keep one of each group of entries that share an index.

    The index picks whole slices where its shape is the beginning of the upstream's, or entries along one axis where
    both have the same shape.
    """
    if shape[: index.ndim] == index.shape:
        kept = _kept(index.ravel(), first=first).reshape(index.shape)
        yield "", kept.reshape(index.shape + (1,) * (len(shape) - index.ndim))
    if index.ndim > 1 and index.shape == shape:
        for axis in range(index.ndim):
            yield f" along axis {axis}", np.apply_along_axis(partial(_kept, first=first), axis, index)


def _kept(index: Array, *, first: bool) -> Array:
    ordered = index if first else index[::-1]
    kept = np.zeros(len(index), bool)
    kept[np.unique(ordered, return_index=True)[1]] = True
    return kept if first else kept[::-1]
