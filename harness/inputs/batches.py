"""Mini-batches in an order fixed by the seed, the last short batch of an epoch kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.inputs.datasets import Data
from harness.usage import UsageError
from impls.contract import Array
from impls.graph import Graph


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

    def rows(self, step: int) -> Array:
        """Which rows the batch of a step holds, the step counted from 1 and the rows from 0."""
        if self.size == len(self.x):
            return np.arange(self.size)
        epoch, position = divmod(step - 1, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.x))
        return order[position * self.size : (position + 1) * self.size]

    def at(self, step: int) -> tuple[Array, Array]:
        """The batch of a step, counted from 1."""
        if self.size == len(self.x):
            return self.x, self.y
        rows = self.rows(step)
        return self.x[rows], self.y[rows]


def batches_of(network: Graph, data: Data, dtype: str, size: int | None, seed: int) -> Batches:
    """The batches of a data set in a dtype, as a network reads them; all rows at once if `size` is None.

    Raises:
        UsageError: the data does not fit the network or the dtype.
    """
    y = data.targets(network)
    with np.errstate(over="ignore"):  # told below, by name
        x = data.x.astype(dtype)
        y = y if network.loss.labels else y.astype(dtype)
    try:
        network.check_batch(x, y)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not (np.all(np.isfinite(x)) and np.all(np.isfinite(y))):
        raise UsageError(
            f"Cannot train on {data.name} in {dtype}, because its values are not finite there; scale them."
        )
    return Batches(x, y, min(size or len(x), len(x)), seed)
