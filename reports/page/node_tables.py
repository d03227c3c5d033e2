"""The tables to a drawing of a graph: every node, and every link by its node, each with the gravest row about it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from harness.comparison.judge import Row
from harness.comparison.worst import worst
from harness.rendering.columns import Column, dims, signed
from harness.results.numbers import share
from impls.graph import LOSS, TARGET, Graph, Shape
from reports.page.blocks import reads_of
from reports.page.tables import Table, table


class Told(NamedTuple):
    """A node in words, for the table under the drawing."""

    name: str
    layer: str
    reads: str
    gives: str
    weights: str
    row: Row | None


class Linked(NamedTuple):
    """A link: its node, what it gives, by which formula, and the gravest row about that."""

    node: str
    tensor: str
    formula: str
    row: Row | None


def told_of(network: Graph, rows: Iterable[Row]) -> list[Told]:
    """Inputs, nodes and the loss, in order."""
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


def _links(network: Graph, rows: Iterable[Row]) -> list[Linked]:
    """Every link that somebody may show, by its node."""
    from harness.faults.formulas import right_formula  # it brings the whole catalogue, which few pages need

    about: dict[str, list[Row]] = {}
    for row in rows:
        about.setdefault(row.gradient, []).append(row)
    found = []
    for link in network.links:
        tensor = network.tensors[link.output]
        if not tensor.through:
            of = network.tensors[tensor.of] if tensor.of else tensor
            formula = right_formula(network, link).removeprefix(f"{link.output} = ")
            rows_here = about.get(link.output)
            gravest = worst(rows_here) if rows_here else None
            found.append(Linked(of.node or of.name, link.output, formula, gravest))
    order = {name: place for place, name in enumerate(reads_of(network))}
    return sorted(found, key=lambda each: order.get(each.node, -1))


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


def nodes_of(network: Graph, rows: Iterable[Row]) -> Table:
    """The table to a drawing: every node, and the gravest row of its tensors."""
    return table(
        "Every node in order; N is the number of rows. Used is the share of the allowance of the gravest row of what "
        "it gives, its weights and their gradients.",
        NODES,
        told_of(network, rows),
        verdict=lambda told: told.row.verdict if told.row else "",
        anchor=lambda told: f"node-{told.name}",
    )


LINKS: tuple[Column[Linked], ...] = (
    Column("node", lambda link: link.node),
    Column("gives", lambda link: link.tensor),
    Column("by", lambda link: link.formula),
    Column("used", lambda link: share(link.row), "right"),
    Column("of", lambda link: link.row.against if link.row else ""),
    Column("verdict", lambda link: signed(link.row.verdict) if link.row else ""),
)


def links_of(network: Graph, rows: Iterable[Row]) -> Table:
    """Every link by its node, the first of each with an anchor."""
    links = _links(network, rows)
    first = {link.node: link.tensor for link in reversed(links)}
    return table(
        "Every link, node by node: what it gives, forward and back, and the gravest row about that.",
        LINKS,
        links,
        verdict=lambda link: link.row.verdict if link.row else "",
        anchor=lambda link: f"links-{link.node}" if first[link.node] == link.tensor else f"link-{link.tensor}",
    )
