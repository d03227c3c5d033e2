"""Mini-batches in an order fixed by the seed, the last short batch of an epoch kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.centre import Array


@dataclass(frozen=True)
class Batches:
    """Rows x and targets y, `size` rows at a time.

    The whole data as one batch keeps its order. Smaller batches follow a permutation drawn anew for each
    epoch from ``numpy.random.default_rng([seed, epoch])``.
    """

    x: Array
    y: Array
    size: int
    seed: int

    @property
    def per_epoch(self) -> int:
        """Steps in one pass over the data."""
        return -(-len(self.x) // self.size)

    def at(self, step: int) -> tuple[Array, Array]:
        """The batch of a step, counted from 1."""
        if self.size == len(self.x):
            return self.x, self.y
        epoch, position = divmod(step - 1, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.x))
        rows = order[position * self.size : (position + 1) * self.size]
        return self.x[rows], self.y[rows]
