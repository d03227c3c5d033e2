"""A campaign: cases with 1 and with 2 threads, in processes of their own, until enough entries were compared."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import msgspec

from reports.soundness.known import KNOWN_FAULTS
from reports.soundness.tally import Tally
from reports.soundness.worker import environment_for

THREADS = (1, 2)
BLOCK = 16
"""Cases of one process: whole cycles of depths, losses and last activations."""


@dataclass
class Campaign:
    """What was asked for and what came out."""

    seed: int
    entries: int
    tally: Tally = field(default_factory=Tally)
    cases: int = 0
    seconds: float = 0.0

    @property
    def stale(self) -> list[str]:
        """Known faults that were never met."""
        return [fault.name for fault in KNOWN_FAULTS if fault.name not in self.tally.known]

    @property
    def sound(self) -> bool:
        """Was nobody called wrong who is right, and enough compared to say so?"""
        return not self.tally.alarms and not self.stale and self.tally.total().compared >= self.entries


def run(entries: int, seed: int, told: Callable[[Campaign], None] | None = None) -> Campaign:
    """Run a campaign; `told` is called after each block.

    Raises:
        RuntimeError: a process ended without a tally.
    """
    campaign, begin = Campaign(seed, entries), time.monotonic()

    def share(threads: int) -> None:
        compared = first = 0
        while compared < entries / len(THREADS):
            block = _block(seed, threads, first)
            compared += block.total().compared
            first += BLOCK
            campaign.tally.add(block)
            campaign.cases += BLOCK
            campaign.seconds = time.monotonic() - begin
            if told:
                told(campaign)

    with ThreadPoolExecutor(len(THREADS)) as pool:
        list(pool.map(share, THREADS))
    return campaign


def _block(seed: int, threads: int, first: int) -> Tally:
    """The tally of one process."""
    words = [sys.executable, "-m", "reports.soundness.worker", *map(str, (seed, threads, first, BLOCK))]
    done = subprocess.run(words, env=environment_for(threads), capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words[1:])} ended with {done.returncode}: {done.stderr.decode()[-2000:]}")
    return msgspec.msgpack.decode(done.stdout, type=Tally)
