"""Merging: the same mistake at every link of its kind is one statement."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from harness.diagnosis.confirmation import LEAST_ENTRIES
from harness.diagnosis.diagnosis import Cause, Diagnosis
from harness.diagnosis.hidden_links import gradient_of, gradients_of
from harness.faults import Fault
from impls.graph import Graph


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
            together.append(_one(having, name))
            continue
        for pair in combinations(having, 2):
            if all(f in left for f in pair) and _one_layer(network, pair, name) and _one_number(pair, name):
                left = [f for f in left if f not in pair]
                together.append(_one(pair, name))
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


def _one(having: Sequence[Found], name: str) -> Diagnosis:
    """One statement: the causes that all of them share."""
    first = having[0]
    links = tuple(f.diagnosis.at for f in having)
    names = dict.fromkeys([name, *(c.cause for c in first.diagnosis.causes)])
    causes = []
    for shared in names:
        each = [cause for f in having if (cause := f.cause(shared))]
        if len(each) == len(having):
            says = f"{each[0].says}; the same at {', '.join(links[1:])}"
            worst, entries = max(c.residual for c in each), sum(c.entries for c in each)
            causes.append(replace(each[0], says=says, residual=worst, entries=entries))
    explains = tuple(dict.fromkeys(at for f in having for at in f.diagnosis.explains))
    return replace(first.diagnosis, causes=tuple(causes), explains=explains, links=links)


def told(network: Graph, diagnosis: Diagnosis) -> Diagnosis:
    """Under names that can be shown, and without the causes whose fitted number is seen in too few entries."""
    links = gradients_of(network, diagnosis.links)
    return replace(
        diagnosis,
        at=gradient_of(network, diagnosis.at),
        links=links if len(links) > 1 else (),
        causes=tuple(c for c in diagnosis.causes if c.number is None or c.entries >= LEAST_ENTRIES),
    )
