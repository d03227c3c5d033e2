"""Backward: the links that send the gradient of the loss back, node by node, and add it up where paths meet.

    dt = sum over readers of the vjp of that reader         every path from t leads through one of them

Every reader of a tensor t sends back one part of its gradient, its vjp. Where there is one reader, that is the
gradient; where there are several, it is their sum, a link of its own. A weight that several nodes share is read by
each of them. In which order the parts are added is nobody's promise.

Source: Rumelhart, Hinton and Williams (1986), equation (6), "taking into account all the connections".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from impls.graph.link import Link, link_of
from impls.graph.node import Node, part_of
from impls.graph.primitive import primitive
from impls.graph.tensor import Tensor


class Backward:
    """The backward pass of nodes whose forward pass is connected.

    Args:
        nodes: in the order of the forward pass.
        names: of each node, its layer's own names to those of the tensors around it.
        tensors: every tensor of the forward pass by name.
        roots: tensors by which the loss is to be differentiated: weights, and inputs that are asked for.
        first: the link of the gradient of the loss with respect to `output`, which the loss reads.

    Attributes:
        links: in order.
        gradients: the tensors that they give.
    """

    def __init__(
        self,
        nodes: Sequence[Node],
        names: Mapping[str, Mapping[str, str]],
        tensors: Mapping[str, Tensor],
        roots: Sequence[str],
        first: Link,
        output: str,
    ) -> None:
        self._names, self._tensors, self._wanted = names, tensors, set(roots)
        for each in nodes:
            if any(name in self._wanted for _, name in self._read(each)):
                self._wanted |= set(each.gives)
        self._parts: dict[str, list[Link]] = {}
        self._expected = Counter(name for each in nodes for _, name in self._differentiated(each))
        self._expected[output] += 1
        self.gradients: list[Tensor] = []
        self.links: list[Link] = []
        if output in self._wanted:
            self.links += self._sent(output, f"loss.{first.local}", first)
        for each in reversed(nodes):
            for local, name in self._differentiated(each):
                vjp = f"d{local}"
                self.links += self._sent(
                    name, each.named(vjp), link_of(each, names[each.name], vjp, names[each.name][vjp], name)
                )

    def _read(self, each: Node) -> list[tuple[str, str]]:
        """Local name and tensor of what a node reads: its weights first."""
        return [(local, self._names[each.name][local]) for local in (*each.weights, *each.local_reads)]

    def _differentiated(self, each: Node) -> list[tuple[str, str]]:
        return [(local, name) for local, name in self._read(each) if name in self._wanted]

    def _sent(self, name: str, vjp: str, link: Link) -> Iterator[Link]:
        """The link of one part of a tensor's gradient, and of the sum once all parts are there."""
        if self._expected[name] == 1:
            self._add(name, link.output)
            yield link
            return
        part = replace(link, output=part_of(link.output, vjp))
        self._add(name, part.output, through=vjp)
        parts = self._parts.setdefault(name, [])
        parts.append(part)
        yield part
        if len(parts) == self._expected[name]:
            self._add(name, link.output)
            of = self._tensors[name]
            yield accumulation(link.output, parts, of.local, name)

    def _add(self, name: str, gradient: str, through: str | None = None) -> None:
        of = self._tensors[name]
        self.gradients.append(
            Tensor(
                name=gradient, role="gradient", shape=of.shape, local=f"d{of.local}", node=of.node, of=name,
                through=through,
            )
        )  # fmt: skip


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


def accumulation(output: str, parts: list[Link], local: str, of: str) -> Link:
    """The link that adds what these give, the gradient of `of`; it can be taken apart where all can along one axis."""
    axes = {part.axis for part in parts} if all(part.slices for part in parts) else set()
    slices, axis = ({part.output: next(iter(axes)) for part in parts}, next(iter(axes))) if len(axes) == 1 else ({}, 0)
    names = {local: of, f"d{local}": output}
    layer = Accumulation()
    return Link(output, tuple(part.output for part in parts), layer.total, layer, slices, axis, f"d{local}", of, names)
