"""A sweep: what became of its jobs, the same object for text, JSON and the page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

from msgspec import to_builtins

from harness.results.numbers import part
from harness.results.printable import Printable
from harness.results.record import Verdict
from harness.results.verdicts import GRAVEST, Judged, Outcome
from harness.sweeping.job import Job, Result

ORDER = (2, 1, 3)
"""Exit statuses of runs, the first that goes before the others."""


class Ran(NamedTuple):
    """A job that was run, now or before, and what became of it."""

    job: Job
    result: Result


@dataclass
class Sweep(Judged, Printable, text="harness.sweeping.table:render"):
    """A sweep, complete or interrupted.

    Attributes:
        source: the file of the matrix.
        folder: where the records are.
        planned: how many runs it describes; ``ran`` are those that were run, in the order of the matrix.
        unkept: why a record or the summary could not be written, if so.
    """

    source: str
    folder: str
    planned: int
    ran: Sequence[Ran]
    interrupted: bool = False
    unkept: str | None = None

    @cached_property
    def outcome(self) -> Outcome:
        """Verdict, exit status and the sentence that gives the reason."""
        verdict, reason = self._judged()
        if self.interrupted:
            kept = f"interrupted after {len(self.ran)} of {_runs(self.planned)}; the same command goes on"
            return Outcome(verdict, 130, f"{reason} ({kept})")
        return Outcome(verdict, self._status(), reason)

    @property
    def exit(self) -> int:
        """The exit status that the runs, an interrupt and what could not be written call for."""
        return 2 if self.unkept and not self.interrupted else self.outcome.exit

    def _judged(self) -> tuple[Verdict, str]:
        if not self.ran:
            return "NOT COMPARED", "no run was finished"
        verdict = min((result.verdict for _, result in self.ran), key=GRAVEST.index)
        those = self.of(verdict)
        if verdict == "PASS":
            worst = max(those, key=lambda each: each.result.used or 0.0)
            used = f"; worst used of a weight gradient: {part(worst.result.used)} of its allowance"
            return verdict, f"{_runs(len(those))} agree up to rounding{used if worst.result.used is not None else ''}"
        first = those[0]
        return verdict, f"{len(those)} of {_runs(len(self.ran))}; first `{first.job.command}`: {first.result.reason}"

    def _status(self) -> int:
        found = {result.exit for _, result in self.ran}
        if found <= {5}:
            return 5
        # What compared nothing beside others that did could not be compared.
        return next((status for status in ORDER if status in found), 3 if 5 in found else 0)

    def of(self, *verdicts: Verdict) -> list[Ran]:
        """The runs with one of these verdicts."""
        return [each for each in self.ran if each.result.verdict in verdicts]

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness sweep --json``, and of ``summary.json``."""
        return {
            "schema": 1,
            **self.told(),
            "source": self.source,
            "planned": self.planned,
            "interrupted": self.interrupted,
            "unkept": self.unkept,
            "runs": [
                {
                    "name": job.name,
                    "command": job.command,
                    "settings": job.given,
                    **to_builtins(result),
                }
                for job, result in self.ran
            ],
        }


def _runs(count: int) -> str:
    return f"{count:,} run{'s' * (count != 1)}"
