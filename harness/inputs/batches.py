"""Mini-batches in an order fixed by the seed, the last short batch of an epoch kept."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from harness.inputs.datasets import Data
from harness.usage import UsageError
from impls.contract import Array, Inputs
from impls.graph import TARGET, Graph


@dataclass(frozen=True)
class Batches:
    """Inputs and targets y, `size` rows at a time.

    The whole data as one batch keeps its order. Smaller batches follow a permutation drawn anew for each
    epoch from ``numpy.random.default_rng([seed, epoch])``. Real numbers are of the working dtype.
    """

    inputs: Inputs
    y: Array
    size: int
    seed: int
    dtype: str

    @property
    def x(self) -> Array | Inputs:
        """What a network is fed: the only input, or all by name."""
        return next(iter(self.inputs.values())) if len(self.inputs) == 1 else self.inputs

    @property
    def named(self) -> dict[str, Array]:
        """Inputs and targets by name."""
        return {**self.inputs, TARGET: self.y}

    @property
    def per_epoch(self) -> int:
        """Steps in one pass over the data."""
        return -(-len(self.y) // self.size)

    def rows(self, step: int) -> Array:
        """Which rows the batch of a step holds, the step counted from 1 and the rows from 0."""
        if self.size == len(self.y):
            return np.arange(self.size)
        epoch, position = divmod(step - 1, self.per_epoch)
        order = np.random.default_rng([self.seed, epoch]).permutation(len(self.y))
        return order[position * self.size : (position + 1) * self.size]

    def at(self, step: int) -> tuple[Array | Inputs, Array]:
        """The batch of a step, counted from 1."""
        if self.size == len(self.y):
            return self.x, self.y
        rows = self.rows(step)
        return self.x[rows], self.y[rows]


def batches_of(network: Graph, data: Data, dtype: str, size: int | None, seed: int) -> Batches:
    """The batches of a data set in a dtype, as a network reads them; if `size` is None, of the data's own, or all
    rows at once.

    Raises:
        UsageError: the data does not fit the network or the dtype.
    """
    y = data.targets(network)
    with np.errstate(over="ignore"):  # told below, by name
        given = {**_masks(network, len(y), seed), **data.inputs(network)}
        x = Inputs({s.name: _in(dtype, network, s.name, given[s.name]) for s in network.sources})
        y = y if network.loss.labels else y.astype(dtype)
    batches = Batches(inputs=x, y=y, size=min(size or data.batch or len(y), len(y)), seed=seed, dtype=dtype)
    try:
        network.check_batch({**network.fresh_buffers(dtype), **x}, y)
    except ValueError as error:
        raise UsageError(str(error)) from None
    if not all(np.all(np.isfinite(array)) for array in batches.named.values()):
        raise UsageError(
            f"Cannot train on {data.name} in {dtype}, because its values are not finite there; scale them."
        )
    return batches


def _masks(network: Graph, rows: int, seed: int) -> dict[str, Array]:
    """The masks of a network, a row for each sample: the same whenever the sample comes, for every implementation."""
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(1,)))
    return {s.name: 1.0 * (rng.random((rows, *s.shape)) < s.keep) for s in network.sources if s.keep}


def _in(dtype: str, network: Graph, name: str, array: Array) -> Array:
    """An input in the working dtype; whole numbers, which files hold as reals, become whole numbers again."""
    if not network.tensors[name].whole:
        return array.astype(dtype)
    whole = array.astype(np.int64)
    return whole if np.array_equal(whole, array) else array
