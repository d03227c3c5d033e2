"""A variable: one number that the loss depends on, which can be moved, and by which any implementation differentiates.

For a weight or a bias that number is an entry of the network's weights. An input and a neuron's output are none;
but a node with the identity as its weights and a bias of 0, put right behind them, changes nothing, and to move its
bias is to move them. So dL/dx and dL/dO of every implementation is the db of that node.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from harness.explaining.references import Reference
from impls.contract import Array, Inputs
from impls.graph import LOSS, Graph, node
from impls.hand import Dense

MOVED = "moved"


@dataclass(frozen=True)
class Variable:
    """An entry of a weight of a network on a batch.

    Attributes:
        tensor, index: the weight and the entry, counted from 0.
        tensors: from forward tensors of the network to what they are called without the added node.
    """

    network: Graph
    weights: Mapping[str, Array]
    x: Array | Inputs
    y: Array
    tensor: str
    index: tuple[int, ...]
    tensors: Mapping[str, str] = field(default_factory=dict)

    @property
    def gradient(self) -> str:
        """The name of the gradient of that weight."""
        return self.network.gradient[self.tensor]

    @property
    def value(self) -> float:
        """Where it stands; 0 for an input or an output, which it moves."""
        return float(self.weights[self.tensor][self.index])

    def forward(self, value: float) -> dict[str, Array]:
        """The forward tensors, and the loss, with the variable at `value`."""
        moved = self.weights[self.tensor].copy()
        moved[self.index] = value
        activations = self.network.forward({**self.weights, self.tensor: moved}, self.x)
        named = {self.tensors.get(name, name): array for name, array in activations.items()}
        return {**named, LOSS: self.network.loss_of(activations, self.y)}

    def loss(self, value: float) -> float:
        """The loss with the variable at `value`."""
        return float(self.forward(value)[LOSS])


def variable_of(
    reference: Reference, network: Graph, weights: Mapping[str, Array], x: Array | Inputs, y: Array
) -> Variable:
    """What a reference means, as a variable."""
    if reference.learned:
        return Variable(network, weights, x, y, reference.tensor, reference.index)
    width, name = network.tensors[reference.tensor].width, MOVED
    while any(each.name == name for each in network.nodes):
        name += "_"
    added = node(name, Dense(width, width), reference.tensor)
    (moved,) = added.gives
    behind = [
        replace(each, reads=tuple(moved if read == reference.tensor else read for read in each.reads))
        for each in network.nodes
    ]
    first = next((i for i, each in enumerate(network.nodes) if reference.tensor in each.reads), len(behind))
    output = moved if network.output == reference.tensor else network.output
    wider = Graph(network.sources, [*behind[:first], added, *behind[first:]], network.loss, output)
    given = {**weights, added.named("W"): np.eye(width), added.named("b"): np.zeros(width)}
    ordered = {each: given[each] for each in wider.weights}
    tensors = {moved: reference.tensor, reference.tensor: f"{reference.tensor} before"}
    return Variable(wider, ordered, x, y, added.named("b"), reference.index, tensors)
