"""The page of a checked backward pass, with the chart of every link's share of its allowance.

Where the check stood is found again: weights from its seed and data by its name, as a run of one step. A `Check` keeps
neither. That they are the same is seen from the loss, which must be the same number.
"""

from __future__ import annotations

import altair as alt

from harness.cli.spelling import spelled
from harness.evaluation.point import Point
from harness.inputs.batches import Batches, batches_of
from harness.inputs.datasets.loading import DATA_SETS, RANDOM, load_data
from harness.inputs.seals import digest_of
from harness.results.check import Check
from harness.results.rebuilding import network_of
from harness.results.record import SCHEMA, Head, Step
from harness.results.run import Run
from harness.usage import UsageError
from impls.graph import Graph
from impls.registry import REFERENCE
from reports.page import tables, telling
from reports.page.drawing import Drawing, drawn, legend
from reports.page.explorer import Explorer, explored
from reports.page.faults import fault_of_check
from reports.page.figures import BAD, FAINT, HUES, INK, SHAPES, Figure, Sources, figure, log_axis
from reports.page.page import Page, Shown
from reports.page.slider import Slider


def page_of_check(check: Check) -> Page:
    """The page of a checked backward pass."""
    setting = check.setting
    drawing, explorer, why = _followed(check)
    figures = [Shown("Shares of the allowance", shares(check))] if any(row.used for row in check.rows) else []
    first = check.first_wrong
    explain = (
        f'harness explain "W{first.lstrip("dzabW")}[1,1]" {setting.explain}'
        if first and setting.explain
        else "harness explain"
    )
    sees = tables.sees([row for row in check.located.links if row.sees], setting.gradients)
    facts = [("function", setting.name), ("network", setting.network), ("data", setting.data), ("dtype", setting.dtype)]
    facts += [("seed", str(setting.seed))] if setting.seed is not None else []
    return Page(
        kind="check of a backward pass",
        title=setting.name,
        verdict=check.verdict,
        reason=check.reason,
        heading=[
            f"{setting.description} · {setting.loss_formula} · {setting.data} · {setting.dtype} · batch {setting.rows}"
        ],
        record=check.to_dict(),
        command=spelled() or f"harness check {setting.name}",
        facts=[*facts, *setting.environment.items()],
        conventions=telling.conventions_of_check(check),
        findings=check.findings,
        results=[tables.links(check)] if check.rows else [],
        drawing=drawing,
        no_drawing=f"There is no drawing: {why}",
        drawing_says=legend(drawing, known=bool(drawing and drawing.steps)),
        slider=Slider(drawing.steps, 1) if drawing else Slider(),
        explorer=explorer,
        figures=figures,
        chart_notes=[
            "A check compares one backward pass at one point, so there are no steps, no losses and no drift to show."
        ],
        no_paths=f"No derivative is explained here: {explorer.missing}. {explain} follows one path by path.",
        fault=fault_of_check(check),
        power=telling.power_of_check(check),
        power_tables=[sees] if sees.rows else [],
    )


def _followed(check: Check) -> tuple[Drawing | None, Explorer, str]:
    """The network drawn, and right derivatives path by path, as far as the point of the check can be had again."""
    try:
        network = network_of(check.setting.network)
    except UsageError as error:
        return None, Explorer(missing=str(error)), str(error)
    found = standing(check, network)
    if found is None:
        return drawn(network), Explorer(missing="a check keeps neither its weights nor its data"), ""
    return drawn(network, *found), explored(found[0], network, found[1]), ""


def shares(check: Check) -> Figure:
    """Every link of a backward pass by its share of the allowance, on a log axis."""
    rows = [{"link": row.gradient, "used": row.used, "verdict": row.verdict} for row in check.rows]
    names, known = [row["link"] for row in rows], [row for row in rows if row["used"]]
    sources = Sources()
    every = {"ok": HUES[0], "FAULT": BAD, "inherited": HUES[1], "convention": HUES[3], "no power": FAINT}
    met = {verdict: place for place, verdict in enumerate(every) if any(row["verdict"] == verdict for row in known)}
    verdicts = alt.Scale(domain=list(met), range=[every[verdict] for verdict in met])
    shapes = alt.Scale(domain=list(met), range=[SHAPES[place] for place in met.values()])
    base = alt.Chart(sources.data(known)).encode(
        y=alt.Y("link:N", title=None, sort=names, scale=alt.Scale(domain=names), axis=alt.Axis(grid=False)),
        x=log_axis(
            "used:Q",
            "share of allowance used, log axis; right of the line is outside",
            [1, *(row.used for row in check.rows if row.used)],
            alt.X,
        ),
    )
    points = base.mark_point(size=80, filled=True).encode(
        color=alt.Color("verdict:N", title=None, scale=verdicts, legend=alt.Legend(orient="top")),
        shape=alt.Shape("verdict:N", title=None, scale=shapes),
        tooltip=["link:N", "used:Q", "verdict:N"],
    )
    line = alt.Chart(sources.data([{"at": 1}])).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
    told = (
        "For every link, how much of its allowance its worst entry used, on a log axis; what used nothing has no mark."
    )
    return figure("shares", told, (points + line).properties(width=600, height=alt.Step(20)), sources)


def standing(check: Check, network: Graph) -> tuple[Run, Batches] | None:
    """The check's point as a run of one step, and its batch; None where either cannot be had again."""
    setting = check.setting
    name, _, rest = setting.data.partition(" N=")
    if setting.seed is None or name not in (*DATA_SETS, RANDOM):
        return None
    try:
        data = load_data(name, raw="raw values" in rest, network=network, seed=setting.seed)
        batches = batches_of(network, data, setting.dtype, setting.rows, setting.seed)
    except UsageError:
        return None
    weights = network.init(setting.seed, setting.dtype)
    point = Point(network, weights, *batches.at(1), 1)
    if float(point.double.centre("float64").tensors["loss"].value) != check.loss:
        return None
    head = Head(
        SCHEMA, "", setting.network, setting.description, setting.loss_formula, dict(network.weights),
        network.gradients, network.activations, setting.data, "", setting.dtype, setting.seed, 1, batches.size, "",
        {REFERENCE: ""}, {}, [],
    )  # fmt: skip
    kept = {name: w.ravel().tolist() for name, w in weights.items()}
    return Run(head, [Step(1, digest_of(weights), "full", {}, [], [], 0, kept)]), batches
