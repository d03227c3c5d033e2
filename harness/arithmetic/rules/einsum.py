"""Rounding of sums of products over several axes: see `impls.hand.layers.einsum`.

Source: torch's aten/src/ATen/native/LinearAlgebra.cpp (2.13), which expands what is repeated in a matrix product, so
that its gradient is summed over the copies after each has been rounded; derived here.
"""

from __future__ import annotations

import numpy as np

from harness.arithmetic.bounded import INFLATION, Bounded, rule_for
from impls.hand.layers.einsum import contracted


@rule_for(contracted)
def contracted_(p: Bounded, q: Bounded, of_p: str, of_q: str, of_s: str) -> Bounded:
    """One sum over every axis that is summed over; over several of them a result may be rounded in between.

    A program that has products summed over some axes, each kept in the dtype, and adds them up along the others, as
    torch does where a matrix is repeated, rounds what adds up to no more than the sum of all magnitudes. Where sums
    accumulate in the dtype itself that is less than what any order of theirs rounds.
    """
    made: Bounded = contracted.body(p, q, of_p, of_q, of_s)  # type: ignore[attr-defined]
    profile = made.context.profile
    kept = profile.u if profile.stored is None else profile.stored[0]
    summed = [a for a in of_p if a in of_q and a not in of_s]
    if len(summed) < 2 or profile.u_acc >= kept:
        return made
    sizes = (np.abs(each.value) + each.bound for each in (p, q))
    magnitude = contracted.body(*sizes, of_p, of_q, of_s)  # type: ignore[attr-defined]
    return made.widened(INFLATION * kept * magnitude + len(summed) * profile.eta)
