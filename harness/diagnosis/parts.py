"""Parts of a tensor: the entries that are wrong, said as a person would find them in a loop, a slice or a condition."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.arithmetic import Bounded, enclosure
from harness.diagnosis.hypotheses import Planted
from harness.faults import Fault
from harness.faults.edits import CAUSE, EditFault
from impls.contract import Array
from impls.graph import Link, Rule

Mask = NDArray[np.bool_]

MOST_LISTED = 6
"""Samples or neurons that a sentence lists."""


@dataclass(frozen=True)
class Part:
    """Some entries of what a link gives.

    Attributes:
        mask: which; it broadcasts against the tensor.
        says: in words: ``samples 3, 7``.
    """

    mask: Mask
    says: str

    def of(self, fault: Fault) -> Fault:
        """The fault at this part alone; all else is as `right` gives it."""
        return replace(
            fault,
            says=f"{fault.says}; so at {self.says} only",
            formula=f"{fault.formula}   at {self.says} only",
        )

    def rule(self, wrong: Rule, right: Rule) -> Rule:
        """What the part has by one rule, and all else by the other."""
        return lambda t: chosen(self.mask, wrong(t), right(t))


def chosen(mask: Mask, there: Any, elsewhere: Any) -> Any:
    """Entries of one array where the mask is set and of the other elsewhere, on bounded arrays too."""
    if not isinstance(elsewhere, Bounded):
        return np.where(mask, there, elsewhere)
    if not isinstance(there, Bounded):
        there = elsewhere.context.exact(np.broadcast_to(there, elsewhere.shape))
    value, bound = np.where(mask, there.value, elsewhere.value), np.where(mask, there.bound, elsewhere.bound)
    return Bounded(value, bound, elsewhere.context)


def parts_of(link: Link, tensor: str, now: Planted) -> list[Part]:
    """Parts of what a link gives that may be wrong alone, given which entries of a shown tensor are wrong."""
    outside, shape = now.outside(tensor), np.shape(now.floats.expected[link.output])
    if outside.all() or not outside.any():
        return []
    tensors = now.point.network.tensors
    if link.output == tensor:
        return [Part(outside, _in_words(outside, tensors[tensor].axes, now, tensor))]
    return list(_behind(outside, tensors[tensor].axes, shape, tensors[link.output].axes))


def _behind(outside: Mask, axes: tuple[str, ...], shape: tuple[int, ...], own: tuple[str, ...]) -> Iterator[Part]:
    """Samples or neurons of a link that is not shown, the same as are wrong in what shows it."""
    for axis, what in enumerate(axes):
        across = tuple(k for k in range(outside.ndim) if k != axis)
        touched = np.asarray(outside.any(axis=across))
        for place, name in enumerate(own):
            if name == what and shape[place] == len(touched) and not touched.all():
                mask = touched.reshape([-1 if k == place else 1 for k in range(len(shape))])
                yield Part(mask, listed(what, np.flatnonzero(touched)))


def _in_words(mask: Mask, axes: tuple[str, ...], now: Planted, tensor: str) -> str:
    """The entries of a mask: whole samples or neurons, a block, one entry, or where another tensor has a sign."""
    touched = [
        np.flatnonzero(mask.any(axis=tuple(k for k in range(mask.ndim) if k != axis))) for axis in range(mask.ndim)
    ]
    if mask.sum() == np.prod([len(places) for places in touched]):
        told = [
            listed(what, places)
            for what, places, size in zip(axes, touched, mask.shape, strict=True)
            if len(places) < size
        ]
        return ", ".join(told)
    link = now.point.network.link[tensor]
    for name in dict.fromkeys([*link.inputs, *link.names.values()]):
        other = now.floats.tensors.get(name)
        if name != tensor and other is not None and np.shape(other) == mask.shape:
            for says, region in _regions(other):
                if np.array_equal(region, mask):
                    return f"entries where {name} {says}"
    return f"{int(mask.sum())} of its {mask.size} entries"


def _regions(other: Array) -> Iterator[tuple[str, Mask]]:
    yield "< 0", other < 0
    yield "> 0", other > 0
    yield "≤ 0", other <= 0
    yield "≥ 0", other >= 0
    yield "= 0", other == 0


def listed(what: str, places: Any) -> str:
    """Samples counted from 0, neurons and inputs from 1: ``samples 32 to 63 (counted from 0)``."""
    first = 0 if what in ("sample", "position") else 1
    numbers = sorted({int(place) + first for place in places})
    plural = "s" if len(numbers) > 1 else ""
    if len(numbers) > 2 and numbers[-1] - numbers[0] == len(numbers) - 1:
        told = f"{numbers[0]} to {numbers[-1]}"
    else:
        told = ", ".join(map(str, numbers[:MOST_LISTED])) + (", ..." if len(numbers) > MOST_LISTED else "")
    return f"{what}{plural} {told}" + ("" if first else " (counted from 0)")


def moved_faults(link: Link, tensor: str, now: Planted) -> Iterator[Fault]:
    """Samples or neurons of a shown tensor that hold what belongs to others of it."""
    if link.output != tensor:
        return
    actual, expected, outside = now.shown[tensor], now.bounds.expected[tensor], now.outside(tensor)
    for axis, what in enumerate(now.point.network.tensors[tensor].axes):
        rows, value, bound = (np.moveaxis(a, axis, 0) for a in (actual, expected.value, expected.bound))
        wrong = np.flatnonzero(outside.any(axis=tuple(k for k in range(actual.ndim) if k != axis)))
        index = np.arange(len(rows))
        for place in wrong:
            same = ~enclosure.outside(np.abs(value - rows[place]), value, bound)
            found = np.flatnonzero(same.reshape(len(rows), -1).all(axis=1))
            if not len(found):
                break
            index[place] = found[np.argmin(np.abs(found - place))]
        else:
            says = f"{listed(what, wrong)} of {tensor} hold what belongs to {listed(what, index[wrong])}"
            formula = f"{tensor} with {listed(what, index[wrong])} at {listed(what, wrong)}"
            rule = lambda t, index=index, axis=axis: link(t)[(slice(None),) * axis + (index,)]  # noqa: E731
            yield EditFault(CAUSE, tensor, says, formula, rule, "moved", tensor)
