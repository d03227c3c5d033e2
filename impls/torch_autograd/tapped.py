"""The backward half of a tap: what arrives at every node of an autograd graph, and what its vjp sends back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.autograd.graph import Node

from impls.torch_autograd.tap import Call, memory_of

ACCUMULATE = "torch::autograd::AccumulateGrad"
Edge = tuple[Node, int]


class Tapped:
    """While it is entered, what arrives at each node and what it sends back is written down.

    Attributes:
        nodes: of the graph, in the order in which the forward pass made them.
        calls: what was dispatched, by the number of its node.
        arrived, sent: by node, what its vjp was given for each output and gave for each edge.
        leaves: at each leaf what arrived, once or, where a backward pass runs inside of another, several times.
        returned: by node with a backward of its own, each gradient that it gave and a copy of that.
    """

    def __init__(self, loss: torch.Tensor, calls: Sequence[Call], names: Mapping[int, str]) -> None:
        self.loss, self.calls, self.names = loss, calls, names
        self.nodes = sorted(_graph(loss), key=lambda node: node._sequence_nr())
        self.arrived: dict[Node, Sequence[Any]] = {}
        self.sent: dict[Node, Sequence[Any]] = {}
        self.leaves: dict[Node, list[torch.Tensor]] = {}
        self.returned: dict[Node, list[tuple[Any, Any]]] = {}
        self._weights = {node: node.variable for node in self.nodes if is_leaf(node)}
        self.before: dict[Node, Any] = {}
        self.after: dict[Node, Any] = {}
        self._theirs: set[int] = set()
        self._hooked = any(tensor._backward_hooks for call in calls for tensor in call.read)

    def _kept(self, tensor: Any) -> Any:
        """A gradient as it is now: where a function of somebody's gave its memory, it may be changed later."""
        if tensor is None:
            return None
        changes = self._hooked or memory_of(tensor) in self._theirs  # a hook may write to it too
        return tensor.detach().clone() if changes else tensor

    def overwritten(self, node: Node) -> bool:
        """Whether what a node returned was changed afterwards."""
        pairs = [(o, k) for o, k in self.returned.get(node, ()) if o is not None and o.layout is torch.strided]
        return any(not torch.equal(torch.nan_to_num(own), torch.nan_to_num(kept)) for own, kept in pairs)

    def __enter__(self) -> Tapped:
        def between(node: Node) -> Callable[..., None]:
            def hook(sent: Sequence[Any], arrived: Sequence[Any]) -> None:
                self.arrived[node] = [self._kept(tensor) for tensor in arrived]
                if is_custom(node):
                    self._theirs |= {memory_of(tensor) for tensor in sent if tensor is not None}
                self.sent[node] = [self._kept(tensor) for tensor in sent]
                if is_custom(node):
                    self.returned[node] = list(zip(sent, self.sent[node], strict=True))

            return hook

        def at_leaf(node: Node) -> Callable[..., None]:
            def hook(arrived: Sequence[Any]) -> None:
                if arrived[0] is not None:
                    self.leaves.setdefault(node, []).append(arrived[0].detach().clone())

            return hook

        self.before = self._gradients()
        self._hooks = [
            node.register_prehook(at_leaf(node)) if is_leaf(node) else node.register_hook(between(node))
            for node in self.nodes
        ]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()
        self.after = self._gradients()

    def _gradients(self) -> dict[Node, Any]:
        """What the leaves hold now; None where they hold nothing."""
        held = {node: leaf.grad for node, leaf in self._weights.items()}
        return {node: None if gradient is None else gradient.detach().clone() for node, gradient in held.items()}


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
    return [node.variable for node in _graph(loss) if is_leaf(node)]


def _graph(loss: torch.Tensor) -> list[Node]:
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
