"""The centre: the hand code's value of every tensor in float64, with the bound of every admissible program.

Two ways to run a network's links on bounded arrays. End to end, each link reads what the links before
gave, so bounds grow along the pass. Alone, a link reads somebody's own tensors, exact as given, so its
bound holds the rounding of this one step and nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from harness.evaluation.given import as_numbers, named
from harness.inputs.schedule import EVERY_ENTRY, Stride
from impls.contract import Array, Inputs
from impls.graph import Graph, Link, evaluate

NOTHING: Mapping[str, Link] = MappingProxyType({})
NO_SUMS: Mapping[str, Array] = MappingProxyType({})


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
    known: dict[Any, Any]


class Readings(dict[Profile, Reading]):
    """A reading for each profile that there is among links.

    Args:
        context: of a profile.
    """

    def __init__(self, context: Callable[[Profile], Context] = Context) -> None:
        self.context = context

    def __missing__(self, profile: Profile) -> Reading:
        return self.setdefault(profile, Reading(self.context(profile), {}))


def sampled(link: Link, array: Any, stride: Stride) -> Any:
    """The entries of what a link gives that a stride of them takes: all, where none can be computed apart."""
    return stride.of(array, link.axis) if link.slices else array


def parts_of(network: Graph, link: Link, known: Container[str]) -> dict[str, Link]:
    """The links of the parts of a gradient that a link adds and nobody knows."""
    return {name: network.link[name] for name in link.inputs if name not in known and network.tensors[name].through}


def alone(
    link: Link,
    tensors: Mapping[str, Array],
    profile: Profile,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    sums: Mapping[str, Array] = NO_SUMS,
    *,
    readings: Readings | None = None,
) -> Bounded:
    """The output of one link fed with exact tensors, restricted to a stride of its entries.

    Where it adds parts of a gradient that nobody shows, `parts` holds their links by name: the sum of all their vjps
    is one link then. Links that read the same tensors may share `readings`, so that these are made exact once.
    """
    readings = Readings() if readings is None else readings
    context, known = readings[profile.of(link.layer, link.local)]

    def of(part: Link) -> Reading:
        return readings[profile.of(part.layer, part.local)]

    made = link.rule(*exact_inputs(link, tensors, context, stride, shown, parts, sums, known, of=of))
    if made.contracted:  # what is moved may have been computed anew, as it is for whoever reads it
        with np.errstate(invalid="ignore"):
            bound = np.where(np.isfinite(made.value), made.as_factor, made.bound)
        made = made.with_bound(bound)
    return link.read(made, tensors)


def exact_inputs(
    link: Link,
    tensors: Mapping[str, Array],
    context: Context,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    sums: Mapping[str, Array] = NO_SUMS,
    known: dict[Any, Any] | None = None,
    *,
    of: Callable[[Link], Reading] | None = None,
) -> list[Any]:
    """What a link reads, exact as given, restricted to what a stride of its entries depends on.

    `shown` names what the same program made and shows, which it may have read before its last rounding; `sums` holds
    what the parts of a tensor that is a sum itself may have rounded, see `Context.shown`. What is `known` from the
    same tensors is read as it is. A part reads as what is `of` its own link does, as this link if None.
    """
    known = {} if known is None else known
    apart = link.slices if stride != EVERY_ENTRY else {}

    def read(name: str) -> Any:
        if name in parts:
            part = parts[name]
            own, also = (context, known) if of is None else of(part)
            made = part.rule(*exact_inputs(part, tensors, own, within, shown, NOTHING, sums, also))
            return part.read(made, tensors).read_by(context)
        array, anew = tensors[name], sums.get(name)
        if name in apart:
            array = stride.of(array, apart[name])
            anew = anew if anew is None else stride.of(anew, apart[name])
        # Labels and step counts are whole numbers and stay what they are.
        if array.dtype.kind in "iu":
            return array
        if name not in shown:
            return context.exact(array)
        return context.shown(array) if anew is None else context.shown(array, anew)

    within = stride if link.slices else EVERY_ENTRY
    for name in link.inputs:
        if (name, apart.get(name)) not in known:
            known[name, apart.get(name)] = read(name)
    return [known[name, apart.get(name)] for name in link.inputs]
