"""A diagnosis: a link that is wrong, what explains its numbers, its worst entry, and what is known if nothing does.

The same mistake at every link of its kind is one statement. A link that is not shown, such as a part of a gradient, is
told by the name of one that can be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

import numpy as np

from harness.evaluation.incremental import Replay
from harness.faults import Fault
from harness.faults.cause import Cause
from harness.faults.fault import LEAST_ENTRIES
from harness.faults.place import Place
from impls.contract import Array
from impls.graph import Graph, Link


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
    read = {name: floats.tensors[name] for name in names if name != tensor and ":" not in name}  # no parts
    reads = {name: float(value[index]) for name, value in read.items() if np.shape(value) == actual.shape}
    return Entry(tensor, index, float(actual[index]), float(expected[index]), reads)


@dataclass(frozen=True)
class Found:
    """A diagnosis, and whatever else reproduces its numbers: less sharp, or explaining less."""

    diagnosis: Diagnosis
    also: tuple[Cause, ...] = ()

    def cause(self, name: str) -> Cause | None:
        """The cause of that name, at the link that the diagnosis is about."""
        there = (c for c in (*self.diagnosis.causes, *self.also) if c.cause == name and c.at == self.diagnosis.at)
        return next(there, None)


def merged(network: Graph, found: Sequence[Found], faults: Callable[[str], Sequence[Fault]]) -> list[Diagnosis]:
    """Diagnoses in which one cause at every link where it could be is told once.

    Args:
        faults: what the catalogue has at a link.
    """
    left = list(found)
    together: list[Diagnosis] = []
    first = (cause.cause for f in found for cause in f.diagnosis.causes)
    for name in dict.fromkeys([*first, *(cause.cause for f in found for cause in f.also)]):
        having = [f for f in left if f.cause(name)]
        if len(having) > 1 and _everywhere(network, having, name, faults) and _one_number(having, name):
            left = [f for f in left if f not in having]
            together.append(_one(network, having, name))
            continue
        for pair in combinations(having, 2):
            if all(f in left for f in pair) and _one_layer(network, pair, name) and _one_number(pair, name):
                left = [f for f in left if f not in pair]
                together.append(_one(network, pair, name))
    order = list(network.link)
    return sorted([*(f.diagnosis for f in left), *together], key=lambda d: order.index(d.shown_at))


def _everywhere(network: Graph, having: Sequence[Found], name: str, faults: Callable[[str], Sequence[Fault]]) -> bool:
    """Whether the cause is at all links of the kinds at which it is, wherever the catalogue has it."""
    kinds = {link.output: link.rule.__name__ for link in network.links}
    places = {f.diagnosis.at for f in having}
    hit = {kinds[at] for at in places}
    possible = {at for at, kind in kinds.items() if kind in hit and any(f.cause == name for f in faults(at))}
    return places == possible


def _one_layer(network: Graph, having: Sequence[Found], name: str) -> bool:
    """Whether it is said in the same words of the weights and of the biases of one layer."""
    links = [network.link[f.diagnosis.at] for f in having]
    said = {cause.says.replace(cause.at, "") for f in having if (cause := f.cause(name))}
    one = all(link.names == links[0].names for link in links)
    return one and all(link.of in network.weights for link in links) and len(said) == 1


def _one_number(having: Sequence[Found], name: str) -> bool:
    """Whether the fitted numbers, if there are any, can be one and the same."""
    numbers = [cause.number for f in having if (cause := f.cause(name)) and cause.number]
    return not numbers or max(n - off for n, off in numbers) <= min(n + off for n, off in numbers)


def _one(network: Graph, having: Sequence[Found], name: str) -> Diagnosis:
    """One statement: the causes that all of them share."""
    first = having[0]
    links = tuple(f.diagnosis.at for f in having)
    names = dict.fromkeys([name, *(c.cause for c in first.diagnosis.causes)])
    causes = []
    for shared in names:
        each = [cause for f in having if (cause := f.cause(shared))]
        if len(each) == len(having):
            says = f"{each[0].says}; the same at {', '.join(_place(network, name) for name in links[1:])}"
            worst, entries = max(c.residual for c in each), sum(c.entries for c in each)
            causes.append(replace(each[0], says=says, residual=worst, entries=entries))
    explains = tuple(dict.fromkeys(at for f in having for at in f.diagnosis.explains))
    return replace(first.diagnosis, causes=tuple(causes), explains=explains, links=links)


def _place(network: Graph, name: str) -> str:
    """A link among several: a part of a gradient by its own name, but what a penalty adds, which is told so."""
    return gradient_of(network, name) if Place(network, network.link[name]).of_penalty else name


def told(network: Graph, diagnosis: Diagnosis) -> Diagnosis:
    """Under names that can be shown, and without the causes whose fitted number is seen in too few entries."""
    links = gradients_of(network, diagnosis.links)
    return replace(
        diagnosis,
        at=gradient_of(network, diagnosis.at),
        links=links if len(links) > 1 else (),
        causes=tuple(c for c in diagnosis.causes if c.number is None or c.entries >= LEAST_ENTRIES),
    )


def gradient_of(network: Graph, name: str) -> str:
    """The name by which a mistake at a link is told: a part of a gradient, which nobody shows, by the gradient's."""
    tensor = network.tensors[name]
    return network.gradient[tensor.of] if tensor.through and tensor.of else name


def gradients_of(network: Graph, names: Iterable[str]) -> tuple[str, ...]:
    """The same of several, each once."""
    return tuple(dict.fromkeys(gradient_of(network, name) for name in names))


def which_of(network: Graph, names: Iterable[str]) -> str:
    """Links that a mistake may be in, in words: ``dz1 or da1, which are``."""
    *others, last = gradients_of(network, names)
    return f"{', '.join(others)} or {last}, which are" if others else f"{last}, which is"
