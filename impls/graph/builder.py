"""Building a graph line by line, each line a node: what it is called, its layer, and what it reads.

    net = GraphBuilder()
    x = net.input("x", 4)
    h = net("act1", Tanh(), net("fc1", Dense(4, 6), x))
    s = net("skip", Add(), h, net("fc2", Dense(6, 6), h))      # a residual connection: h has two readers
    z = net("fc3", Dense(6, 6), s, W="fc2.W")                  # a weight that two nodes share
    network = net.loss(MeanSquaredError(), z)

What a line gives is the name of the tensor, or the names of several, for the lines behind it to read.
"""

from __future__ import annotations

from typing import Any

from impls.graph.graph import Graph
from impls.graph.node import Input, Node, node, refuse_more


class GraphBuilder:
    """Collects inputs and nodes; `loss` makes the graph."""

    def __init__(self) -> None:
        self._inputs: list[Input] = []
        self._nodes: list[Node] = []

    def input(self, name: str, shape: int | tuple[int, ...], *, choices: int = 0, gradient: bool = False) -> str:
        """An input with a row of that shape per sample; see `Input`."""
        self._inputs.append(Input(name, shape, choices, gradient))
        return name

    def mask(self, name: str, shape: int | tuple[int, ...], *, rate: float) -> str:
        """A mask that leaves out entries at a rate, drawn for all implementations alike; see `Input`."""
        self._inputs.append(Input(name, shape, keep=1 - rate))
        return name

    def __call__(self, name: str, layer: Any, *reads: str, **shares: str) -> Any:
        """A node, and the name of what it gives: one, or a tuple of several."""
        made = node(name, layer, *reads, **shares)
        self._nodes.append(made)
        refuse_more(self._nodes)
        return made.gives if len(made.gives) > 1 else made.gives[0]

    def loss(self, loss: Any, output: str) -> Graph:
        """The graph whose loss reads `output`.

        Raises:
            ValueError: see `Graph`.
        """
        return Graph(self._inputs, self._nodes, loss, output)
