"""A figure of the benchmark beside its goal, and how figures are shown and kept."""

from __future__ import annotations

import statistics
from collections.abc import Sequence

import msgspec
from tabulate import tabulate


class Figure(msgspec.Struct, frozen=True, kw_only=True):
    """What was measured, of what.

    Attributes:
        network: or the command, the document, whatever it was measured of.
        measure: what was measured.
        ratio: the median of what was found, in units of `unit` ("x" for a ratio within a round).
        low, high: the least and the most found.
        target: what it should be: at least, where `more` is better, else at most; None of what only stands beside.
        detail: what else there is to say.
    """

    network: str
    measure: str
    ratio: float
    target: float | None
    unit: str = "x"
    more: bool = False
    low: float | None = None
    high: float | None = None
    detail: str = ""

    @property
    def reached(self) -> bool | None:
        """Whether it is as it should be; None where nothing says how it should be."""
        if self.target is None:
            return None
        return self.ratio >= self.target if self.more else self.ratio <= self.target

    @property
    def row(self) -> dict[str, object]:
        """As it is kept."""
        return {**msgspec.to_builtins(self), "reached": self.reached}


def figure_of(found: Sequence[float], **said: object) -> Figure:
    """The median of what was found, with the least and the most."""
    return Figure(ratio=statistics.median(found), low=min(found), high=max(found), **said)  # type: ignore[arg-type]


def table(figures: Sequence[Figure], form: str = "simple") -> str:
    """Figures one below the other."""
    headers = ("of", "measured", "", "least to most", "goal", "", "")
    lines = [
        (
            figure.network, figure.measure, f"{figure.ratio:.3g} {figure.unit}", _spread(figure), _goal(figure),
            {True: "reached", False: "short", None: ""}[figure.reached], figure.detail,
        )
        for figure in figures
    ]  # fmt: skip
    aligned = ("left", "left", "right", "left", "right", "left", "left")
    return tabulate(lines, headers, tablefmt=form, disable_numparse=True, colalign=aligned)


def _goal(figure: Figure) -> str:
    return "" if figure.target is None else f"{'>=' if figure.more else '<='} {figure.target:.3g}"


def _spread(figure: Figure) -> str:
    return "" if figure.low is None or figure.low == figure.high else f"{figure.low:.3g} to {figure.high:.3g}"
