"""Backward: the links that send the gradient of the loss back, node by node, and add it up where paths meet.

    dt = sum over readers of the vjp of that reader         every path from t leads through one of them

Every reader of a tensor t sends back one part of its gradient, its vjp. Where there is one reader, that is the
gradient; where there are several, it is their sum, a link of its own. A weight that several nodes share is read by
each of them. In which order the parts are added is nobody's promise.

Source: Rumelhart, Hinton and Williams (1986), equation (6), "taking into account all the connections".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from impls.graph.forward import LOSS, Forward
from impls.graph.link import Link, link_of
from impls.graph.node import Node, part_of
from impls.graph.primitive import primitive
from impls.graph.tensor import Tensor


@primitive
def accumulate(*parts: Any) -> Any:
    """The sum of arrays of one shape, in any order."""
    return reduce(add, parts)


class Accumulation:
    """The layer of the links that add parts of a gradient."""

    weights: dict[str, tuple[int, ...]] = {}  # noqa: RUF012  (shared because empty)

    def total(self, *parts: Any) -> Any:
        """dt, of all parts."""
        return accumulate(*parts)

    def __repr__(self) -> str:
        return "Accumulation()"


class Backward:
    """The backward pass behind a forward pass.

    Args:
        forward: the forward pass, nodes and loss connected.
        variables: tensors by which the loss is to be differentiated: weights, and inputs that are asked for.

    Attributes:
        links: in order.
        gradients: the tensors that they give.
    """

    def __init__(self, forward: Forward, variables: Sequence[str]) -> None:
        self._names, self._tensors = forward.names, forward.tensors
        self._differentiable = set(variables)
        """What depends on a variable, the variables included: a gradient of anything else serves nobody."""
        for node in forward.nodes:
            if any(name in self._differentiable for _, name in self._read(node)):
                self._differentiable |= set(node.gives)
        self._readers = Counter(name for node in forward.nodes for _, name in self._differentiated(node))
        self._readers.update(str(link.of) for link in forward.loss_vjps)
        self._parts: dict[str, list[Link]] = {}
        self.gradients: list[Tensor] = []
        self.links: list[Link] = []
        for link in forward.loss_vjps:
            if link.of in self._differentiable:
                self._send(str(link.of), f"{LOSS}.{link.local}", link)
        for node in reversed(forward.nodes):
            names = self._names[node.name]
            for local, name in self._differentiated(node):
                vjp = f"d{local}"
                self._send(name, node.named(vjp), link_of(node, names, vjp, names[vjp], name))

    def _read(self, node: Node) -> Iterator[tuple[str, str]]:
        """Local name and tensor of what a node reads: its weights first."""
        return ((local, self._names[node.name][local]) for local in (*node.weights, *node.local_reads))

    def _differentiated(self, node: Node) -> list[tuple[str, str]]:
        """The same, of what a node sends a gradient back to."""
        return [(local, name) for local, name in self._read(node) if name in self._differentiable]

    def _send(self, name: str, vjp: str, link: Link) -> None:
        """Let one reader of a tensor send its gradient back: the whole, or a part, and after the last part the sum."""
        if self._readers[name] == 1:
            self._add(link)
            return
        part = replace(link, output=part_of(link.output, vjp))
        self._add(part, through=vjp)
        parts = self._parts.setdefault(name, [])
        parts.append(part)
        if len(parts) == self._readers[name]:
            self._add(_accumulation(link.output, parts, self._tensors[name]))

    def _add(self, link: Link, through: str | None = None) -> None:
        """A link more, and the tensor that it gives, of the shape of the tensor that it is the gradient of."""
        self.links.append(link)
        of = self._tensors[str(link.of)]
        self.gradients.append(
            Tensor(
                name=link.output, role="gradient", shape=of.shape, local=f"d{of.local}", node=of.node, of=of.name,
                through=through,
            )
        )  # fmt: skip


def _accumulation(output: str, parts: list[Link], of: Tensor) -> Link:
    """The link that adds the parts of a tensor's gradient; its entries can be computed apart where all parts' can."""
    axes = {part.axis for part in parts} if all(part.slices for part in parts) else set()
    axis = axes.pop() if len(axes) == 1 else None
    layer = Accumulation()
    return Link(
        output=output, inputs=tuple(part.output for part in parts), rule=layer.total, layer=layer,
        slices={} if axis is None else {part.output: axis for part in parts}, axis=axis or 0,
        local=f"d{of.local}", of=of.name, names={of.local: of.name, f"d{of.local}": output},
    )  # fmt: skip
