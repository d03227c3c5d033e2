"""The evidence for a diagnosis, in lines: what should happen, what was computed, the next best guess, an entry."""

from __future__ import annotations

from collections.abc import Iterator

from harness.diagnosis import Cause, Diagnosis
from harness.results.check import Check
from harness.results.numbers import counted, plain

WIDTH = 21
MOST = 4
"""Causes told, of those that give the same numbers."""


def evidence(check: Check, diagnosis: Diagnosis, style: str) -> Iterator[str]:
    """The lines about one wrong link."""
    if len(check.diagnoses) > 1:
        yield plain(f"{diagnosis.at}{check.place(diagnosis.at)}", style)
    for label, text in _lines(diagnosis):
        yield plain(f"{label:<{WIDTH}}{text}", style)


def _lines(diagnosis: Diagnosis) -> Iterator[tuple[str, str]]:
    yield "what should happen", diagnosis.should
    if not diagnosis.causes:
        yield "what you computed", "no mistake of the catalogue gives these numbers: the cause is unknown"
    for position, cause in enumerate(diagnosis.causes[:MOST]):
        yield "or, here the same" if position else "what you computed", f"{cause.formula}   {_reproduces(cause)}"
        yield "", cause.says
    if more := len(diagnosis.causes[MOST:]):
        yield "", f"and {more} more that give the same numbers here; other data tells them apart"
    for position, fact in enumerate(diagnosis.known if not diagnosis.causes else ()):
        yield "" if position else "what is known", fact
    if diagnosis.runner_up:
        yield "next best guess", f"{diagnosis.runner_up.says}   off by {_percent(diagnosis.runner_up.residual)}"
    entry = diagnosis.entry
    reads = "   ".join(f"{name} = {number:.7g}" for name, number in entry.reads.items())
    where = ", ".join(filter(None, (entry.tensor, counted(entry.tensor, entry.index))))
    yield "worst entry", f"{where}{': ' if reads else ''}{reads}"
    yield "", f"yours {entry.actual:+.8g}   correct {entry.expected:+.8g}"


def _reproduces(cause: Cause) -> str:
    if cause.residual == 0:
        return "reproduces your numbers exactly"
    return f"reproduces your numbers to {cause.residual:.0e}"


def _percent(residual: float) -> str:
    return f"{100 * residual:.2g} %" if residual < 10 else f"{residual:.1g} ×"
