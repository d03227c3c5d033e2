"""The centre: the hand code's value of every tensor in float64, with the bound of every admissible program.

Two ways to run a network's links on bounded arrays. End to end, each link reads what the links before
gave, so bounds grow along the pass. Alone, a link reads somebody's own tensors, exact as given, so its
bound holds the rounding of this one step and nothing else.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

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


def end_to_end(network: Graph, weights: Mapping[str, Array], x: Array | Inputs, y: Array, profile: Profile) -> Centre:
    """Run forward and backward on bounded arrays; weights and batch are exact as given."""
    context = Context(profile)
    tensors = evaluate(network.links, as_numbers(network, named(network, weights, x, y), context.exact))
    return Centre({name: tensors[name] for name in network.link}, context.undecided)


def sampled(link: Link, array: Any, stride: Stride) -> Any:
    """The entries of what a link gives that a stride of them takes: all, where none can be computed apart."""
    return stride.of(array, link.axis) if link.slices else array


def alone(
    link: Link,
    tensors: Mapping[str, Array],
    profile: Profile,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    sums: Mapping[str, Array] = NO_SUMS,
) -> Bounded:
    """The output of one link fed with exact tensors, restricted to a stride of its entries.

    Where it adds parts of a gradient that nobody shows, `parts` holds their links by name: the sum of all their vjps
    is one link then.
    """
    made = link.rule(*exact_inputs(link, tensors, Context(profile), stride, shown, parts, sums))
    if made.contracted:  # what is moved may have been computed anew, as it is for whoever reads it
        with np.errstate(invalid="ignore"):
            made.bound = np.where(np.isfinite(made.value), made.as_factor, made.bound)
    return link.read(made, tensors)


def exact_inputs(
    link: Link,
    tensors: Mapping[str, Array],
    context: Context,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
    parts: Mapping[str, Link] = NOTHING,
    sums: Mapping[str, Array] = NO_SUMS,
) -> list[Any]:
    """What a link reads, exact as given, restricted to what a stride of its entries depends on.

    `shown` names what the same program made and shows, which it may have read before its last rounding; `sums` holds
    what the parts of a tensor that is a sum itself may have rounded, see `Context.shown`.
    """
    inputs: dict[str, Any] = dict(tensors)
    sums = dict(sums)
    for name, part in parts.items():
        apart = stride if link.slices else EVERY_ENTRY
        inputs[name] = part.rule(*exact_inputs(part, tensors, context, apart, shown, NOTHING, sums))
    for name, axis in link.slices.items():
        if name not in parts:
            inputs[name] = stride.of(inputs[name], axis)
            if name in sums:
                sums[name] = stride.of(sums[name], axis)
    # Labels and step counts are whole numbers and stay what they are.
    return [
        inputs[name] if name in parts or inputs[name].dtype.kind in "iu"
        else context.shown(inputs[name], sums.get(name, 0.0)) if name in shown
        else context.exact(inputs[name])
        for name in link.inputs
    ]  # fmt: skip
