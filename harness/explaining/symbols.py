"""What things are called in an explanation: ``w_21^(1)``, ``O11``, ``O2k``, ``∂O21/∂O11``.

Indices count from 1. Where one has two digits a comma parts it from the other: ``w_2,11^(1)``, ``O2,11``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from impls.graph import Graph
from impls.hand.paths import Level

LETTERS = "kmpqrstuvabcdefgh"
"""Of the sums, in the order of the levels; after the last they come again, with a prime."""


def joined(*indices: int | str) -> str:
    """Indices in one: 21, or 2,11 where one has two digits."""
    return ("," if any(len(str(index)) > 1 for index in indices) else "").join(map(str, indices))


def weight_symbol(layer: int, source: int, neuron: int) -> str:
    """``w_21^(1)``; source and neuron are counted from 0."""
    return f"w_{joined(source + 1, neuron + 1)}^({layer})"


def letter_of(generic: str) -> str:
    """The letter over which a sum runs: ``k`` of ``O2k``."""
    return re.search("[a-z]'*$", generic)[0]  # type: ignore[index]


def ratio(of: str, by: str) -> str:
    """``∂O21/∂O11``."""
    return f"∂{of}/∂{by}"


def outputs_of(network: Graph) -> list[str]:
    """The last forward tensor of every layer, from the first: ``a1``, or ``z1`` where no activation follows."""
    last: dict[str, str] = {}
    for tensor in network.activations:
        last[tensor[1:]] = tensor
    return list(last.values())


@dataclass(frozen=True)
class Nodes:
    """Names of the nodes of paths: ``x2``; ``O11``, a neuron's output; ``z11`` where an activation couples; ``L``."""

    outputs: frozenset[str]
    start: str

    @classmethod
    def of(cls, network: Graph, start: str) -> Nodes:
        """For a network's paths from a weight, called `start`."""
        return cls(frozenset(outputs_of(network)), start)

    def name(self, tensor: str, index: int | str) -> str:
        """The node of that index, counted from 1, or a letter in its place."""
        if tensor == "loss":
            return "L"
        if tensor[0] in "Wb":
            return self.start
        if tensor == "x":
            return f"x{index}"
        return f"{'O' if tensor in self.outputs else tensor[0]}{joined(tensor[1:], index)}"

    def names(self, level: Level) -> list[str]:
        """Every node of a level."""
        return [self.name(level.tensor, entry + 1) for entry in level.entries]

    def generic(self, levels: list[Level]) -> list[str]:
        """One name for each level: ``O2k`` where it has several nodes."""
        letters = (LETTERS[i % len(LETTERS)] + "'" * (i // len(LETTERS)) for i in range(len(levels)))
        return [
            self.name(level.tensor, next(letters)) if len(level.entries) > 1 else self.names(level)[0]
            for level in levels
        ]
