"""What `harness power` answers: every planted fault, and which checks miss it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from msgspec import to_builtins
from tabulate import tabulate

from harness.comparison.judge import Finding
from harness.fault_injection.misses import FORMULA, OF_WEIGHTS, OURS, ROUNDING, Planted
from harness.usage import visible

MOST_LISTED = 20


@dataclass(frozen=True)
class Peer:
    """A check that people use.

    Attributes:
        call: how it was called.
        dtype: in which.
        asked: about how many faults; not all of them where that would take too long.
        left_out: why it was not asked at all, or None.
    """

    call: str
    dtype: str
    asked: int = 0
    left_out: str | None = None


@dataclass(frozen=True)
class Power:
    """Which planted faults a comparison would miss, beside what others would.

    Attributes:
        about: network, loss, data, dtype and seed in one line.
        planted: every fault, in the order of the backward links.
        possible: how many the catalogue has; more than were planted if they were too many.
        peers: by name, the checks of others.
        absent: implementations that are missing, and why.
        named: whether somebody asked for them by name.
    """

    about: str
    dtype: str
    planted: tuple[Planted, ...]
    possible: int
    peers: Mapping[str, Peer]
    absent: tuple[Finding, ...] = ()
    named: bool = False

    @property
    def missed(self) -> list[Planted]:
        """What both checks of this comparison miss."""
        return [planted for planted in self.planted if planted.missed]

    @property
    def unchanged(self) -> list[Planted]:
        """Faults that make no difference on this data."""
        return [planted for planted in self.planted if not planted.differs]

    @property
    def links(self) -> int:
        """At how many links faults were planted."""
        return len({planted.fault.at for planted in self.planted})

    def misses(self, check: str) -> list[Planted]:
        """What one check misses of what it could have seen, by its name: formula, rounding, assert_close, ..."""
        double = check in self.peers and self.peers[check].dtype == "float64"
        return [planted for planted in self.planted if planted.missed_by(check, in_float64=double)]

    @property
    def verdict(self) -> str:
        """PASS where no fault is missed that makes a difference, NO POWER otherwise."""
        return "NO POWER" if self.missed else "PASS"

    @property
    def exit(self) -> int:
        """3 where an implementation that was named is missing, 1 where it is broken, else 0."""
        if self.named and self.absent:
            return 1 if any(finding.fails for finding in self.absent) else 3
        return 0

    @property
    def reason(self) -> str:
        """The rest of the first line."""
        told = f"{len(self.planted)} faults planted at {self.links} links"
        own = f"this comparison misses {len(self.missed) or 'none'}"
        others = [f"{name} {self._share(name)}" for name, peer in self.peers.items() if peer.asked]
        return f"{told}: {own}{'; at their defaults would miss: ' + ', '.join(others) if others else ''}"

    def _share(self, name: str) -> str:
        asked = self.peers[name].asked
        missed = len(self.misses(name))
        return str(missed) if asked == len(self.planted) else f"{missed} of {asked}"

    def to_dict(self) -> dict[str, Any]:
        """The JSON object of ``harness power --json``."""
        return {
            "verdict": self.verdict,
            "exit": self.exit,
            "reason": self.reason,
            "about": self.about,
            "dtype": self.dtype,
            "planted": len(self.planted),
            "possible": self.possible,
            "links": self.links,
            "no_difference": len(self.unchanged),
            "missed": len(self.missed),
            "missed_by": {name: len(self.misses(name)) for name in [*OURS, *self.peers]},
            "peers": {name: vars(peer) for name, peer in self.peers.items()},
            "absent": to_builtins(list(self.absent)),
            "faults": [
                {
                    "cause": planted.fault.cause,
                    "at": planted.fault.at,
                    "says": planted.fault.says,
                    "formula": planted.fault.formula,
                    "differs": planted.differs,
                    "visible": planted.visible,
                    "missed": planted.missed,
                    "accepted": dict(planted.accepted),
                }
                for planted in self.planted
            ],
        }

    def __str__(self) -> str:
        parts = [self.about, f"{self.verdict}  {self.reason}", self._table(), self._missed(), self._how(), self._next()]
        return "\n\n".join(filter(None, parts))

    def _table(self) -> str:
        """Causes and checks: how many each check misses."""
        checks = [*OURS, *(name for name, peer in self.peers.items() if peer.asked)]
        missed = {check: {id(planted) for planted in self.misses(check)} for check in checks}
        table, seen_by_all = [], 0
        causes = dict.fromkeys(planted.fault.cause for planted in self.planted)
        for cause in [*causes, None]:
            own = [planted for planted in self.planted if cause in (None, planted.fault.cause)]
            counts = [sum(id(planted) in missed[check] for planted in own) for check in checks]
            unchanged = sum(not planted.differs for planted in own)
            if cause is not None and not any(counts) and not unchanged:
                seen_by_all += 1
                continue
            cells = [str(number or "") for number in (unchanged, *counts)]
            table.append([cause or "all causes", str(len(own)), *cells])
        headers = ("missed by", "planted", "no difference", *checks)
        align = ("left", *["right"] * (len(headers) - 1))
        text = tabulate(table, headers, disable_numparse=True, colalign=align)
        return f"{text}\n{seen_by_all} other causes are seen by every check wherever they were planted"

    def _missed(self) -> str:
        lines = [
            f"  {planted.fault.cause} at {planted.fault.at}: {visible(planted.fault.says)}   {planted.fault.formula}"
            for planted in self.missed[:MOST_LISTED]
        ]
        more = len(self.missed) - MOST_LISTED
        lines += [f"  and {more} more; --json has them all"] if more > 0 else []
        return "\n".join(["missed by this comparison, by formula and by rounding", *lines]) if lines else ""

    def _how(self) -> str:
        lines = {
            FORMULA: "float64, end to end: what the faulty link gives, against its derived bound",
            OF_WEIGHTS: "the same of the gradients of the weights, all that a program without intermediates shows",
            ROUNDING: f"{self.dtype}, this link alone: what the faulty link gives, against its derived bound",
        }
        for name, peer in self.peers.items():
            sample = f"; asked about {peer.asked} faults, evenly" if peer.asked < len(self.planted) else ""
            lines[name] = f"left out: {peer.left_out}" if peer.left_out else f"{peer.call}, {peer.dtype}{sample}"
        width = max(map(len, lines))
        told = [f"  {name:<{width}}  {line}" for name, line in lines.items()]
        told.append(f"  A fault within rounding in {self.dtype} is no miss of a check in {self.dtype}, rounding aside.")
        if len(self.planted) < self.possible:
            told.append(f"  {len(self.planted)} of {self.possible} faults were planted, evenly over links and causes.")
        told += [f"  {visible(f'{finding.against}: {finding.message}')}" for finding in self.absent]
        return "\n".join(["how they were asked", *told])

    def _next(self) -> str:
        own = "harness power --of tests/test_mine.py::test_gradient --target mypackage.module:backward"
        return f"next  {own}    harness run"
