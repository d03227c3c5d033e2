"""What things are called in an explanation.

    a chain     w_21^(1), O11, O2k, ∂O21/∂O11      by layer and neuron
    a graph     fc1.W[2,1], act1[2], split.p[k]    by the node's name; by the tensor's where a node gives several

Indices count from 1. Where one of a chain has two digits a comma parts it from the other: ``w_2,11^(1)``, ``O2,11``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property

from impls.graph import LOSS, Graph
from impls.hand import Network
from impls.hand.paths import Level, weighed

LETTERS = "kmpqrstuvabcdefgh"
"""Of the sums, in the order of the levels; after the last they come again, with a prime."""


def joined(*indices: int | str) -> str:
    """Indices in one: 21, or 2,11 where one has two digits."""
    return ("," if any(len(str(index)) > 1 for index in indices) else "").join(map(str, indices))


def weight_symbol(layer: int, source: int, neuron: int) -> str:
    """``w_21^(1)``; source and neuron are counted from 0."""
    return f"w_{joined(source + 1, neuron + 1)}^({layer})"


def entry_name(tensor: str, index: tuple[int, ...]) -> str:
    """An entry as code writes it, counted from 1: ``W1[2,1]``; index is counted from 0."""
    return f"{tensor}[{','.join(str(i + 1) for i in index)}]" if index else tensor


def letter_of(generic: str) -> str:
    """The letter over which a sum runs: ``k`` of ``O2k`` and of ``act1[k]``."""
    return re.search(r"([a-z]'*)\]?$", generic)[1]  # type: ignore[index]


def ratio(of: str, by: str) -> str:
    """``∂O21/∂O11``."""
    return f"∂{of}/∂{by}"


def outputs_of(network: Network) -> list[str]:
    """The last forward tensor of every layer of a chain: ``a1``, or ``z1`` where no activation follows."""
    return list({network.depths[tensor]: tensor for tensor in network.activations}.values())


def weight_entry(network: Graph, tensor: str, index: tuple[int, ...]) -> str:
    """A weight's entry in a formula: ``w_21^(1)`` or ``b_1^(2)`` of a weighted sum in a chain, else its name."""
    node = next(each for each in network.nodes if tensor in (network.names_of(each.name)[w] for w in each.weights))
    told = weighed(node.layer, network.tensors[tensor].local, index)
    if not isinstance(network, Network) or told is None:
        return entry_name(tensor, index)
    source, neuron = told
    layer = network.depths[tensor]
    return f"b_{neuron + 1}^({layer})" if source is None else weight_symbol(layer, source, neuron)


@dataclass(frozen=True)
class Nodes:
    """Names of the nodes of paths: ``x2``; ``O11``, a neuron's output; ``z11`` where an activation couples; ``L``."""

    network: Graph
    start: str

    @classmethod
    def of(cls, network: Graph, start: str) -> Nodes:
        """For a network's paths from a weight, called `start`."""
        return cls(network, start)

    @cached_property
    def _outputs(self) -> list[str]:
        return outputs_of(self.network) if isinstance(self.network, Network) else []

    def name(self, tensor: str, index: int | str) -> str:
        """The node of that index, counted from 1, or a letter in its place."""
        if tensor == LOSS:
            return "L"
        told = self.network.tensors[tensor]
        if told.role == "weight":
            return self.start
        if isinstance(self.network, Network):
            if told.role == "input":
                return f"{tensor}{index}"
            letter = "O" if tensor in self._outputs else told.local
            return f"{letter}{joined(self.network.depths[tensor], index)}"
        return f"{self.whole(tensor)}[{index}]"

    def output(self, tensor: str) -> str:
        """In a chain the last tensor of the layer that gives this one; else the activation that alone reads it."""
        if isinstance(self.network, Network):
            return self._outputs[self.network.depths[tensor] - 1]
        readers = [each for each in self.network.nodes if tensor in each.reads]
        alone = len(readers) == 1 and len(readers[0].reads) == 1 and not readers[0].weights
        return readers[0].gives[0] if alone and getattr(readers[0].layer, "elementwise", False) else tensor

    def whole(self, tensor: str) -> str:
        """What a tensor of the forward pass is called as a whole: ``O3``, ``act1``."""
        if isinstance(self.network, Network):
            return f"O{self.network.depths[tensor]}"
        node = next((each for each in self.network.nodes if tensor in each.gives), None)
        return node.name if node is not None and len(node.gives) == 1 else tensor

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
