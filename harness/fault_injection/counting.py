"""What a run says of its power: faults planted at its first step, and how many its checks would miss.

Only what costs next to nothing is asked: both checks and comparisons of arrays. A large network gets an even sample of
the faults, a very large one none, and the line says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from harness.evaluation.point import Point
from harness.fault_injection.misses import catalogue_of, evenly, plant
from harness.fault_injection.planted_pass import Ground
from harness.results.record import PowerCount
from impls.abilities import Comparer
from impls.contract import Pass

WORK = 5e8
"""Multiply-adds of passes into which faults are planted, in one run."""
FEWEST = 5
"""Where that is enough for fewer faults, none is planted."""

MOST_NAMED = 20


def count_misses(point: Point, result: Pass, comparers: Mapping[str, Comparer]) -> PowerCount:
    """Plant faults into the hand code's pass at a point, and count what is missed."""
    network = point.network
    work = network.multiply_adds(point.rows)
    if work * FEWEST > WORK:
        why = f"a step of {work:,} multiply-adds is too long for it; harness power plants a sample"
        return PowerCount(0, 0, 0, 0, 0, {}, why)
    possible = catalogue_of(network)
    chosen = evenly(possible, int(WORK / work))
    ground = Ground(point, result)
    quick = {name: comparer.quick or comparer.accepts for name, comparer in comparers.items()}
    planted = [plant(ground, link, fault, quick) for link, fault in chosen]
    return PowerCount(
        len(planted),
        len(possible),
        len({each.fault.at for each in planted}),
        sum(not each.differs for each in planted),
        sum(each.missed for each in planted),
        {name: sum(each.missed_by(name) for each in planted) for name in comparers},
        which=[f"{each.fault.cause} at {each.fault.at}" for each in planted if each.missed][:MOST_NAMED],
    )
