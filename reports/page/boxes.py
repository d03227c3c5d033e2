"""A graph as a drawing: a box for each node in columns by depth, and arrows from what it reads.

The depth of a node is one more than that of the deepest of what it reads. An arrow that passes a column keeps a lane
there, so that it crosses no box; in a column, nodes and lanes stand in the order of what leads to them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from harness.comparison.judge import Row, worst
from harness.rendering.columns import Column, dims, signed
from harness.results.numbers import share
from impls.graph import LOSS, TARGET, Graph, Shape
from reports.page.sections.section import Table, table

WIDTH, HEIGHT, ACROSS, DOWN, LANE, MARGIN = 132.0, 62.0, 172.0, 16.0, 14.0, 16.0
LONGEST = 18
"""Characters of a line in a box; the whole text stands in the table of nodes."""


class Box(NamedTuple):
    """A node, an input or the loss.

    Attributes:
        lines: what stands below its name.
        shared: whether it uses a weight of another node.
        row: the gravest row about what it gives and its weights; None where nothing was compared.
    """

    name: str
    kind: str
    x: float
    y: float
    lines: list[str]
    shared: bool
    row: Row | None


class Arrow(NamedTuple):
    """What a node reads: `path` as SVG writes it, `says` in words."""

    path: str
    says: str


class Told(NamedTuple):
    """A node in words, for the table under the drawing."""

    name: str
    layer: str
    reads: str
    gives: str
    weights: str
    row: Row | None


@dataclass(frozen=True)
class Boxes:
    """A graph, drawn."""

    boxes: list[Box]
    arrows: list[Arrow]
    told: list[Told]
    width: float
    height: float


def boxes(network: Graph, rows: Iterable[Row]) -> Boxes:
    """The drawing of a graph; each node with the gravest of the rows about it."""
    told = _told(network, list(rows))
    places, lanes, height = _places(network)
    drawn = [_box(network, each, *places[each.name]) for each in told]
    arrows = [
        _arrow(network, name, reader, places, lanes)
        for reader in places
        for name in _reads(network).get(reader, ())
    ]  # fmt: skip
    width = max(x for x, _ in places.values()) + WIDTH + MARGIN
    return Boxes(drawn, arrows, told, width, height)


NODES: tuple[Column[Told], ...] = (
    Column("node", lambda told: told.name),
    Column("layer", lambda told: told.layer),
    Column("reads", lambda told: told.reads),
    Column("gives", lambda told: told.gives),
    Column("weights", lambda told: told.weights),
    Column("used", lambda told: share(told.row), "right"),
    Column("at", lambda told: told.row.gradient if told.row else ""),
    Column("verdict", lambda told: signed(told.row.verdict) if told.row else ""),
)


def nodes_of(graph: Boxes) -> Table:
    """The table to a drawing: every node, and the gravest row of its tensors."""
    return table(
        "Every node in order; N is the number of rows. Used is the share of the allowance of the gravest row of what "
        "it gives, its weights and their gradients.",
        NODES,
        graph.told,
        verdict=lambda told: told.row.verdict if told.row else "",
        anchor=lambda told: f"node-{told.name}",
    )


def _reads(network: Graph) -> dict[str, tuple[str, ...]]:
    """What every node reads, and the loss."""
    return {**{node.name: node.reads for node in network.nodes}, LOSS: (network.output,)}


def _giver(network: Graph, tensor: str) -> str:
    """The node that gives a tensor; an input gives itself."""
    return network.tensors[tensor].node or tensor


def _told(network: Graph, rows: list[Row]) -> list[Told]:
    about: dict[str, list[Row]] = {}
    for row in rows:
        found = network.tensors.get(row.gradient)
        if found is not None:
            tensor = network.tensors[found.of] if found.of else found
            about.setdefault(tensor.node or tensor.name, []).append(row)

    def gravest(name: str) -> Row | None:
        return worst(about[name]) if about.get(name) else None

    inputs = [
        Told(source.name, "input", "", _shaped(source.name, source.rows, source.choices), "", gravest(source.name))
        for source in network.sources
    ]
    nodes = []
    for node in network.nodes:
        names = network.names_of(node.name)
        gives = ", ".join(_shaped(name, network.tensors[name].shape) for name in node.gives)
        weights = [
            f"{local} {dims(shape)}{f', shared: {names[local]}' if local in node.shares else ''}"
            for local, shape in node.weights.items()
        ]
        layer = repr(node.layer)
        nodes.append(Told(node.name, layer, ", ".join(node.reads), gives, "; ".join(weights), gravest(node.name)))
    loss = Told(LOSS, repr(network.loss), f"{network.output}, {TARGET}", "one number", "", gravest(LOSS))
    return [*inputs, *nodes, loss]


def _shaped(name: str, shape: Shape, choices: int = 0) -> str:
    whole = f", whole numbers up to {choices - 1}" if choices else ""
    return f"{name} {dims(shape)}{whole}"


def _box(network: Graph, told: Told, x: float, y: float) -> Box:
    nodes = {node.name: node for node in network.nodes}
    if told.name not in nodes:
        return Box(told.name, "loss" if told.name == LOSS else "input", x, y, [_short(told.layer)], False, told.row)
    node = nodes[told.name]
    weights = [
        f"{local} = {node.shares[local]}" if local in node.shares else f"{local} {dims(shape)}"
        for local, shape in node.weights.items()
    ]
    return Box(
        told.name, "node", x, y, [_short(told.layer), _short(", ".join(weights))], bool(node.shares), told.row
    )  # fmt: skip


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


Place = tuple[float, float]
Lanes = Mapping[tuple[str, int], float]


def _places(network: Graph) -> tuple[dict[str, Place], Lanes, float]:
    """Where every box has its upper left corner, the height of each arrow's lane through a column, and the height."""
    reads = _reads(network)
    depth = {source.name: 0 for source in network.sources}
    for name, read in reads.items():
        depth[name] = 1 + max(depth[_giver(network, tensor)] for tensor in read)
    # An input stands beside its first reader, so that no lane leads past what it has nothing to do with.
    for source in network.sources:
        readers = [depth[name] for name, read in reads.items() if source.name in read]
        depth[source.name] = max(0, min(readers, default=1) - 1)
    lasts: dict[str, int] = {}
    for name, read in reads.items():
        for tensor in read:
            lasts[tensor] = max(lasts.get(tensor, 0), depth[name])
    columns: list[list[tuple[str, bool]]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, at in depth.items():
        columns[at].append((name, True))
    for tensor, last in lasts.items():
        for at in range(depth[_giver(network, tensor)] + 1, last):
            columns[at].append((tensor, False))
    return _stacked(network, columns, reads)


def _stacked(
    network: Graph, columns: list[list[tuple[str, bool]]], reads: Mapping[str, tuple[str, ...]]
) -> tuple[dict[str, Place], Lanes, float]:
    places: dict[str, Place] = {}
    lanes: dict[tuple[str, int], float] = {}
    heights = [sum((HEIGHT if box else LANE) + DOWN for _, box in column) - DOWN for column in columns]
    tallest = max(heights)
    for at, column in enumerate(columns):

        def leads(each: tuple[str, bool], at: int = at) -> float:
            """The mean height of what leads here."""
            name, box = each
            tensors = reads.get(name, ()) if box else (name,)
            found = [
                lanes.get((tensor, at - 1), places.get(_giver(network, tensor), (0.0, tallest / 2))[1] + HEIGHT / 2)
                for tensor in tensors
            ]
            return sum(found) / len(found) if found else tallest

        top = MARGIN + (tallest - heights[at]) / 2
        for name, box in sorted(column, key=leads):
            if box:
                places[name] = (MARGIN + at * ACROSS, top)
            else:
                lanes[name, at] = top + LANE / 2
            top += (HEIGHT if box else LANE) + DOWN
    return places, lanes, tallest + 2 * MARGIN


def _arrow(network: Graph, tensor: str, reader: str, places: Mapping[str, Place], lanes: Lanes) -> Arrow:
    """From the right side of what gives a tensor, through its lanes, to the left side of what reads it."""
    (x1, y1), (x2, y2) = places[_giver(network, tensor)], places[reader]
    first, last = round((x1 - MARGIN) / ACROSS), round((x2 - MARGIN) / ACROSS)

    def height(name: str) -> float:
        """Of a tensor, just before the reader."""
        return lanes.get((name, last - 1), places[_giver(network, name)][1] + HEIGHT / 2)

    read = sorted(dict.fromkeys(_reads(network)[reader]), key=height)
    points = [(x1 + WIDTH, y1 + HEIGHT / 2)]
    for at in range(first + 1, last):
        left = MARGIN + at * ACROSS
        points += [(left, lanes[tensor, at]), (left + WIDTH, lanes[tensor, at])]
    points.append((x2 - 5, y2 + HEIGHT * (read.index(tensor) + 1) / (len(read) + 1)))
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for place, ((xa, ya), (xb, yb)) in enumerate(pairwise(points)):
        half = (xb - xa) / 2
        path += f"H{xb:.0f}" if place % 2 else f"C{xa + half:.0f} {ya:.0f} {xb - half:.0f} {yb:.0f} {xb:.0f} {yb:.0f}"
    return Arrow(path, f"{tensor} {dims(network.tensors[tensor].shape)}, read by {reader}")
