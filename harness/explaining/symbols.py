"""What things are called in an explanation, and the chain rule written out in these symbols.

    a chain     w_21^(1), O11, O2k, ∂O21/∂O11      by layer and neuron
    a graph     fc1.W[2,1], act1[2], split.p[k]    by the node's name; by the tensor's where a node gives several

Indices count from 1. Where one of a chain has two digits a comma parts it from the other: ``w_2,11^(1)``, ``O2,11``.

The chain rule is written factored, and path by path:

    ∂L/∂w = ∂L/∂O31 · ( ∂O31/∂O21·∂O21/∂O11 + ∂O31/∂O22·∂O22/∂O11 ) · ∂O11/∂w
          = ∂L/∂O31·∂O31/∂O21·∂O21/∂O11·∂O11/∂w
          + ∂L/∂O31·∂O31/∂O22·∂O22/∂O11·∂O11/∂w

Where a level has one node, every path passes it, and what lies before and behind it are factors. Many paths are
written with sums over the nodes of each level, Σ_k over O2k. Where paths part into branches, or a layer joins each
neuron to one only, there is a term for each path, or for each branch one with sums.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise, product
from typing import ClassVar

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


@dataclass(frozen=True)
class Nodes:
    """Names of the nodes of paths: ``act1[2]``; ``split.p[k]`` where a node gives several tensors; ``L``.

    Attributes:
        conventions: of indices, in a sentence.
        how: to write what is meant, for messages.
    """

    network: Graph
    start: str
    conventions: ClassVar = "W[i,j]: i = source, j = destination; every place is counted from 1"
    how: ClassVar = "write fc1.W[2,1] for an entry of a weight, x[3] for an input, act1.a[2] for what a node gives"

    @classmethod
    def of(cls, network: Graph, start: str) -> Nodes:
        """For a network's paths from a weight, called `start`."""
        return ChainNodes(network, start) if isinstance(network, Network) else Nodes(network, start)

    def name(self, tensor: str, index: int | str) -> str:
        """The node of that index, counted from 1, or a letter in its place."""
        if tensor == LOSS:
            return "L"
        return self.start if self.network.tensors[tensor].role == "weight" else self.entry(tensor, index)

    def entry(self, tensor: str, index: int | str) -> str:
        """An entry of a tensor of the forward pass."""
        return f"{self.whole(tensor)}[{index}]"

    def in_code(self, tensor: str, index: tuple[int, ...]) -> str:
        """An entry as code writes it."""
        return entry_name(tensor, index)

    def weight(self, tensor: str, index: tuple[int, ...]) -> str:
        """A weight's entry in a formula."""
        return entry_name(tensor, index)

    def output(self, tensor: str) -> str:
        """The activation that alone reads a tensor, or the tensor itself."""
        readers = [each for each in self.network.nodes if tensor in each.reads]
        alone = len(readers) == 1 and len(readers[0].reads) == 1 and not readers[0].weights
        return readers[0].gives[0] if alone and getattr(readers[0].layer, "elementwise", False) else tensor

    def whole(self, tensor: str) -> str:
        """What a tensor of the forward pass is called as a whole: ``act1``."""
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


@dataclass(frozen=True)
class ChainNodes(Nodes):
    """Those of a chain: ``x2``; ``O11``, a neuron's output; ``z11`` where an activation couples."""

    network: Network
    conventions: ClassVar = "w_ij^(l): i = source, j = destination, counted from 1: w_21^(1) is W1[2,1]"
    how: ClassVar = (
        "write w_21^(1) or W1[2,1] for a weight, b_1^(2) or b2[1] for a bias, x3 for an input, "
        "O21 for a neuron's output"
    )

    @cached_property
    def _outputs(self) -> list[str]:
        return outputs_of(self.network)

    def entry(self, tensor: str, index: int | str) -> str:
        """``x2``, ``O11``, ``z11``."""
        told = self.network.tensors[tensor]
        if told.role == "input":
            return f"{tensor}{index}"
        letter = "O" if tensor in self._outputs else told.local
        return f"{letter}{joined(self.network.depths[tensor], index)}"

    def in_code(self, tensor: str, index: tuple[int, ...]) -> str:
        """``W1[2,1]``; ``x2`` and ``O11`` as in formulas."""
        weight = self.network.tensors[tensor].role == "weight"
        return super().in_code(tensor, index) if weight or len(index) != 1 else self.entry(tensor, index[0] + 1)

    def weight(self, tensor: str, index: tuple[int, ...]) -> str:
        """``w_21^(1)`` or ``b_1^(2)`` of a weighted sum."""
        told, layer = self.network.tensors[tensor], self.network.depths[tensor]
        owner = next(node.layer for node in self.network.nodes if node.name == told.node)
        found = weighed(owner, told.local, index)
        if found is None:
            return super().weight(tensor, index)
        source, neuron = found
        return f"b_{neuron + 1}^({layer})" if source is None else weight_symbol(layer, source, neuron)

    def output(self, tensor: str) -> str:
        """The last tensor of the layer that gives this one."""
        return self._outputs[self.network.depths[tensor] - 1]

    def whole(self, tensor: str) -> str:
        """The layer's outputs together: ``O3``."""
        return f"O{self.network.depths[tensor]}"


MOST_WRITTEN = 4
"""Up to so many paths are written out one by one."""
SUM = "Σ"


def factored(levels: Sequence[Sequence[str]], generic: Sequence[str]) -> list[str]:
    """The factors of the whole derivative, from the loss back; `levels` are node names from the start to the loss."""
    single = [position for position, level in enumerate(levels) if len(level) == 1]
    written = _routes(levels) <= MOST_WRITTEN
    factors = []
    for first, last in pairwise(single):
        between = range(first + 1, last)
        if not between:
            factors.append(ratio(levels[last][0], levels[first][0]))
        elif written:
            factors.append(f"( {' + '.join(_terms(levels, first, last, levels[last][0]))} )")
        else:
            factors.append(f"( {_summed(generic, first, last)} )")
    if len(factors) == 1 and factors[0].startswith("( "):
        return [factors[0][2:-2]]
    return factors[::-1]


def by_path(levels: Sequence[Sequence[str]], generic: Sequence[str]) -> list[str]:
    """One term for each path, or a single one with sums in front."""
    if _routes(levels) <= MOST_WRITTEN:
        return ["·".join(_ratios(route)) for route in product(*levels)]
    return [_sums(levels, generic)]


def by_branch(
    routes: Sequence[Sequence[str]], branches: Sequence[tuple[Sequence[Sequence[str]], Sequence[str]]], more: str
) -> list[str]:
    """One term for each path of few, else one for each branch, of which there may be `more`.

    Args:
        routes: the node names of every path, from the start to the loss, or none if there are many.
        branches: for each its levels' node names, and the name of each level.
    """
    if routes:
        return ["·".join(_ratios(route)) for route in routes]
    terms = [_sums(levels, generic) for levels, generic in branches]
    return [*terms, f"({more} more branches)"] if more != "0" else terms


def headings(generic: Sequence[str]) -> list[str]:
    """What the factors of a path are called, from the start on: ``∂O11/∂w``, ``∂O2k/∂O11``, ..."""
    return _ratios(generic)[::-1]


def _sums(levels: Sequence[Sequence[str]], generic: Sequence[str]) -> str:
    sums = [f"{SUM}_{letter_of(name)}" for name, level in zip(generic, levels, strict=True) if len(level) > 1]
    return " ".join([*sums[::-1], "·".join(_ratios(generic))])


def _routes(levels: Sequence[Sequence[str]]) -> int:
    return math.prod(map(len, levels))


def _ratios(route: Sequence[str]) -> list[str]:
    return [ratio(of, by) for by, of in pairwise(route)][::-1]


def _terms(levels: Sequence[Sequence[str]], first: int, last: int, node: str) -> list[str]:
    """d node / d (the single node of the first level): a term for each node of the level before."""
    if last - first == 1:
        return [ratio(node, levels[first][0])]
    terms = []
    for before in levels[last - 1]:
        inner = _terms(levels, first, last - 1, before)
        rest = inner[0] if len(inner) == 1 else f"({' + '.join(inner)})"
        terms.append(f"{ratio(node, before)}·{rest}")
    return terms


def _summed(generic: Sequence[str], first: int, last: int) -> str:
    parts = []
    for position in range(last - 1, first, -1):
        parts.append(f"{SUM}_{letter_of(generic[position])} {ratio(generic[position + 1], generic[position])}")
    return " · ".join([*parts, ratio(generic[first + 1], generic[first])])
