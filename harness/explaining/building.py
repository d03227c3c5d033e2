"""`explain`: from what a caller names to an explanation, with the tallies of a whole batch.

No path leads through a penalty: it reads a weight itself, not what the weight feeds. So the paths explain the
derivative of the loss without it, and what it adds is one term, which is told beside them and is part of the update.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from harness.evaluation.given import with_buffers
from harness.evaluation.point import moment_after
from harness.explaining.batch import Batch
from harness.explaining.case import MOST_BRANCHES, Case
from harness.explaining.explanation import (
    LAYOUT,
    PathExplanation,
    Rest,
    RouteRow,
    SampleRow,
)
from harness.explaining.layout import operand
from harness.explaining.moves import nudged, update_of
from harness.explaining.origins import Origins
from harness.explaining.references import Reference, parse
from harness.explaining.writing import Written
from harness.inputs.arguments import as_data, as_names, as_network, as_optimizer, check_parameters
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.plain import as_count, shown
from harness.usage import UsageError
from impls.contract import Array
from impls.graph import Graph
from impls.hand import Network
from impls.hand.notation import describe, name_of
from impls.hand.paths import Paths


def explain(
    reference: str,
    network: Graph | str | os.PathLike[str] = "4-3-2-1",
    data: Data | str | os.PathLike[str] | tuple[Any, Any] = "iris",
    *,
    sample: int | None = None,
    step: int = 0,
    nudge: float | None = None,
    against: Sequence[str] | None = None,
    raw: bool = False,
    target: str | None = None,
    optimizer: Any = "gradient-descent",
    batch: int | None = None,
    seed: int = 0,
) -> PathExplanation:
    """One derivative of the loss, path by path, in float64.

    Args:
        reference: ``w_21^(1)`` or ``W1[2,1]``, ``b2[1]``, an input ``x3`` or a neuron's output ``O21``, counted from 1;
            in a graph ``fc1.W[2,1]``, ``x[3]``, ``act1.a[2]``.
        network, data, raw, target, optimizer, batch, seed: as `harness.run` takes them.
        sample: explain the loss of this sample alone, a row of the data counted from 0. None: the whole batch; an
            input or an output, which has a value in every sample, is then explained in the batch's first one.
        step: explain the network after so many training steps.
        nudge: also move the weight, the input or the output by this amount, and watch.
        against: implementations to differentiate with besides; all that are installed if None.

    Raises:
        UsageError: there is no such thing, or something impossible was asked for.
    """
    network, optimizer = as_network(network, data), as_optimizer(optimizer)
    meant, amount = parse(reference, network), _as_amount(nudge)
    against = None if against is None else as_names(against)
    check_parameters(network, optimizer, "float64")
    sample, step, seed = as_count("sample", sample, 0), as_count("step", step, 0) or 0, as_count("seed", seed, 0) or 0
    loaded = as_data(data, network, seed, raw=raw, target=target)
    batches = batches_of(network, loaded, "float64", as_count("batch", batch, 1), seed)
    samples = len(batches.y)
    if sample is not None and sample >= samples:
        raise UsageError(
            f"Cannot explain sample {sample}, because {loaded.name} has {samples} of them, counted from 0; "
            f"choose one from 0 to {samples - 1}."
        )
    moment = moment_after(network, batches, optimizer, seed, step)
    chosen = sample is None and meant.kind in ("input", "output")
    if chosen:
        sample = int(moment.rows[0])
    rows = moment.rows.tolist() if sample is None else [sample]
    x = with_buffers(network, batches.x[rows], moment.buffers)
    case = Case(Batch(network.without_penalty(), moment, rows, x, batches.y[rows]), meant)
    added = penalty_of(network, meant, case.value, case.batch.y) if meant.learned else 0.0
    told = ", ".join(filter(None, [loaded.describe(), loaded.meaning(network)]))
    asked = _Asked(sample, samples, told, optimizer, seed, amount, against, added)
    notes = _notes(case, sample if chosen else None) + note_of(network, meant, added, case.total)
    return _explanation(case, asked, notes)


@dataclass(frozen=True)
class _Asked:
    """What was asked, besides the derivative itself, and what a penalty adds to that."""

    sample: int | None
    samples: int
    data: str
    optimizer: Any
    seed: int
    amount: float | None
    against: Sequence[str] | None
    added: float


def _notes(case: Case, chosen: int | None) -> list[str]:
    """What is easily misunderstood; `chosen` is a sample that nobody asked for."""
    notes = [case.feeds] if case.feeds else []
    loss, rows, branches = case.network.loss, len(case.rows), len(case.branches)
    if branches > 1:
        counted = f"over {MOST_BRANCHES:,}" if branches > MOST_BRANCHES else f"{branches:,}"
        notes.append(f"The paths take {counted} branches, one after the other through the tensors on the way.")
    if chosen is not None:
        notes.append(
            f"{case.meant.symbol} has a value in every sample: this is sample {chosen}, --sample K shows another."
        )
    if rows > 1 and loss.formula("", case.network.outputs).startswith("L = mean"):
        notes.append(f"L is a mean: a sample alone (--sample K) has {rows} times the derivative of its share here.")
    if loss.labels:
        notes.append("Labels count from 0: output neuron k stands for label k - 1.")
    return notes


def _as_amount(nudge: float | None) -> float | None:
    if nudge is None:
        return None
    real = isinstance(nudge, int | float | np.number) and not isinstance(nudge, bool)
    if not real or not math.isfinite(nudge) or nudge == 0:
        raise UsageError(
            f"Cannot nudge by {shown(nudge)}, because it is no distance to move; give a number, such as 0.01."
        )
    return float(nudge)


def _first(case: Case) -> list[Any] | dict[str, Any]:
    """What the first sample holds: of a chain its numbers, of a graph those of every input by name."""
    fed = {source.name: case.batch.given[source.name][0].tolist() for source in case.network.sources}
    return next(iter(fed.values())) if isinstance(case.network, Network) else fed


def _explanation(case: Case, asked: _Asked, notes: list[str]) -> PathExplanation:
    paths, meant, network, moment = case.paths, case.meant, case.network, case.batch.moment
    sample, written = asked.sample, Written(case)
    unlisted = paths.count - len(case.listed)
    others = Rest(unlisted, case.total - math.fsum(path.product for path in case.listed) if unlisted else 0.0)
    dominant, other_samples = dominant_samples(paths.sums(), case.rows) if sample is None else ([], None)
    summed = sample is None and case.one_by_one
    routes, other_routes = route_sums(paths, case.names) if summed else (None, None)
    in_sample = dominant[0].sample if dominant else case.rows[0]
    nudge = None if asked.amount is None else nudged(case, asked.amount, others.sum, in_sample)
    return PathExplanation(
        weight=meant.symbol, name=meant.name, kind=meant.kind, short=meant.short, value=case.value, leads=case.leads,
        network=describe(network), loss=network.loss_formula,
        data=asked.data, optimizer=name_of(asked.optimizer), seed=asked.seed, step=moment.step,
        sample=sample, samples=asked.samples, batch=len(case.rows),
        inputs=None if sample is None else _first(case),
        target=None if sample is None else case.batch.y[0].tolist(),
        loss_value=case.batch.loss,
        drawing=written.drawing, formula=written.formula, columns=written.columns,
        routes_count=paths.routes, count=paths.count, paths=[case.row(path) for path in case.listed], others=others,
        routes=routes, other_routes=other_routes, dominant=dominant, other_samples=other_samples,
        factors=Origins(paths, case.nodes, case.source, case.rows).of(case.listed[:1] if unlisted else case.listed),
        total=case.total, magnitude=case.magnitude,
        cancellation=max(1.0, case.magnitude / abs(case.total)) if case.total else None,
        update=update_of(meant, asked.optimizer, case.value, case.total + asked.added, moment.state, moment.step + 1),
        nudge=nudge, notes=notes,
        conventions=(case.nodes.conventions, LAYOUT),
        _ways=partial(case.ways, asked.against),
    )  # fmt: skip


ROUTES_LISTED, SAMPLES_LISTED = 6, 5


def route_sums(paths: Paths, names: Sequence[Sequence[str]]) -> tuple[list[RouteRow], Rest]:
    """The routes of largest |sum over samples|, largest first, and the rest; for paths that can be multiplied."""
    products = np.ascontiguousarray(paths.products)
    sums = products.sum(axis=0) if products.shape[1] > 1 else products.sum(keepdims=True)[0]
    rows = []
    for place in np.argsort(-np.abs(sums), kind="stable")[:ROUTES_LISTED].tolist():
        route = [names[level][node] for level, node in zip(*paths.at_route(place), strict=True)]
        rows.append(RouteRow(route, float(sums[place])))
    return rows, _rest(sums, [row.sum for row in rows])


def dominant_samples(sums: Array, samples: Sequence[int]) -> tuple[list[SampleRow], Rest]:
    """The samples whose paths have the largest |sum|, largest first, and the rest."""
    size = float(np.abs(sums).sum())
    order = np.argsort(-np.abs(sums), kind="stable")[:SAMPLES_LISTED]
    rows = [SampleRow(samples[int(n)], float(sums[n]), abs(float(sums[n])) / size if size else None) for n in order]
    return rows, _rest(sums, [row.sum for row in rows])


def _rest(sums: Array, listed: Sequence[float]) -> Rest:
    """What is not listed."""
    count = sums.size - len(listed)
    return Rest(count, float(sums.sum()) - math.fsum(listed) if count else 0.0)


def penalty_of(network: Graph, meant: Reference, value: float, y: Array) -> float:
    """What the penalty of a network's loss adds to a derivative, on targets y; 0 where there is none."""
    if meant.tensor not in network.loss.penalised(network.weights):
        return 0.0
    return float(network.loss.penalty.dw(np.float64(value), y))


def note_of(network: Graph, meant: Reference, added: float, paths: float) -> list[str]:
    """What is said about it."""
    if network.loss.penalty is None:
        return []
    if meant.tensor not in network.loss.penalised(network.weights):
        return ["L is told without its penalty, which does not read this."]
    text = network.loss.penalty.text(meant.short)
    amount, whole = (operand(number, bare=True) for number in (added, paths + added))
    return [
        f"L is told without its penalty, through which no path leads: it adds {text} = {amount} to ∂L/∂{meant.short}, "
        f"{whole} in all, which the update takes."
    ]
