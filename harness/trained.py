"""Where training leads: the point that the hand code reaches after some steps, nothing compared on the way."""

from __future__ import annotations

from typing import Any

import numpy as np

from harness.batches import Batches
from harness.point import Point
from harness.usage import UsageError
from impls.hand import Network
from impls.hand_numpy import Hand, HandUpdater


def point_at(network: Network, batches: Batches, optimizer: Any, seed: int, step: int) -> Point:
    """Weights and batch of a step, counted from 1, as a lockstep run of the same arguments has them there.

    Raises:
        UsageError: training diverges before that step.
    """
    dtype = str(batches.x.dtype)
    hand = Hand(network, dtype)
    weights = network.init(seed, dtype)
    updater = HandUpdater(optimizer, weights)
    with np.errstate(all="ignore"):
        for number in range(1, step):
            x, y = batches.at(number)
            weights = dict(updater.update(weights, hand.differentiate(weights, x, y, tap=False).gradients).weights)
            if not all(np.all(np.isfinite(w)) for w in weights.values()):
                raise UsageError(
                    f"Cannot go to step {step}, because the training diverges at step {number}; choose a smaller lr."
                )
    x, y = batches.at(step)
    return Point(network, weights, x, y, step)
