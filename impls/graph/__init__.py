"""Graphs: what a network is, and the one loop that runs it. Nothing here knows a layer, a framework or a dtype."""

from impls.graph.accumulation import Accumulation
from impls.graph.builder import GraphBuilder
from impls.graph.evaluate import evaluate
from impls.graph.forward import LOSS, TARGET
from impls.graph.graph import Graph
from impls.graph.link import Link, Rule, link_of
from impls.graph.node import Input, Node, node, prefixed
from impls.graph.primitive import Array, primitive
from impls.graph.tensor import ROWS, Role, Shape, Tensor

__all__ = [
    "LOSS", "ROWS", "TARGET", "Accumulation", "Array", "Graph", "GraphBuilder", "Input", "Link", "Node", "Role",
    "Rule", "Shape", "Tensor", "evaluate", "link_of", "node", "prefixed", "primitive",
]  # fmt: skip
