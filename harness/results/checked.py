"""What the results of checking somebody's code have in common: rows, findings, and what of them is wrong."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from msgspec import to_builtins

from harness.comparison.judge import Finding, Row
from harness.results.verdicts import Judged


class Checked(Judged):
    """A result with findings: what is to be said besides numbers."""

    findings: list[Finding]

    @property
    def failing(self) -> list[Finding]:
        """The findings that fail, and do not only say how something was read."""
        return [finding for finding in self.findings if finding.fails]

    @property
    def wrong(self) -> list[str]:
        """Names of what is wrong, in order."""
        raise NotImplementedError

    @property
    def first_wrong(self) -> str | None:
        """The first of them."""
        return next(iter(self.wrong), None)


def faults_in(rows: Iterable[Row]) -> list[str]:
    """Names of what is a FAULT in some row, in order."""
    return list(dict.fromkeys(row.gradient for row in rows if row.verdict == "FAULT"))


def objects_of(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Rows as objects; a run's record holds each as a list."""
    return [{name: to_builtins(getattr(row, name)) for name in row.__struct_fields__} for row in rows]
