"""Mistakes where the parts of a gradient are added: a tensor has several readers, or several nodes share a weight.

    dt = p + q + r      overwritten    the last part only, or the first
                        left out       p + r
                        counted twice  p + q + r + q
                        averaged       (p + q + r)/3

Each part is told by the reader that sends it back.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from harness.faults.fault import Fault
from harness.faults.place import Place
from impls.graph import Graph

MOST_PARTS = 8
"""Parts each of which is tried by itself; of more, the first and the last."""


def accumulation_faults(place: Place) -> Iterator[Fault]:
    """Mistakes in the sum of a gradient's parts."""
    if not place.adds:
        return
    at, parts = place.at, place.link.inputs
    names = [_reader(place.network, part) for part in parts]
    for k, what in ((len(parts) - 1, "overwritten by it"), (0, "never added")):
        rest = f"that through {names[0 if k else 1]} is" if len(parts) == 2 else "the others are"
        text = f"only the path through {names[k]} counts in {at}: {rest} {what}"
        yield place.fault("part overwritten", text, parts[k], _sum_of(place, [parts[k]]))
    tried = range(len(parts)) if len(parts) <= MOST_PARTS else (0, len(parts) - 1)
    for k in tried if len(parts) > 2 else ():  # without one of two, the other is the only one
        others = [part for part in parts if part != parts[k]]
        text = f"the path through {names[k]} is left out of {at}"
        yield place.fault("part left out", text, " + ".join(others), _sum_of(place, others))
    for k in tried:
        text = f"the path through {names[k]} is counted twice in {at}"
        formula = f"{' + '.join(parts)} + {parts[k]}"
        yield place.fault("part counted twice", text, formula, _sum_of(place, [*parts, parts[k]]))
    text = f"{at} is the mean over its {len(parts)} paths, where their sum belongs"
    mean = lambda t: place.link(t) / len(parts)  # noqa: E731
    yield place.fault("parts averaged", text, f"({' + '.join(parts)})/{len(parts)}", mean)


def _sum_of(place: Place, parts: list[str]) -> Any:
    def rule(t: Mapping[str, Any]) -> Any:
        return place.link.rule(*(t[part] for part in parts))

    return rule


def _reader(network: Graph, part: str) -> str:
    """The node that sends back a part of a gradient; where one node sends several, the vjp."""
    through, links = network.tensors[part].through, network.link
    beside = [name for name in network.link if _sends(network, name, part)]
    nodes = [each.name for each in network.nodes if network.names_of(each.name) is links[part].names]
    return (nodes[0] if nodes else "the loss") if len(beside) == 1 else str(through)


def _sends(network: Graph, name: str, part: str) -> bool:
    one, other = network.link[name], network.link[part]
    return one.of == other.of and one.names is other.names
