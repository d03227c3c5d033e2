"""An operation as a graph of one node, whose tensors are called as its layer calls them: x, W, z, dx, dW, dz.

A network's backward pass begins with the gradient of a loss; an operation's begins with an upstream gradient that is
given. So what stands in place of a loss is one whose gradient is its own target:

    L = <y, output>        dL/d output = y

A loss is an operation too: it stands at the end of a graph whose only node passes on what it reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from impls.contract import Array, is_real
from impls.graph import Graph, Input, Node, prefixed
from impls.graph.node import as_names
from impls.hand import Identity
from impls.hand.parts import Loss


class Given(Loss):
    """The loss <y, output>: its target is the upstream gradient, which it sends back as it came."""

    def __init__(self, reads: str) -> None:
        self.reads = reads
        setattr(self, prefixed("d", reads), self.sent_back)

    def forward(self, output: Any, y: Any) -> Any:
        """One number."""
        return (output * y).sum()

    def sent_back(self, output: Any, y: Any) -> Any:  # noqa: ARG002
        """The upstream gradient."""
        return +y


def one_node(layer: Any, inputs: Mapping[str, Array], called: Mapping[str, str] | None = None) -> Graph:
    """The graph of a layer or a loss for inputs of these shapes, by its own names for them.

    Args:
        layer, inputs: by the names that they have in the graph.
        called: the names in the graph of what a layer without weights reads and gives, where they are others.

    Raises:
        ValueError: the shapes do not fit.
    """
    if is_loss(layer):
        passing = Node("given", Identity(), ("z",))
        return Graph([Input("z", inputs[layer.reads].shape[1:], gradient=True)], [passing], layer, layer.reads)
    other, whole = called or {}, getattr(layer, "whole", {})
    reads = {local: other.get(local, local) for local in as_names(layer.reads)}
    node = Node("operation", layer, tuple(reads.values()), named=lambda local: other.get(local, local))
    sources = [
        Input(name, inputs[name].shape[1:], whole.get(local, 0), is_real(inputs[name])) for local, name in reads.items()
    ]
    return Graph(sources, [node], Given(*node.gives), *node.gives)


def is_loss(layer: Any) -> bool:
    """Whether it stands at the end: it gives one number, under no name of its own."""
    return not hasattr(layer, "gives")
