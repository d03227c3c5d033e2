"""Nodes of autograd graphs: what they are, and what leads where."""

from __future__ import annotations

from typing import Any

import torch
from torch.autograd.graph import Node

ACCUMULATE = "torch::autograd::AccumulateGrad"
Edge = tuple[Node, int]


def leads(given: Any, edge: Edge) -> bool:
    """Whether where a tensor's gradient arrives is where an edge leads."""
    if given is None or edge[0] is None:
        return False
    if isinstance(given, torch.Tensor):
        return is_leaf(edge[0]) and edge[0].variable is given
    return bool(given == edge)


def is_custom(node: Node) -> bool:
    """Whether a node is a function with a backward of its own."""
    return isinstance(node, torch.autograd.function.BackwardCFunction)


def is_leaf(node: Node) -> bool:
    """Whether a node is where a leaf's gradient arrives."""
    return node.name() == ACCUMULATE


def leaves_of(loss: torch.Tensor) -> list[torch.Tensor]:
    """The leaves that a gradient of the loss arrives at."""
    return [node.variable for node in graph_of(loss) if is_leaf(node)]


def graph_of(loss: torch.Tensor) -> list[Node]:
    """Every node through which a gradient of the loss passes."""
    found: dict[Node, None] = {}
    todo = [loss.grad_fn]
    while todo:
        node = todo.pop()
        if node is None or node in found:
            continue
        found[node] = None
        todo += [following for following, _ in node.next_functions]
    return list(found)
