"""What the campaign counted: entries, the largest share used, and every alarm with the line that repeats it."""

from __future__ import annotations

from typing import NamedTuple

import msgspec

from harness.comparison.judge import Row


class Key(NamedTuple):
    """What is counted apart."""

    check: str
    rule: str
    dtype: str
    against: str


class Count(msgspec.Struct):
    """Entries by where they ended.

    Attributes:
        compared: within a finite bound, in a row where zeros in place of the tensor would have been noticed.
        powerless: within a finite bound, in a row where zeros would have passed too.
        unbounded: nothing is bounded there: a correct program may overflow or divide by zero.
        unjudged: behind another subgradient at a kink, or behind a known fault of a framework.
        used: largest share of an allowance, and the case where it was.
    """

    compared: int = 0
    powerless: int = 0
    unbounded: int = 0
    unjudged: int = 0
    used: float = 0.0
    where: str = ""

    def add(self, other: Count) -> None:
        """Add another count of the same kind, or of kinds that are told together."""
        self.compared += other.compared
        self.powerless += other.powerless
        self.unbounded += other.unbounded
        self.unjudged += other.unjudged
        if other.used > self.used:
            self.used, self.where = other.used, other.where


class Alarm(msgspec.Struct, frozen=True):
    """A correct implementation that was called wrong.

    Attributes:
        seed, number: of the case, which repeat it.
        what: rule, check, dtype and implementation.
        point: scales and patterns of weights and data.
        text: difference and allowance, or the error that was raised.
    """

    seed: int
    number: int
    what: Key
    point: str
    network: str
    text: str


class Tally(msgspec.Struct):
    """Everything that one or more cases counted.

    Attributes:
        counts: entries by check, rule, dtype and implementation.
        seen: how often each thing occurred that a campaign should meet: depth 3, width 256, activation gelu, ...
        known: how often each known fault of a framework was met.
        lacking: what implementations said that they do not have.
    """

    counts: dict[Key, Count] = msgspec.field(default_factory=dict)
    seen: dict[str, int] = msgspec.field(default_factory=dict)
    known: dict[str, int] = msgspec.field(default_factory=dict)
    lacking: dict[str, int] = msgspec.field(default_factory=dict)
    alarms: list[Alarm] = msgspec.field(default_factory=list)

    def of(self, key: Key) -> Count:
        """The count of one kind."""
        return self.counts.setdefault(key, Count())

    def row(self, key: Key, row: Row, where: str) -> None:
        """Count a row that is no alarm."""
        count = self.of(key)
        bounded = row.entries - row.unbounded
        count.unbounded += row.unbounded
        if row.verdict in ("inherited", "not comparable"):
            count.unjudged += bounded
            return
        if row.verdict == "no power":
            count.powerless += bounded
        else:
            count.compared += bounded
        if row.verdict != "convention" and row.used is not None and row.used > count.used:
            count.used, count.where = row.used, where

    def add(self, other: Tally) -> None:
        """Add what somebody else counted."""
        for key, count in other.counts.items():
            self.of(key).add(count)
        for mine, theirs in (
            (self.seen, other.seen),
            (self.known, other.known),
            (self.lacking, other.lacking),
        ):
            for name, times in theirs.items():
                mine[name] = mine.get(name, 0) + times
        self.alarms += other.alarms

    def saw(self, *what: str) -> None:
        """Remember that something occurred."""
        for name in what:
            self.seen[name] = self.seen.get(name, 0) + 1

    def total(self, **wanted: str) -> Count:
        """All counts whose key has the wanted values: ``total(check="rounding", dtype="float32")``."""
        total = Count()
        for key, count in self.counts.items():
            if wanted.items() <= key._asdict().items():
                total.add(count)
        return total
