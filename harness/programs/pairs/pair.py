"""A pair: an array of one program that is an array of another, and how it lies in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from math import prod

import numpy as np

from harness.programs.pairs.arrangement import Arrangement
from harness.results.program_pair import How
from impls.captured import Leaf
from impls.contract import Array


@dataclass(frozen=True)
class Pair:
    """Two arrays that are the same, the second holding the first in an arrangement.

    Attributes:
        others: other arrangements that fit; where none is known to be meant, it is undecided.
    """

    source: Leaf
    target: Leaf
    arrangement: Arrangement
    how: How
    others: tuple[Arrangement, ...] = ()
    undecided: bool = False

    @property
    def numbers(self) -> Array:
        """What the target is given."""
        return self.arrangement.of(self.source.array)

    @property
    def changes(self) -> bool:
        """Whether the target holds other numbers."""
        return not same(self.numbers, self.target.array)


@dataclass
class Mapped:
    """What was found: pairs, and what is left over on either side."""

    pairs: list[Pair] = field(default_factory=list)
    sources: list[Leaf] = field(default_factory=list)
    targets: list[Leaf] = field(default_factory=list)

    def take(self, pair: Pair) -> None:
        """Put a pair among those found."""
        self.pairs.append(pair)
        self.sources = [leaf for leaf in self.sources if leaf is not pair.source]
        self.targets = [leaf for leaf in self.targets if leaf is not pair.target]


def same(one: Array, other: Array) -> bool:
    """Whether two arrays hold the same numbers, in the narrower of their dtypes."""
    if one.dtype.kind == other.dtype.kind == "f":
        narrow = min(one.dtype, other.dtype, key=lambda dtype: dtype.itemsize)
        one, other = one.astype(narrow), other.astype(narrow)
    return bool(np.array_equal(one, other, equal_nan=one.dtype.kind == other.dtype.kind == "f"))


def leaves_with(pairs: Sequence[Pair]) -> dict[str, Array]:
    """What the targets are given, by their names; all of one target's, where it is given all."""
    return {pair.target.name: pair.numbers for pair in pairs if prod(pair.target.array.shape) == pair.numbers.size}
