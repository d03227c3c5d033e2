"""Nodes: a layer in a network, with a name, the tensors it reads, and the weights it shares with another node.

A layer's rules say by the names of their parameters what they read: ``def dW(self, dz, x)`` needs the gradient of
what the layer gives (z) and what the layer read (x). In a network those local names stand for tensors with names of
their own. The law of names is here, and nowhere else:

    in a graph          the node's path in front of the local name      fc1.W, fc1.z, gradients fc1.dW, fc1.dz
    in a chain          the local name and the layer's number           W1, z1, gradients dW1, dz1
    part of a gradient  the gradient, and the vjp that gives the part   fc1.dz:add.dp
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from impls.graph.tensor import ROWS, Shape


def qualified(path: str) -> Callable[[str], str]:
    """Names in a graph."""
    return partial(_joined, f"{path}.", "")


def numbered(depth: str) -> Callable[[str], str]:
    """Names in a chain."""
    return partial(_joined, "", depth)


def _joined(before: str, behind: str, local: str) -> str:
    return f"{before}{local}{behind}"


def prefixed(letter: str, name: str) -> str:
    """The name of what belongs to a tensor: its gradient (d), or what an optimizer keeps of it (m, v).

    >>> prefixed("d", "W1"), prefixed("m", "h0.attn.qkv.W")
    ('dW1', 'h0.attn.qkv.mW')
    """
    path, dot, local = name.rpartition(".")
    return f"{path}{dot}{letter}{local}"


def path_of(name: str) -> str:
    """What stands in front of a tensor's local name: its node's path.

    >>> path_of("h0.attn.qkv.W"), path_of("W")
    ('h0.attn.qkv', '')
    """
    return name.rpartition(".")[0]


def block_of(path: str, outer: str) -> str:
    """The block within `outer`, a path or nothing, that a node is in; the node itself where it is in none.

    >>> block_of("h0.attn.qkv", "h0"), block_of("h0", "h0")
    ('h0.attn', 'h0')
    """
    inner = path.removeprefix(outer).lstrip(".").partition(".")[0]
    return f"{outer}.{inner}".strip(".") if inner else path


def part_of(gradient: str, vjp: str) -> str:
    """The name of the part of a gradient that one vjp gives, where several add up."""
    return f"{gradient}:{vjp}"


MOST_NODES = 50_000
"""That a network may have: connecting them takes seconds, and a step of it minutes."""


def refuse_more(nodes: Sequence[Any]) -> None:
    """Raise ValueError if these are more nodes than a network may have."""
    if len(nodes) > MOST_NODES:
        raise ValueError(
            f"Cannot build a network of more than {MOST_NODES:,} nodes, because every one takes milliseconds at every "
            f"step; give fewer layers."
        )


def refuse_class(given: object) -> None:
    """Raise ValueError for a class of layers or losses in place of one of them."""
    if isinstance(given, type):
        name = given.__name__
        raise ValueError(
            f"Cannot build a network with {name}, because it is a class; write {name}(), its sizes and options in the "
            f"brackets."
        )


def _count(number: object) -> bool:
    return isinstance(number, int) and not isinstance(number, bool)


def checked_name(what: str, name: object) -> None:
    """Raise ValueError unless a name is made of letters, digits and underscores, in parts joined by dots."""
    if not isinstance(name, str) or not re.fullmatch(r"[^\W\d]\w*(\.\w+)*", name):
        raise ValueError(
            f"Cannot call {what} {str(name)[:40]!r}, because a name is made of letters, digits and underscores, in "
            f"parts joined by dots, and begins with a letter; choose one such as h0.attn."
        )


@dataclass(frozen=True, init=False)
class Input:
    """What a network is fed besides weights: an array with a row for each sample.

    Attributes:
        shape: of one sample; a number stands for one axis of that size.
        choices: 0 for real numbers; else whole numbers from 0 to choices - 1.
        gradient: whether the loss is differentiated by it.
        keep: 0 for what the data holds; else a mask, drawn besides: 1 with this probability, else 0.
    """

    name: str
    shape: tuple[int, ...]
    choices: int
    gradient: bool
    keep: float

    def __init__(
        self, name: str, shape: int | Sequence[int], choices: int = 0, gradient: bool = False, keep: float = 0.0
    ) -> None:
        checked_name("an input", name)
        sizes = tuple(shape) if isinstance(shape, Sequence) else (shape,)
        if not all(_count(size) and size >= 1 for size in sizes):
            raise ValueError(
                f"Cannot feed an input {name!r} of shape {shape!r}, because every size is a count; give whole "
                f"numbers from 1 on."
            )
        if not _count(choices) or choices < 0:
            raise ValueError(
                f"Cannot feed an input {name!r} of {choices!r} choices, because that is a count; give a whole number, "
                f"or leave it out for real numbers."
            )
        if not isinstance(gradient, bool):
            raise ValueError(
                f"Cannot feed an input {name!r} with gradient={gradient!r}, because it has one or not; give True or "
                f"False."
            )
        if choices and gradient:
            raise ValueError(
                f"Cannot differentiate by the input {name!r}, because it holds whole numbers; leave gradient out."
            )
        if not isinstance(keep, int | float) or not 0 <= keep <= 1 or (keep and (choices or gradient)):
            raise ValueError(
                f"Cannot feed an input {name!r} of which keep={keep!r}, because a mask is 1 with that probability and "
                f"nothing else; give a number from 0 to 1, no choices and no gradient."
            )
        given = {"name": name, "shape": sizes, "choices": choices, "gradient": gradient, "keep": float(keep)}
        for field_name, value in given.items():
            object.__setattr__(self, field_name, value)

    @property
    def rows(self) -> Shape:
        """The shape of a batch."""
        return (ROWS, *self.shape)

    def __repr__(self) -> str:
        shape = self.shape[0] if len(self.shape) == 1 else self.shape
        choices = f", choices={self.choices}" if self.choices else ""
        more = f"{', gradient=True' if self.gradient else ''}{f', keep={self.keep!r}' if self.keep else ''}"
        return f"Input({self.name!r}, {shape}{choices}{more})"


@dataclass(frozen=True)
class Node:
    """A layer in a network.

    Attributes:
        name: its path: ``fc1``, ``h0.attn.qkv``.
        layer: whose rules are run.
        reads: names of the tensors that it reads, in the order of the layer's own.
        shares: by the layer's local name, weights of other nodes that it uses for its own.
        named: from a local name to that of the tensor.
    """

    name: str
    layer: Any
    reads: tuple[str, ...]
    shares: Mapping[str, str] = field(default_factory=dict)
    named: Callable[[str], str] = field(default=str, repr=False, compare=False)

    @property
    def local_reads(self) -> tuple[str, ...]:
        """What the layer calls what it reads."""
        return as_names(self.layer.reads)

    @property
    def local_gives(self) -> tuple[str, ...]:
        """What the layer calls what it gives."""
        return as_names(self.layer.gives)

    @property
    def gives(self) -> tuple[str, ...]:
        """Names of the tensors that it gives."""
        return tuple(map(self.named, self.local_gives))

    @property
    def weights(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each weight by its local name, shared ones included."""
        return getattr(self.layer, "weights", {})

    @property
    def buffers(self) -> Mapping[str, tuple[int, ...]]:
        """Shape of each buffer by its local name; its rule ``next_q`` gives the new q."""
        return getattr(self.layer, "buffers", {})

    @property
    def next_buffers(self) -> dict[str, str]:
        """From the tensor of each buffer's new value to the buffer's local name."""
        return {self.named(f"next_{local}"): local for local in self.buffers}

    def rule(self, local: str) -> Callable[..., Any]:
        """The layer's rule for what it calls `local`: of its only output, ``forward``."""
        name = "forward" if self.local_gives == (local,) else local
        rule = getattr(self.layer, name, None)
        if not callable(rule):
            raise ValueError(
                f"Cannot connect {self.name}, {self.layer!r}, because its layer has no rule {name}; write one."
            )
        return rule

    def __repr__(self) -> str:
        reads = "".join(f", {name!r}" for name in self.reads)
        shares = "".join(f", {local}={name!r}" for local, name in self.shares.items())
        return f"node({self.name!r}, {self.layer!r}{reads}{shares})"


def node(name: str, layer: Any, *reads: str, **shares: str) -> Node:
    """A node of a graph; keywords name weights of other nodes that it shares.

    >>> node("out", "a layer", "act.a", W="fc1.W")
    node('out', 'a layer', 'act.a', W='fc1.W')

    Raises:
        ValueError: a name is none.
    """
    checked_name("a node", name)
    for read in (*reads, *shares.values()):
        if not isinstance(read, str):
            raise ValueError(
                f"Cannot let the node {name!r} read {read!r}, because a tensor is read by its name; give the name."
            )
    return Node(name, layer, reads, shares, qualified(name))


def as_names(names: str | Iterable[str]) -> tuple[str, ...]:
    """One name or several, as several."""
    return (names,) if isinstance(names, str) else tuple(names)
