"""Charts: of a run its losses, shares of the allowance and drift; of a check the share that every link used."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import pairwise
from math import sqrt
from typing import TYPE_CHECKING, Any

from harness.results.numbers import part
from reports.page.plots import HUES, SHAPES, Figure, Panel, Sign, filled, legend, picture, signs, stroke
from reports.page.scales import Scale, counts, linear, log, rows, steps, without_names
from reports.page.series import CHECKS, Series, Worst

if TYPE_CHECKING:
    from harness.results.check import Check

WIDTH = 720.0
"""Of what lies between the axes where these are steps."""
SHARES = ((228, 237, 246), (169, 201, 232), (95, 155, 209), (43, 108, 171), (12, 63, 117))
"""Red, green and blue of no share, of all of an allowance, and evenly between; dark and light alike."""


def loss(series: Series) -> Figure:
    """Loss of every implementation, over its difference from the hand code's on a log axis."""
    names = list(series.run.head.implementations)
    looks, losses = signs(names), series.losses()
    lines = Panel(_steps(series), linear([r["loss"] for r in losses], 190.0, 0.0, 4), "step", "loss", "y")
    _lines(lines, losses, "loss", looks)
    lines.slider(series.last)
    told = f"Loss of {', '.join(names)} at every step; the lines lie on each other where they agree."
    panels = [([(stroke(looks[name]), name) for name in names], lines)]
    differences, allowances = series.differences(), series.allowances()
    if differences:
        apart = [r["difference"] for r in differences] + [r["allowed"] for r in allowances]
        points = Panel(_steps(series), log(apart, 150.0, 0.0), "step", "|loss − hand's|", "y")
        points.line([(r["step"], r["allowed"]) for r in allowances], "ink", "2 2", 1.2)
        for r in differences:
            look, title = looks[r["against"]], f"{r['against']}, step {r['step']}: {r['difference']:.2e}"
            points.point(r["step"], r["difference"], look.hue, look.shape, title, r["step"])
        points.slider(series.last)
        shown = [name for name in names if any(r["against"] == name for r in differences)]
        panels.append(([(filled(looks[name].hue, looks[name].shape), name) for name in shown], points))
        told += (
            " Below, on a log axis, how far each loss is from the hand code's where it is not the same; dotted, what "
            "rounding allows."
        )
    return Figure("loss", told, _stacked(panels))


def drift(series: Series) -> Figure:
    """In a free run, how far the weights have come from the hand code's, beside the twin's."""
    records = series.drift()
    looks = signs(dict.fromkeys([*series.run.head.implementations, *(r["against"] for r in records)]))
    lines = Panel(
        _steps(series), log([r["drift"] for r in records], 170.0, 0.0), "step", "largest |w − hand's|", "y"
    )  # fmt: skip
    _lines(lines, records, "drift", looks)
    lines.slider(series.last)
    told = "How far the weights of each have come from the hand code's, on a log axis; twin started one ulp away."
    shown = dict.fromkeys(r["against"] for r in records)
    return Figure("drift", told, _stacked([([(stroke(looks[name]), name) for name in shown], lines)]))


def _steps(series: Series) -> Scale:
    return steps(1.0, float(max(series.last, 2)), 0.0, WIDTH)


def _lines(panel: Panel, records: Sequence[dict[str, Any]], field: str, looks: dict[str, Sign]) -> None:
    for name in dict.fromkeys(r["against"] for r in records):
        points = [(r["step"], r[field]) for r in records if r["against"] == name]
        panel.line(points, looks[name].hue, looks[name].dash)


def _stacked(panels: Iterable[tuple[list[tuple[str, str]], Panel]]) -> str:
    """Panels one below the other, each under its legend."""
    panels = list(panels)
    margin, top, parts = max(panel.margin for _, panel in panels), 0.0, []
    for entries, panel in panels:
        parts += [legend(margin, top + 10, entries), panel.placed(margin, top + 32)]
        top += 32 + panel.y.start + 46
    return picture(margin + WIDTH + 16, top, parts)


STATIC_COLUMNS = 80
"""Of the picture of the heat map that is shown without JavaScript; several steps share one, which keeps the worst."""
HEAT = (
    "For each weight gradient (rows) and step (columns) the largest share of its allowance that any implementation "
    "used, in the formula or the rounding check: pale is little, dark is all of it, a crossed red cell is outside."
)


def heat(series: Series) -> Figure:
    """Gradients x steps by the share of the allowance used."""
    coarse = replace(series, most=STATIC_COLUMNS)
    finer = None if len(series.columns) <= STATIC_COLUMNS else _heat(series)
    return Figure("heat", HEAT, _heat(coarse), finer)


def _heat(series: Series) -> str:
    names = list(series.run.head.gradients)
    place = {name: row for row, name in enumerate(names)}
    over_steps = replace(_steps(series), low=0.5, high=max(series.last, 1) + 0.5)
    cells = Panel(over_steps, rows(names, 26 if len(names) <= 12 else 14), "step")
    for worst in series.worst:
        across, down = (worst.first - 0.5, worst.last + 0.5), (place[worst.gradient], place[worst.gradient] + 1)
        bad = worst.verdict in ("FAULT", "inherited")
        cells.bar(across, down, 'class="fill bad"' if bad else f'fill="{_shade(worst.used)}"', _cell(worst), worst.step)
        if bad:
            cells.cross(sum(across) / 2, down[0] + 0.5)
    cells.slider(series.last)
    margin, top = cells.margin, 68.0
    return picture(
        margin + WIDTH + 16, top + cells.y.end + 46, [_shades(margin), cells.placed(margin, top)]
    )  # fmt: skip


def _cell(worst: Worst) -> str:
    return f"{worst.gradient}, step {worst.step}: {part(worst.used)} by {worst.against}, {worst.check}, {worst.verdict}"


def _shade(used: float | None) -> str:
    """The colour of a share: small ones are told apart better than large ones."""
    place = sqrt(min(max(used or 0.0, 0.0), 1.0)) * (len(SHARES) - 1)
    low = min(int(place), len(SHARES) - 2)
    mixed = [round(a + (b - a) * (place - low)) for a, b in zip(SHARES[low], SHARES[low + 1], strict=True)]
    return "#{:02x}{:02x}{:02x}".format(*mixed)


def _shades(left: float) -> str:
    """The legend: the colours, with the shares that they stand for."""
    stops = "".join(
        f'<stop offset="{place / (len(SHARES) - 1):.2f}" stop-color="{_shade((place / (len(SHARES) - 1)) ** 2)}"/>'
        for place in range(len(SHARES))
    )
    labels = "".join(
        f'<text class="middle" x="{300 * sqrt(share):.1f}" y="46">{share:.0%}</text>'
        for share in (0, 0.05, 0.25, 0.5, 1)
    )
    return (
        f'<g transform="translate({left:.1f} 0)"><defs><linearGradient id="shares">{stops}</linearGradient></defs>'
        f'<text x="0" y="13">share of allowance used</text><rect fill="url(#shares)" y="20" width="300" height="13"/>'
        f"{labels}</g>"
    )


def histogram(series: Series) -> Figure:
    """How many rows used which share."""
    records = [r for r in series.histogram if r["rows"]]
    most = max((r["rows"] for r in records), default=1)
    shares = Scale(0.0, 1.05, 0.0, 205.0, [(fifth / 5, f"{fifth * 20}%") for fifth in range(6)])
    parts: list[str] = []
    left = 0.0
    for check in (check for check in CHECKS if any(r["check"] == check for r in records)):
        y = counts(most, 120.0, 0.0)
        panel = Panel(shares, without_names(y) if parts else y, "share of allowance used", "" if parts else "rows", "y")
        for r in (r for r in records if r["check"] == check):
            ends, hue = (r["from"] + 0.002, r["to"] - 0.002), HUES[0] if r["where"] == "inside" else "bad"
            reach = f"{r['from']:.0%} to {r['to']:.0%}" if r["where"] == "inside" else "outside"
            panel.bar(ends, (0, r["rows"]), f'class="fill {hue}"', f"{check}, {reach}: {r['rows']:,} rows")
        left += 24 if parts else panel.margin
        parts += [f'<text class="middle" x="{left + 102:.1f}" y="13">{check}</text>', panel.placed(left, 26)]
        left += 205
    told = (
        "How many rows of all steps used which share of their allowance, for each check, rows on a log-like axis; a "
        "bar right of 100 % is outside."
    )
    return Figure("histogram", told, picture(left + 16, 190, parts))


VERDICTS = {"ok": HUES[0], "FAULT": "bad", "inherited": HUES[1], "convention": HUES[3], "no power": "faint"}


def shares(check: Check) -> Figure:
    """Every link of a backward pass by its share of the allowance, on a log axis."""
    names = [row.gradient for row in check.rows]
    used = [(place, row) for place, row in enumerate(check.rows) if row.used]
    scale = log([1, *(row.used or 1.0 for _, row in used)], 0.0, 600.0)
    panel = Panel(scale, rows(names, 20), "share of allowance used, log axis; right of the line is outside", grid="x")
    panel.upright(1.0, "3 3")
    looks = {verdict: (hue, SHAPES[place]) for place, (verdict, hue) in enumerate(VERDICTS.items())}
    met = [verdict for verdict in looks if any(row.verdict == verdict for _, row in used)]
    for place, row in used:
        hue, shape = looks[row.verdict]
        panel.point(row.used or 1.0, place + 0.5, hue, shape, f"{row.gradient}: {part(row.used)}, {row.verdict}")
    told = (
        "For every link, how much of its allowance its worst entry used, on a log axis; what used nothing has no mark."
    )
    margin = panel.margin
    parts = [legend(margin, 10, [(filled(*looks[verdict]), verdict) for verdict in met]), panel.placed(margin, 32)]
    return Figure("shares", told, picture(margin + 600 + 16, 32 + panel.y.end + 46, parts))


BARS: dict[str, tuple[str, str]] = {"adds": (HUES[0], "+"), "takes": (HUES[1], "−"), "sum": ("ink", "=")}
SQUARE = SHAPES[1]


def waterfall(bars: Sequence[tuple[str, float]], total: tuple[str, float]) -> Figure:
    """How numbers add up to a total: each bar begins where the one before ends; names and numbers are given."""
    ends = [0.0]
    for _, value in bars:
        ends.append(ends[-1] + value)
    names = [*(name for name, _ in bars), total[0]]
    panel = Panel(linear([*ends, total[1]], 0.0, 430.0, 5), rows(names, 24), "running sum of the products", grid="x")
    falls = [*pairwise(ends), (0.0, total[1])]
    for place, (name, (start, end)) in enumerate(zip(names, falls, strict=True)):
        kind = "sum" if place == len(bars) else "adds" if end >= start else "takes"
        hue, sign = BARS[kind]
        panel.bar((start, end), (place + 0.21, place + 0.79), f'class="fill {hue}"', f"{name}: {end - start:+.6e}")
        panel.text(max(start, end), place + 0.5, sign, 6)
    panel.upright(0.0)
    told = "The products of the largest paths, one after the other, and the sum that they reach; + adds, − takes away."
    margin = panel.margin
    key = legend(margin, 10, [(filled(hue, SQUARE), kind) for kind, (hue, _) in BARS.items()])
    svg = picture(margin + 430 + 24, 32 + panel.y.end + 46, [key, panel.placed(margin, 32)])
    return Figure("waterfall", told, svg)
