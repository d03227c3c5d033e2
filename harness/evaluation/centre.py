"""The centre: the hand code's value of every tensor in float64, with the bound of every admissible program.

Two ways to run a network's links on bounded arrays. End to end, each link reads what the links before
gave, so bounds grow along the pass. Alone, a link reads somebody's own tensors, exact as given, so its
bound holds the rounding of this one step and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple, Protocol

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from harness.evaluation.given import as_numbers, named
from impls.contract import Array, Inputs
from impls.graph import Graph, Link, evaluate

NOTHING: Mapping[str, Link] = MappingProxyType({})


class KnownSums(Protocol):
    """Of a tensor that is a sum, what its parts may have rounded, added up, where that is known: `Context.shown`."""

    def get(self, name: str, /) -> Array | None:
        """None where it is not, or the tensor is no sum."""


NO_SUMS: KnownSums = MappingProxyType[str, Array]({})


@dataclass(frozen=True)
class Centre:
    """Every tensor of one pass as a bounded array, and the number of kinks that were undecided."""

    tensors: Mapping[str, Bounded]
    undecided: int


def end_to_end(
    network: Graph,
    weights: Mapping[str, Array],
    x: Array | Inputs,
    y: Array,
    profile: Profile,
    *,
    context: Context | None = None,
) -> Centre:
    """Run forward and backward on bounded arrays; weights and batch are exact as given. `context` has that profile."""
    context = context or Context(profile)
    tensors = evaluate(network.links, as_numbers(network, named(network, weights, x, y), context.exact))
    context.made.clear()
    return Centre({name: tensors[name] for name in network.link}, context.undecided)


class Reading(NamedTuple):
    """What links of one profile that read the same tensors have in common: a context, and these, by name, as exact."""

    context: Context
    known: dict[str, Any]


class Readings(dict[Profile, Reading]):
    """A reading for each profile that there is among links.

    Args:
        context: of a profile.
    """

    def __init__(self, context: Callable[[Profile], Context] = Context) -> None:
        self.context = context

    def __missing__(self, profile: Profile) -> Reading:
        return self.setdefault(profile, Reading(self.context(profile), {}))


def parts_of(network: Graph, link: Link, known: Container[str]) -> dict[str, Link]:
    """The links of the parts of a gradient that a link adds and nobody knows."""
    return {name: network.link[name] for name in link.inputs if name not in known and network.tensors[name].through}


def alone(
    link: Link,
    tensors: Mapping[str, Array],
    profile: Profile,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    sums: KnownSums = NO_SUMS,
    *,
    readings: Readings | None = None,
) -> Bounded:
    """The output of one link fed with exact tensors.

    Where it adds parts of a gradient that nobody shows, `parts` holds their links by name: the sum of all their vjps
    is one link then. Links that read the same tensors may share `readings`, so that these are made exact once.
    """
    readings = Readings() if readings is None else readings
    context, known = readings[profile.of(link.layer, link.local)]

    def of(part: Link) -> Reading:
        return readings[profile.of(part.layer, part.local)]

    made = link.rule(*exact_inputs(link, tensors, context, shown, parts, sums, known, of=of))
    if made.contracted:  # what is moved may have been computed anew, as it is for whoever reads it
        with np.errstate(invalid="ignore"):
            bound = np.where(np.isfinite(made.value), made.as_factor, made.bound)
        made = made.with_bound(bound)
    return link.read(made, tensors)


def exact_inputs(
    link: Link,
    tensors: Mapping[str, Array],
    context: Context,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    sums: KnownSums = NO_SUMS,
    known: dict[str, Any] | None = None,
    *,
    of: Callable[[Link], Reading] | None = None,
) -> list[Any]:
    """What a link reads, exact as given.

    `shown` names what the same program made and shows, which it may have read before its last rounding; `sums` holds
    what the parts of a tensor that is a sum itself may have rounded, see `Context.shown`. What is `known` from the
    same tensors is read as it is. A part reads as what is `of` its own link does, as this link if None.
    """
    known = {} if known is None else known

    def read(name: str) -> Any:
        if name in parts:
            part = parts[name]
            own, also = (context, known) if of is None else of(part)
            made = part.rule(*exact_inputs(part, tensors, own, shown, NOTHING, sums, also))
            return part.read(made, tensors).read_by(context)
        array = tensors[name]
        # Labels and step counts are whole numbers and stay what they are.
        if array.dtype.kind in "iu":
            return array
        if name not in shown:
            return context.exact(array)
        anew = sums.get(name)
        return context.shown(array) if anew is None else context.shown(array, anew)

    for name in link.inputs:
        if name not in known:
            known[name] = read(name)
    return [known[name] for name in link.inputs]
