"""Whether a planted fault changes anything on this data: more than rounding does.

A program with the fault and one without it may round differently where both compute the same numbers, so unequal floats
prove nothing. The rule, in the order in which it is cheap:

1. What lies within the float64 rounding of its one link changes nothing: no program is told from a right one by it.
2. The faulty rule is run on bounded arrays. Where some entry's box and the right one's have no number in common, it
   changes something.
3. Where all boxes overlap, both are found in exact arithmetic, or in balls, from the exact tensors of the whole pass.
   If they are equal, or differ by less than balls far below that rounding can tell, the fault changes nothing.
4. What none of this settles changes something: so the power of a comparison is rather told too small than too large.

A fault of precision is rounding and nothing else: only the first rule applies to it.
"""

from __future__ import annotations

from functools import cached_property
from importlib.util import find_spec
from typing import Any

import numpy as np

from harness.arithmetic import Bounded
from harness.arithmetic.entries import Entries
from harness.arithmetic.rationals import Rationals
from harness.arithmetic.true_tensor import TrueTensor
from harness.evaluation.point import Point
from harness.evaluation.truth import BITS_UNASKED, exact_tensors, why_irrational
from harness.faults import Fault
from harness.faults.precision import DTYPES

MOST_IN_BALLS = 1_000_000
"""Multiply-adds of a pass that is found in balls, which takes a second or two."""


def overlap(mine: Bounded, right: Bounded) -> bool:
    """Whether every entry's box has a number in common with the right one's; where nothing is bounded it has."""
    if mine.shape != right.shape:
        return False
    with np.errstate(all="ignore"):
        apart = np.abs(mine.value - right.value) > mine.bound + right.bound
    return not apart.any()


def of_precision(fault: Fault) -> bool:
    """Whether a fault is lower precision, which in exact arithmetic is none."""
    return fault.cause in DTYPES


class Exactly:
    """The tensors of one pass in exact arithmetic or in balls, found when they are first asked for."""

    def __init__(self, point: Point) -> None:
        self.point = point

    @cached_property
    def tensors(self) -> dict[str, Any] | None:
        """By name; None where they cannot be found here, or it would take too long."""
        point = self.point
        numbers: Any = Rationals()
        if why_irrational(point.network, point.rows) is not None:
            if find_spec("flint") is None or point.network.multiply_adds(point.rows) > MOST_IN_BALLS:
                return None
            from harness.arithmetic.balls import Balls

            numbers = Balls(BITS_UNASKED)
        try:
            return exact_tensors(point.network, numbers, point.weights, point.x, point.y)
        except (ArithmeticError, ValueError):  # a number that is not finite, or a division by 0
            return None

    def same(self, fault: Fault, bound: Bounded) -> bool:
        """Whether the faulty link is shown to give what the right one gives; `bound` holds the rounding of the link."""
        if self.tensors is None:
            return False
        right = self.tensors[fault.at]
        try:
            mine = fault.rule(self.tensors)
        except (ArithmeticError, ValueError, TypeError):  # a rule that these numbers cannot follow
            return False
        if not isinstance(mine, Entries) or mine.shape != right.shape:
            return False
        difference = TrueTensor(mine - right)
        with np.errstate(invalid="ignore"):
            none = np.abs(difference.value) <= difference.radius
        return bool(np.all(none & difference.far_below(bound.bound) & np.isfinite(difference.radius)))
