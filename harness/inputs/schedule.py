"""The schedule: at which steps every entry is compared, and at which a sample: the tensors whose turn it is.

Small networks, under a million multiply-adds a step, are compared in full at every step. Larger ones are
compared in full at steps 1, 2, 4, 8, ... and the last: every entry, by the formula check in float64 and the
rounding check. At the others the rounding check and the update see about an eighth of the entries: every tensor, whole,
has one of eight turns, the first one chosen by the seed, so that eight steps see every entry. To judge a tensor has a
cost of its own, however few of its entries are judged.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

SMALL = 1_000_000
TURNS = 8


@dataclass(frozen=True)
class Schedule:
    """When to compare what.

    Attributes:
        full: compare every entry at every step.
        every: compare at every N-th step only, in full, and at the first and last; 0 for all steps.
    """

    full: bool
    every: int
    last: int
    seed: int

    def turn(self, step: int) -> Turn | None:
        """What to compare at a step, counted from 1; None for nothing."""
        if self.every:
            due = step in (1, self.last) or step % self.every == 0
            return EVERYTHING if due else None
        if self.full or milestone(step, self.last):
            return EVERYTHING
        return Turn(TURNS, (self.seed + step) % TURNS)

    def certifies(self, step: int) -> bool:
        """Whether a run that is certified finds the truth at a step: at 1, 2, 4, 8, ... and the last, if compared."""
        return milestone(step, self.last) and self.turn(step) is not None


def milestone(step: int, last: int) -> bool:
    """Whether a step, counted from 1, is one of 1, 2, 4, 8, ... or the last."""
    return step & (step - 1) == 0 or step == last


@dataclass(frozen=True)
class Turn:
    """One of so many turns, in which all tensors are judged once."""

    of: int
    place: int

    def names(self, sizes: Mapping[str, int]) -> frozenset[str]:
        """The tensors whose turn it is, by name, of all with their numbers of entries."""
        return _dealt(tuple(sizes.items()), self.of)[self.place]


EVERYTHING = Turn(1, 0)


@lru_cache(maxsize=8)
def _dealt(sizes: tuple[tuple[str, int], ...], turns: int) -> list[frozenset[str]]:
    """Names in as many shares, about as many entries in each: the largest first, each to the share that has least."""
    shares = [list[str]() for _ in range(turns)]
    entries = [0] * turns
    for name, size in sorted(sizes, key=lambda each: -each[1]):
        least = entries.index(min(entries))
        shares[least].append(name)
        entries[least] += size
    return [frozenset(share) for share in shares]
