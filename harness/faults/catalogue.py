"""The catalogue: every mistake that can be made at a link, family by family."""

from __future__ import annotations

from harness.faults import (
    accumulation,
    activation_derivatives,
    clamping,
    combining,
    factors,
    forward,
    left_out,
    lookup,
    losses,
    operands,
    paths,
    precision,
    steps,
    sums,
    variants,
)
from harness.faults.fault import Fault
from harness.faults.place import Place
from impls.graph import Graph, Link

FAMILIES = (
    losses,
    factors,
    activation_derivatives,
    variants,
    operands,
    sums,
    left_out,
    paths,
    steps,
    clamping,
    forward,
    accumulation,
    combining,
    lookup,
    precision,
)

CAUSES: tuple[str, ...] = tuple(dict.fromkeys(cause for family in FAMILIES for cause in family.CAUSES))
"""The names of all causes."""


def faults_at(network: Graph, link: Link) -> list[Fault]:
    """Every mistake of the catalogue that can be made at a link of a network.

    Several of one cause differ in what they take instead: another layer, another activation, another neuron.
    """
    place = Place(network, link)
    return [fault for family in FAMILIES for fault in family.faults(place)]
