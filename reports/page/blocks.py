"""Blocks: nodes whose names have a part in common, ``h0.attn.qkv`` and ``h0.attn.proj``, as one."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from impls.graph import LOSS, Graph
from impls.graph.node import block_of


class Item(NamedTuple):
    """What has a box: its name and kind, the tensors that it reads, and the nodes in it."""

    name: str
    kind: str
    reads: tuple[str, ...] = ()
    nodes: tuple[str, ...] = ()


def reads_of(network: Graph) -> dict[str, tuple[str, ...]]:
    """What every node reads, and the loss."""
    return {**{node.name: node.reads for node in network.nodes}, LOSS: (network.output,)}


def giver(network: Graph, tensor: str) -> str:
    """The node that gives a tensor; an input gives itself."""
    return network.tensors[tensor].node or tensor


def readers_of(network: Graph, tensor: str, but: Iterable[str]) -> list[str]:
    """The nodes, and the loss, that read a tensor."""
    return [name for name, read in reads_of(network).items() if tensor in read and name not in but]


def grouped(network: Graph, names: list[str], prefix: str) -> list[Item]:
    """Nodes as they are, and those that have one more part of their names in common as blocks."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(block_of(name, prefix), []).append(name)
    parted = {key if len(nodes) > 1 else nodes[0]: nodes for key, nodes in groups.items()}
    items = [_item(network, key, nodes) for key, nodes in parted.items()] if len(groups) > 1 else []
    return items if items and _ordered(network, items) else [_item(network, name, [name]) for name in names]


def _item(network: Graph, name: str, nodes: list[str]) -> Item:
    own = {tensor for node in network.nodes if node.name in nodes for tensor in node.gives}
    read = [tensor for node in network.nodes if node.name in nodes for tensor in node.reads if tensor not in own]
    return Item(name, "block" if len(nodes) > 1 else "node", tuple(dict.fromkeys(read)), tuple(nodes))


def _ordered(network: Graph, items: list[Item]) -> bool:
    """Whether no two of them read of each other, be it by way of others."""
    at = {node: item.name for item in items for node in item.nodes}
    needs = {item.name: {at[g] for t in item.reads if (g := giver(network, t)) in at} for item in items}
    while ready := [name for name, of in needs.items() if not of & needs.keys()]:
        for name in ready:
            del needs[name]
    return not needs
