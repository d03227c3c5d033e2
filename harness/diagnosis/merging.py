"""Merging: the same mistake at every link of its kind is one statement."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from harness.diagnosis.diagnosis import Cause, Diagnosis
from harness.diagnosis.hypotheses import LEAST_ENTRIES
from harness.faults import Fault
from harness.faults.place import place_of
from impls.hand import Network


def merged(network: Network, diagnoses: Sequence[Diagnosis], faults: Mapping[str, Sequence[Fault]]) -> list[Diagnosis]:
    """Diagnoses in which one cause at every link where it could be is told once.

    Args:
        faults: what the catalogue has at each link.
    """
    left = list(diagnoses)
    together: list[Diagnosis] = []
    for name in dict.fromkeys(cause.cause for diagnosis in diagnoses for cause in diagnosis.causes):
        having = [d for d in left if any(_same_link(d, c) and c.cause == name for c in d.causes)]
        if len(having) > 1 and _everywhere(network, having, name, faults) and _one_number(having, name):
            left = [d for d in left if d not in having]
            together.append(_one(having))
    order = [link.output for link in network.links]
    return sorted([*left, *together], key=lambda d: order.index(d.shown_at))


def _same_link(diagnosis: Diagnosis, cause: Cause) -> bool:
    return cause.at == diagnosis.at


def _everywhere(network: Network, having: Sequence[Diagnosis], name: str, faults: Mapping[str, Sequence[Fault]]) -> bool:
    """Whether the cause is at all links of the kinds at which it is, wherever the catalogue has it."""
    kinds = {link.output: place_of(network, link).kind for link in network.links}
    places = {d.at for d in having}
    hit = {kinds[at] for at in places}
    possible = {at for at, there in faults.items() if kinds[at] in hit and any(f.cause == name for f in there)}
    return places == possible


def _one_number(having: Sequence[Diagnosis], name: str) -> bool:
    """Whether the fitted numbers, if there are any, can be one and the same."""
    numbers = [c.number for d in having for c in d.causes if c.cause == name and c.number]
    return not numbers or max(n - off for n, off in numbers) <= min(n + off for n, off in numbers)


def _one(having: Sequence[Diagnosis]) -> Diagnosis:
    first = having[0]
    shared = set.intersection(*({c.cause for c in d.causes} for d in having))
    links = tuple(d.at for d in having)
    causes = tuple(
        replace(
            cause,
            says=f"{cause.says}; the same at {', '.join(links[1:])}",
            residual=max(c.residual for d in having for c in d.causes if c.cause == cause.cause),
            entries=sum(next(c.entries for c in d.causes if c.cause == cause.cause) for d in having),
        )
        for cause in first.causes
        if cause.cause in shared
    )
    explains = tuple(dict.fromkeys(name for d in having for name in d.explains))
    return replace(first, causes=causes, explains=explains, links=links)


def with_evidence(diagnosis: Diagnosis) -> Diagnosis:
    """Without the causes whose fitted number is seen in too few entries; the best of them becomes the runner-up."""
    kept = tuple(c for c in diagnosis.causes if c.number is None or c.entries >= LEAST_ENTRIES)
    if len(kept) == len(diagnosis.causes):
        return diagnosis
    return replace(diagnosis, causes=kept, runner_up=diagnosis.runner_up or diagnosis.causes[0])
