"""Pairs: a mistake behind a constant factor, where only both together reproduce the numbers.

Whoever shows gradients of the weights only, and takes the mean where the network's loss is a sum, may have a slip in
the first derivative besides. Neither explains anything alone. But everything is linear in the gradient of the loss:
with the slip planted, the numbers are right up to one constant, and that constant tells the factor.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from harness.diagnosis.hypotheses import Hypothesis, residual, stride_of
from harness.evaluation.incremental import Replay
from harness.faults import Fault
from impls.contract import Array

FACTORS = (
    "sign flipped",
    "half",
    "doubled",
    "times N",
    "divided by N",
    "times K",
    "divided by K",
    "sum for mean",
    "mean for sum",
)
"""Causes that multiply all of a gradient by a constant."""
MOST_PAIRED = 4
"""Pairs, best first, that are worth a try in bounded arithmetic."""


def paired(
    tensor: str, actual: Array, tried: Sequence[Hypothesis], first: Sequence[Fault], floats: Replay
) -> Iterator[tuple[Fault, Hypothesis]]:
    """A factor at the first suspect, and a hypothesis that fits better with it; the best first.

    Args:
        tried: hypotheses, none of which explains the tensor alone.
        first: faults at the first link that leads to the tensor unseen.
    """
    stride = stride_of(actual)
    size, part = float(np.abs(actual).max()), floats.part(tensor, actual, stride)

    def predicted(fault: Fault) -> Array:
        return np.asarray(floats.predicted(fault.at, fault.rule, [tensor], stride)[tensor])

    right = floats.part(tensor, floats.expected[tensor], stride)
    factors = {_factor(predicted(fault), right): fault for fault in first if fault.cause in FACTORS}
    constants = [k for k in factors if np.isfinite(k) and k]
    found = []
    for hypothesis in tried if constants else ():
        if hypothesis.tier or hypothesis.fault.at == first[0].at:
            continue
        unscaled = predicted(hypothesis.fault)
        c = _factor(part, unscaled)
        if np.isfinite(c) and c:
            k = min(constants, key=lambda k: abs(k / c - 1))
            found.append((residual(part, k * unscaled, size), factors[k], hypothesis))
    found.sort(key=lambda each: each[0])
    for off, fault, hypothesis in found[:MOST_PAIRED]:
        if off < hypothesis.residual:
            yield fault, hypothesis


def _factor(actual: Array, predicted: Array) -> float:
    entry = int(np.argmax(np.abs(predicted)))
    with np.errstate(all="ignore"):
        return float(actual.flat[entry] / predicted.flat[entry])
