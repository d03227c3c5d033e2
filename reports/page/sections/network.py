"""The network: drawn neuron by neuron, or node by node where it is a graph; and what its steps say beside it."""

from __future__ import annotations

from typing import Any

from harness.comparison.judge import Row
from impls.graph import Graph
from reports.page.boxes import boxes, nodes_of
from reports.page.drawing import Drawing, legend
from reports.page.explorer import Explorer
from reports.page.numbers import packed
from reports.page.sections.section import Content, Section
from reports.page.slider import Slider, slider
from reports.page.subjects import CheckSubject, RunSubject

BOXES = (
    "Each box is a node, with its layer and the shapes of its weights, each arrow a tensor that it reads. A dashed "
    "frame has a weight of another node, whose name stands in it. A box leads to its row below."
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
        "nodes": nodes_of(graph) if graph else None, "missing": f"There is no drawing: {why}",
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
