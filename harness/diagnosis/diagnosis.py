"""A diagnosis: a link that is wrong, what explains its numbers, its worst entry, and what is known if nothing does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from harness.evaluation.incremental import Replay
from impls.contract import Array
from impls.graph import Link


@dataclass(frozen=True)
class Cause:
    """A mistake of the catalogue, held against somebody's numbers.

    Attributes:
        cause, at, says, formula: as in `harness.faults.Fault`.
        residual: largest |actual − predicted| at the first tensor that shows it, relative to the largest |actual|.
        number: the constant in the mistake, where it has one that was fitted, and how far it may be off.
        entries: how many entries held against it the number could be seen in.
    """

    cause: str
    at: str
    says: str
    formula: str
    residual: float
    number: tuple[float, float] | None = None
    entries: int = 0


@dataclass(frozen=True)
class Entry:
    """One entry of a tensor: where it is furthest from what it should be.

    Attributes:
        tensor: its name.
        index: counted from 0.
        reads: what the link reads at this same entry, by name: z2, a2, da2 for dz2.
    """

    tensor: str
    index: tuple[int, ...]
    actual: float
    expected: float
    reads: Mapping[str, float]


@dataclass(frozen=True)
class Diagnosis:
    """One mistake, located.

    Attributes:
        at: name of the tensor whose link is wrong; it may be one that is not shown. Of a gradient with several parts
            it is the gradient, whichever part is wrong: a cause says which.
        shown_at: the first tensor shown in which it shows.
        causes: each reproduces the numbers within the allowance; several where they coincide on this data; none if
            the mistake is unknown.
        runner_up: the best of those that do not.
        known: what the numbers alone tell.
        should: what the link should compute, as text.
        entry: the worst entry of ``shown_at``.
        explains: every tensor shown whose numbers it accounts for, in the order of the walk.
        links: names of the tensors whose links have it, where it is the same mistake at several.
    """

    at: str
    shown_at: str
    causes: tuple[Cause, ...]
    runner_up: Cause | None
    known: tuple[str, ...]
    should: str
    entry: Entry
    explains: tuple[str, ...]
    links: tuple[str, ...] = ()


def worst_entry(link: Link, actual: Array, expected: Array, floats: Replay) -> Entry:
    """The entry furthest from what it should be; NaN is furthest of all.

    Where a gradient goes back through what has no weights, an activation or the loss, it comes with the pre-activation,
    the activation, the target and the upstream gradient there, each of them where it has the shape of the tensor.
    """
    tensor = link.output
    with np.errstate(all="ignore"):
        off = np.abs(actual - expected)
    index = tuple(int(i) for i in np.unravel_index(int(np.argmax(off)), off.shape))  # argmax gives the first NaN
    around = [link.names[local] for local in ("z", "a", "y", "da") if local in link.names]
    through = link.of is not None and not getattr(link.layer, "weights", {})
    names = dict.fromkeys([*around, *link.inputs]) if through else {}
    read = {name: floats.tensors[name] for name in names if name != tensor}
    reads = {name: float(value[index]) for name, value in read.items() if np.shape(value) == actual.shape}
    return Entry(tensor, index, float(actual[index]), float(expected[index]), reads)
