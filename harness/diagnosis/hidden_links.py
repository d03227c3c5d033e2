"""Links that are not shown: which of them a mistake can be in, and by what name it is told."""

from __future__ import annotations

from collections.abc import Iterable

from impls.graph import Graph, Link
from impls.hand import Add, Identity

HAND_ON = frozenset([Identity, Add])
"""Layers whose gradient is what they read, entry by entry."""


def hands_on(link: Link) -> bool:
    """Whether a link gives just what it reads, so that there is nothing in it to be wrong."""
    return type(link.layer) in HAND_ON and (link.of is not None or len(link.inputs) == 1)


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
