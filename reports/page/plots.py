"""Plots: charts as SVG, from scales and marks.

A colour is a class that says its role, `ink`, `faint`, `paper`, `bad`, and `h1` to `h6` for names; the style sheet
gives each its colour in light and in dark, filled (`fill`) or drawn (`draw`). What a colour says, a dash, a shape, a
position or a word says too. What a mark stands for is its title, which a browser shows where it is pointed at; the
whole chart is told in words, and its numbers stand in the tables.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from html import escape
from math import isfinite

from harness.usage import visible
from reports.page.scales import Scale

HUES = ("h1", "h2", "h3", "h4", "h5", "h6")
DASHES = ("", "7 3", "2 3", "9 3 2 3", "4 2", "1 4")
SHAPES = (
    "M-3 0a3 3 0 1 0 6 0a3 3 0 1 0-6 0z", "M-2.6-2.6h5.2v5.2h-5.2z", "M0-3.2L3.2 2.6H-3.2z", "M0-3.6L3 0L0 3.6L-3 0z",
    "M-1-3.4h2v2.4h2.4v2h-2.4v2.4h-2v-2.4h-2.4v-2h2.4z", "M0 3.2L3.2-2.6H-3.2z",
)  # fmt: skip
"""Of points: circle, square, triangle, diamond, cross, triangle upside down."""
LETTER = 7.6
"""The width of a letter, of most of them less."""


@dataclass(frozen=True)
class Figure:
    """One chart: its name, what it shows in words, and the picture.

    Attributes:
        finer: a picture of more detail for who has scripts, which travels compressed.
    """

    name: str
    says: str
    svg: str
    finer: str | None = None


@dataclass(frozen=True)
class Sign:
    """How a name looks wherever it occurs in a chart."""

    hue: str
    dash: str
    shape: str


def signs(names: Iterable[str]) -> dict[str, Sign]:
    """One for each name."""
    return {
        name: Sign(HUES[i % len(HUES)], DASHES[i % len(DASHES)], SHAPES[i % len(SHAPES)])
        for i, name in enumerate(names)
    }


@dataclass
class Panel:
    """Two scales with marks between them, to be put somewhere in a picture.

    Attributes:
        title_x, title_y: what the scales show.
        grid: whether lines lie behind the marks, across from the ticks of "x" or "y".
    """

    x: Scale
    y: Scale
    title_x: str = ""
    title_y: str = ""
    grid: str = ""
    marks: list[str] = field(default_factory=list)

    def line(self, points: Iterable[tuple[float, float]], hue: str, dash: str = "", width: float = 2.0) -> None:
        """Through points."""
        path = "L".join(f"{_n(self.x(x))} {_n(self.y(y))}" for x, y in points if isfinite(y))
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        if path:
            self.marks.append(f'<path class="draw {hue}" stroke-width="{width:g}"{dashed} d="M{path}"/>')

    def point(self, x: float, y: float, hue: str, shape: str, title: str, step: int | None = None) -> None:
        """A shape in the middle of which the number is."""
        place = f'transform="translate({_n(self.x(x))} {_n(self.y(y))})"'
        self.marks.append(f'<path class="fill {hue}" {place} d="{shape}"{_step(step)}>{_title(title)}</path>')

    def bar(
        self, xs: tuple[float, float], ys: tuple[float, float], paint: str, title: str, step: int | None = None
    ) -> None:
        """From one number to another on each scale; `paint` is how it is filled, as attributes."""
        (left, right), (top, bottom) = sorted(map(self.x, xs)), sorted(map(self.y, ys))
        size = f'x="{_n(left)}" y="{_n(top)}" width="{_n(right - left)}" height="{_n(bottom - top)}"'
        self.marks.append(f"<rect {paint} {size}{_step(step)}>{_title(title)}</rect>")

    def cross(self, x: float, y: float) -> None:
        """Over a cell that is outside."""
        place = f'transform="translate({_n(self.x(x))} {_n(self.y(y))})"'
        self.marks.append(f'<path class="draw paper" stroke-width="1.5" {place} d="M-3-3L3 3M3-3L-3 3"/>')

    def upright(self, x: float, dash: str = "") -> None:
        """A line from top to bottom."""
        dashed = f' stroke-dasharray="{dash}"' if dash else ""
        path = f"M{_n(self.x(x))} {_n(self.y.start)}V{_n(self.y.end)}"
        self.marks.append(f'<path class="draw ink" stroke-width="1.2"{dashed} d="{path}"/>')

    def text(self, x: float, y: float, text: str, beside: float = 0.0) -> None:
        """To the right of a place."""
        self.marks.append(f'<text x="{_n(self.x(x) + beside)}" y="{_n(self.y(y) + 4)}">{_text(text)}</text>')

    def slider(self, last: int) -> None:
        """A line at the step that is chosen, the last at first: ink on paper, so that it stands out from what is there.

        The script moves it.
        """
        upright = f'd="M{_n(self.x(last))} {_n(self.y.start)}V{_n(self.y.end)}"'
        a_step = self.x(1) - self.x(0)
        self.marks.append(
            f'<g class="chosen-step" data-last="{last}" data-apart="{a_step:.6g}"><path class="draw paper" '
            f'stroke-width="4" {upright}/><path class="draw ink" stroke-width="1.5" {upright}/></g>'
        )

    def placed(self, left: float, top: float) -> str:
        """With its axes, the upper left corner between them there."""
        inner = [*self._grid(), *self.marks, *self._below(), *self._beside()]
        return f'<g transform="translate({_n(left)} {_n(top)})">{"".join(inner)}</g>'

    def _grid(self) -> Iterable[str]:
        if self.grid == "y":
            lines = (f"M0 {_n(self.y(value))}H{_n(self.x.end)}" for value, _ in self.y.ticks)
        else:
            lines = (f"M{_n(self.x(value))} {_n(self.y.start)}V{_n(self.y.end)}" for value, _ in self.x.ticks)
        return [f'<path class="draw grid" d="{"".join(lines)}"/>'] if self.grid else []

    def _below(self) -> Iterable[str]:
        foot = max(self.y.start, self.y.end)
        ticks = "".join(f"M{_n(self.x(value))} {_n(foot)}v5" for value, _ in self.x.ticks)
        yield f'<path class="draw faint" d="M0 {_n(foot)}H{_n(self.x.end)}{ticks}"/>'
        for value, text in self.x.ticks:
            yield f'<text class="middle" x="{_n(self.x(value))}" y="{_n(foot + 17)}">{_text(text)}</text>'
        if self.title_x:
            yield f'<text class="middle" x="{_n(self.x.end / 2)}" y="{_n(foot + 33)}">{_text(self.title_x)}</text>'

    def _beside(self) -> Iterable[str]:
        for value, text in self.y.ticks:
            if text:
                yield f'<text class="end" x="-7" y="{_n(self.y(value) + 4)}">{_text(text)}</text>'
        if self.title_y:
            middle = (self.y.start + self.y.end) / 2
            place = f"translate({_n(-self.margin + 12)} {_n(middle)}) rotate(-90)"
            yield f'<text class="middle" transform="{place}">{_text(self.title_y)}</text>'

    @property
    def margin(self) -> float:
        """Room that the texts beside it need."""
        longest = max((len(visible(text)) for _, text in self.y.ticks), default=0)
        return 14 + LETTER * longest + (18 if self.title_y else 0)


def picture(width: float, height: float, parts: Sequence[str]) -> str:
    """The whole of a chart."""
    size = f'viewBox="0 0 {_n(width)} {_n(height)}" width="{_n(width)}" height="{_n(height)}"'
    return f'<svg {size} xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'


def legend(left: float, top: float, entries: Iterable[tuple[str, str]]) -> str:
    """Samples, each a piece of a picture around (0, 0) that is 24 wide, with what they stand for, side by side."""
    found, x = [], left
    for sample, text in entries:
        place = f"translate({_n(x + 10)} {_n(top)})"
        found.append(f'<g transform="{place}">{sample}<text x="14" y="4">{_text(text)}</text></g>')
        x += 42 + LETTER * len(visible(text))
    return "".join(found)


def stroke(sign: Sign) -> str:
    """The sample of a line."""
    dashed = f' stroke-dasharray="{sign.dash}"' if sign.dash else ""
    return f'<path class="draw {sign.hue}" stroke-width="2"{dashed} d="M-10 0H10"/>'


def filled(hue: str, shape: str) -> str:
    """The sample of a point."""
    return f'<path class="fill {hue}" transform="scale(1.4)" d="{shape}"/>'


def _n(number: float) -> str:
    text = f"{number:.2f}"
    return text.rstrip("0").rstrip(".")


def _text(text: str) -> str:
    return escape(visible(text))


def _title(text: str) -> str:
    return f"<title>{_text(text)}</title>"


def _step(step: int | None) -> str:
    return "" if step is None else f' data-step="{step}"'
