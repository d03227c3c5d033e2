"""Whether a network can be drawn neuron by neuron: a chain of layers that each multiply by one matrix.

Asked of shapes, not of classes: each node reads what the one before gives, and its weights are a matrix of what it
reads times what it gives, and perhaps one number for each neuron. What has no weights keeps the width.
"""

from __future__ import annotations

from dataclasses import dataclass

from impls.graph import Graph, Node


@dataclass(frozen=True)
class Stage:
    """One matrix, what is added to it, and all that is done to the result before the next one.

    Attributes:
        matrix, bias: names of weights.
        output: the last tensor, the neurons' outputs.
    """

    matrix: str
    bias: str | None
    width: int
    output: str


def stages(network: Graph) -> list[Stage] | None:
    """The stages of a chain; None where the network is none."""
    found: list[Stage] = []
    current, width = network.sources[0].name, network.features
    if width is None:
        return None
    for node in network.nodes:
        if node.reads != (current,) or len(node.gives) != 1 or node.shares or node.buffers:
            return None
        (current,) = node.gives
        given = network.tensors[current]
        if len(given.shape) != 2 or not given.per_row:
            return None
        if node.weights:
            matrix, bias = _kinds(network, node, width, given.width)
            if matrix is None or len(node.weights) != 1 + (bias is not None):
                return None
            found.append(Stage(matrix, bias, given.width, current))
        elif found and given.width == width:
            found[-1] = Stage(found[-1].matrix, found[-1].bias, width, current)
        else:
            return None
        width = given.width
    return found if current == network.output else None


def _kinds(network: Graph, node: Node, width: int, given: int) -> tuple[str | None, str | None]:
    """The node's matrix, and its weight of one number for each neuron."""
    names = network.names_of(node.name)
    shapes = {names[local]: tuple(shape) for local, shape in node.weights.items()}
    matrix = next((name for name, shape in shapes.items() if shape == (width, given)), None)
    return matrix, next((name for name, shape in shapes.items() if shape == (given,)), None)
