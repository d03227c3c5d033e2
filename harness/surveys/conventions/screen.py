"""What ``harness conventions`` prints: the heading, where answers differ, a table of topics, notes, what next."""

from __future__ import annotations

from harness.results.numbers import grid, plain
from harness.surveys.conventions.survey import Conventions
from harness.surveys.conventions.topics import GROUPS
from impls.registry import REFERENCE

NONE = "—"


def render(result: Conventions, style: str = "table") -> str:
    """The whole screen; `style` is table or markdown."""
    who = " · ".join(f"{name} {v}" if name == REFERENCE else v for name, v in result.implementations.items())
    heading = f"conventions of {who or 'nothing'} · {result.dtype} · measured by running them"
    parts = [plain(heading, style), plain(result.reason, style)]
    if result.answers:
        parts.append(_table(result, style))
    notes = [*result.missing.values(), *result.notes]
    if notes:
        parts.append("\n".join(f"note  {plain(note, style)}" for note in notes))
    other = "float32" if result.dtype == "float64" else "float64"
    parts.append(f"next  harness conventions --dtype {other}    harness run --activation relu    harness doctor")
    return "\n\n".join(parts)


def _table(result: Conventions, style: str) -> str:
    names = list(result.implementations)
    answers = {each.topic.name: each for each in result.answers}
    table = []
    for group, topics in GROUPS.items():
        asked = [answers[topic.name] for topic in topics if topic.name in answers]
        if asked:
            table.append([f"{group}:", *[""] * (len(names) + 2)])
        for each in asked:
            words = [each.words.get(name, NONE) for name in names]
            row = [each.topic.name, *words, "differs" if each.differ else "", each.topic.says]
            table.append([plain(cell, style) for cell in row])
    headers = ["topic", *names, "", "what was measured"]
    return grid(table, headers, style, ("left",) * len(headers))
