"""Forecast: what of a run will take long or find no room, said before it starts, and how far it has come.

The rates are those of two cores of a common processor; they tell seconds from minutes, no more.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass

from harness.environment import memory
from harness.inputs.schedule import Schedule
from impls.graph import TARGET, Graph

LONG = 10.0
"""Seconds that are worth a word."""
BALLS = 4e7
"""Multiply-adds a second in ball arithmetic, by python-flint."""
CHECKED = 1e8
"""Multiply-adds a second that are done by everybody, in both dtypes, and bounded."""
STEP, LINK, COMPILED = 0.03, 0.002, 0.01
"""Seconds for each step and each of its links, of all implementations together, and for compiling a link at first."""


def forecast(network: Graph, rows: int, schedule: Schedule, *, exact: bool) -> list[str]:
    """What will take long, or not fit in memory, in sentences; nothing where all is done soon."""
    told, links, work = [], len(network.links), network.multiply_adds(rows)
    needed, there = _bytes(network, rows), memory()
    if there is not None and needed > there:
        told.append(f"a pass with bounds in float64 takes {_sized(needed)} of memory, and there are {_sized(there)}")
    step = STEP + LINK * links + work / CHECKED
    first = step + COMPILED * links
    if first > LONG:
        told.append(f"the first step of {links:,} links and {work:,} multiply-adds takes {_spoken(first)}")
    if first + schedule.last * step > 6 * LONG:
        told.append(f"{schedule.last:,} steps take {_spoken(first + schedule.last * step)}")
    milestones = {2**k for k in range(schedule.last.bit_length())} | {schedule.last} - {0}
    certified = sum(map(schedule.certifies, milestones)) if exact else 0
    if certified and certified * work / BALLS > LONG:
        each = f"{_spoken(work / BALLS)} each"
        told.append(f"the true gradient is found at {certified} of {schedule.last:,} steps, which takes {each}")
    return told


def _bytes(network: Graph, rows: int) -> int:
    """What one pass with bounds in float64 holds at its end: what it is given, and two numbers of all that it makes."""
    given = {*network.weights, *network.buffers, *(source.name for source in network.sources), TARGET}
    tensors = network.tensors.items()
    return sum((8 if name in given else 16) * math.prod(tensor.sized(rows)) for name, tensor in tensors)


def _sized(number: int) -> str:
    return f"{number / 2**30:,.1f} GiB"


def _spoken(seconds: float) -> str:
    if seconds < 7200:
        return f"about {seconds:.0f} s" if seconds < 120 else f"about {seconds / 60:.0f} minutes"
    return "hours"


@dataclass
class Watch:
    """Says how far something has come, at most every ten seconds."""

    what: str
    announce: Callable[[str], None]
    begun: float = 0.0
    said: float = 0.0

    def __call__(self, done: int, of: int) -> None:
        """So much is done, of so much; the first call begins it."""
        now = time.monotonic()
        if done <= 1:
            self.begun = self.said = now
        elif now - self.said >= LONG:
            self.said = now
            self.announce(f"{self.what}: {done} of {of} links after {now - self.begun:.0f} s")
