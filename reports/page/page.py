"""The page: what stands above its sections, and each section with its content."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from harness.results.check import Check
from harness.results.operation_check import OperationCheck
from harness.results.run import Run
from reports.page.figures import Figure
from reports.page.sections import SECTIONS
from reports.page.sections.section import Content, Section
from reports.page.subjects import CheckSubject, OperationSubject, RunSubject

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


def page_of(result: Run | Check | OperationCheck) -> Page:
    """The page of a run, a check or the check of an operation."""
    sections: list[tuple[Section, Content]]
    if isinstance(result, Run):
        of_run = RunSubject(result)
        sections = [(section, section.of_run(of_run)) for section in SECTIONS if section.of_run]
        return _page(of_run, sections)
    if isinstance(result, OperationCheck):
        of_operation = OperationSubject(result)
        sections = [(section, section.of_operation(of_operation)) for section in SECTIONS if section.of_operation]
        return _page(of_operation, sections)
    of_check = CheckSubject(result)
    sections = [(section, section.of_check(of_check)) for section in SECTIONS if section.of_check]
    return _page(of_check, sections)


def _page(subject: RunSubject | CheckSubject | OperationSubject, sections: Sequence[tuple[Section, Content]]) -> Page:
    return Page(
        kind=subject.kind,
        title=subject.title,
        verdict=subject.result.verdict,
        reason=subject.reason,
        heading=subject.heading,
        warnings=subject.warnings,
        record=subject.result.to_dict(),
        sections=sections,
    )
