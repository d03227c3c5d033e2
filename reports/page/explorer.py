"""The path explorer: every explained derivative of a run, at the weights that its record holds.

Explained are the steps 1, 2, 4, 8, ... and the last; the weights and biases are all of them in a network of at most
`ALL_ENTRIES`, else those `SOME_ENTRIES` whose derivative is largest at the last of these steps, one of each tensor
among them. Up to `SMALL` multiply-adds a step, the derivative is also found in ball arithmetic and by central
differences.

Everything is computed in float64 at the weights of the record, which are the hand code's, when the page is made; but
what other implementations give there is taken from the record, if that holds it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from msgspec.structs import replace

from harness.evaluation.point import Moment, Point
from harness.explaining.batch import Batch
from harness.explaining.building import dominant_samples, route_sums
from harness.explaining.case import Case
from harness.explaining.explanation import Factor, PathRow, Rest, RouteRow, SampleRow, Way
from harness.explaining.methods import Asked, truth_at, ways_given
from harness.explaining.origins import Origins
from harness.explaining.references import Reference, reference_of
from harness.explaining.writing import Written
from harness.inputs.batches import Batches
from harness.inputs.schedule import SMALL, milestone
from harness.usage import UsageError
from impls.contract import Arrays, Pass
from impls.graph import Graph
from reports.page.notation import mathml, symbol
from reports.page.series import Weights

ALL_ENTRIES, SOME_ENTRIES = 30, 12
SAMPLE = 0
"""The sample that is shown alone, and whose outputs the drawing shows."""


@dataclass(frozen=True)
class Described:
    """What a derivative is, whatever the step.

    Attributes:
        formula: as MathML. columns: a name for each factor of a path, from the start.
        levels: for each column, the level that its step leads into.
    """

    name: str
    symbol: str
    leads: str
    formula: str
    columns: list[str]
    note: str | None


@dataclass(frozen=True)
class Alone:
    """The derivative of the loss of one sample."""

    sample: int
    paths: list[PathRow]
    others: Rest
    total: float
    count: int
    factors: list[Factor]


@dataclass(frozen=True)
class Cell:
    """One derivative at one step.

    Attributes:
        step: of the run, before whose update this is.
        total: the sum over all paths; `magnitude` is that of their absolute values.
        paths: the largest; `others` the rest.
    """

    step: int
    value: float
    total: float
    magnitude: float
    count: int
    paths: list[PathRow]
    others: Rest
    routes: list[RouteRow] | None
    other_routes: Rest | None
    dominant: list[SampleRow]
    other_samples: Rest | None
    ways: list[Way]
    alone: Alone

    @property
    def cancellation(self) -> float | None:
        """How many times the paths' magnitudes add up to their sum's; None where that is 0."""
        return max(1.0, self.magnitude / abs(self.total)) if self.total else None


@dataclass(frozen=True)
class Explorer:
    """Every explained derivative.

    Attributes:
        steps: those explained.
        weights: by name, in the order of the network.
        cells: by name, one for each step; None where it cannot be explained.
        missing: why there is nothing, or None.
        rule: what was chosen, in words.
        worth: the weight to begin with, the one whose paths cancel most at the last step.
    """

    steps: list[int] = field(default_factory=list)
    weights: dict[str, Described] = field(default_factory=dict)
    cells: dict[str, list[Cell | None]] = field(default_factory=dict)
    missing: str | None = None
    rule: str = ""

    @property
    def worth(self) -> str | None:
        """The weight to begin with: the one whose paths cancel most at the last step."""
        last = {name: cells[-1] for name, cells in self.cells.items() if cells and cells[-1]}
        return max(last, key=lambda name: last[name].cancellation or 0.0, default=None)


Doubles = Callable[[int], Mapping[str, Arrays]]
Answers = Callable[[Point], Mapping[str, Pass | str]]


def _none_kept(_step: int) -> Mapping[str, Arrays]:
    return {}


def explored(
    network: Graph, weights: Weights, batches: Batches, others: Sequence[str] = (), doubles: Doubles = _none_kept
) -> Explorer:
    """Explain what there are weights for.

    Args:
        others: implementations that are asked besides.
        doubles: from a step to what they gave there, as far as it was kept: their gradients in float64.
    """
    network, penalised = network.without_penalty(), network.loss.penalty is not None
    if network.buffers:
        return Explorer(missing=f"a forward pass reads {', '.join(network.buffers)} besides, which are not kept")
    steps = [step for step in weights.steps if milestone(step, weights.last)]
    if not steps:
        return Explorer(missing="the record holds no weights: the network has more than 10,000, or no step was run")
    try:
        chosen = _chosen(network, _point(weights, network, batches, steps[-1]))
        # Of a loss with a penalty the gradients kept are those with it.
        found = {step: {} if penalised else doubles(step) for step in steps}
        kept = bool(others) and all(set(others) <= set(each) for each in found.values())
        answers = _kept(others, found) if kept else Asked(network, others).at
        light = network.multiply_adds(batches.size) <= SMALL
        made: dict[str, list[Cell | None]] = {reference.name: [] for reference in chosen}
        described: dict[str, Described] = {}
        for step in steps:
            for reference, case, cell in _at(
                chosen, _point(weights, network, batches, step), batches, answers, light=light
            ):
                made[reference.name].append(cell)
                if reference.name not in described:
                    described[reference.name] = _described(case)
    except UsageError as error:
        return Explorer(missing=str(error))
    rule = _rule(network, chosen, len(steps), light=light)
    rule += " What other implementations give there is the run's own." if kept else ""
    rule += " L is told without its penalty, through which no path leads." if penalised else ""
    return Explorer(steps, described, made, rule=rule)


def _kept(names: Sequence[str], found: Mapping[int, Mapping[str, Arrays]]) -> Answers:
    """What was kept of implementations, as if they were asked for the gradients of the weights."""
    return lambda point: {name: Pass(np.array(np.nan), found[point.step][name]) for name in names}


def _rule(network: Graph, chosen: list[Reference], steps: int, *, light: bool) -> str:
    every = sum(int(np.prod(shape)) for shape in network.weights.values())
    which = (
        f"all {every} weights and biases"
        if len(chosen) == every
        else f"of {every:,} weights and biases the {len(chosen)} of the largest derivative at the last step, one of "
        f"each tensor among them"
    )
    at = "at steps 1, 2, 4, 8, ... and the last, " if steps > 1 else ""
    told = f"Explained are {which}, {at}computed when this page was made, in float64."
    return told if light else f"{told} Balls and central differences are left out above {SMALL:,} multiply-adds a step."


def _point(weights: Weights, network: Graph, batches: Batches, step: int) -> Point:
    return Point(network, weights.before(step), *batches.at(step), step).double


def _chosen(network: Graph, point: Point) -> list[Reference]:
    entries = [(name, index) for name, shape in network.weights.items() for index in np.ndindex(*shape)]
    if len(entries) > ALL_ENTRIES:
        forward = network.forward(point.weights, point.x)
        gradients = network.backward(point.weights, point.x, point.y, forward)
        largest = sorted(entries, key=lambda entry: -abs(gradients[network.gradient[entry[0]]][entry[1]]))
        first = list({name: (name, index) for name, index in reversed(largest)}.values())
        kept = set(list(dict.fromkeys([*sorted(first, key=entries.index), *largest]))[: max(SOME_ENTRIES, len(first))])
        entries = [entry for entry in entries if entry in kept]
    return [reference_of(network, name, index) for name, index in entries]


def _at(
    chosen: list[Reference], point: Point, batches: Batches, asked: Answers, *, light: bool
) -> Iterator[tuple[Reference, Case, Cell | None]]:
    """Every derivative at one step; implementations and balls are asked once for all of them."""
    network, rows = point.network, batches.rows(point.step).tolist()
    moment = Moment(point.step - 1, point.weights, {}, np.array(rows))
    answers = asked(point)
    centre = point.centre("float64")
    truth: Any = "it was left out, because the network is large"
    if light:
        truth = truth_at(point, {name: centre.tensors[name].bound for name in network.gradients})
    first = Point(network, point.weights, batches.x[:1], batches.y[:1], point.step).double
    batch, sample = Batch(network, moment, rows, point.x, point.y), Batch(network, moment, [SAMPLE], first.x, first.y)
    for reference in chosen:
        case, alone = Case(batch, reference), Case(sample, reference)
        try:
            ways = ways_given(case.variable, centre, case.by_paths(), batch.gradients, answers, truth)
            yield reference, case, _cell(case, alone, ways, point.step)
        except UsageError:
            yield reference, case, None


def _cell(case: Case, alone: Case, ways: list[Way], step: int) -> Cell:
    paths = case.paths
    summed = case.one_by_one
    routes, other_routes = route_sums(paths, case.names) if summed else (None, None)
    dominant, other_samples = dominant_samples(paths.sums(), case.rows)
    listed, others = _listed(case)
    return Cell(
        step, case.value, case.total, case.magnitude, paths.count, listed, others, routes, other_routes, dominant,
        other_samples, ways, _alone(alone),
    )  # fmt: skip


def _alone(case: Case) -> Alone:
    listed, others = _listed(case)
    chosen = case.listed[:1] if others.count else case.listed
    factors = Origins(case.paths, case.nodes, case.source, case.rows).of(chosen)
    return Alone(case.rows[0], listed, others, case.total, case.paths.count, factors)


def _listed(case: Case) -> tuple[list[PathRow], Rest]:
    rows = [case.row(path) for path in case.listed]
    unlisted = case.paths.count - len(rows)
    listed = float(sum(Fraction(row.product) for row in rows))
    return rows, Rest(unlisted, case.total - listed if unlisted else 0.0)


def _described(case: Case) -> Described:
    generic = case.nodes.generic(case.paths.levels)
    levels: Mapping[str, int] = {name: level for level, names in enumerate(case.names) for name in names}
    levels = {**levels, **{name: level for level, name in enumerate(generic)}}
    written = Written(case)
    shown, routes = written.formula["factored"], written.formula["paths"]
    short, summed, formula = case.meant.short, len(case.rows) > 1, ""
    if shown:
        formula = mathml(
            [f"Σ_n {shown[0]}", *shown[1:]] if summed else shown, f"∂L/∂{short}", levels, joined="·",
            label=f"the derivative of L by {short}, {case.paths.routes} paths",
        )  # fmt: skip
    if len(routes) > 1 or not shown:
        routes = [f"Σ_n {route}" for route in routes] if summed else routes
        formula += mathml(routes, f"∂L/∂{short}", levels, joined="+", label="the same, path by path")
    return Described(case.meant.name, symbol(case.meant.symbol), case.leads, formula, written.columns, case.feeds)


def best_of(ways: list[Way]) -> Way:
    """The way that the others are compared with."""
    return ways[-1] if ways[-1].value is not None else replace(ways[1])
