"""The update as a link: each rule of the hand optimizer, fed an implementation's own state and gradient.

State and new weight are compared, each with the bound of its own rule. The new weight's `sees` is that of
the weight, not of the step: near a weight of 1 a step of 1e-3 can only be seen to some 1e-4 of itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from harness.arithmetic import Context, Profile, profile_of
from harness.centre import EVERY_ENTRY, Array, Sample, sampled
from harness.comparison import Row, judge
from impls.contract import Arrays, Update
from impls.hand.optimizers import rules_of


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
    sample: Sample = EVERY_ENTRY,
) -> list[Row]:
    """One row for each new weight and each state; `before` and `after` are the implementation's own."""
    rows = []
    for name, weight in weights.items():
        given: dict[str, Any] = {"W": weight, "dW": gradients["d" + name], "t": step}
        given |= {s: before[s + name] for s in optimizer.state}
        for rule, inputs in rules_of(optimizer):
            tensor = name if rule == "W" else rule + name
            actual = after.weights[name] if rule == "W" else after.state[tensor]
            operands = {i: _part(given[i], sample) for i in inputs}
            expected = _evaluate(optimizer, rule, operands, profile)
            rows.append(
                judge(
                    "rounding",
                    tensor,
                    against,
                    step,
                    actual=_part(actual, sample),
                    expected=expected.value,
                    allowed=expected.bound,
                    zero_bound=lambda r=rule, o=operands: (
                        _evaluate(  # type: ignore[misc]
                            optimizer, r, o, profile_of("float64")
                        ).bound
                    ),
                )
            )
            given[rule] = actual  # the weight's rule reads the state as the implementation updated it
    return rows


def _part(value: Any, sample: Sample) -> Any:
    return sampled(value, 0, sample) if isinstance(value, np.ndarray) else value


def _evaluate(optimizer: Any, rule: str, operands: Mapping[str, Array | int], profile: Profile) -> Any:
    context = Context(profile)
    return getattr(optimizer, rule)(*[context.exact(o) if isinstance(o, np.ndarray) else o for o in operands.values()])


def initial_state(optimizer: Any, weights: Arrays) -> dict[str, Array]:
    """What every optimizer's state is before the first step: zeros."""
    return {s + name: np.zeros_like(w) for name, w in weights.items() for s in optimizer.state}
