"""Charts of a page: made by altair, kept twice, as SVG for who reads without JavaScript and as a Vega specification.

Colours are names for roles: the style sheet gives each its colour in light and in dark, in both forms alike. What a
colour says, a dash, a shape, a position or a word says too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from math import ceil, floor, log10
from typing import Any

import altair as alt
import vl_convert
from numpy import array, cumsum

from harness.usage import visible
from reports.page.explorer import Cell
from reports.page.series import Series

INK, FAINT, PAPER, BAD = "#1c1e21", "#8a8f98", "#fdfdfc", "#b3261e"
HUES = ("#0b5cad", "#b3500a", "#1d7a4c", "#7a3e9d", "#7d6608", "#a8326e")
DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 4])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
SHARES = ("#e4edf6", "#a9c9e8", "#5f9bd1", "#2b6cab", "#0c3f75")
WIDTH = 720
FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, sans-serif"


@dataclass(frozen=True)
class Figure:
    """One chart: its name, what it shows in words, the static picture, and the specification for the runtime."""

    name: str
    says: str
    svg: str
    spec: dict[str, Any]


class Sources(dict[str, list[dict[str, Any]]]):
    """The data of a chart, by name: altair checks the chart, not each of thousands of records."""

    def data(self, records: list[dict[str, Any]], name: str | None = None) -> alt.NamedData:
        """Keep records, and what a chart calls them."""
        name = name or f"data{len(self)}"
        self[name] = records
        return alt.NamedData(name=name)


def figure(name: str, says: str, chart: Any, sources: Sources) -> Figure:
    """Both forms of a chart."""
    lite = chart.configure(
        background="transparent", font=FONT, padding=4,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=INK, titleColor=INK, gridColor=FAINT, gridOpacity=0.25, domainColor=FAINT, tickColor=FAINT,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal",
        ),
        legend=alt.LegendConfig(labelColor=INK, titleColor=INK, labelFontSize=12, titleFontSize=12, titleFontWeight="normal"),
        header=alt.HeaderConfig(labelColor=INK, titleColor=INK, labelFontSize=12),
        # What a chart says to who cannot see it stands in its caption and in the tables, not in thousands of marks.
        aria=False,
    ).to_dict()  # fmt: skip
    lite["datasets"] = dict(sources)
    # What is not printable would end the process that converts.
    lite, says = _printable(lite), visible(says)
    svg = vl_convert.vegalite_to_svg(lite)
    spec = vl_convert.vegalite_to_vega(lite)
    spec["description"] = says
    return Figure(name, says, svg[svg.index("<svg") :], spec)


def _printable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _printable(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return visible(value) if isinstance(value, str) else value


@cache
def runtime() -> str:
    """The Vega runtime as a script that sets ``window.vega``, without what compiles specifications: these are compiled.

    The package bundles a module that it holds under this name, nothing is fetched. Where a version calls it otherwise,
    the whole of vega-embed is taken, which is half as large again.
    """
    module = f"https://cdn.jsdelivr.net/npm/vega@{vl_convert.get_vega_version()}/+esm.js"
    try:
        return vl_convert.javascript_bundle(f'import * as everything from "{module}";\nwindow.vega = everything;')
    except RuntimeError:
        return vl_convert.javascript_bundle("window.vega = vegaEmbed.vega;")


def _steps(field: str = "step") -> alt.X:
    return alt.X(f"{field}:Q", title="step", scale=alt.Scale(nice=False, zero=False), axis=alt.Axis(tickMinStep=1, grid=False))


class _Signs:
    """Colour, dash and shape of each name, the same in every chart."""

    def __init__(self, names: list[str], shown: list[str] | None = None) -> None:
        self.shown = names if shown is None else shown
        self.places = [names.index(name) if name in names else len(names) for name in self.shown]

    def color(self) -> alt.Color:
        legend = alt.Legend(orient="top", symbolStrokeWidth=2, symbolSize=120)
        return alt.Color("against:N", title=None, scale=self._scale(HUES), legend=legend)

    def dash(self) -> alt.StrokeDash:
        return alt.StrokeDash("against:N", title=None, scale=self._scale(DASHES))

    def shape(self) -> alt.Shape:
        return alt.Shape("against:N", title=None, scale=self._scale(SHAPES))

    def _scale(self, signs: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=self.shown, range=[signs[place % len(signs)] for place in self.places])


def _log(field: str, title: str, values: list[float], kind: Any = alt.Y) -> Any:
    """A log axis with a line at each power of ten, or at every so many where there are many."""
    low, high = floor(log10(min(values))), ceil(log10(max(values)))
    ticks = [float(f"1e{power}") for power in range(low, high + 1, max(1, (high - low) // 5))]
    scale = alt.Scale(type="log", domain=[float(f"1e{low}"), float(f"1e{max(high, low + 1)}")])
    return kind(field, title=title, scale=scale, axis=alt.Axis(format=".0e", values=ticks))


def _mark(series: Series, sources: Sources) -> alt.Chart:
    """A line at the step of the slider."""
    return (
        alt.Chart(sources.data([{"zero": 0}]))
        .mark_rule(color=INK, strokeWidth=1, opacity=0.7)
        .transform_calculate(at="chosen")
        .encode(x=alt.X("at:Q", title="step", scale=alt.Scale(domain=[1, max(series.last, 2)], nice=False, zero=False)))
    )


def loss(series: Series) -> Figure:
    """Loss of every implementation, over its difference from the hand code's on a log axis."""
    names = list(series.run.head.implementations)
    signs, sources = _Signs(names), Sources()
    lines = (
        alt.Chart(sources.data(series.losses()))
        .mark_line(strokeWidth=2)
        .encode(x=_steps(), y=alt.Y("loss:Q", title="loss"), color=signs.color(), strokeDash=signs.dash())
        .properties(width=WIDTH, height=190)
    )
    parts = [lines + _mark(series, sources)]
    told = f"Loss of {', '.join(names)} at every step; the lines lie on each other where they agree."
    differences, allowances = series.differences(), series.allowances()
    if differences:
        values = [r["difference"] for r in differences] + [r["allowed"] for r in allowances]
        signs = _Signs(names, [name for name in names if any(r["against"] == name for r in differences)])
        points = (
            alt.Chart(sources.data(differences))
            .mark_point(size=26, filled=True, opacity=0.85)
            .encode(
                x=_steps(), y=_log("difference:Q", "|loss − hand's|", values), color=signs.color(), shape=signs.shape(),
                tooltip=["against:N", "step:Q", alt.Tooltip("difference:Q", format=".2e")],
            )
            .properties(width=WIDTH, height=150)
        )  # fmt: skip
        dotted = alt.Chart(sources.data(allowances)).mark_line(color=INK, strokeDash=[2, 2], strokeWidth=1.2)
        allowed = dotted.encode(x=_steps(), y=_log("allowed:Q", "|loss − hand's|", values))
        parts.append(points + allowed + _mark(series, sources))
        told += (
            " Below, on a log axis, how far each loss is from the hand code's where it is not the same; dotted, what "
            "rounding allows."
        )
    chart = alt.vconcat(*parts, spacing=12).add_params(alt.param(name="chosen", value=series.last))
    return figure("loss", told, chart.resolve_scale(color="independent", shape="independent", strokeDash="independent"), sources)


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
            "gradient": w.gradient, "from": w.first - 0.5, "to": w.last + 0.5, "step": w.step, "by": w.against,
            "check": w.check, "used": None if w.used is None else float(f"{w.used:.3g}"), "verdict": w.verdict,
        }
        for w in worst
    ]  # fmt: skip
    names = list(series.run.head.gradients)
    bad = "datum.verdict == 'FAULT' || datum.verdict == 'inherited'"
    rows = alt.Y("gradient:N", title=None, sort=names, axis=alt.Axis(grid=False, ticks=False, domain=False))
    base = alt.Chart(sources.data(records)).encode(
        x=alt.X("from:Q", title="step", scale=alt.Scale(nice=False, zero=False, domain=[0.5, max(series.last, 1) + 0.5]), axis=alt.Axis(grid=False, tickMinStep=1)),
        x2="to:Q", y=rows,
        tooltip=["gradient:N", "step:Q", "by:N", "check:N", alt.Tooltip("used:Q", format=".1%"), "verdict:N"],
    )  # fmt: skip
    cells = base.transform_filter(f"!({bad})").mark_rect().encode(
        color=alt.Color(
            "used:Q", title="share of allowance used", scale=alt.Scale(type="sqrt", domain=[0, 1], range=list(SHARES), clamp=True, interpolate="rgb"),
            legend=alt.Legend(orient="top", format=".0%", gradientLength=300, direction="horizontal", values=[0, 0.05, 0.25, 0.5, 1]),
        )
    )  # fmt: skip
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
            x=alt.X("from:Q", title="share of allowance used", scale=alt.Scale(domain=[0, 1.05]), axis=alt.Axis(format=".0%", grid=False, values=[i / 5 for i in range(6)])),
            x2="to:Q", y2=alt.datum(0),
            y=alt.Y("rows:Q", title="rows", scale=alt.Scale(type="symlog", constant=10), axis=alt.Axis(tickCount=4, format="~s")),
            color=alt.Color("where:N", legend=None, scale=alt.Scale(domain=["inside", "outside"], range=[HUES[0], BAD])),
            tooltip=["check:N", alt.Tooltip("from:Q", format=".0%"), "rows:Q"],
            column=alt.Column("check:N", title=None, sort=["formula", "rounding", "end-to-end"], spacing=24),
        )
        .properties(width=205, height=120)
    )  # fmt: skip
    told = (
        "How many rows of all steps used which share of their allowance, for each check, rows on a log-like axis; a bar "
        "right of 100 % is outside."
    )
    return figure("histogram", told, chart, sources)


def drift(series: Series) -> Figure:
    """In a free run, how far the weights have come from the hand code's, beside the twin's."""
    records, sources = series.drift(), Sources()
    signs = _Signs(list(series.run.head.implementations), list(dict.fromkeys(r["against"] for r in records)))
    lines = (
        alt.Chart(sources.data(records))
        .mark_line(strokeWidth=2)
        .encode(
            x=_steps(), y=_log("drift:Q", "largest |w − hand's|", [r["drift"] for r in records]), color=signs.color(),
            strokeDash=signs.dash(),
        )
        .properties(width=WIDTH, height=170)
    )  # fmt: skip
    told = "How far the weights of each have come from the hand code's, on a log axis; twin started one ulp away."
    chart = (lines + _mark(series, sources)).add_params(alt.param(name="chosen", value=series.last))
    return figure("drift", told, chart, sources)


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
    return [*rows, {"place": len(rows), "bar": f"sum of {cell.count:,} paths", "from": 0.0, "to": cell.total, "kind": "sum"}]


def waterfall(cell: Cell) -> Figure:
    """How the products of the paths add up to the derivative."""
    sources = Sources()
    kinds = alt.Scale(domain=["adds", "takes", "sum"], range=[HUES[0], HUES[1], INK])
    bars = alt.Chart(sources.data(waterfall_rows(cell), "bars")).encode(
        y=alt.Y("bar:N", title=None, sort=alt.EncodingSortField("place", op="min"), axis=alt.Axis(labelLimit=300, grid=False, ticks=False, domain=False)),
        x=alt.X("from:Q", title="running sum of the products", axis=alt.Axis(format="~g", tickCount=5)), x2="to:Q",
        color=alt.Color("kind:N", title=None, scale=kinds, legend=alt.Legend(orient="top")),
        tooltip=["bar:N", "from:Q", "to:Q"],
    )  # fmt: skip
    zero = alt.Chart(sources.data([{"at": 0}])).mark_rule(color=INK, strokeWidth=1).encode(x="at:Q")
    signs = bars.mark_text(align="left", dx=6, color=INK, fontSize=12).transform_calculate(
        sign="{'adds':'+','takes':'−','sum':'='}[datum.kind]", end="max(datum.from, datum.to)"
    ).encode(text="sign:N", x="end:Q", color=alt.value(INK))  # fmt: skip
    chart = alt.layer(bars.mark_bar(size=14), zero, signs).properties(width=430, height=alt.Step(24))
    told = "The products of the largest paths, one after the other, and the sum that they reach; + adds, − takes away."
    return figure("waterfall", told, chart, sources)


def shares(rows: list[dict[str, Any]]) -> Figure:
    """Of one backward pass, every link's share of its allowance on a log axis; `rows` hold link, used, verdict."""
    names, known = [row["link"] for row in rows], [row for row in rows if row["used"]]
    sources = Sources()
    every = {"ok": HUES[0], "FAULT": BAD, "inherited": HUES[1], "convention": HUES[3], "no power": FAINT}
    met = {verdict: place for place, verdict in enumerate(every) if any(row["verdict"] == verdict for row in known)}
    verdicts = alt.Scale(domain=list(met), range=[every[verdict] for verdict in met])
    shapes = alt.Scale(domain=list(met), range=[SHAPES[place] for place in met.values()])
    base = alt.Chart(sources.data(known)).encode(
        y=alt.Y("link:N", title=None, sort=names, scale=alt.Scale(domain=names), axis=alt.Axis(grid=False)),
        x=_log("used:Q", "share of allowance used, log axis; right of the line is outside", [1, *(r["used"] for r in known)], alt.X),
    )
    points = base.mark_point(size=80, filled=True).encode(
        color=alt.Color("verdict:N", title=None, scale=verdicts, legend=alt.Legend(orient="top")),
        shape=alt.Shape("verdict:N", title=None, scale=shapes),
        tooltip=["link:N", "used:Q", "verdict:N"],
    )
    line = alt.Chart(sources.data([{"at": 1}])).mark_rule(color=INK, strokeDash=[3, 3]).encode(x="at:Q")
    told = "For every link, how much of its allowance its worst entry used, on a log axis; what used nothing has no mark."
    return figure("shares", told, (points + line).properties(width=600, height=alt.Step(20)), sources)
