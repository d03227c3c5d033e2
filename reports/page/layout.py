"""Where the boxes of a drawing stand, in columns by depth, and the arrows between them.

The depth of a box is one more than that of the deepest of what it reads. An arrow that passes a column keeps a lane
there, so that it crosses no box; in a column, boxes and lanes stand in the order of what leads to them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import NamedTuple

from harness.rendering.columns import dims
from impls.graph import Graph
from reports.page.blocks import Item, giver

WIDTH, HEIGHT, ACROSS, DOWN, LANE, MARGIN = 132.0, 62.0, 172.0, 16.0, 14.0, 16.0


class Arrow(NamedTuple):
    """What a node reads: `path` as SVG writes it, `says` in words."""

    path: str
    says: str


Place = tuple[float, float]
Lanes = Mapping[tuple[str, int], float]


def _maker(network: Graph, items: list[Item]) -> Callable[[str], str]:
    """From a tensor to the item that gives it, among these."""
    at = {node: item.name for item in items if item.kind != "readers" for node in item.nodes or (item.name,)}
    return lambda tensor: at.get(tensor) or at[giver(network, tensor)]


def places(network: Graph, items: list[Item]) -> tuple[dict[str, Place], Lanes, float]:
    """Where every box has its upper left corner, the height of each arrow's lane through a column, and the height."""
    maker = _maker(network, items)
    reads = {item.name: item.reads for item in items if item.reads}
    depth = {item.name: 0 for item in items if not item.reads}
    while len(depth) < len(items):
        for name, read in reads.items():
            if name not in depth and all(maker(tensor) in depth for tensor in read):
                depth[name] = 1 + max(depth[maker(tensor)] for tensor in read)
    # An input stands beside its first reader, so that no lane leads past what it has nothing to do with.
    for item in items:
        if not item.reads:
            readers = [depth[name] for name, read in reads.items() if item.name in map(maker, read)]
            depth[item.name] = max(0, min(readers, default=1) - 1)
    lasts: dict[str, int] = {}
    for name, read in reads.items():
        for tensor in read:
            lasts[tensor] = max(lasts.get(tensor, 0), depth[name])
    columns: list[list[tuple[str, bool]]] = [[] for _ in range(max(depth.values()) + 1)]
    for name, at in depth.items():
        columns[at].append((name, True))
    for tensor, last in lasts.items():
        for at in range(depth[maker(tensor)] + 1, last):
            columns[at].append((tensor, False))
    return _stacked(maker, columns, reads)


def _stacked(
    maker: Callable[[str], str], columns: list[list[tuple[str, bool]]], reads: Mapping[str, tuple[str, ...]]
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
                lanes.get((tensor, at - 1), places.get(maker(tensor), (0.0, tallest / 2))[1] + HEIGHT / 2)
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


def arrow(
    network: Graph, tensor: str, item: Item, items: list[Item], places: Mapping[str, Place], lanes: Lanes
) -> Arrow:
    """From the right side of what gives a tensor, through its lanes, to the left side of what reads it."""
    maker = _maker(network, items)
    (x1, y1), (x2, y2) = places[maker(tensor)], places[item.name]
    first, last = round((x1 - MARGIN) / ACROSS), round((x2 - MARGIN) / ACROSS)

    def height(name: str) -> float:
        """Of a tensor, just before the reader."""
        return lanes.get((name, last - 1), places[maker(name)][1] + HEIGHT / 2)

    read = sorted(dict.fromkeys(item.reads), key=height)
    points = [(x1 + WIDTH, y1 + HEIGHT / 2)]
    for at in range(first + 1, last):
        left = MARGIN + at * ACROSS
        points += [(left, lanes[tensor, at]), (left + WIDTH, lanes[tensor, at])]
    points.append((x2 - 5, y2 + HEIGHT * (read.index(tensor) + 1) / (len(read) + 1)))
    path = f"M{points[0][0]:.0f} {points[0][1]:.0f}"
    for place, ((xa, ya), (xb, yb)) in enumerate(pairwise(points)):
        half = (xb - xa) / 2
        path += f"H{xb:.0f}" if place % 2 else f"C{xa + half:.0f} {ya:.0f} {xb - half:.0f} {yb:.0f} {xb:.0f} {yb:.0f}"
    readers = ", ".join(item.nodes) if item.kind in ("readers", "node") else item.name
    return Arrow(path, f"{tensor} {dims(network.tensors[tensor].shape)}, read by {readers}")
