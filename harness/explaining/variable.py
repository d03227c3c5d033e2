"""A variable: one number that the loss depends on, which can be moved, and by which any implementation differentiates.

For a weight or a bias that number is an entry of the network's weights. An input and a neuron's output are none;
but a Dense layer with the identity as its weights and a bias of 0, put right behind them, changes nothing, and to
move its bias is to move them. So dL/dx and dL/dO of every implementation is the db of that layer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from harness.explaining.references import Reference
from impls.contract import Array
from impls.hand import Dense, Network


@dataclass(frozen=True)
class Variable:
    """An entry of a weight of a network on a batch.

    Attributes:
        tensor, index: the weight and the entry, counted from 0.
        tensors: from the network's forward tensors to what they are called without the added layer.
    """

    network: Network
    weights: Mapping[str, Array]
    x: Array
    y: Array
    tensor: str
    index: tuple[int, ...]
    tensors: Mapping[str, str] = field(default_factory=dict)

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
        return {**named, "loss": self.network.loss_of(activations, self.y)}

    def loss(self, value: float) -> float:
        """The loss with the variable at `value`."""
        return float(self.forward(value)["loss"])


def variable_of(reference: Reference, network: Network, weights: Mapping[str, Array], x: Array, y: Array) -> Variable:
    """What a reference means, as a variable."""
    if reference.kind in ("weight", "bias"):
        return Variable(network, weights, x, y, reference.tensor, reference.index)
    behind = reference.layer
    width = network.weights[f"W{behind}"][1] if behind else network.inputs
    layers, seen = list(network.layers), 0
    position = 0
    while position < len(layers) and not (isinstance(layers[position], Dense) and seen == behind):
        seen += isinstance(layers[position], Dense)
        position += 1
    layers.insert(position, Dense(width, width))

    def moved(name: str) -> str:
        depth = int(name[1:])
        return f"{name[0]}{depth + 1}" if depth > behind else name

    added = f"{behind + 1}"
    given = {moved(name): w for name, w in weights.items()}
    given |= {f"W{added}": np.eye(width), f"b{added}": np.zeros(width)}
    wider = Network(layers, network.loss)
    tensors = {moved(name): name for name in network.activations}
    tensors |= {f"z{added}": reference.tensor, reference.tensor: f"{reference.tensor} before"}
    ordered = {name: given[name] for name in wider.weights}
    return Variable(wider, ordered, x, y, f"b{added}", reference.index, tensors)
