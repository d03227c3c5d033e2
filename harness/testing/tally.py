"""Tally: what the comparisons of a test come to, and those of a whole session.

Of a test it becomes properties of pytest's report, plain values that pytest-xdist carries and JUnit files hold; of
the session one line. Nothing is imported here, because the plugin loads this.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

PREFIX = "lockstep_"
GRAVEST = ("FAIL", "NOT COMPARED", "NO POWER", "PASS")


@dataclass
class Tally:
    """Comparisons, counted.

    Attributes:
        verdict: the gravest.
        comparisons: runs and sets of tensors that were judged.
        gradients: that were asked for, each once for each implementation compared with the hand code.
        worst_used: the largest share of an allowance that one of them used.
        worst: which, and whose.
        sees: the largest relative error that the sharpest check of a gradient may miss, largest over gradients.
        first_wrong_link: of the first comparison that has one.
        not_compared: implementations that are not installed.
    """

    verdict: str = "PASS"
    comparisons: int = 0
    gradients: int = 0
    worst_used: float | None = None
    worst: str = ""
    sees: float | None = None
    first_wrong_link: str = ""
    not_compared: str = ""

    def add(self, result: Any) -> None:
        """Count a run, or anything else with a verdict, rows, gradients that were asked for and a first wrong link."""
        judged: dict[tuple[str, str], list[Any]] = {}
        for row in result.rows:
            # Of what was asked for: a link on the way that rounds once reaches its bound of one rounding.
            if row.gradient in result.gradients and row.against != "hand" and row.verdict != "not comparable":
                judged.setdefault((row.gradient, row.against), []).append(row)
        worst = max((row for rows in judged.values() for row in rows), key=lambda row: row.used or 0.0, default=None)
        sharpest = [min((row.sees for row in rows if row.sees is not None), default=None) for rows in judged.values()]
        self.merge(
            Tally(
                result.verdict,
                1,
                len(judged),
                worst and worst.used,
                f"{worst.gradient}, {worst.against}" if worst else "",
                _larger(*sharpest),
                result.first_wrong or "",
                ", ".join(f.against for f in getattr(result, "findings", ()) if f.kind == "missing"),
            )
        )

    def merge(self, other: Tally) -> None:
        """Add what others counted."""
        self.verdict = min(self.verdict, other.verdict, key=GRAVEST.index)
        self.comparisons += other.comparisons
        self.gradients += other.gradients
        if other.worst_used is not None and _larger(self.worst_used, other.worst_used) != self.worst_used:
            self.worst_used, self.worst = other.worst_used, other.worst
        self.sees = _larger(self.sees, other.sees)
        self.first_wrong_link = self.first_wrong_link or other.first_wrong_link
        names = dict.fromkeys(filter(None, [*self.not_compared.split(", "), *other.not_compared.split(", ")]))
        self.not_compared = ", ".join(names)

    def properties(self) -> list[tuple[str, Any]]:
        """What is known, as properties of a test."""
        return [(PREFIX + name, value) for name, value in asdict(self).items() if value not in (None, "")]

    def __str__(self) -> str:
        used = "" if self.worst_used is None else f"; worst used {100 * self.worst_used:.0f} % ({self.worst})"
        absent = f"; not installed: {self.not_compared}" if self.not_compared else ""
        return (
            f"{_count(self.comparisons, 'comparison')}, {_count(self.gradients, 'gradient')} agree up to rounding"
            f"{used}{absent}"
        )


def tally_of(properties: Iterable[tuple[str, Any]]) -> Tally | None:
    """The tally that a test's properties hold, if they hold one."""
    found: Mapping[str, Any] = {
        name.removeprefix(PREFIX): value for name, value in properties if name.startswith(PREFIX)
    }
    known = {name: found[name] for name in Tally.__dataclass_fields__ if name in found}
    return Tally(**known) if known.get("verdict") in GRAVEST else None


def _larger(*numbers: float | None) -> float | None:
    return max((number for number in numbers if number is not None), default=None)


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"


listeners: list[Callable[[Any], None]] = []
"""Who counts; the last one hears."""


def announce(result: Any) -> None:
    """Tell of a run or a comparison that was just judged."""
    if listeners:
        listeners[-1](result)
