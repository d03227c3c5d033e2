"""What the campaign counted: entries, the largest share used, and every alarm with the line that repeats it.

Beside alarms stand the faults of frameworks that are known, each with its reason, and the formula that it really is.
A fault counts as known only where the framework's own formula explains it within that formula's bound, so that
no other fault of the same link hides behind it. A known fault that is never met is stale, and fails a campaign.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import msgspec
import numpy as np

from harness.arithmetic import Profile
from harness.comparison.checks import judge_link
from harness.comparison.judge import Row
from impls.graph import Link
from impls.graph.primitive import Array
from impls.hand import HardSigmoid


class Key(NamedTuple):
    """What is counted apart."""

    check: str
    rule: str
    dtype: str
    against: str


class Count(msgspec.Struct):
    """Entries by where they ended.

    Attributes:
        compared: within a finite bound, in a row where half of the tensor would have been noticed.
        powerless: within a finite bound, in a row where half of it would have passed too.
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


@dataclass(frozen=True)
class KnownFault:
    """One wrong link of one framework in one dtype."""

    name: str
    against: str
    dtype: str
    layer: type
    gives: str
    rule: Callable[..., Array]
    reason: str

    def covers(self, link: Link, against: str, dtype: str) -> bool:
        """Is this the link that is known to be wrong?"""
        same = (against, dtype) == (self.against, self.dtype)
        return same and type(link.layer) is self.layer and link.rule.__name__ == self.gives

    def explains(self, link: Link, tensors: Mapping[str, Array], profile: Profile) -> bool:
        """Does the framework's own formula give what it shows?"""
        own = replace(link, rule=self.rule)
        return judge_link(own, tensors, tensors[link.output], profile, self.against, 1).verdict != "FAULT"


def _hard_sigmoid_of_torch(da: Array, z: Array) -> Array:
    shifted: Any = z + 3
    return da * (shifted > 0) * (shifted < 6) * float(np.float32(1 / 6))


KNOWN_FAULTS = (
    KnownFault(
        "torch's float64 hard sigmoid",
        "torch",
        "float64",
        HardSigmoid,
        "dz",
        _hard_sigmoid_of_torch,
        "its backward pass multiplies by 1.0f / 6.0f, a float32 constant, which is 3e-8 off in float64 "
        "(ATen/native/cpu/Activation.cpp, hardsigmoid_backward_kernel)",
    ),
)


def fault_of(link: Link, against: str, dtype: str) -> KnownFault | None:
    """The known fault of this link, if there is one."""
    return next((fault for fault in KNOWN_FAULTS if fault.covers(link, against, dtype)), None)
