"""Mistakes on the paths of the chain rule: left out, or of another weight, or one sample used for all.

    dx_ni = sum_j dz_nj w_ij      every path from x_i leads through some z_j
    dW_ij = sum_n x_ni dz_nj      w_ij feeds z_j only, once per sample n

A term of a sum that is dropped, or the only one kept because each overwrites the one before; rows of the two factors
that belong to different samples; at any link going back, neurons, inputs or samples that a loop does not reach, or
that are set to 0.

Which ones these are is read off the numbers, so that every one of a wide layer is covered, and several at once; nothing
is free in it then, as in any other mistake. Where the tensor itself is shown, or one behind it with the same neurons,
they are its columns or rows of zeros. A sample that is left out of a sum, or unseen, is the one without which the sum
fits best; so is a neuron of a part of a gradient, which nobody shows.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.faults.fault import Fault, Off, Read
from harness.faults.place import Place, RuleTable, samples
from impls.contract import Array
from impls.graph import Rule
from impls.hand import Dense

MOST_NEURONS = 8
"""Neurons of a layer each of which is tried by itself; of wider layers the first and the last."""


def path_faults(place: Place) -> Iterator[Fault]:
    """Mistakes on the paths of a Dense layer, on samples in the gradient of a weight, one row of upstream elsewhere."""
    if place.of_weight and place.upstream:
        yield from _samples(place)
    yield from place.faults_of(_PATHS)
    for upstream in place.upstream if place.of_read else ():
        for which, row in (("first", slice(None, 1)), ("last", slice(-1, None))):
            text = f"the {which} row of {upstream} is used for every sample"
            formula = f"{place.at} from the {which} row of {upstream}"
            yield place.fault(f"{which} row's upstream for all", text, formula, _one_row(place, upstream, row))


def _one_row(place: Place, upstream: str, row: slice) -> Any:
    return lambda t: place.link({**t, upstream: 0 * t[upstream] + t[upstream][row]})


def _paths(place: Place) -> Iterator[Fault]:
    dz, W, K = place.names["dz"], place.names["W"], place.layer.outputs
    if K == 1:
        return
    for j in range(K) if K <= MOST_NEURONS else (0, K - 1):
        others = [k for k in range(K) if k != j]
        dropped = lambda t, others=others: t[dz][..., others] @ t[W][:, others].T  # noqa: E731
        text = f"the path through neuron {j + 1} of {place.names['z']} is left out of the sum"
        yield place.fault("dropped path", text, f"{dz} · {W}ᵀ without column {j + 1}", dropped)
        if K == 2:  # the other path is then the only one
            continue
        only = lambda t, j=j: t[dz][..., [j]] @ t[W][:, [j]].T  # noqa: E731
        text = f"only the path through neuron {j + 1} of {place.names['z']} counts: the others are overwritten"
        yield place.fault("only one path", text, f"{dz} · {W}ᵀ, column {j + 1} only", only)


def _of_products(place: Place) -> Iterator[Fault]:
    right, x, dz = place.link, place.names["x"], place.names["dz"]
    for step in (1, -1):
        shifted = lambda t, step=step: right({**t, x: t[x][np.roll(np.arange(len(t[x])), step)]})  # noqa: E731
        text = f"the rows of {x} and {dz} are one sample out of step"
        yield place.fault("samples out of step", text, f"({x} moved by {step} row)ᵀ · {dz}", shifted)
    yield from _other_weights(place)


def _other_weights(place: Place) -> Iterator[Fault]:
    right, x, dz = place.link, place.names["x"], place.names["dz"]
    M, K = place.network.weights[place.names["W"]]
    if K > 1:
        for step in (-1, 1) if K > 2 else (1,):
            turned = np.roll(np.arange(K), step)
            added = lambda t, turned=turned: right(t) + right({**t, dz: t[dz][..., turned]})  # noqa: E731
            which = "next" if step < 0 else "previous"
            text = f"a path through the {which} neuron is added, which belongs to another weight"
            formula = f"{x}ᵀ · {dz} + {x}ᵀ · ({dz} of the neuron beside)"
            yield place.fault("path of another weight", text, formula, added)
        text = f"paths through every neuron of {place.names['z']} are added, where the weight feeds only one of them"
        formula = f"{x}ᵀ · (sum of {dz} over the neurons)"
        everything = lambda t: right({**t, dz: 0 * t[dz] + t[dz].sum(axis=-1, keepdims=True)})  # noqa: E731
        yield place.fault("path of another weight", text, formula, everything)
    if M > 1:
        text = f"{x} is summed over its neurons, where the weight is fed by only one of them"
        formula = f"(sum of {x} over the neurons)ᵀ · {dz}"
        fed = lambda t: right({**t, x: 0 * t[x] + t[x].sum(axis=-1, keepdims=True)})  # noqa: E731
        yield place.fault("path of another weight", text, formula, fed)


def _samples(place: Place) -> Iterator[Fault]:
    right, at, upstream = place.link, place.at, place.upstream
    overwritten = ": each overwrites the one before"
    for which, part, why in (("first", slice(None, 1), ""), ("last", slice(-1, None), overwritten)):
        rule = lambda t, part=part: right(place.with_samples(t, part, times=1, others=0))  # noqa: E731
        text = f"only the {which} sample counts in {at}{why}"
        formula = f"{at} from the {which} row of {' and '.join(upstream)}"
        yield place.fault("only one sample", text, formula, rule)


_PATHS: RuleTable = {Dense: {"dW": _of_products, "dx": _paths}}


_CAUSE = {"input": "neuron"}

MOST_TRIED = 128
"""Samples, or neurons of a part, each of which is tried; of more, the first and the last."""
MOST_LISTED = 6
"""Neurons that a sentence lists."""


@dataclass(frozen=True)
class LeftOut(Read):
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

    def read(self, tensor: str, actual: Array, right: Array, off: Off, tensors: Mapping[str, Any]) -> Fault | None:
        """As `Read.read`: with the indices that the numbers show."""
        if self.what == "sample" and (self.axis is None or tensor != self.at):
            return self._of_best(off, samples(tensors))
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
