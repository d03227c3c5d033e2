"""Which planted faults would a comparison of a network's gradients miss?"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

from harness.candidates.implementation import admit
from harness.evaluation.given import read_only, with_buffers
from harness.evaluation.point import Point
from harness.fault_injection.misses import Planted, ask_by_differences, catalogue_of, evenly, of_weights_only, plant
from harness.fault_injection.planted_pass import Ground
from harness.fault_injection.power import Peer, Power
from harness.inputs.arguments import as_data, as_dtype, as_names, as_network
from harness.inputs.batches import batches_of
from harness.inputs.datasets import Data
from harness.inputs.plain import as_called, as_count
from harness.interrupts import heard, heed, held_back
from impls.abilities import GradientChecker
from impls.graph import Graph
from impls.hand.notation import describe

WORK = 3e10
"""Multiply-adds that planting may take; a larger network gets an even sample of the faults."""
WORK_OF_DIFFERENCES = 5e9
"""The same for each check by differences."""
CALL = 2e4
"""What calling a pass costs at least, in multiply-adds."""
FEWEST = 10
"""A check by differences that could be asked about fewer faults is left out."""


@heard()
def power(
    network: Graph | str | os.PathLike[str] = "4-3-2-1",
    data: Data | str | os.PathLike[str] | tuple[Any, Any] = "iris",
    against: Sequence[str] | None = None,
    *,
    raw: bool = False,
    target: str | None = None,
    batch: int | None = None,
    dtype: str = "float32",
    seed: int = 0,
    progress: Callable[[float, float], None] | None = None,
) -> Power:
    """Plant every fault of the catalogue at every link of the hand backward; say which would be missed.

    The faults are planted at the point where a run of the same arguments begins.

    Args:
        network, data, raw, target, batch, seed: as for `run`.
        against: the implementations whose frameworks' own checks are asked; all that are installed if None.
        dtype: in which links are judged by rounding, and arrays compared: float32, float64, float16 or bfloat16.
        progress: called with the faults planted and all of them.

    Raises:
        UsageError: something impossible was asked for.
    """
    network, names = as_network(network, data), as_names(against)
    batch, seed, dtype = as_count("batch", batch, 1), as_count("seed", seed, 0) or 0, as_dtype(dtype)
    progress = as_called("progress", progress, "the faults planted", "all of them")
    loaded = as_data(data, network, seed, raw=raw, target=target)
    batches = batches_of(network, loaded, dtype, batch, seed)
    x, y = batches.at(1)
    x = with_buffers(network, x, network.fresh_buffers(dtype))
    point = Point(network, read_only(network.init(seed, dtype)), x, y, 1)
    with held_back():
        admission = admit(names, network, dtype, named=against is not None)
    hand = admission.participants[0]
    ground = Ground(point, hand.differentiate(point))
    comparers, checkers = admission.comparers(dtype), admission.checkers(dtype)
    possible = catalogue_of(network)
    chosen = evenly(possible, int(WORK / (network.multiply_adds(point.rows) + CALL)) or 1)
    asked = {name: comparer.accepts for name, comparer in comparers.items()}
    planted: list[Planted] = []
    for link, fault in chosen:
        heed()
        planted.append(of_weights_only(ground, link, plant(ground, link, fault, asked)))
        if progress:
            progress(len(planted), len(chosen))
    peers = {name: Peer(comparer.call, dtype, len(planted)) for name, comparer in comparers.items()}
    for name, checker in checkers.items():
        peers[name], planted = _by_differences(ground, planted, name, checker)
    what = (
        describe(network), network.loss_formula, loaded.describe(),
        f"batch {point.rows}", dtype, f"seed {seed}",
    )  # fmt: skip
    absent = tuple(admission.absent)
    return Power(" · ".join(what), dtype, tuple(planted), len(possible), peers, absent, against is not None)


def _by_differences(
    ground: Ground, planted: list[Planted], name: str, checker: GradientChecker
) -> tuple[Peer, list[Planted]]:
    """Ask a check by differences about every fault, or an even sample where that takes too long."""
    working = str(ground.working.dtype)
    dtype = working if working in checker.dtypes else checker.dtypes[0]
    weights = sum(w.size for w in ground.point.weights.values())
    passes = checker.passes(weights)
    affordable = int(WORK_OF_DIFFERENCES / (passes * (ground.network.multiply_adds(ground.point.rows) / 3 + CALL)))
    if affordable < min(FEWEST, len(planted)):
        why = f"it takes {passes:,} forward passes for each fault of a network of {weights:,} weights"
        return Peer(checker.call, dtype, 0, why), planted
    count = min(affordable, len(planted))
    asked = {i * len(planted) // count for i in range(count)}
    after = []
    for place, each in enumerate(planted):
        by = ask_by_differences(ground, each, name, checker, dtype) if place in asked and each.differs else each
        heed()
        after.append(by)
    return Peer(checker.call, dtype, count), after
