"""Faults planted one by one, and which checks accept what each of them gives.

A check misses a fault if it accepts a gradient that is wrong by more than rounding. So a fault that changes nothing on
this data is nobody's miss; and one that changes nothing beyond the rounding of the dtype in which a check compares
(float32 inside of float32) is none of that check's. The formula check, in float64, has to see it.

A run plants some at its first step, and counts how many its checks would miss. It asks only what costs next to nothing:
both checks and comparisons of arrays. A large network gets an even sample of the faults, a deep one of the links too,
each of which a fault reaches through all that lie behind it, and a very large one none; the line says so.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

from harness.arithmetic import Profile
from harness.diagnosis.forms import forms_at, hull
from harness.evaluation.expected import walk
from harness.evaluation.point import Point
from harness.fault_injection.planted_pass import Ground, within
from harness.faults import Fault
from harness.faults.catalogue import faults_at
from harness.results.record import PowerCount
from impls.abilities import Comparer, GradientChecker
from impls.contract import Array, Arrays, Pass, tensors_of
from impls.graph import Graph, Link, Rule
from impls.hand_numpy import Hand

_T = TypeVar("_T")

FORMULA, OF_WEIGHTS, ROUNDING, NO_FLOAT64 = "formula", "weights only", "rounding", "rounding alone"
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
        """Whether neither check sees it, or not the rounding check where it is the only one."""
        both = self.accepted[FORMULA] and self.accepted[ROUNDING]
        return self.differs and (both or self.accepted.get(NO_FLOAT64, False))

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


def plant(
    ground: Ground, link: Link, fault: Fault, comparers: Mapping[str, Accepts], no_float64: Iterable[Profile] = ()
) -> Planted:
    """Plant one fault, and ask both checks and every comparison of arrays.

    Args:
        no_float64: profiles of programs that cannot be run in float64, so that the rounding check has to see it.
    """
    value, value64 = ground.working.with_fault(fault), ground.double.with_fault(fault)
    rounding = ground.rounding(link, value)
    accepted = {FORMULA: ground.formula(link, value64), ROUNDING: rounding}
    differs = ground.changes(link, fault, value64)
    if no_float64 and differs and not within(fault, str(ground.working.dtype)):
        accepted[NO_FLOAT64] = any(ground.rounding(link, value, profile) for profile in no_float64)
    if differs and not rounding and comparers:
        after = _gradients(ground, link, value)
        expected = {name: ground.working.given[name] for name in after or ()}
        for name, accepts in comparers.items():
            accepted[name] = after is not None and accepts(after, expected)
    return Planted(fault, differs, not rounding, accepted)


def of_weights_only(ground: Ground, link: Link, planted: Planted) -> Planted:
    """Ask the formula check what it sees of the gradients of the weights alone."""
    value = ground.double.with_fault(planted.fault)
    accepted = ground.formula(link, value, ground.network.gradients)
    return replace(planted, accepted={**planted.accepted, OF_WEIGHTS: accepted})


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
    return ground.working.shown_after(link, value, ground.network.gradients)


WORK = 5e8
"""Multiply-adds of passes into which faults are planted, in one run."""
FEWEST = 5
"""Where that is enough for fewer faults, none is planted."""

LINKS_RUN = 8_000
"""Links that are run behind the faults of one run, half of all links behind each: that takes half a second."""
MOST_LINKS = 60
"""At which the faults of a run are looked for."""

MOST_NAMED = 20


def count_misses(
    point: Point, result: Pass, comparers: Mapping[str, Comparer], no_float64: Iterable[Profile] = ()
) -> PowerCount:
    """Plant faults into the hand code's pass at a point, and count what is missed; `no_float64`, see `plant`."""
    network = point.network
    chosen = _chosen(network, point.rows, network.backward_links)
    if chosen is None:
        return _too_long(network, point.rows)
    ground, alone = Ground(point, result), tuple(no_float64)
    quick = {name: comparer.quick or comparer.accepts for name, comparer in comparers.items()}
    planted = [plant(ground, link, fault, quick, alone) for link, fault in chosen.faults]
    return chosen.counted(
        [each.fault for each in planted if each.missed],
        unchanged=sum(not each.differs for each in planted),
        others={name: sum(each.missed_by(name) for each in planted) for name in comparers},
    )


class AskedOnce:
    """A check that sees one pass in its dtype and no float64, which would tell a small mistake from rounding.

    Args:
        point: weights and batch.
        shown: of all tensors, those that are shown to it.
        profile: of the programs that may have made them.
    """

    def __init__(self, point: Point, shown: Container[str], profile: Profile) -> None:
        result = Hand(point.network, point.dtype).differentiate(point.weights, point.x, point.y)
        self.ground, self.dtype = Ground(point, result), point.dtype
        self.right = {name: tensor for name, tensor in tensors_of(result).items() if name in shown}
        hidden = [link for link in point.network.links if link.output not in self.right]
        self.walked = walk(point, self.right, profile, {link.output: _in_any_form(link) for link in hidden})

    def sees(self, link: Link, fault: Fault) -> bool | None:
        """Whether it calls a right pass with this fault wrong; None if that changes nothing of what is shown.

        What is right in another form of its link is not wrong: see `harness.diagnosis.forms`.
        """
        ground = self.ground
        after = ground.working.shown_after(link, ground.working.with_fault(fault), self.right)
        if after is None or not all(self._right(name, tensor) for name, tensor in after.items()):
            return True
        if not after or within(fault, self.dtype):
            return None
        return False if ground.changes(link, fault, ground.double.with_fault(fault)) else None

    def _right(self, name: str, tensor: Array) -> bool:
        expected, link = self.walked.expected[name], self.ground.network.link[name]
        rules = (form.beside(link) for form in forms_at(link))
        return expected.holds(tensor) or any(rule(self.walked.read).holds(tensor) for rule in rules)


def _in_any_form(link: Link) -> Rule:
    forms = forms_at(link)
    return partial(hull, link, forms) if forms else link


def count_unseen(point: Point, shown: Container[str], profile: Profile) -> PowerCount:
    """Plant faults into a right pass, and count what a check does not see that is asked once: see `AskedOnce`."""
    network = point.network
    chosen = _chosen(network, point.rows, network.links)
    if chosen is None:
        return _too_long(network, point.rows)
    check = AskedOnce(point, shown, profile)
    seen = [check.sees(link, fault) for link, fault in chosen.faults]
    missed = [fault for (_, fault), saw in zip(chosen.faults, seen, strict=True) if saw is False]
    return chosen.counted(missed, unchanged=seen.count(None))


@dataclass(frozen=True)
class _Chosen:
    """The faults that are planted, of so many, at some of so many links."""

    faults: Sequence[tuple[Link, Fault]]
    possible: int
    links: Sequence[Link]
    among: int

    def counted(self, missed: Sequence[Fault], unchanged: int, others: Mapping[str, int] | None = None) -> PowerCount:
        return PowerCount(
            len(self.faults), self.possible, len({fault.at for _, fault in self.faults}), unchanged, len(missed),
            dict(others or {}), among=self.among if len(self.links) < self.among else None,
            which=[f"{fault.cause} at {fault.at}" for fault in missed][:MOST_NAMED],
        )  # fmt: skip


def _chosen(network: Graph, rows: int, among: Sequence[Link]) -> _Chosen | None:
    """An even sample of the faults at these links; None where a single pass takes too long."""
    work = network.multiply_adds(rows)
    if work * FEWEST > WORK:
        return None
    links = evenly(among, MOST_LINKS)
    possible = catalogue_of(network, links)
    most = min(int(WORK / work), 2 * LINKS_RUN // len(network.backward_links))
    return _Chosen(evenly(possible, most), len(possible), links, len(among))


def _too_long(network: Graph, rows: int) -> PowerCount:
    why = f"a step of {network.multiply_adds(rows):,} multiply-adds is too long for it; harness power plants a sample"
    return PowerCount(0, 0, 0, 0, 0, {}, why)
