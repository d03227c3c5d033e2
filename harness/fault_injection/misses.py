"""Faults planted one by one, and which checks accept what each of them gives.

A check misses a fault if it accepts a gradient that is wrong by more than rounding. So a fault that changes nothing on
this data is nobody's miss; and one that changes nothing beyond the rounding of the dtype in which a check compares
(float32 inside of float32) is none of that check's. The formula check, in float64, has to see it.

A run plants some at its first step, and counts how many its checks would miss. It asks only what costs next to nothing:
both checks and comparisons of arrays. A large network gets an even sample of the faults, a deep one of the links too,
each of which a fault reaches through all that lie behind it, and a very large one none; the line says so.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from harness.evaluation.point import Point
from harness.fault_injection.planted_pass import Ground
from harness.faults import Fault
from harness.faults.catalogue import faults_at
from harness.results.record import PowerCount
from impls.abilities import Comparer, GradientChecker
from impls.contract import Array, Arrays, Pass
from impls.graph import Graph, Link

_T = TypeVar("_T")

FORMULA, OF_WEIGHTS, ROUNDING = "formula", "weights only", "rounding"
OURS = (FORMULA, OF_WEIGHTS, ROUNDING)


@dataclass(frozen=True)
class Planted:
    """One fault at one link, and who accepted what it gives.

    Attributes:
        fault: the mistake and its place.
        differs: whether it changes anything beyond rounding: see `harness.fault_injection.planted_pass`.
        visible: whether it does so in the working dtype.
        accepted: by the name of each check that was asked, whether it took the faulty gradients for right.
    """

    fault: Fault
    differs: bool
    visible: bool
    accepted: Mapping[str, bool]

    @property
    def missed(self) -> bool:
        """Whether neither the formula check nor the rounding check sees it."""
        return self.differs and self.accepted[FORMULA] and self.accepted[ROUNDING]

    def missed_by(self, check: str, *, in_float64: bool = False) -> bool:
        """Whether a check accepts what it could have seen."""
        could = self.differs if in_float64 or check in OURS else self.differs and self.visible
        return could and self.accepted.get(check, False)


def catalogue_of(network: Graph, links: Iterable[Link] | None = None) -> list[tuple[Link, Fault]]:
    """Every fault of the catalogue at these links, at every backward one if None."""
    links = network.backward_links if links is None else links
    return [(link, fault) for link in links for fault in faults_at(network, link)]


def evenly(all_of: Sequence[_T], most: int) -> list[_T]:
    """At most so many of them, evenly over all: of faults, over all links and causes."""
    if len(all_of) <= most:
        return list(all_of)
    return [all_of[i * len(all_of) // most] for i in range(most)]


Accepts = Callable[[Arrays, Arrays], bool]


def plant(ground: Ground, link: Link, fault: Fault, comparers: Mapping[str, Accepts]) -> Planted:
    """Plant one fault, and ask both checks and every comparison of arrays."""
    value, value64 = ground.working.with_fault(fault), ground.double.with_fault(fault)
    rounding = ground.rounding(link, value)
    accepted = {FORMULA: ground.formula(link, value64), ROUNDING: rounding}
    differs = ground.changes(link, fault, value64)
    if differs and not rounding and comparers:
        after = _gradients(ground, link, value)
        expected = {name: ground.working.given[name] for name in after or ()}
        for name, accepts in comparers.items():
            accepted[name] = after is not None and accepts(after, expected)
    return Planted(fault, differs, not rounding, accepted)


def of_weights_only(ground: Ground, link: Link, planted: Planted) -> Planted:
    """Ask the formula check what it sees of the gradients of the weights alone."""
    value = ground.double.with_fault(planted.fault)
    seen = value.shape == ground.centre[link.output].shape and ground.formula_of_weights(link, value)
    return replace(planted, accepted={**planted.accepted, OF_WEIGHTS: seen})


def ask_by_differences(ground: Ground, planted: Planted, name: str, checker: GradientChecker, dtype: str) -> Planted:
    """Ask a check of gradients by differences, in a dtype."""
    loss, gradient_with, weights = ground.passes(dtype)
    fault = planted.fault
    try:
        accepts = checker.accepts(loss, gradient_with({fault.at: fault.rule}), weights)
    except (ValueError, TypeError):  # a gradient of another shape
        accepts = False
    return replace(planted, accepted={**planted.accepted, name: accepts})


def _gradients(ground: Ground, link: Link, value: Array) -> Arrays | None:
    """The gradients of the weights behind a wrong link; None where its shape fits nothing behind it."""
    if value.shape != ground.working.given[link.output].shape:
        return None
    return ground.working.gradients_after(link, value)


WORK = 5e8
"""Multiply-adds of passes into which faults are planted, in one run."""
FEWEST = 5
"""Where that is enough for fewer faults, none is planted."""

LINKS_RUN = 8_000
"""Links that are run behind the faults of one run, half of all links behind each: that takes half a second."""
MOST_LINKS = 60
"""At which the faults of a run are looked for."""

MOST_NAMED = 20


def count_misses(point: Point, result: Pass, comparers: Mapping[str, Comparer]) -> PowerCount:
    """Plant faults into the hand code's pass at a point, and count what is missed."""
    network = point.network
    work = network.multiply_adds(point.rows)
    if work * FEWEST > WORK:
        why = f"a step of {work:,} multiply-adds is too long for it; harness power plants a sample"
        return PowerCount(0, 0, 0, 0, 0, {}, why)
    links = evenly(network.backward_links, MOST_LINKS)
    possible = catalogue_of(network, links)
    chosen = evenly(possible, min(int(WORK / work), 2 * LINKS_RUN // len(network.backward_links)))
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
        among=len(network.backward_links) if len(links) < len(network.backward_links) else None,
        which=[f"{each.fault.cause} at {each.fault.at}" for each in planted if each.missed][:MOST_NAMED],
    )
