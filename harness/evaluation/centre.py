"""The centre: the hand code's value of every tensor in float64, with the bound of every admissible program.

Two ways to run a network's links on bounded arrays. End to end, each link reads what the links before
gave, so bounds grow along the pass. Alone, a link reads somebody's own tensors, exact as given, so its
bound holds the rounding of this one step and nothing else.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.arithmetic import Bounded, Context, Profile
from harness.inputs.stride import EVERY_ENTRY, Stride
from impls.contract import Array
from impls.hand import Link, Network


@dataclass(frozen=True)
class Centre:
    """Every tensor of one pass as a bounded array, and the number of kinks that were undecided."""

    tensors: Mapping[str, Bounded]
    undecided: int


def end_to_end(network: Network, weights: Mapping[str, Array], x: Array, y: Array, profile: Profile) -> Centre:
    """Run forward and backward on bounded arrays; weights and batch are exact as given."""
    context = Context(profile)
    tensors: dict[str, Any] = {name: context.exact(w) for name, w in weights.items()}
    tensors["x"], tensors["y"] = context.exact(x), _targets(context, network, y)
    for link in network.links:
        tensors[link.output] = link(tensors)
    return Centre({link.output: tensors[link.output] for link in network.links}, context.undecided)


def alone(
    link: Link,
    tensors: Mapping[str, Array],
    profile: Profile,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
) -> Bounded:
    """The output of one link fed with exact tensors, restricted to a sample of its entries."""
    return link.rule(*exact_inputs(link, tensors, profile, stride, shown))


def exact_inputs(
    link: Link,
    tensors: Mapping[str, Array],
    profile: Profile,
    stride: Stride = EVERY_ENTRY,
    shown: Container[str] = (),
) -> list[Any]:
    """What a link reads, exact as given, restricted to what a sample of its entries depends on.

    `shown` names what the same program made and shows, which it may have read before its last rounding.
    """
    context = Context(profile)
    inputs: dict[str, Any] = dict(tensors)
    for name, axis in link.slices.items():
        inputs[name] = stride.of(inputs[name], axis)
    # Labels and step counts are whole numbers and stay what they are.
    return [
        inputs[name] if inputs[name].dtype.kind in "iu"
        else context.shown(inputs[name]) if name in shown
        else context.exact(inputs[name])
        for name in link.inputs
    ]  # fmt: skip


def _targets(context: Context, network: Network, y: Array) -> Any:
    return np.asarray(y) if network.loss.labels else context.exact(y)
