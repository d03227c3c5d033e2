"""Left out: neurons, inputs or samples that a loop does not reach, or that are set to 0, at any link going back.

Which ones is read off the numbers, so that every one of a wide layer is covered, and several at once; nothing is free
in it then, as in any other mistake. Where the tensor itself is shown, or one behind it with the same neurons, they are
its columns or rows of zeros. A sample that is left out of a sum, or unseen, is the one without which the sum fits best;
so is a neuron of a part of a gradient, which nobody shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.faults.fault import Fault
from harness.faults.place import Place
from impls.contract import Array
from impls.graph import Rule

_CAUSE = {"input": "neuron"}

Off = Callable[[Rule], float]

MOST_TRIED = 128
"""Samples, or neurons of a part, each of which is tried; of more, the first and the last."""
MOST_LISTED = 6
"""Neurons that a sentence lists."""


@dataclass(frozen=True)
class LeftOut(Fault):
    """Slices of a link's output that are 0. As a `Fault`, the last one is.

    Attributes:
        what: what an index counts: neuron, input, position or sample.
        axis: of the link's output along which it counts; None for samples that are summed over.
        size: how many there are; None of samples.
        part: whether what the link gives is added to other parts, and so shows no zeros.
        without: from indices to the rule.
    """

    what: str
    axis: int | None
    size: int | None
    part: bool
    without: Any

    def read(self, tensor: str, actual: Array, right: Array, off: Off, rows: int) -> Fault | None:
        """The mistake with the indices that the numbers show; None if they show none.

        Args:
            tensor: name of what is shown; `actual` and `right` are its numbers, and what they should be.
            off: how far from `actual` the tensor is with a rule planted.
            rows: number of samples.
        """
        if self.what == "sample" and (self.axis is None or tensor != self.at):
            return self._of_best(off, rows)
        if self.axis is None:
            return None
        if self.part and self.size:
            return self._of_best(off, self.size)
        axis = self.axis if tensor == self.at else -1
        if tensor != self.at and (self.what != "neuron" or actual.shape[axis] != self.size):
            return None
        across = tuple(k for k in range(actual.ndim) if k != axis % actual.ndim)
        zero = np.all(actual == 0, axis=across) & np.any(right != 0, axis=across)
        kept = ~np.all(right == 0, axis=across) & ~zero
        return self.of(np.flatnonzero(zero).tolist()) if zero.any() and kept.any() else None

    def _of_best(self, off: Off, count: int) -> Fault:
        tried = range(count) if count <= MOST_TRIED else (0, count - 1)
        return self.of([min(tried, key=lambda n: off(self.without([n])))])

    def of(self, indices: Sequence[int]) -> Fault:
        """The mistake with these left out, counted from 0."""
        plural = "s" if len(indices) > 1 else ""
        first = 0 if self.what == "sample" else 1
        listed = ", ".join(str(i + first) for i in indices[:MOST_LISTED]) + (", ..." * (len(indices) > MOST_LISTED))
        named = f"{self.what}{plural} {listed}" + (" (counted from 0)" if first == 0 else "")
        return Fault(self.cause, self.at, *_texts(self.at, named, plural), self.without(list(indices)))


def _texts(at: str, named: str, plural: str) -> tuple[str, str]:
    are = "are" if plural else "is"
    return f"{named} {are} left out of {at}", f"{at} without {named}"


def omission_faults(place: Place) -> Iterator[Fault]:
    """What can be left out at a link of the backward pass."""
    if place.forward:
        return
    for axis, (what, size) in enumerate(zip(place.tensor.axes, place.tensor.shape, strict=True)):
        if what != "sample" and size != 1:
            yield _left_out(place, f"dropped {_CAUSE.get(what, what)}", what, axis, _zeroed(place, axis))
    if place.of_weight and place.upstream:
        yield _left_out(place, "dropped sample", "sample", None, _summed_without(place))
    elif place.tensor.per_row:
        yield _left_out(place, "dropped sample", "sample", 0, _zeroed(place, 0))


def _left_out(place: Place, cause: str, what: str, axis: int | None, without: Any) -> LeftOut:
    texts = _texts(place.at, f"the last {what}", "")
    size = None if axis is None or what == "sample" else place.tensor.sized(0)[axis]
    part = place.tensor.through is not None
    return LeftOut(cause, place.at, *texts, without([-1]), what, axis, size, part, without)


def _zeroed(place: Place, axis: int) -> Any:
    def without(indices: list[int]) -> Rule:
        def rule(t: Mapping[str, Any]) -> Any:
            value = place.link(t)
            kept = np.ones([size if k == axis else 1 for k, size in enumerate(value.shape)])
            kept[(slice(None),) * axis + (indices,)] = 0
            return kept * value

        return rule

    return without


def _summed_without(place: Place) -> Any:
    def without(indices: list[int]) -> Rule:
        return lambda t: place.link(place.with_samples(t, indices, times=0, others=1))

    return without
