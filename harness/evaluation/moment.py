"""A moment of a training: weights and optimizer state after some steps, and the batch of the next step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.evaluation.given import with_buffers
from harness.inputs.batches import Batches
from harness.usage import UsageError
from impls.contract import Array
from impls.graph import Graph
from impls.hand_numpy import HandUpdater


@dataclass(frozen=True)
class Moment:
    """Where a network stands after some steps.

    Attributes:
        step: number of steps taken.
        state: of the optimizer: ``mW1``, ...
        rows: of the data that the next step's batch holds, counted from 0.
        buffers: what a forward pass has kept so far.
    """

    step: int
    weights: Mapping[str, Array]
    state: Mapping[str, Array]
    rows: Array
    buffers: Mapping[str, Array] = field(default_factory=dict)


def moment_after(network: Graph, batches: Batches, optimizer: Any, seed: int, steps: int) -> Moment:
    """Train the hand code, nothing compared, for so many steps from ``network.init(seed)``, in the batches' dtype.

    Raises:
        UsageError: the training diverges before.
    """
    dtype = batches.dtype
    weights: Mapping[str, Array] = network.init(seed, dtype)
    buffers, updater = network.fresh_buffers(dtype), HandUpdater(optimizer, weights)
    with np.errstate(all="ignore"):
        for step in range(1, steps + 1):
            x, y = batches.at(step)
            x = with_buffers(network, x, buffers)
            activations = network.forward(weights, x)
            buffers = network.next_buffers(activations)
            update = updater.update(weights, network.backward(weights, x, y, activations))
            weights = update.weights
            if not all(np.all(np.isfinite(w)) for w in weights.values()):
                raise UsageError(
                    f"Cannot go on to the network after {steps} steps, because the training diverges at step {step}; "
                    f"choose fewer steps or a smaller lr."
                )
    return Moment(steps, weights, updater.state, batches.rows(steps + 1), buffers)
