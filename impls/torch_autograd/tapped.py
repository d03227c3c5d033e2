"""The backward half of a tap: what arrives at every node of an autograd graph, and what its vjp sends back."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from torch.autograd.graph import Node

from impls.captured import WHOLE, Window
from impls.graph.node import path_of
from impls.torch_autograd.nodes import graph_of, is_custom, is_leaf
from impls.torch_autograd.pairing import Pairing
from impls.torch_autograd.tap import Call, memory_of


class Tapped:
    """While it is entered, what arrives at each node and what it sends back is written down.

    Attributes:
        nodes: of the graph, in the order in which the forward pass made them.
        calls: what was dispatched, by the number of its node.
        arrived, sent: by node, what its vjp was given for each output and gave for each edge.
        kept: those of the window: what arrives there, and what others send there, is written down.
        leaves: at each leaf what arrived, once or, where a backward pass runs inside of another, several times.
        returned: by node with a backward of its own, each gradient that it gave and a copy of that.
    """

    def __init__(
        self, loss: torch.Tensor, calls: Sequence[Call], names: Mapping[int, str], window: Window = WHOLE
    ) -> None:
        self.loss, self.calls, self.names = loss, calls, names
        self.nodes = sorted(graph_of(loss), key=lambda node: node._sequence_nr())
        self.kept = self._of(window)
        self.arrived: dict[Node, Sequence[Any]] = {}
        self.sent: dict[Node, Sequence[Any]] = {}
        self.leaves: dict[Node, list[torch.Tensor]] = {}
        self.returned: dict[Node, list[tuple[Any, Any]]] = {}
        self._weights = {node: node.variable for node in self.kept if is_leaf(node)}
        self.before: dict[Node, Any] = {}
        self.after: dict[Node, Any] = {}
        self._theirs: set[int] = set()
        partial = len(self.kept) < len(self.nodes)  # who else has hooks is not known
        self._hooked = partial or any(tensor._backward_hooks for call in calls for tensor in call.read)

    def name_of(self, leaf: torch.Tensor) -> str:
        """What a leaf is called."""
        return self.names.get(id(leaf), f"a leaf {tuple(leaf.shape)}")

    def _of(self, window: Window) -> set[Node]:
        if not window.modules:
            return set(self.nodes)
        pairing = Pairing(self.nodes, self.calls)
        inner = {node for node in pairing.inner if pairing.module_of(node) in window}
        leaves = {node for node in self.nodes if is_leaf(node) and path_of(self.name_of(node.variable)) in window}
        return inner | leaves

    def _as_now(self, tensor: Any) -> Any:
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
                if is_custom(node):
                    self._theirs |= {memory_of(tensor) for tensor in sent if tensor is not None}
                if node in self.kept:
                    self.arrived[node] = [self._as_now(tensor) for tensor in arrived]
                self.sent[node] = [
                    self._as_now(tensor) if node in self.kept or following in self.kept else None
                    for tensor, (following, _) in zip(sent, node.next_functions, strict=True)
                ]
                if is_custom(node) and node in self.kept:
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
            if node in self.kept or not is_leaf(node)
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
