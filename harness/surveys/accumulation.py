"""In which order and in how many digits something adds numbers up, revealed by what it gives.

    order    of n numbers, one is M, one -M and all others the same small one, which M swallows. M and -M meet where
             their branches of the sum do, and what is added before that is lost: so what is left tells how many numbers
             lie below that place. From all pairs follows the tree.
    digits   1, 2^-k and -1, the first two of which meet first: 2^-k is left where k + 1 digits hold 1 + 2^-k

Nothing of the program is looked at. What adds in another order each time, or depends on the numbers, has no tree.

Source: Xie, Zhang, Xia, Lin, "FPRev: revealing the order of floating-point summation in numerical software" (2024),
algorithms 1 and 4 for the order; the digits are found likewise.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from harness.formats import format_of
from impls.contract import Array

Sums = Callable[[Array], Any]
"""From an array (n,) of a dtype to one number."""
Tree = int | tuple["Tree", ...]
"""A number's place, or what is added at once."""


@dataclass(frozen=True)
class Accumulation:
    """How n numbers were added.

    Attributes:
        order: the tree.
        digits: bits of the significand of what accumulates.
        terms: n.
    """

    order: Tree
    digits: int
    terms: int

    @cached_property
    def depth(self) -> int:
        """Additions that one number goes through at most."""
        return _depth(self.order)

    def __str__(self) -> str:
        one_by_one = self.depth == self.terms - 1
        return f"{self.digits} digits, {'one after the other' if one_by_one else f'depth {self.depth} of {self.terms}'}"


def accumulation_of(sums: Sums, terms: int, dtype: str) -> Accumulation:
    """Reveal how a function adds numbers of a dtype.

    >>> found = accumulation_of(lambda x: (x[0] + x[1]) + (x[2] + x[3]), 4, "float32")
    >>> found.order, found.digits
    (((0, 1), (2, 3)), 24)

    Args:
        sums: of arrays (terms,).
        terms: 3 at least, and no more than the dtype counts exactly: 256 in bfloat16.

    Raises:
        ValueError: the numbers are too few or too many, or what is left fits no tree.
    """
    of = format_of(dtype)
    if not 3 <= terms <= 2**of.digits:
        raise ValueError(
            f"Cannot reveal a sum of {terms} numbers of {dtype}, because it counts up to {2**of.digits:,} exactly; "
            f"give from 3 to that many."
        )
    probe = _Probe(sums, terms, dtype)
    order = probe.tree(range(terms))
    return Accumulation(order, probe.digits(order), terms)


class _Probe:
    def __init__(self, sums: Sums, terms: int, dtype: str) -> None:
        self.sums, self.terms, self.dtype = sums, terms, dtype
        of = format_of(dtype)
        # So far apart that no accumulator holds both, float64's 53 digits at most, where the format has the range.
        top = min(of.most - 1, 100)
        self.large, self.small = 2.0**top, 2.0 ** max(top - 100, of.least - of.digits + 1)
        self._below: dict[tuple[int, int], int] = {}

    def below(self, one: int, other: int) -> int:
        """How many numbers lie below the place where two meet."""
        pair = (min(one, other), max(one, other))
        if pair not in self._below:
            x = np.full(self.terms, self.small)
            x[one], x[other] = self.large, -self.large
            left = self._sum(x) / self.small
            if left != int(left) or not 0 <= left <= self.terms - 2:
                raise ValueError(
                    f"Cannot tell the order of this sum, because {left:g} of {self.terms} numbers are left."
                )
            self._below[pair] = self.terms - int(left)
        return self._below[pair]

    def tree(self, places: Sequence[int]) -> Tree:
        """Of some numbers that meet in one place below which lie no others."""
        first, *others = places
        if not others:
            return first
        together = max(self.below(first, other) for other in others)
        branches: list[list[int]] = []
        for place in places:
            near = (branch for branch in branches if self.below(branch[0], place) < together)
            branch = next(near, None)
            if branch is None:
                branches.append([place])
            else:
                branch.append(place)
        if len(branches) < 2 or together != len(places):
            raise ValueError("Cannot tell the order of this sum, because what is left fits no tree.")
        return tuple(self.tree(branch) for branch in branches)

    def digits(self, order: Tree) -> int:
        """Of what two numbers that meet first are added in."""
        one, other = _first_pair(order)
        third = next(place for place in range(self.terms) if place not in (one, other))
        of, held = format_of(self.dtype), 0
        top = max(of.most - 1, 0) if of.most < 100 else 0
        for k in range(1, min(top - (of.least - of.digits + 1), 80)):
            x = np.zeros(self.terms)
            x[one], x[other], x[third] = 2.0**top, 2.0 ** (top - k), -(2.0**top)
            if self._sum(x) != 2.0 ** (top - k):
                break
            held = k
        return held + 1

    def _sum(self, x: Array) -> float:
        with np.errstate(all="ignore"):
            return float(self.sums(x.astype(self.dtype)))


def _first_pair(tree: Tree) -> tuple[int, int]:
    """Two numbers that are added to each other before to anything else."""
    while isinstance(tree, tuple):
        inner = next((branch for branch in tree if isinstance(branch, tuple)), None)
        if inner is None:
            return tree[0], tree[1]  # type: ignore[return-value]
        tree = inner
    raise ValueError("Cannot tell the digits of a sum of one number.")


def _depth(tree: Tree) -> int:
    return 1 + max(_depth(branch) for branch in tree) if isinstance(tree, tuple) else 0
