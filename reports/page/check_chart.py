"""The chart of a check: the share of its allowance that every link used."""

from __future__ import annotations

import altair as alt

from harness.results.check import Check
from reports.page.figures import BAD, FAINT, HUES, INK, SHAPES, Figure, Sources, figure, log_axis


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
