"""The waterfall: how the products of the paths add up to a derivative."""

from __future__ import annotations

from typing import Any

import altair as alt
from numpy import array, cumsum

from reports.page.explorer import Cell
from reports.page.figures import HUES, INK, Figure, Sources, figure


def waterfall_rows(cell: Cell) -> list[dict[str, Any]]:
    """One bar for each listed path, one for the others, one for the sum; each begins where the one before ends."""
    parts = [(f"sample {p.sample}, {'▸'.join(p.route)}", p.product) for p in cell.paths]
    if cell.others.count:
        parts.append((f"{cell.others.count:,} others", cell.others.sum))
    ends = cumsum(array([0.0, *(value for _, value in parts)]))
    rows = [
        {"place": place, "bar": label, "from": float(a), "to": float(b), "kind": "adds" if value >= 0 else "takes"}
        for place, ((label, value), a, b) in enumerate(zip(parts, ends[:-1], ends[1:], strict=True))
    ]
    return [
        *rows,
        {"place": len(rows), "bar": f"sum of {cell.count:,} paths", "from": 0.0, "to": cell.total, "kind": "sum"},
    ]


def waterfall(cell: Cell) -> Figure:
    """How the products of the paths add up to the derivative."""
    sources = Sources()
    kinds = alt.Scale(domain=["adds", "takes", "sum"], range=[HUES[0], HUES[1], INK])
    bars = alt.Chart(sources.data(waterfall_rows(cell), "bars")).encode(
        y=alt.Y(
            "bar:N",
            title=None,
            sort=alt.EncodingSortField("place", op="min"),
            axis=alt.Axis(labelLimit=300, grid=False, ticks=False, domain=False),
        ),
        x=alt.X("from:Q", title="running sum of the products", axis=alt.Axis(format="~g", tickCount=5)),
        x2="to:Q",
        color=alt.Color("kind:N", title=None, scale=kinds, legend=alt.Legend(orient="top")),
        tooltip=["bar:N", "from:Q", "to:Q"],
    )
    zero = alt.Chart(sources.data([{"at": 0}])).mark_rule(color=INK, strokeWidth=1).encode(x="at:Q")
    signs = (
        bars.mark_text(align="left", dx=6, color=INK, fontSize=12)
        .transform_calculate(sign="{'adds':'+','takes':'−','sum':'='}[datum.kind]", end="max(datum.from, datum.to)")
        .encode(text="sign:N", x="end:Q", color=alt.value(INK))
    )
    chart = alt.layer(bars.mark_bar(size=14), zero, signs).properties(width=430, height=alt.Step(24))
    told = "The products of the largest paths, one after the other, and the sum that they reach; + adds, − takes away."
    return figure("waterfall", told, chart, sources)
