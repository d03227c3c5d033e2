"""Which call made a node of an autograd graph: by the tensor that was read there, or else by the node's number."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import inf

from torch.autograd.graph import Node

from impls.torch_autograd.nodes import is_custom, is_leaf
from impls.torch_autograd.tap import Call

IN_PLACE_OF_A_VIEW = "torch::autograd::CopySlices"


class Pairing:
    """Nodes with calls.

    Attributes:
        inner: the nodes that are no leaves, in the order in which the forward pass made them.
        first: by its number, the first call that recorded gradients.
    """

    def __init__(self, nodes: Sequence[Node], calls: Sequence[Call]) -> None:
        self.inner = [node for node in nodes if not is_leaf(node)]
        self.first: dict[int, Call] = {}
        self._ungraded: list[Call] = []
        for call in calls:
            if call.graded:
                self.first.setdefault(call.number, call)
            else:
                self._ungraded.append(call)
        self._begins = sorted({node._sequence_nr() for node in self.inner}.union(self.first))
        self._made_by = _made_by(calls)

    def call_of(self, node: Node) -> Call | None:
        """The call whose vjp a node is; of a function with a backward of its own, the first in it."""
        if is_custom(node):
            return next(iter(self.inside(node)), None)
        call = self._made_by.get(node) or self.first.get(node._sequence_nr())
        if node.name() == IN_PLACE_OF_A_VIEW and not (call and call.base):
            return self.first.get(node._sequence_nr() - 1)  # it is made just after the operation's own node
        return call

    def inside(self, node: Node) -> list[Call]:
        """What ran without gradients before the next node was made; functions called in there count on, too."""
        number = node._sequence_nr()
        after = bisect_right(self._begins, number)
        end = self._begins[after] if after < len(self._begins) else inf
        return [call for call in self._ungraded if number <= call.number < end]

    def module_of(self, node: Node) -> str:
        """In which a node's call ran; empty where nobody knows."""
        call = self.call_of(node)
        return call.module if call else ""


def _made_by(calls: Sequence[Call]) -> dict[Node, Call]:
    """The call that gave what was later read where a node's output is: so no number has to be trusted."""
    given = {token: call for call in calls if call.graded for token in call.tokens[1] if token}
    given |= {call.base.token: call for call in calls if call.base}
    found: dict[Node, Call] = {}
    for call in calls:
        for token, edge in zip(call.tokens[0], call.edges, strict=True):
            if isinstance(edge, tuple) and token in given:
                found.setdefault(edge[0], given[token])
    return found
