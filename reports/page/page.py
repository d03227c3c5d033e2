"""The page: everything that its sections show, as one object for the templates."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from harness.comparison.finding import Finding
from reports.page.drawing import Drawing
from reports.page.explorer import Cell, Explorer
from reports.page.faults import Fault
from reports.page.figures import Figure
from reports.page.slider import Slider
from reports.page.tables import Table

SIGNS = {"PASS": "✓", "FAIL": "✗", "NO POWER": "○", "NOT COMPARED": "–"}
CONTENTS = [
    ("results", "Verdict"),
    ("drawing", "Network"),
    ("charts", "Lockstep"),
    ("paths", "Path by path"),
    ("fault", "Located fault"),
    ("power", "Power"),
    ("conventions", "Conventions"),
    ("reproduce", "Reproduce"),
]


@dataclass(frozen=True)
class Shown:
    """A chart with its heading, a table to it, and what that holds."""

    title: str
    figure: Figure
    table: Table | None = None
    table_says: str = "The same as a table"


@dataclass
class Page:
    """Everything that a page shows.

    Attributes:
        record: the JSON object to download.
    """

    kind: str
    title: str
    verdict: str
    reason: str
    heading: list[str]
    record: dict[str, Any]
    command: str
    facts: list[tuple[str, str]]
    conventions: list[str]
    warnings: list[str] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    results: list[Table] = field(default_factory=list)
    drawing: Drawing | None = None
    drawing_says: str = ""
    no_drawing: str = ""
    slider: Slider = field(default_factory=Slider)
    figures: list[Shown] = field(default_factory=list)
    chart_notes: list[str] = field(default_factory=list)
    reduced: str | None = None
    explorer: Explorer = field(default_factory=Explorer)
    no_paths: str = ""
    fault: Fault | None = None
    power: list[str] = field(default_factory=list)
    power_tables: list[Table] = field(default_factory=list)
    ledger: list[str] = field(default_factory=list)

    @property
    def sign(self) -> str:
        """Of the verdict, beside its word."""
        return SIGNS.get(self.verdict, "")

    @property
    def contents(self) -> list[tuple[str, str]]:
        """The sections, by id and name."""
        return CONTENTS

    @property
    def chosen(self) -> str | None:
        """The weight that the explorer begins with."""
        return self.explorer.worth

    @property
    def begin(self) -> Cell | None:
        """What the explorer begins with."""
        return self.explorer.cells[self.chosen][-1] if self.chosen else None
