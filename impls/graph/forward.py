"""Forward: nodes connected, each to what those before give: their tensors, and the links of the forward pass."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from impls.graph.link import Link, link_of
from impls.graph.node import Input, Node, prefixed, refuse_class, refuse_more
from impls.graph.tensor import Shape, Tensor

TARGET, LOSS = "y", "loss"


class Forward:
    """The forward pass of nodes, in an order in which each reads what those before give, and of a loss.

    Attributes:
        tensors: every tensor so far by name: inputs, weights, buffers, activations, target, loss.
        weights, buffers: the shape of each by name.
        names: by node, and by the layer's own names, the tensors around it; the loss is the node ``loss``.
        links: without the loss's.
        loss_link: gives the loss.
        output: the tensor that the loss reads.
        loss_vjps: give the gradients of what the loss reads, with which the backward pass begins: of the output, and of
            weights with a penalty.

    Raises:
        ValueError: see `Graph`.
    """

    def __init__(self, sources: Sequence[Input], nodes: Sequence[Node], loss: Any, output: str) -> None:
        self.nodes, self.output = nodes, output
        self.tensors: dict[str, Tensor] = {}
        self.weights: dict[str, tuple[int, ...]] = {}
        self.buffers: dict[str, tuple[int, ...]] = {}
        self.names: dict[str, dict[str, str]] = {}
        self.links: list[Link] = []
        if not nodes:
            raise ValueError("Cannot build a network of no nodes, because it would compute nothing; give some.")
        refuse_more(nodes)
        refuse_class(loss)
        wrong: list[Any] = [s for s in sources if not isinstance(s, Input)]
        wrong += [n for n in nodes if not isinstance(n, Node)]
        wrong += [loss] if not hasattr(loss, "check_targets") else []
        if wrong:
            raise ValueError(
                f"Cannot build a network with {wrong[0]!r}, because it is made of inputs, nodes and a loss; write "
                f"Graph([Input(...), ...], [node(...), ...], SumSquaredError(), output)."
            )
        for source in sources:
            self.add(
                Tensor(
                    name=source.name, role="input", shape=source.rows, local=source.name,
                    whole=source.choices > 0, choices=source.choices or None,
                )
            )  # fmt: skip
        for node in nodes:
            self._connect(node)
        self.loss_link, *self.loss_vjps = self._connect_loss(loss, output)

    def add(self, tensor: Tensor) -> None:
        """A tensor more, or ValueError where there is one of its name."""
        if tensor.name in self.tensors or (tensor.name in (TARGET, LOSS) and tensor.role not in ("target", "loss")):
            raise ValueError(
                f"Cannot add a tensor called {tensor.name!r}, because there is one of that name already; give its "
                f"node, or the input, another name."
            )
        self.tensors[tensor.name] = tensor

    def _connect(self, node: Node) -> None:
        """The tensors and the forward links of a node."""
        self._check(node)
        names = dict(zip(node.local_reads, node.reads, strict=True))
        for local, shape in node.weights.items():
            names[local] = node.shares.get(local) or node.named(local)
            if local not in node.shares:
                self.add(Tensor(name=names[local], role="weight", shape=shape, local=local, node=node.name))
                self.weights[names[local]] = tuple(shape)
            elif self.weights.get(names[local]) != tuple(shape):
                raise self._refused(
                    node, f"its weight {local} of shape {shape} is shared with {names[local]}, of "
                    f"{self.weights.get(names[local], 'no node before')}", "share one of the same shape",
                )  # fmt: skip
        for local, shape in node.buffers.items():
            names[local] = node.named(local)
            self.add(Tensor(name=names[local], role="buffer", shape=shape, local=local, node=node.name))
            self.buffers[names[local]] = tuple(shape)
        shapes = self._shapes(node, names)
        for local in node.local_gives:
            names[local] = node.named(local)
            self.add(Tensor(name=names[local], role="activation", shape=shapes[local], local=local, node=node.name))
        names |= {f"d{local}": prefixed("d", name) for local, name in names.items()}
        for local in node.local_gives:
            self.links.append(link_of(node, names, local, names[local]))
        for name, local in node.next_buffers.items():
            fresh, shape = f"next_{local}", node.buffers[local]
            self.add(Tensor(name=name, role="buffer", shape=shape, local=fresh, node=node.name, of=names[local]))
            self.links.append(link_of(node, names, fresh, name))
        self.names[node.name] = names

    def _check(self, node: Node) -> None:
        """Raise ValueError unless the node has a name of its own, and what it reads and shares is there."""
        refuse_class(node.layer)
        if not (hasattr(node.layer, "reads") and hasattr(node.layer, "gives")):
            raise self._refused(node, "it is no layer, which says what it reads and gives", "give a layer")
        if node.name in self.names or node.name == LOSS:
            raise self._refused(node, "there is a node of that name already", "give it another name")
        if len(node.reads) != len(node.local_reads):
            raise self._refused(
                node, f"it reads {len(node.reads)} tensors and its layer {len(node.local_reads)}",
                f"name one tensor for each of {', '.join(node.local_reads)}",
            )  # fmt: skip
        for name in node.reads:
            if name not in self.tensors or self.tensors[name].role not in ("input", "activation"):
                raise self._refused(node, f"no input and no node before gives {name!r}", "name one that there is")
        wholes: Mapping[str, int] = getattr(node.layer, "whole", {})
        for local, name in zip(node.local_reads, node.reads, strict=True):
            choices = self.tensors[name].choices or 0
            if bool(choices) != (local in wholes) or choices > wholes.get(local, 0):
                has = f"{name} holds {f'{choices} whole numbers' if choices else 'real numbers'}"
                takes = f"whole numbers below {wholes[local]}" if local in wholes else "real numbers"
                raise self._refused(node, f"{has} and it reads {takes}", "let it read such an input")
        for local in node.shares:
            if local not in node.weights:
                raise self._refused(node, f"its layer has no weight {local}", "share one that it has")

    def _shapes(self, node: Node, names: Mapping[str, str]) -> Mapping[str, Shape]:
        """The shapes of what a node gives: what its layer says, or that of what it reads."""
        read = {local: self.tensors[names[local]].shape for local in node.local_reads}
        told = getattr(node.layer, "shapes", None)
        try:
            return dict.fromkeys(node.local_gives, next(iter(read.values()))) if told is None else told(read)
        except ValueError as error:
            had = ", ".join(f"{local} = {names[local]} of shape {text_of(shape)}" for local, shape in read.items())
            raise self._refused(node, f"it reads {had}, and {error}", "give it sizes that fit") from None

    def _refused(self, node: Node, why: str, instead: str) -> ValueError:
        return ValueError(f"Cannot connect {node.name}, {node.layer!r}, because {why}; {instead}.")

    def _connect_loss(self, loss: Any, output: str) -> list[Link]:
        """The target and the loss; its link, and those of its vjps."""
        if not isinstance(output, str) or output not in self.tensors or self.tensors[output].role != "activation":
            raise ValueError(f"Cannot take the loss of {output!r}, because no node gives it; name one that one does.")
        read = {name for node in self.nodes for name in node.reads} | {output}
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
        vjp, gradient = f"d{loss.reads}", prefixed("d", output)
        names = self.names[LOSS] = {loss.reads: output, vjp: gradient, TARGET: TARGET, LOSS: LOSS}
        inputs, penalised = (output, TARGET), loss.penalised(self.weights)
        return [
            Link(output=LOSS, inputs=(*inputs, *penalised), rule=loss.forward, layer=loss, local=LOSS, names=names),
            Link(
                output=gradient, inputs=inputs, rule=getattr(loss, vjp), layer=loss, local=vjp, of=output, names=names
            ),
            *(_penalty_link(loss.penalty, weight) for weight in penalised),
        ]


def _penalty_link(penalty: Any, weight: str) -> Link:
    """What a penalty adds to the gradient of a weight, entry by entry."""
    names = {"w": weight, "dw": prefixed("d", weight), TARGET: TARGET}
    return Link(
        output=names["dw"], inputs=(weight, TARGET), rule=penalty.dw, layer=penalty, slices={weight: -1}, axis=-1,
        local="dw", of=weight, names=names,
    )  # fmt: skip


def text_of(shape: Shape) -> str:
    """A shape as people write it: ``(N, 3)``."""
    return f"({', '.join(map(str, shape))}{',' if len(shape) == 1 else ''})"
