"""Rendering: from a result to its page, and from that to the text of one HTML file."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reports.page.environment import environment, source
from reports.page.numbers import script_json, shrunk
from reports.page.plots import Figure
from reports.page.sections import SECTIONS
from reports.page.sections.section import Content, Section
from reports.page.subjects import (
    ChainSubject,
    CheckSubject,
    OperationSubject,
    PairSubject,
    ProgramSubject,
    RunSubject,
    SweepSubject,
)


def page(result: Any) -> str:
    """The page about a result: one HTML file that asks for nothing else."""
    # Numbers near the end of a dtype's range overflow here and there; what is not finite is shown as such.
    with np.errstate(all="ignore"):
        return rendered(page_of(result))


def index(every: Sequence[Any]) -> str:
    """The page that leads to the exhibits of a gallery."""
    return environment().get_template("index.html.j2").render(every=every, css=source("page.css"))


def rendered(p: Page) -> str:
    """The text of a page."""
    finer = {figure.name: figure.finer for figure in p.figures if figure.finer}
    packed = {**({"pictures": json.dumps(finer, separators=(",", ":"))} if finer else {}), **p.packed}
    text = environment().get_template("page.html.j2").render(
        p=p, sections=[(section, content.shows) for section, content in p.sections],
        record=script_json(p.record), data=script_json(p.data),
        packed=[(name, shrunk(text)) for name, text in packed.items()],
        css=source("page.css"), js=source("page.js"),
    )  # fmt: skip
    return text.encode("utf-8", "backslashreplace").decode()


SIGNS = {"PASS": "✓", "FAIL": "✗", "NO POWER": "○", "NOT COMPARED": "–"}


@dataclass(frozen=True)
class Page:
    """Everything that a page shows.

    Attributes:
        record: the JSON object to download.
        sections: those that apply, in order, each with what it shows.
    """

    kind: str
    title: str
    verdict: str
    reason: str
    heading: Sequence[str]
    warnings: Sequence[str]
    record: dict[str, Any]
    sections: Sequence[tuple[Section, Content]]

    @property
    def sign(self) -> str:
        """Of the verdict, beside its word."""
        return SIGNS.get(self.verdict, "")

    @property
    def figures(self) -> list[Figure]:
        """The charts of every section."""
        return [figure for _, content in self.sections for figure in content.figures]

    @property
    def data(self) -> dict[str, Any]:
        """What the script reads, of every section."""
        return {name: value for _, content in self.sections for name, value in content.data.items()}

    @property
    def packed(self) -> dict[str, str]:
        """What travels compressed, of every section."""
        return {name: text for _, content in self.sections for name, text in content.packed.items()}

    def section(self, name: str) -> Any:
        """What the section of that id shows."""
        return next(content.shows for section, content in self.sections if section.id == name)


def page_of(result: Any) -> Page:
    """The page of a result of one of the kinds of `SUBJECTS`."""
    names = [f"{kind.__module__}:{kind.__name__}" for kind in type(result).__mro__]
    about, which = next(SUBJECTS[name] for name in names if name in SUBJECTS)
    subject = about(result)
    return Page(
        kind=subject.kind,
        title=subject.title,
        verdict=result.verdict,
        reason=subject.reason,
        heading=subject.heading,
        warnings=subject.warnings,
        record=result.to_dict(),
        sections=[(section, of(subject)) for section in SECTIONS if (of := getattr(section, which))],
    )


SUBJECTS: dict[str, tuple[Callable[[Any], Any], str]] = {
    "harness.results.run:Run": (RunSubject, "of_run"),
    "harness.results.operation_check:OperationCheck": (OperationSubject, "of_operation"),
    "harness.results.chain_check:ChainCheck": (ChainSubject, "of_chain"),
    "harness.results.check:Check": (CheckSubject, "of_check"),
    "harness.results.program_check:ProgramCheck": (ProgramSubject, "of_program"),
    "harness.results.program_pair:ProgramPair": (PairSubject, "of_pair"),
    "harness.sweeping.summary:Sweep": (SweepSubject, "of_sweep"),
}
"""What a page of each kind of result is about, and what a section calls what it shows of it.

Kinds go by their names, so that the page of one does not import all others.
"""
