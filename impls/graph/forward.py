"""Forward: nodes connected, each to what those before give: their tensors, and the links of the forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from impls.graph.link import Link, link_of
from impls.graph.node import Input, Node, prefixed
from impls.graph.tensor import Shape, Tensor

TARGET, LOSS = "y", "loss"


class Forward:
    """The forward pass of nodes, in an order in which each reads what those before give, and of a loss.

    Attributes:
        tensors: every tensor so far by name: inputs, weights, buffers, activations, target, loss.
        weights, buffers: the shape of each by name.
        names: of each node, its layer's own names to those of the tensors around it.
        links: without the loss's.
        loss_link: gives the loss.
        last: gives the gradient of what the loss reads, where the backward pass begins.

    Raises:
        ValueError: see `Graph`.
    """

    loss_link: Link
    last: Link

    def __init__(self, sources: Sequence[Input], nodes: Sequence[Node], loss: Any, output: str) -> None:
        self.nodes = nodes
        self.tensors: dict[str, Tensor] = {}
        self.weights: dict[str, tuple[int, ...]] = {}
        self.buffers: dict[str, tuple[int, ...]] = {}
        self.names: dict[str, dict[str, str]] = {}
        self.links: list[Link] = []
        if not nodes:
            raise ValueError("Cannot build a network of no nodes, because it would compute nothing; give some.")
        for source in sources:
            self.add(
                Tensor(
                    name=source.name, role="input", shape=source.rows, local=source.name,
                    whole=source.choices > 0, choices=source.choices or None,
                )
            )  # fmt: skip
        for each in nodes:
            self._connect(each)
        self._connect_loss(loss, output)

    def add(self, tensor: Tensor) -> None:
        """A tensor more, or ValueError where there is one of its name."""
        if tensor.name in self.tensors or (tensor.name in (TARGET, LOSS) and tensor.role not in ("target", "loss")):
            raise ValueError(
                f"Cannot add a tensor called {tensor.name!r}, because there is one of that name already; give its "
                f"node, or the input, another name."
            )
        self.tensors[tensor.name] = tensor

    def _connect(self, each: Node) -> None:
        """The tensors and the forward links of a node."""
        names = dict(zip(each.local_reads, each.reads, strict=True)) if self._reads(each) else {}
        for local, shape in each.weights.items():
            names[local] = each.shares.get(local) or each.named(local)
            if local not in each.shares:
                self.add(Tensor(name=names[local], role="weight", shape=shape, local=local, node=each.name))
                self.weights[names[local]] = tuple(shape)
            elif self.weights.get(names[local]) != tuple(shape):
                raise self._refused(
                    each, f"its weight {local} of shape {shape} is shared with {names[local]}, of "
                    f"{self.weights.get(names[local], 'no node before')}", "share one of the same shape",
                )  # fmt: skip
        for local, shape in each.buffers.items():
            names[local] = each.named(local)
            self.add(Tensor(name=names[local], role="buffer", shape=shape, local=local, node=each.name))
            self.buffers[names[local]] = tuple(shape)
        shapes = self._shapes(each, names)
        for local in each.local_gives:
            names[local] = each.named(local)
            self.add(Tensor(name=names[local], role="activation", shape=shapes[local], local=local, node=each.name))
        names |= {f"d{local}": prefixed("d", name) for local, name in names.items()}
        for local in each.local_gives:
            self.links.append(link_of(each, names, local, names[local]))
        for name, local in each.next_buffers.items():
            fresh, shape = f"next_{local}", each.buffers[local]
            self.add(Tensor(name=name, role="buffer", shape=shape, local=fresh, node=each.name, of=names[local]))
            self.links.append(link_of(each, names, fresh, name))
        self.names[each.name] = names

    def _reads(self, each: Node) -> bool:
        if each.name in self.names:
            raise self._refused(each, "there is a node of that name already", "give it another name")
        if len(each.reads) != len(each.local_reads):
            raise self._refused(
                each, f"it reads {len(each.reads)} tensors and its layer {len(each.local_reads)}",
                f"name one tensor for each of {', '.join(each.local_reads)}",
            )  # fmt: skip
        for name in each.reads:
            if name not in self.tensors or self.tensors[name].role not in ("input", "activation"):
                raise self._refused(each, f"no input and no node before gives {name!r}", "name one that there is")
        for local in each.shares:
            if local not in each.weights:
                raise self._refused(each, f"its layer has no weight {local}", "share one that it has")
        return True

    def _shapes(self, each: Node, names: Mapping[str, str]) -> Mapping[str, Shape]:
        """The shapes of what a node gives: what its layer says, or that of what it reads."""
        read = {local: self.tensors[names[local]].shape for local in each.local_reads}
        told = getattr(each.layer, "shapes", None)
        try:
            return dict.fromkeys(each.local_gives, next(iter(read.values()))) if told is None else told(read)
        except ValueError as error:
            had = ", ".join(f"{local} = {names[local]} of shape {text_of(shape)}" for local, shape in read.items())
            raise self._refused(each, f"it reads {had}, and {error}", "give it sizes that fit") from None

    def _refused(self, each: Node, why: str, instead: str) -> ValueError:
        return ValueError(f"Cannot connect {each.name}, {each.layer!r}, because {why}; {instead}.")

    def _connect_loss(self, loss: Any, output: str) -> None:
        """The target, the loss and its links."""
        if output not in self.tensors or self.tensors[output].role != "activation":
            raise ValueError(f"Cannot take the loss of {output!r}, because no node gives it; name one that one does.")
        read = {name for each in self.nodes for name in each.reads} | {output}
        for name, tensor in self.tensors.items():
            if tensor.role in ("input", "activation") and name not in read:
                raise ValueError(
                    f"Cannot build a network in which nothing reads {name}, because it would change nothing; leave it "
                    f"out, or let a node read it."
                )
        rows = self.tensors[output].shape
        whole = bool(loss.labels)
        shape = rows[:-1] if whole else rows
        choices = self.tensors[output].width if whole else None
        self.add(Tensor(name=TARGET, role="target", shape=shape, local=TARGET, whole=whole, choices=choices))
        self.add(Tensor(name=LOSS, role="loss", shape=(), local=LOSS))
        reads, gradient = loss.reads, prefixed("d", output)
        names = {reads: output, f"d{reads}": gradient, TARGET: TARGET, LOSS: LOSS}
        self.names[LOSS] = names
        inputs = (output, TARGET)
        self.loss_link = Link(LOSS, inputs, loss.forward, loss, local=LOSS, names=names)
        rule = getattr(loss, f"d{reads}")
        self.last = Link(gradient, inputs, rule, loss, local=f"d{reads}", of=output, names=names)


def text_of(shape: Shape) -> str:
    """A shape as people write it: ``(N, 3)``."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
