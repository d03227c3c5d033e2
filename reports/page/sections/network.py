"""The network: drawn neuron by neuron, or node by node where it is a graph; and what its steps say beside it.

The step slider shows at each step the worst row of every gradient, and the losses.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.comparison.judge import SEVERITY, Row
from harness.results.run import Run
from impls.graph import Graph
from reports.page.boxes import boxes
from reports.page.drawing import Drawing, legend
from reports.page.explorer import Explorer
from reports.page.node_tables import links_of, nodes_of
from reports.page.numbers import packed
from reports.page.sections.section import Content, Section
from reports.page.series import CHECKS, Series, Worst
from reports.page.subjects import CheckSubject, RunSubject

BOXES = (
    "Each box is a node, with its layer and the shapes of its weights, each arrow a tensor that it reads. A dashed "
    "frame has a weight of another node, whose name stands in it. A box leads to the links of its node, below. A box "
    "with a double frame is a block of nodes, with the gravest row about any of them; it leads to what is in it."
)


def of_run(subject: RunSubject) -> Content:
    """With what the slider reaches."""
    shown = slider(subject.run, subject.steps)
    drawing = subject.drawing
    legend_ = legend(drawing, known=subject.batches is not None)
    return _content(subject.network, subject.run.rows, drawing, legend_, shown, subject.explorer, subject.why)


def of_check(subject: CheckSubject) -> Content:
    """At the one point of the check."""
    drawing = subject.drawing
    shown = Slider(drawing.steps if drawing else [], 1)
    rows = subject.check.rows
    return _content(subject.network, rows, drawing, legend(drawing, known=True), shown, subject.explorer, subject.why)


def _content(
    network: Graph | None,
    rows: list[Row],
    drawing: Drawing | None,
    says: str,
    shown: Slider,
    explorer: Explorer,
    why: str,
) -> Content:
    graph = boxes(network, rows) if network is not None and drawing is None else None
    says = BOXES if graph else says
    shows = {
        "drawing": drawing, "says": says, "slider": shown, "explained": explorer.weights, "boxes": graph,
        "nodes": nodes_of(network, rows) if network and graph else None,
        "links": links_of(network, rows) if network and graph else None, "missing": f"There is no drawing: {why}",
    }  # fmt: skip
    data = {"steps": shown.steps, "drawing": _data(drawing), "now": shown.arrays}
    return Content(shows, data=data)


def _data(drawing: Drawing | None) -> dict[str, Any] | None:
    """The weights of all lines and the outputs of all neurons, at every step of the slider."""
    if drawing is None or not drawing.steps:
        return None
    return {
        "weights": {"dtype": str(drawing.weights.dtype), "bytes": packed(drawing.weights)},
        "values": {"dtype": "float32", "bytes": packed(drawing.values.astype("float32"))},
        "leads": [line.leads for line in drawing.lines], "largest": drawing.largest, "widest": drawing.widest,
    }  # fmt: skip


SECTION = Section("drawing", "Network", of_run, of_check, "network.html.j2")


VERDICTS: list[str] = list(SEVERITY)
NONE = 255
"""Stands for no implementation, no check, no verdict."""


@dataclass(frozen=True)
class Slider:
    """The steps that the slider reaches, and what stands beside the drawing.

    Attributes:
        planned: number of steps of the run.
        worst, losses: at the last of the steps, as text shows them.
        arrays: the same at all of them, packed for the script; None without steps.
    """

    steps: list[int] = field(default_factory=list)
    planned: int = 0
    worst: list[Worst] = field(default_factory=list)
    losses: list[tuple[str, str]] = field(default_factory=list)
    arrays: dict[str, Any] | None = None


def slider(run: Run, steps: list[int]) -> Slider:
    """Everything that the slider shows at these steps of a run."""
    if not steps:
        return Slider()
    return Slider(steps, len(run.steps), _worst(run, steps[-1]), _losses(run, steps[-1]), _arrays(run, steps))


def _at(run: Run, step: int) -> list[Worst]:
    return Series(Run(run.head, [run.steps[step - 1]])).worst


def _worst(run: Run, step: int) -> list[Worst]:
    found = {worst.gradient: worst for worst in _at(run, step)}
    none = ("", "", None, "not compared at this step")
    return [found.get(name) or Worst(name, 1, 1, 1, *none) for name in run.head.gradients]


def _losses(run: Run, step: int) -> list[tuple[str, str]]:
    losses = run.steps[step - 1].losses
    return [(n, "not finite" if losses.get(n) is None else repr(losses[n])) for n in run.head.implementations]


def _arrays(run: Run, steps: list[int]) -> dict[str, Any]:
    """For every step and every gradient the worst share, by whom, in which check; losses."""
    names, gradients = list(run.head.implementations), run.head.gradients
    used = np.full((len(steps), len(gradients)), np.nan, np.float32)
    by, check, verdict = (np.full(used.shape, NONE, np.uint8) for _ in range(3))
    losses = np.full((len(steps), len(names)), np.nan)
    for place, step in enumerate(steps):
        losses[place] = [np.nan if v is None else v for v in map(run.steps[step - 1].losses.get, names)]
        for worst in _at(run, step):
            at = place, gradients.index(worst.gradient)
            used[at] = np.nan if worst.used is None else min(worst.used, float(np.finfo(np.float32).max))
            by[at] = min(names.index(worst.against), NONE) if worst.against in names else NONE
            check[at], verdict[at] = CHECKS.index(worst.check), VERDICTS.index(worst.verdict)
    arrays: dict[str, NDArray[Any]] = {"used": used, "by": by, "check": check, "verdict": verdict, "losses": losses}
    packs = {name: {"dtype": str(array.dtype), "bytes": packed(array)} for name, array in arrays.items()}
    return packs | {"names": names, "checks": list(CHECKS), "verdicts": VERDICTS}
