"""Lockstep: k implementations, step by step, on identical weights.

At every step each implementation differentiates the network at the same weights on the same batch, takes
its own optimizer step, and is compared; the hand code's new weights are the next step's weights for all.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from harness.batches import Batches
from harness.datasets import Data, from_arrays, load_data
from harness.networks import load_network
from harness.records import Writer
from harness.runs import Run
from harness.schedule import SMALL, Schedule, multiply_adds
from harness.session import REFERENCE, Session
from harness.usage import UsageError
from impls import registry
from impls.hand import Network
from impls.hand.notation import OPTIMIZERS, lookup, made

DTYPES = ("float32", "float64")


def run(
    network: Network | str | Path = "4-3-2-1",
    data: Data | str | tuple[Any, Any] = "iris",
    against: Sequence[str] | None = None,
    *,
    optimizer: Any = "gradient-descent",
    steps: int | None = None,
    epochs: int | None = None,
    batch: int | None = None,
    dtype: str = "float32",
    seed: int = 0,
    check_every: int | None = None,
    full: bool = False,
    output: str | Path | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Run:
    """Train in lockstep, compare every implementation with the hand code, and return the `Run`.

    Args:
        network: a `Network`, layer sizes (sigmoid everywhere, sum of squared errors), or the path of a .toml file.
        data: a `Data`, the name or path of one, or arrays (x, y).
        against: implementations by name; all that are installed if None.
        optimizer: a hand-written optimizer or its name.
        steps, epochs: how long to train: 200 steps if neither is given.
        batch: rows per step, in an order fixed by the seed; all rows if None.
        dtype: the working dtype, float32 or float64. The formula check always runs in float64.
        seed: of the initial weights and the order of the batches.
        check_every: compare only every N-th step, the first and the last.
        full: compare every entry at every step, also of large networks.
        output: path of a run record to write as the run happens.
        progress: called after each step with the steps done and the steps planned.

    Raises:
        UsageError: something impossible was asked for.
    """
    try:
        network = load_network(network) if isinstance(network, str | Path) else network
        if isinstance(optimizer, str):
            optimizer = made("optimizer", OPTIMIZERS, optimizer)
        names = _names(against)
    except ValueError as error:
        raise UsageError(str(error)) from None
    data = load_data(data) if isinstance(data, str) else from_arrays(*data) if isinstance(data, tuple) else data
    counts = {"steps": (steps, 0), "epochs": (epochs, 0), "batch": (batch, 1), "check_every": (check_every, 1)}
    for name, (value, least) in {**counts, "seed": (seed, 0)}.items():
        if value is not None and (not isinstance(value, int) or isinstance(value, bool) or value < least):
            raise UsageError(
                f"Cannot use {name}={value!r}, because it is a count; give a whole number from {least} on."
            )
    if steps is not None and epochs is not None:
        raise UsageError("Cannot use steps and epochs together, because each fixes the length; give one of them.")
    if dtype not in DTYPES:
        raise UsageError(
            f"Cannot use dtype={dtype!r}, because there are bounds for float32 and float64 only; choose one."
        )
    batches = _batches(network, data, dtype, batch, seed)
    planned = epochs * batches.per_epoch if epochs is not None else 200 if steps is None else steps
    schedule = Schedule(full or multiply_adds(network, batches.size) < SMALL, check_every or 0, planned, seed)
    session = Session(network, batches, optimizer, dtype, seed, schedule)
    head = session.admit(names, data, named=against is not None)
    writer = Writer(Path(output)) if output is not None else None
    return session.train(Run(head), writer, progress)


def _names(against: Sequence[str] | None) -> list[str]:
    if against is None:
        return registry.names()
    chosen = [against] if isinstance(against, str) else list(against)
    known = registry.names()
    for name in chosen:
        lookup("implementation", dict.fromkeys(known), name)
    return list(dict.fromkeys([REFERENCE, *chosen]))


def _batches(network: Network, data: Data, dtype: str, batch: int | None, seed: int) -> Batches:
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
            f"Cannot train on {data.name} in {dtype}, because its values overflow there; standardise or scale them."
        )
    return Batches(x, y, min(batch or len(x), len(x)), seed)
