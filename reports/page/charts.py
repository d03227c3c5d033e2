"""Charts: of a run its losses, shares of the allowance and drift; of a check the share that every link used."""

from __future__ import annotations

from dataclasses import replace

import altair as alt

from harness.results.check import Check
from reports.page.figures import BAD, FAINT, HUES, INK, PAPER, SHAPES, WIDTH, Figure, Signs, Sources, figure, log_axis
from reports.page.series import Series

SHARES = ("#e4edf6", "#a9c9e8", "#5f9bd1", "#2b6cab", "#0c3f75")


def _step_axis(series: Series) -> alt.Axis:
    """Whole steps only, also where there are few."""
    few = {"values": list(range(1, series.last + 1))} if series.last <= 10 else {}
    return alt.Axis(tickMinStep=1, grid=False, format="d", **few)


def _steps(series: Series) -> alt.X:
    return alt.X("step:Q", title="step", scale=alt.Scale(nice=False, zero=False), axis=_step_axis(series))


def _mark(series: Series, sources: Sources) -> alt.Chart:
    """A line at the step of the slider: ink on paper, so that it stands out from whatever lies under it."""
    scale = alt.Scale(domain=[1, max(series.last, 2)], nice=False, zero=False)
    place = alt.X("at:Q", title="step", scale=scale, axis=_step_axis(series))
    base = alt.Chart(sources.data([{"zero": 0}])).transform_calculate(at="chosen").encode(x=place)
    return base.mark_rule(color=PAPER, strokeWidth=4) + base.mark_rule(color=INK, strokeWidth=1.5)


def loss(series: Series) -> Figure:
    """Loss of every implementation, over its difference from the hand code's on a log axis."""
    names = list(series.run.head.implementations)
    signs, sources = Signs(names), Sources()
    lines = (
        alt.Chart(sources.data(series.losses()))
        .mark_line(strokeWidth=2)
        .encode(x=_steps(series), y=alt.Y("loss:Q", title="loss"), color=signs.color(), strokeDash=signs.dash())
        .properties(width=WIDTH, height=190)
    )
    parts = [lines + _mark(series, sources)]
    told = f"Loss of {', '.join(names)} at every step; the lines lie on each other where they agree."
    differences, allowances = series.differences(), series.allowances()
    if differences:
        values = [r["difference"] for r in differences] + [r["allowed"] for r in allowances]
        signs = Signs(names, [name for name in names if any(r["against"] == name for r in differences)])
        points = (
            alt.Chart(sources.data(differences))
            .mark_point(size=26, filled=True, opacity=0.85)
            .encode(
                x=_steps(series),
                y=log_axis("difference:Q", "|loss − hand's|", values),
                color=signs.color(),
                shape=signs.shape(),
                tooltip=["against:N", "step:Q", alt.Tooltip("difference:Q", format=".2e")],
            )
            .properties(width=WIDTH, height=150)
        )
        dotted = alt.Chart(sources.data(allowances)).mark_line(color=INK, strokeDash=[2, 2], strokeWidth=1.2)
        allowed = dotted.encode(x=_steps(series), y=log_axis("allowed:Q", "|loss − hand's|", values))
        parts.append(points + allowed + _mark(series, sources))
        told += (
            " Below, on a log axis, how far each loss is from the hand code's where it is not the same; dotted, what "
            "rounding allows."
        )
    chart = alt.vconcat(*parts, spacing=12).add_params(alt.param(name="chosen", value=series.last))
    return figure(
        "loss", told, chart.resolve_scale(color="independent", shape="independent", strokeDash="independent"), sources
    )


STATIC_COLUMNS = 80
"""Of the picture of the heat map that is shown without JavaScript; several steps share one, which keeps the worst."""


def heat(series: Series) -> Figure:
    """Gradients x steps by the share of the allowance used."""
    return replace(_heat(series), svg=_heat(replace(series, most=STATIC_COLUMNS)).svg)


HEAT = (
    "For each weight gradient (rows) and step (columns) the largest share of its allowance that any implementation "
    "used, in the formula or the rounding check: pale is little, dark is all of it, a crossed red cell is outside."
)


def _heat(series: Series) -> Figure:
    worst, sources = series.worst, Sources()
    records = [
        {
            "gradient": w.gradient,
            "from": w.first - 0.5,
            "to": w.last + 0.5,
            "step": w.step,
            "by": w.against,
            "check": w.check,
            "used": None if w.used is None else float(f"{w.used:.3g}"),
            "verdict": w.verdict,
        }
        for w in worst
    ]
    names = list(series.run.head.gradients)
    bad = "datum.verdict == 'FAULT' || datum.verdict == 'inherited'"
    rows = alt.Y("gradient:N", title=None, sort=names, axis=alt.Axis(grid=False, ticks=False, domain=False))
    base = alt.Chart(sources.data(records)).encode(
        x=alt.X(
            "from:Q",
            title="step",
            scale=alt.Scale(nice=False, zero=False, domain=[0.5, max(series.last, 1) + 0.5]),
            axis=_step_axis(series),
        ),
        x2="to:Q",
        y=rows,
        tooltip=["gradient:N", "step:Q", "by:N", "check:N", alt.Tooltip("used:Q", format=".1%"), "verdict:N"],
    )
    cells = (
        base.transform_filter(f"!({bad})")
        .mark_rect()
        .encode(
            color=alt.Color(
                "used:Q",
                title="share of allowance used",
                scale=alt.Scale(type="sqrt", domain=[0, 1], range=list(SHARES), clamp=True, interpolate="rgb"),
                legend=alt.Legend(
                    orient="top",
                    format=".0%",
                    gradientLength=300,
                    direction="horizontal",
                    values=[0, 0.05, 0.25, 0.5, 1],
                ),
            )
        )
    )
    outside = base.transform_filter(bad).mark_rect(color=BAD)
    crosses = (
        alt.Chart(sources.data(records))
        .transform_filter(bad)
        .mark_text(text="✕", color=PAPER, fontSize=10, clip=True)
        .encode(x=alt.X("step:Q"), y=rows)
    )
    height = max(26 * len(names) if len(names) <= 12 else 14 * len(names), 40)
    chart = (cells + outside + crosses + _mark(series, sources)).properties(width=WIDTH, height=height)
    return figure("heat", HEAT, chart.add_params(alt.param(name="chosen", value=series.last)), sources)


def histogram(series: Series) -> Figure:
    """How many rows used which share."""
    records, sources = [r for r in series.histogram() if r["rows"]], Sources()
    chart = (
        alt.Chart(sources.data(records))
        .mark_bar(binSpacing=1)
        .encode(
            x=alt.X(
                "from:Q",
                title="share of allowance used",
                scale=alt.Scale(domain=[0, 1.05]),
                axis=alt.Axis(format=".0%", grid=False, values=[i / 5 for i in range(6)]),
            ),
            x2="to:Q",
            y2=alt.datum(0),
            y=alt.Y(
                "rows:Q",
                title="rows",
                scale=alt.Scale(type="symlog", constant=10),
                axis=alt.Axis(tickCount=4, format="~s"),
            ),
            color=alt.Color(
                "where:N", legend=None, scale=alt.Scale(domain=["inside", "outside"], range=[HUES[0], BAD])
            ),
            tooltip=["check:N", alt.Tooltip("from:Q", format=".0%"), "rows:Q"],
            column=alt.Column("check:N", title=None, sort=["formula", "rounding", "end-to-end"], spacing=24),
        )
        .properties(width=205, height=120)
    )
    told = (
        "How many rows of all steps used which share of their allowance, for each check, rows on a log-like axis; a "
        "bar right of 100 % is outside."
    )
    return figure("histogram", told, chart, sources)


def drift(series: Series) -> Figure:
    """In a free run, how far the weights have come from the hand code's, beside the twin's."""
    records, sources = series.drift(), Sources()
    signs = Signs(list(series.run.head.implementations), list(dict.fromkeys(r["against"] for r in records)))
    lines = (
        alt.Chart(sources.data(records))
        .mark_line(strokeWidth=2)
        .encode(
            x=_steps(series),
            y=log_axis("drift:Q", "largest |w − hand's|", [r["drift"] for r in records]),
            color=signs.color(),
            strokeDash=signs.dash(),
        )
        .properties(width=WIDTH, height=170)
    )
    told = "How far the weights of each have come from the hand code's, on a log axis; twin started one ulp away."
    chart = (lines + _mark(series, sources)).add_params(alt.param(name="chosen", value=series.last))
    return figure("drift", told, chart, sources)


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
