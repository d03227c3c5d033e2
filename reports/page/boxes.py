"""A graph as drawings: a box for each node, arrows from what it reads, and the nodes of a block folded into one box.

A folded block has the gravest row about any of its nodes; what is in it is a drawing of its own, between what it reads
from outside and who reads it there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from harness.comparison.judge import Row
from harness.comparison.worst import worst
from harness.rendering.columns import dims
from harness.results.numbers import share
from impls.graph import LOSS, Graph
from reports.page.blocks import Item, giver, grouped, readers_of
from reports.page.layout import MARGIN, WIDTH, Arrow, arrow, places
from reports.page.node_tables import Told, told_of

LONGEST = 18
"""Characters of a line in a box; the whole text stands in the table of nodes."""


class Box(NamedTuple):
    """A node, a block of them, an input, the loss, or who reads what a block gives.

    Attributes:
        leads: the id of what tells more.
        lines: what stands below its name.
        shared: whether it uses a weight of another node.
        row: the gravest row about what it gives and its weights; None where nothing was compared.
    """

    name: str
    kind: str
    leads: str
    x: float
    y: float
    lines: list[str]
    shared: bool
    row: Row | None


@dataclass(frozen=True)
class Boxes:
    """A graph, or a block of one, drawn.

    Attributes:
        name: of the block; empty for the graph.
        blocks: those in it, unfolded.
        row: the gravest row about its nodes.
    """

    name: str
    boxes: list[Box]
    arrows: list[Arrow]
    blocks: list[Boxes]
    row: Row | None
    width: float
    height: float


def boxes(network: Graph, rows: Iterable[Row]) -> Boxes:
    """The drawing of a graph, and of each block in it; each box with the gravest of the rows about it."""
    told = {each.name: each for each in told_of(network, rows)}
    inputs = [Item(source.name, "input") for source in network.sources]
    inside = [node.name for node in network.nodes]
    items = [*inputs, *grouped(network, inside, ""), Item(LOSS, "loss", (network.output,))]
    return _drawn(network, told, "", items)


def _drawn(network: Graph, told: Mapping[str, Told], name: str, items: list[Item]) -> Boxes:
    at, lanes, height = places(network, items)
    made = [_box(network, told, item, *at[item.name]) for item in items]
    arrows = [arrow(network, tensor, item, items, at, lanes) for item in items for tensor in item.reads]
    blocks = [_block(network, told, item) for item in items if item.kind == "block"]
    width = max(x for x, _ in at.values()) + WIDTH + MARGIN
    own = [item for item in items if item.kind != "readers"]
    return Boxes(name, made, arrows, blocks, _gravest(told, own), width, height)


def _block(network: Graph, told: Mapping[str, Told], block: Item) -> Boxes:
    """The drawing of what is in a block: between the tensors that it reads, and those of its own that others read."""
    given = [tensor for node in network.nodes if node.name in block.nodes for tensor in node.gives]
    outside = {tensor: readers_of(network, tensor, block.nodes) for tensor in given}
    items = [Item(tensor, "read") for tensor in block.reads]
    items += grouped(network, list(block.nodes), block.name)
    items += [Item(f"{tensor} ▸", "readers", (tensor,), tuple(names)) for tensor, names in outside.items() if names]
    return _drawn(network, told, block.name, items)


def _gravest(told: Mapping[str, Told], items: Iterable[Item]) -> Row | None:
    rows = [row for item in items for node in item.nodes or (item.name,) if node in told and (row := told[node].row)]
    return worst(rows) if rows else None


def _box(network: Graph, told: Mapping[str, Told], item: Item, x: float, y: float) -> Box:
    if item.kind == "block":
        row = _gravest(told, [item])
        lines = [f"{len(item.nodes)} nodes", _short(f"{share(row)} {row.verdict}" if row else "")]
        return Box(item.name, "block", f"block-{item.name}", x, y, lines, False, row)
    if item.kind == "read":
        shape = dims(network.tensors[item.name].shape)
        return Box(item.name, "input", f"node-{giver(network, item.name)}", x, y, [shape], False, None)
    if item.kind == "readers":
        return Box(item.name, "loss", f"node-{item.nodes[0]}", x, y, [_short(", ".join(item.nodes))], False, None)
    about = told[item.name]
    if item.kind != "node":
        return Box(item.name, item.kind, f"node-{item.name}", x, y, [_short(about.layer)], False, about.row)
    node = next(node for node in network.nodes if node.name == item.name)
    weights = [
        f"{local} = {node.shares[local]}" if local in node.shares else f"{local} {dims(shape)}"
        for local, shape in node.weights.items()
    ]
    lines = [_short(about.layer), _short(", ".join(weights))]
    return Box(item.name, "node", f"links-{item.name}", x, y, lines, bool(node.shares), about.row)


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"
