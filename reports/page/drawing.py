"""The network as a drawing: where every neuron and every weight's line stands, and what they are worth at each step.

Of a layer wider than `MOST_NEURONS` the first ones are drawn, and how many are not is written under them. The weights
of at most `MOST_STEPS` steps are kept: all, or 1, 2, 4, ..., the last, and others evenly between, fewer where many
weights are drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from harness.explaining.symbols import entry_name, joined
from harness.inputs.batches import Batches
from harness.inputs.schedule import milestone
from impls.contract import Array
from impls.graph import Graph
from reports.page.explorer import SAMPLE
from reports.page.neurons import Stage, stages
from reports.page.numbers import spaced
from reports.page.series import Weights

MOST_NEURONS, MOST_STEPS, MOST_NUMBERS = 8, 1000, 60_000
WIDTH, MARGIN, GAP, ACROSS, RADIUS = 860.0, 56.0, 74.0, 110.0, 23.0
WIDEST, MANY, WIDEST_OF_MANY = 6.0, 40, 2.4
"""Of a line, in the units of the drawing: that of the largest |w| of any step shown; of more than `MANY` lines."""


class Node(NamedTuple):
    """A neuron, an input or the loss: `column` 0 holds the inputs; `entry` is its place among the values of a step."""

    name: str
    x: float
    y: float
    column: int
    entry: int


class Line(NamedTuple):
    """A weight or bias; `entry` is its place among the weights of a step."""

    name: str
    x1: float
    y1: float
    x2: float
    y2: float
    entry: int
    bias: bool
    leads: str


@dataclass(frozen=True)
class Drawing:
    """A network, drawn.

    Attributes:
        hidden: for each layer too wide to be drawn whole, where to write how many neurons are missing.
        steps: those whose weights are kept, none for a drawing without numbers.
        weights: (steps, lines). values: (steps, nodes), outputs for one sample; NaN where they are not known.
        command: how `harness explain` is told of this network.
    """

    nodes: list[Node]
    lines: list[Line]
    hidden: list[tuple[float, float, int]]
    width: float
    height: float
    steps: list[int]
    weights: Array
    values: Array

    @property
    def ends(self) -> list[tuple[float, float, float, float]]:
        """Lines from the outputs to the loss, which carry no weight."""
        loss = self.nodes[-1]
        last = [node for node in self.nodes if node.column == loss.column - 1]
        return [(node.x + RADIUS, node.y, loss.x - RADIUS, loss.y) for node in last]

    @property
    def largest(self) -> float:
        """The largest |w| of any step."""
        return float(np.max(np.abs(self.weights), initial=0.0))

    @property
    def widest(self) -> float:
        """The width of the line of the largest |w|."""
        return WIDEST if len(self.lines) <= MANY else WIDEST_OF_MANY

    def thickness(self, entry: int) -> float:
        """Of a line at the last step."""
        return 0.6 + self.widest * abs(float(self.weights[-1, entry])) / (self.largest or 1.0) if self.steps else 1.2


def drawn(network: Graph, kept: Weights, batches: Batches | None = None) -> Drawing | None:
    """The drawing of a network, with the weights that are kept and the outputs that they give, where known.

    None where it cannot be drawn neuron by neuron.
    """
    chain = stages(network)
    if chain is None:
        return None
    columns, hidden, (width, height) = _columns(network, chain)
    nodes = [node for column in columns for node in column]
    lines, entries = _lines(network, chain, columns)
    most = max(2, min(MOST_STEPS, MOST_NUMBERS // max(len(lines) + len(nodes), 1)))
    known = kept.steps
    steps = [known[place - 1] for place in spaced(len(known), most, lambda place: milestone(place, len(known)))]
    weights, values = np.zeros((len(steps), len(lines)), kept.dtype), np.full((len(steps), len(nodes)), np.nan)
    for place, step in enumerate(steps):
        at = kept.before(step)
        weights[place] = [at[name][index] for name, index in entries]
        if batches is not None:
            values[place] = _values(network, chain, at, batches, nodes)
    return Drawing(nodes, lines, hidden, width, height, steps, weights, values)


def legend(drawing: Drawing | None, *, known: bool) -> str:
    """What a drawing shows; `known` tells whether there is data that gives the neurons outputs."""
    if drawing is None:
        return ""
    hidden = " Of wide layers the first neurons are drawn." if drawing.hidden else ""
    if not drawing.steps:
        return f"The weights are not known here, so all lines are alike.{hidden}"
    told = "Solid lines are positive weights, dashed lines negative ones; their width is |w|; short lines are biases."
    inside = f" Inside a neuron stands its output for sample {SAMPLE}, in L that sample's loss." if known else ""
    return told + inside + hidden


def _values(
    network: Graph, chain: list[Stage], weights: dict[str, Array], batches: Batches, nodes: list[Node]
) -> list[float]:
    x, y = batches.x[SAMPLE : SAMPLE + 1], batches.y[SAMPLE : SAMPLE + 1]
    with np.errstate(all="ignore"):
        forward = network.forward(weights, x)
        columns = [x[0], *(forward[stage.output][0] for stage in chain), [network.loss_of({**weights, **forward}, y)]]
    return [float(columns[node.column][node.entry]) for node in nodes]


def _columns(
    network: Graph, chain: list[Stage]
) -> tuple[list[list[Node]], list[tuple[float, float, int]], tuple[float, float]]:
    """Inputs, the neurons of every stage, and the loss, each in a column; what is hidden; width and height."""
    inputs, *_ = network.weights[chain[0].matrix]
    widths = [inputs, *(stage.width for stage in chain), 1]
    rows = max(min(width, MOST_NEURONS) + 0.6 * (width > MOST_NEURONS) for width in widths)
    height = 2 * MARGIN + (rows - 1) * GAP
    steps = len(widths) - 1
    across = max((WIDTH - 2 * MARGIN) / steps, ACROSS)
    columns, hidden = [], []
    for place, width in enumerate(widths):
        shown = min(width, MOST_NEURONS)
        x, top = MARGIN + place * across, height / 2 - (shown - 1) * GAP / 2 - 0.3 * GAP * (width > shown)
        names = (
            ["L"] if place == steps else [f"O{joined(place, i + 1)}" if place else f"x{i + 1}" for i in range(shown)]
        )
        columns.append([Node(name, x, top + i * GAP, place, i) for i, name in enumerate(names)])
        if width > shown:
            hidden.append((x, top + (shown - 0.35) * GAP, width - shown))
    return columns, hidden, (2 * MARGIN + steps * across, height)


def _lines(
    network: Graph, chain: list[Stage], columns: list[list[Node]]
) -> tuple[list[Line], list[tuple[str, tuple[int, ...]]]]:
    lines: list[Line] = []
    entries: list[tuple[str, tuple[int, ...]]] = []
    for place, stage in enumerate(chain, 1):
        for name in filter(None, (stage.matrix, stage.bias)):
            for index in np.ndindex(*network.weights[name]):
                if any(i >= MOST_NEURONS for i in index):
                    continue
                into = columns[place][index[-1]]
                if name == stage.matrix:
                    start = columns[place - 1][index[0]]
                    ends = (start.x + RADIUS, start.y, into.x - RADIUS, into.y)
                    leads = f"from {start.name} to {into.name}"
                else:
                    ends = (into.x - 30, into.y + 36, into.x - 13, into.y + 20)
                    leads = f"the bias of {into.name}"
                lines.append(Line(entry_name(name, index), *ends, len(entries), name == stage.bias, leads))
                entries.append((name, index))
    return lines, entries
