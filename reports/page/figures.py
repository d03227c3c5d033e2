"""What the charts of a page have in common: both forms of each, the runtime, colours, signs and axes.

Charts are made by altair and kept twice, as SVG for who reads without JavaScript and as a Vega specification. Colours
are names for roles: the style sheet gives each its colour in light and in dark, in both forms alike. What a colour
says, a dash, a shape, a position or a word says too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from math import ceil, floor, log10
from typing import Any

import altair as alt

from harness.usage import visible
from reports.page.conversion import converted

INK, FAINT, PAPER, BAD = "#1c1e21", "#8a8f98", "#fdfdfc", "#b3261e"
HUES = ("#0b5cad", "#b3500a", "#1d7a4c", "#7a3e9d", "#7d6608", "#a8326e")
DASHES = ([1, 0], [7, 3], [2, 3], [9, 3, 2, 3], [4, 2], [1, 4])
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
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
        background="transparent",
        font=FONT,
        padding=4,
        view=alt.ViewConfig(stroke=None),
        axis=alt.AxisConfig(
            labelColor=INK,
            titleColor=INK,
            gridColor=FAINT,
            gridOpacity=0.25,
            domainColor=FAINT,
            tickColor=FAINT,
            labelFontSize=12,
            titleFontSize=12,
            titleFontWeight="normal",
        ),
        legend=alt.LegendConfig(
            labelColor=INK, titleColor=INK, labelFontSize=12, titleFontSize=12, titleFontWeight="normal"
        ),
        header=alt.HeaderConfig(labelColor=INK, titleColor=INK, labelFontSize=12),
        # What a chart says to who cannot see it stands in its caption and in the tables, not in thousands of marks.
        aria=False,
    ).to_dict()
    lite["datasets"] = dict(sources)
    # What is not printable would end the process that converts.
    lite, says = _printable(lite), visible(says)
    svg = converted("vegalite_to_svg", lite)
    spec = converted("vegalite_to_vega", lite)
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
    module = f"https://cdn.jsdelivr.net/npm/vega@{converted('get_vega_version')}/+esm.js"
    try:
        return converted("javascript_bundle", f'import * as everything from "{module}";\nwindow.vega = everything;')
    except RuntimeError:
        return converted("javascript_bundle", "window.vega = vegaEmbed.vega;")


class Signs:
    """Colour, dash and shape of each name, the same in every chart."""

    def __init__(self, names: list[str], shown: list[str] | None = None) -> None:
        self.shown = names if shown is None else shown
        self.places = [names.index(name) if name in names else len(names) for name in self.shown]

    def color(self) -> alt.Color:
        """Of a line or a point, with the legend."""
        legend = alt.Legend(orient="top", symbolStrokeWidth=2, symbolSize=120)
        return alt.Color("against:N", title=None, scale=self._scale(HUES), legend=legend)

    def dash(self) -> alt.StrokeDash:
        """Of a line."""
        return alt.StrokeDash("against:N", title=None, scale=self._scale(DASHES))

    def shape(self) -> alt.Shape:
        """Of a point."""
        return alt.Shape("against:N", title=None, scale=self._scale(SHAPES))

    def _scale(self, signs: Sequence[Any]) -> alt.Scale:
        return alt.Scale(domain=self.shown, range=[signs[place % len(signs)] for place in self.places])


def log_axis(field: str, title: str, values: list[float], kind: Any = alt.Y) -> Any:
    """A log axis with a line at each power of ten, or at every so many where there are many."""
    # Beyond these powers a float64 is 0 or infinite.
    low, high = max(floor(log10(min(values))), -323), min(ceil(log10(max(values))), 308)
    low = min(low, high - 1)
    ticks = [float(f"1e{power}") for power in range(low, high + 1, max(1, (high - low) // 5))]
    scale = alt.Scale(type="log", domain=[float(f"1e{low}"), float(f"1e{high}")])
    return kind(field, title=title, scale=scale, axis=alt.Axis(format=".0e", values=ticks))
