"""The update as a link: each rule of the hand optimizer, fed an implementation's own state and gradient.

State and new weight are compared, each with the bound of its own rule. The new weight's `sees` is that of
the weight, not of the step: near a weight of 1 a step of 1e-3 can only be seen to some 1e-4 of itself.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np

from harness.arithmetic import Profile
from harness.comparison.checks import judge_link
from harness.comparison.judge import Row
from harness.inputs.stride import EVERY_ENTRY, Stride
from impls.contract import Array, Arrays, Update
from impls.graph import Link, prefixed
from impls.hand.optimizers import update_links


def update(
    optimizer: Any,
    weights: Arrays,
    gradients: Arrays,
    before: Arrays,
    after: Update,
    profile: Profile,
    *,
    against: str,
    step: int,
    stride: Stride = EVERY_ENTRY,
) -> list[Row]:
    """One row for each new weight and each state; `before` and `after` are the implementation's own."""
    rows = []
    tensors: dict[str, Any] = {**weights, **gradients, **before, "t": np.asarray(step)}
    new = {**after.weights, **after.state}
    for link in _links(optimizer, tuple(weights)):
        rows.append(judge_link(link, tensors, new[link.output], profile, against, step, stride))
        tensors[link.output] = new[link.output]  # the weight's rule reads the state as it was updated
    return rows


@lru_cache(maxsize=1)  # made from signatures, slowly, and the same at every step
def _links(optimizer: Any, weights: tuple[str, ...]) -> list[Link]:
    return update_links(optimizer, weights)


def initial_state(optimizer: Any, weights: Arrays) -> dict[str, Array]:
    """What every optimizer's state is before the first step: zeros."""
    return {prefixed(s, name): np.zeros_like(w) for name, w in weights.items() for s in optimizer.state}
