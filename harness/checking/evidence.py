"""The evidence for a diagnosis, in lines: what should happen, what was computed, the next best guess, an entry."""

from __future__ import annotations

from collections.abc import Iterator

from harness.cells import plain
from harness.checking.check import Check
from harness.diagnosis import Diagnosis

WIDTH = 21


def evidence(check: Check, diagnosis: Diagnosis, style: str) -> Iterator[str]:
    """The lines about one wrong link."""
    if len(check.diagnoses) > 1:
        yield plain(f"{diagnosis.at}{check.place(diagnosis.at)}", style)
    for label, text in _lines(diagnosis):
        yield plain(f"{label:<{WIDTH}}{text}", style)


def _lines(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "what should happen", diagnosis.should
    for position, cause in enumerate(diagnosis.causes):
        label = "what you computed" if position == 0 else "or, the same here"
        yield label, f"{cause.formula}   reproduces your numbers to {cause.residual:.0e}"
        yield "", cause.says
    if not diagnosis.causes:
        yield "most likely cause", "unknown: no mistake of the catalogue gives these numbers"
    for fact in diagnosis.known:
        yield "what is known", fact
    if diagnosis.runner_up:
        other = diagnosis.runner_up
        yield "next best guess", f"{other.says}   off by {100 * other.residual:.2g} %"
    yield from _entry(diagnosis)


def _entry(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    entry = diagnosis.entry
    if entry is None:
        return
    yield "worst entry", f"{entry.place}{': ' if entry.reads else ''}{'   '.join(entry.reads)}"
    yield "", f"yours {entry.yours:+.11g}   correct {entry.expected:+.11g}"
